"""Faces with 68 landmarks: synthetic ones whose landmarks are known, a torch dataset of them, and its augmentation.

The faces are cut out as expression networks see them, aligned or nearly. In augmentation the points move with the
picture, and pictures get as bad as real ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np
import torch
from torch import Tensor

from mien.data.alignment import (
    FIVE_POINT_TEMPLATE,
    TEMPLATE_SIZE,
    align_face,
    apply_transform,
    similarity_transform,
    template_transform,
)
from mien.data.face_images import check_rows, resize_square
from mien.data.synthetic import (
    ACTION_UNITS,
    ActionUnits,
    FaceParameters,
    five_points,
    render_scene,
    sample_face,
    sample_identity,
    scene_landmarks,
)
from mien.data.synthetic.folder import synthetic_stream
from mien.errors import MienError
from mien.labels import EXPRESSIONS, LANDMARK_MIRROR, NUM_LANDMARKS

SCENE_SIDE = 1.75
"""Side of the scene over that of the crop: a face is then rendered about as large as it is cut out."""

_BOX_SIDES = (1.1, 1.6)  # side of a crop that is not aligned over the longer side of the landmarks' box
_MOST_YAW, _MOST_PITCH = 35.0, 25.0  # degrees, the renderer's


@dataclass(frozen=True)
class LandmarkCrops:
    """How faces are posed and cut out.

    Attributes:
        size: Side of the crops in pixels.
        aligned_share: Part of the faces that are brought to the five-point template, as a detector's points do it; the
            others are cut out by a box around the landmarks, and lean as in their scene.
        rotate_degrees: Largest rotation of a crop, either way.
        scale: Largest change of its size, as a fraction.
        shift: Largest shift along each axis, as a fraction of its side.
        yaw_degrees: Standard deviation of the head's turn.
        pitch_degrees: Standard deviation of its nod.
        free_share: Part of the faces whose action units are sampled one by one, as no expression combines them.
    """

    size: int
    aligned_share: float
    rotate_degrees: float
    scale: float
    shift: float
    yaw_degrees: float
    pitch_degrees: float
    free_share: float


@dataclass(frozen=True)
class LandmarkFace:
    """A face that is placed and not rendered yet.

    Attributes:
        parameters: What to draw.
        scene_size: Side of its square scene in pixels.
        cut: (5, 2) where the template's points lie in the scene: they decide what is cut out.
        landmarks: (68, 2) x and y in the crop, where (0, 0) and (1, 1) are the corners of the crop. A landmark that is
            cut off lies outside.
        aligned: Whether it is brought to the template.
    """

    parameters: FaceParameters
    scene_size: int
    cut: np.ndarray
    landmarks: np.ndarray
    aligned: bool

    @property
    def expression(self) -> str:
        """What the face shows."""
        return EXPRESSIONS[self.parameters.expression]


def place_landmark_face(crops: LandmarkCrops, seed: int, person: int, picture: int) -> LandmarkFace:
    """Decide all about one face, its landmarks included, without drawing it.

    Args:
        crops: How faces are posed and cut out.
        seed: 0 or more.
        person: Who it is; equal numbers are equal persons.
        picture: Number of the face; the expression goes round with it, everything else is sampled by it.

    Example:
        >>> crops = LandmarkCrops(48, 0.7, 30.0, 0.15, 0.08, 14.0, 8.0, 0.3)
        >>> face = place_landmark_face(crops, seed=0, person=0, picture=3)
        >>> face.landmarks.shape, face.expression
        ((68, 2), 'happy')
    """
    identity = sample_identity(synthetic_stream("landmarks", seed, 0, person))
    rng = synthetic_stream("landmarks", seed, 1, picture)
    expression = EXPRESSIONS[picture % len(EXPRESSIONS)]
    parameters = sample_face(rng, expression, identity=identity)
    yaw = float(np.clip(rng.normal(0.0, crops.yaw_degrees), -_MOST_YAW, _MOST_YAW))
    pitch = float(np.clip(rng.normal(0.0, crops.pitch_degrees), -_MOST_PITCH, _MOST_PITCH))
    parameters = replace(parameters, pose=replace(parameters.pose, yaw=yaw, pitch=pitch))
    if rng.random() < crops.free_share:
        parameters = replace(parameters, action_units=_free_units(rng, parameters.action_units))
    side = 2 * round(SCENE_SIDE * crops.size / 2)
    in_scene = scene_landmarks(parameters, (side, side)).astype(np.float64)
    aligned = bool(rng.random() < crops.aligned_share)
    cut = _jittered(rng, _place_of_template(rng, in_scene, aligned), crops)
    in_crop = apply_transform(in_scene, template_transform(cut, crops.size))
    return LandmarkFace(parameters, side, cut, (in_crop + 0.5) / crops.size, aligned)


def render_landmark_face(face: LandmarkFace, size: int) -> np.ndarray:
    """Draw a face that was placed for crops of this size: (size, size, 3) uint8 RGB; black where the scene ends."""
    scene = render_scene(face.parameters, (face.scene_size, face.scene_size))
    return align_face(scene.image, face.cut, size)


def _free_units(rng: np.random.Generator, units: ActionUnits) -> ActionUnits:
    """Some units at any intensity beside those of an expression, about equal on both sides."""
    shown = rng.random(len(ACTION_UNITS)) < 0.3
    level = (shown * rng.beta(0.8, 1.2, len(ACTION_UNITS)))[:, None]
    sides = level * (1.0 + rng.normal(0.0, 0.2, (len(ACTION_UNITS), 2)))
    return ActionUnits.from_array(np.clip(np.maximum(0.6 * units.as_array(), sides), 0.0, 1.0))


def _place_of_template(rng: np.random.Generator, landmarks: np.ndarray, aligned: bool) -> np.ndarray:
    """(5, 2) the face's own five points, or the template's in an upright square around the face."""
    if aligned:
        return five_points(landmarks)
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    side = (high - low).max() * rng.uniform(*_BOX_SIDES)
    return (FIVE_POINT_TEMPLATE + 0.5 - TEMPLATE_SIZE / 2) / TEMPLATE_SIZE * side + (low + high) / 2


def _jittered(rng: np.random.Generator, cut: np.ndarray, crops: LandmarkCrops) -> np.ndarray:
    """Turn, scale and move the square that is cut out, about its own centre."""
    angle = np.deg2rad(rng.uniform(-crops.rotate_degrees, crops.rotate_degrees))
    scale = 1.0 + rng.uniform(-crops.scale, crops.scale)
    shift = rng.uniform(-crops.shift, crops.shift, 2) * TEMPLATE_SIZE
    middle = TEMPLATE_SIZE / 2 - 0.5
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = (FIVE_POINT_TEMPLATE - middle) @ turn.T + middle + shift
    return apply_transform(moved, similarity_transform(FIVE_POINT_TEMPLATE, cut))


class PointsAugment(Protocol):
    """Changes an image (H, H, 3) uint8 and the points (68, 2) in it; equal seeds give equal results."""

    def __call__(self, image: np.ndarray, points: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the changed image, and where the points are in it."""


class LandmarkImages:
    """Faces of some rows of a packed file as a landmark network sees them, and where their landmarks are.

    Args:
        faces: All packed faces (n, H, H, 3) uint8 RGB, memory-mapped or not.
        rows: Which of them, one per sample.
        points: (n, 68, 2) landmarks of each sample, x and y with (0, 0) and (1, 1) the corners of the face; NaN where
            unknown.
        image_size: Side of the images given out, in pixels.
        augment: Changes an image of that side and its points; None for evaluation.
        seed: Seed of the augmentation.

    ``dataset[key]`` is ``((image,), points)`` with image (3, image_size, image_size) float32, BGR in [0, 1], and points
    (68, 2) float32. A key is ``epoch * n + i`` (see ``engine.sampling``); without augmentation plain indices do.

    Raises:
        MienError: Rows and points differ in length, points have another shape, or a row is not among the faces.

    Source: BGR in [0, 1] is what cunjian/pytorch_face_landmark feeds to its network, so that the two are exchangeable.
    """

    def __init__(
        self,
        faces: np.ndarray,
        rows: Sequence[int] | np.ndarray,
        points: np.ndarray,
        *,
        image_size: int,
        augment: PointsAugment | None = None,
        seed: int = 0,
    ) -> None:
        self.faces, self.rows = faces, np.asarray(rows, np.int64)
        self.points = np.asarray(points, np.float64)
        if self.points.shape != (len(self.rows), NUM_LANDMARKS, 2):
            raise MienError(
                f"{len(self.rows)} rows but points of shape {self.points.shape}: every sample needs {NUM_LANDMARKS} "
                "points (x, y). Put NaN for those that are not known."
            )
        check_rows(self.rows, self.points, len(faces))
        self.image_size, self.augment, self.seed = image_size, augment, seed

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: int) -> tuple[tuple[Tensor], Tensor]:
        index = key % len(self)
        image = resize_square(np.asarray(self.faces[self.rows[index]]), self.image_size)
        points = self.points[index]
        if self.augment is not None:
            seed = int(np.random.SeedSequence((self.seed, key)).generate_state(1)[0])
            image, points = self.augment(image, points, seed)
        pixels = np.ascontiguousarray(image[..., ::-1].transpose(2, 0, 1), np.float32) / np.float32(255)  # (3, H, H)
        return (torch.from_numpy(pixels),), torch.from_numpy(points.astype(np.float32))


MIRROR = np.array(LANDMARK_MIRROR)
"""(68,) landmark that each landmark is in the mirror image."""

_ENLARGING = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_NEAREST)


@dataclass(frozen=True)
class Movement:
    """Turns, resizes, stretches and moves a face (H, H, 3) uint8 with its points (68, 2); equal seeds, equal results.

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
    """Changes a face (H, H, 3) uint8 and its points (68, 2); equal seeds give equal results.

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
            points: (68, 2) x and y, with (0, 0) and (1, 1) the corners of the image; NaN where unknown.
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
