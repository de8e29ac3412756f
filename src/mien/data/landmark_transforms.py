"""Augmentation of faces with landmarks: the points move with the picture, and pictures get as bad as real ones."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from mien.labels import FIVE_POINT_MIRROR, LANDMARK_MIRROR, NUM_LANDMARKS

MIRROR = np.array([*LANDMARK_MIRROR, *(NUM_LANDMARKS + point for point in FIVE_POINT_MIRROR)])
"""(73,) point that each of the 68 landmarks and of MTCNN's five points behind them is in the mirror image."""

_ENLARGING = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_NEAREST)


@dataclass(frozen=True)
class Movement:
    """Turns, resizes, stretches and moves a face (H, H, 3) uint8 with its points (73, 2); equal seeds, equal results.

    Attributes:
        flip: Probability of the mirror image.
        rotate_degrees: Largest rotation about the centre, either way.
        scale: Largest change of size, as a fraction, either way.
        stretch: Largest change of height over width, as a fraction, either way.
        shift: Largest shift along each axis, as a fraction of the side.
    """

    flip: float
    rotate_degrees: float
    scale: float
    stretch: float
    shift: float

    def __call__(self, image: np.ndarray, points: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the moved image, and where the points are in it; as in ``LandmarkAugmentation``."""
        return self.move(np.random.default_rng(seed), image, points)

    def move(self, rng: np.random.Generator, image: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same, by a generator."""
        angle = math.radians(rng.uniform(-self.rotate_degrees, self.rotate_degrees))
        size = 1 + rng.uniform(-self.scale, self.scale)
        stretch = math.sqrt(1 + rng.uniform(-self.stretch, self.stretch))
        shift = rng.uniform(-self.shift, self.shift, 2)
        flipped, black = rng.random() < self.flip, rng.random() < 0.5
        turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        linear = size * turn @ np.diag([(-1.0 if flipped else 1.0) / stretch, stretch])
        # A detector's crop is black beyond the photograph; a margin in other colours must not tell that it was turned
        border = cv2.BORDER_CONSTANT if black else cv2.BORDER_REPLICATE
        moved = cv2.warpAffine(image, _pixel_matrix(linear, shift, len(image)), image.shape[:2], borderMode=border)
        return moved, ((points[MIRROR] if flipped else points) - 0.5) @ linear.T + 0.5 + shift


@dataclass(frozen=True)
class LandmarkAugmentation:
    """Changes a face (H, H, 3) uint8 and its points (73, 2); equal seeds give equal results.

    Attributes:
        movement: How far the face is moved; it always is.
        often: Probability of each of the changes below, ``grey`` apart.
        brightness: Largest change of all levels, as a fraction of 255.
        contrast: Largest change of the contrast, as a fraction.
        gamma: Largest exponent of the tone curve; its inverse is the smallest.
        tint: Largest change of a channel, as a fraction.
        light: Largest change of the light from the middle to an edge, as a fraction.
        grey: Probability that all colour is taken away.
        lowest_size: Side in pixels to which a face is shrunk, at the least, before it is enlarged again.
        blur: Largest standard deviation of the blur, as a fraction of the side.
        noise: Largest standard deviation of the noise, in grey levels.
        jpeg_quality: Lowest quality of JPEG compression, 1 to 100.
        erase: Largest side of a patch that hides part of the face, as a fraction of the side.

    Source: ours, after what face-landmark networks are commonly trained with. Light, resolution and what hides a face
        vary little in synthetic faces and a lot in photographs.
    """

    movement: Movement
    often: float
    brightness: float
    contrast: float
    gamma: float
    tint: float
    light: float
    grey: float
    lowest_size: int
    blur: float
    noise: float
    jpeg_quality: int
    erase: float

    def __call__(self, image: np.ndarray, points: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Augment a face.

        Args:
            image: (H, H, 3) uint8 RGB.
            points: (73, 2) x and y, with (0, 0) and (1, 1) the corners of the image; NaN where unknown.
            seed: 0 or more.

        Returns:
            The changed image and the points where they are in it.
        """
        rng = np.random.default_rng(seed)
        image, points = self.movement.move(rng, image, points)
        image = self._lit(rng, image)
        image = self._degraded(rng, image)
        return self._hidden(rng, image), points

    def _lit(self, rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
        levels = np.linspace(0.0, 1.0, 256)[:, None].repeat(3, axis=1)
        if rng.random() < self.often:
            levels = levels ** math.exp(rng.uniform(-1.0, 1.0) * math.log(self.gamma))
        if rng.random() < self.often:
            levels = (levels - 0.5) * (1 + rng.uniform(-self.contrast, self.contrast)) + 0.5
            levels = levels + rng.uniform(-self.brightness, self.brightness)
        if rng.random() < self.often:
            levels = levels * (1 + rng.uniform(-self.tint, self.tint, 3))
        table = (levels.clip(0.0, 1.0) * 255).round().astype(np.uint8)
        image = cv2.LUT(image, table[None])
        if rng.random() < self.often:
            image = _shaded(image, rng.uniform(0.0, 2 * math.pi), rng.uniform(0.0, self.light))
        if rng.random() < self.grey:
            image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        return image

    def _degraded(self, rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
        side = len(image)
        if self.lowest_size < side and rng.random() < self.often:
            small = round(math.exp(rng.uniform(math.log(self.lowest_size), math.log(side))))
            shrunk = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
            image = cv2.resize(shrunk, (side, side), interpolation=_ENLARGING[rng.integers(len(_ENLARGING))])
        if rng.random() < self.often:
            sigma = rng.uniform(0.0, self.blur) * side
            image = cv2.GaussianBlur(image, (0, 0), sigma) if sigma > 0.3 else image
        if rng.random() < self.often:
            noise = rng.standard_normal((side, side, 1 if rng.random() < 0.5 else 3), np.float32)
            noisy = image + noise * np.float32(rng.uniform(0.0, self.noise))
            image = noisy.clip(0, 255).astype(np.uint8)
        if rng.random() < self.often:
            quality = int(rng.integers(self.jpeg_quality, 101))
            _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
            image = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)  # red and blue swapped twice
        return image

    def _hidden(self, rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
        if not self.erase or rng.random() >= self.often:
            return image
        image, side = image.copy(), len(image)
        height, width = (max(1, round(share * side)) for share in rng.uniform(0.1 * self.erase, self.erase, 2))
        top, left = rng.integers(0, side - height + 1), rng.integers(0, side - width + 1)
        patch = image[top : top + height, left : left + width]
        colour = rng.integers(0, 256, 3)
        if rng.random() < 0.5:  # a patch of the picture itself has the texture of skin or hair
            y, x = rng.integers(0, side - height + 1), rng.integers(0, side - width + 1)
            patch[:] = image[y : y + height, x : x + width].copy()
        else:
            patch[:] = colour
        return image


def _pixel_matrix(linear: np.ndarray, shift: np.ndarray, side: int) -> np.ndarray:
    """(2, 3) what ``linear`` about the centre and ``shift`` do to the pixels of a square, whose centres are whole."""
    middle = np.full(2, side / 2 - 0.5)
    return np.column_stack([linear, middle - linear @ middle + shift * side])


def _shaded(image: np.ndarray, angle: float, change: float) -> np.ndarray:
    """Let the light fall off across the picture."""
    along = np.linspace(-1.0, 1.0, len(image), dtype=np.float32)
    ramp = math.cos(angle) * along[None, :] + math.sin(angle) * along[:, None]
    factor = 1 + np.float32(change) * ramp[:, :, None]
    return (image * factor).clip(0, 255).astype(np.uint8)
