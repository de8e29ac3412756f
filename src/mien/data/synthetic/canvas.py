"""Anti-aliased painting in face units, and the camera that makes a picture of it.

Soft-edged polygons and tapered strokes on float images; exposure, gamma, blur, noise and JPEG.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.data.synthetic.scene import Camera

Image = NDArray[np.floating]
Points = NDArray[np.floating]
Colour = Sequence[float] | NDArray[np.floating] | float

_SHIFT = 4


class Canvas:
    """A float image that is painted in face units.

    Args:
        pixels: (C, H, W) float32, painted in place; planes make the arithmetic fast.
        scale: Pixels per unit.
        offset: Pixel coordinates (x, y) of the units' origin.
        roll: Degrees by which the face is turned clockwise on the picture.
    """

    def __init__(self, pixels: Image, scale: float, offset: Points, roll: float = 0.0) -> None:
        self.pixels = pixels
        self.scale = scale
        self.offset = offset
        cosine, sine = np.cos(np.deg2rad(roll)), np.sin(np.deg2rad(roll))
        self.matrix = scale * np.array([[cosine, sine], [-sine, cosine]])

    def to_pixels(self, points: Points) -> Points:
        """Return face coordinates (N, 2) as pixel coordinates of this canvas."""
        return points @ self.matrix + self.offset

    def to_units(self, pixels: Points) -> Points:
        """Return pixel coordinates (N, 2) as face coordinates."""
        return (pixels - self.offset) @ self.matrix.T / self.scale**2

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.pixels.shape[1], self.pixels.shape[2]

    def cut(self, window: tuple[slice, slice]) -> Canvas:
        """Return an unrolled canvas on a copy of the pixels in ``window``."""
        corner = np.array([window[1].start, window[0].start])
        return Canvas(self.pixels[:, *window].copy(), self.scale, self.offset - corner)

    def mask(self, polygons: Sequence[Points], feather: float = 0.0) -> tuple[tuple[slice, slice], Image] | None:
        """Return the window that ``polygons`` touch and their coverage (h, w) in [0, 1] there, or None when outside.

        ``feather`` is the standard deviation of the soft edge in face units.
        """
        height, width = self.shape
        sigma = feather * self.scale
        margin = int(2.5 * sigma) + 2
        placed = [self.to_pixels(polygon) for polygon in polygons]
        low = np.min([p.min(axis=0) for p in placed], axis=0).astype(int) - margin
        high = np.max([p.max(axis=0) for p in placed], axis=0).astype(int) + margin + 1
        left, top = int(max(low[0], 0)), int(max(low[1], 0))
        right, bottom = int(min(high[0], width)), int(min(high[1], height))
        if left >= right or top >= bottom:
            return None
        # A very soft edge needs no fine grid.
        coarse = max(int(sigma / 1.6), 1)
        rows, columns = -(-(bottom - top) // coarse), -(-(right - left) // coarse)
        cover = np.zeros((rows, columns), np.uint8)
        corner = np.array([left, top]) - 0.5
        for points in placed:
            fixed = np.round(((points - corner) / coarse - 0.5) * 2**_SHIFT).astype(np.int32)
            cv2.fillPoly(cover, [fixed], 255, cv2.LINE_AA, _SHIFT)
        if sigma > 0.3:
            cv2.GaussianBlur(cover, (0, 0), sigma / coarse, cover, borderType=cv2.BORDER_REPLICATE)
        soft: Image = cover.astype(np.float32) * np.float32(1 / 255)
        if coarse > 1:
            finer = cv2.resize(soft, (columns * coarse, rows * coarse), interpolation=cv2.INTER_LINEAR)
            soft = np.asarray(finer[: bottom - top, : right - left], np.float32)
        return (slice(top, bottom), slice(left, right)), soft

    def fill(
        self,
        polygon: Points | Sequence[Points],
        colour: Colour,
        opacity: float = 1.0,
        feather: float = 0.0,
        texture: Image | None = None,
    ) -> None:
        """Paint a closed polygon (N, 2), or several, with ``colour``.

        ``texture`` (H, W) scales the opacity pixel by pixel.
        """
        if opacity <= 0.003:
            return
        found = self.mask([polygon] if isinstance(polygon, np.ndarray) else polygon, feather)
        if found is None:
            return
        window, cover = found
        cover = cover * np.float32(opacity)
        if texture is not None:
            cover = cover * texture[window]
        self.blend(window, cover, np.asarray(colour, dtype=np.float32).reshape(-1, 1, 1))

    def blend(self, window: tuple[slice, slice], cover: Image, colour: Image) -> None:
        """Move the pixels in ``window`` towards ``colour`` (C, h, w) or (C, 1, 1) by ``cover`` (h, w)."""
        part = self.pixels[:, *window]
        change = colour - part
        change *= cover
        part += change

    def stroke(
        self,
        curve: Points,
        colour: Colour,
        width: float,
        opacity: float = 1.0,
        feather: float = 0.0,
        taper: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        """Paint a line along ``curve`` (N, 2) that is ``width`` units wide in its middle.

        ``taper`` is the share of the width left at the two ends. Lines thinner than a pixel become paler instead.
        """
        visible = max(width, 1.0 / self.scale)
        self.fill(ribbon(curve, visible, taper), colour, opacity * width / visible, feather)


def xy(x: float, y: float) -> Points:
    """Return a point or a step (2,)."""
    return np.array((x, y))


def ribbon(curve: Points, width: float, taper: tuple[float, float] = (0.0, 0.0)) -> Points:
    """Return the outline (2N, 2) of a line ``width`` wide along ``curve`` (N, 2), ``taper`` of it at the ends."""
    tangent = np.empty_like(curve)
    tangent[1:-1] = curve[2:] - curve[:-2]
    tangent[0], tangent[-1] = curve[1] - curve[0], curve[-1] - curve[-2]
    length = np.sqrt((tangent * tangent).sum(axis=1)) + 1e-9
    offset = tangent[:, ::-1] * (_profile(len(curve), *taper) * (0.5 * width) / length)[:, None] * (-1.0, 1.0)
    return np.concatenate([curve + offset, (curve - offset)[::-1]])


@lru_cache(maxsize=256)
def _profile(samples: int, first: float, last: float) -> Points:
    u = np.linspace(-1.0, 1.0, samples)
    end = np.where(u < 0, first, last)
    return end + (1.0 - end) * (1.0 - u**2) ** 0.6


@lru_cache(maxsize=16)
def _circle(samples: int) -> Points:
    angle = np.linspace(0.0, 2.0 * np.pi, samples, endpoint=False)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def ellipse(centre: Sequence[float] | Points, radii: Sequence[float], samples: int = 24, tilt: float = 0.0) -> Points:
    """Return the outline (samples, 2) of an ellipse; ``tilt`` in radians turns it clockwise."""
    outline = _circle(samples) * radii
    if tilt:
        cosine, sine = np.cos(tilt), np.sin(tilt)
        outline = outline @ np.array([[cosine, sine], [-sine, cosine]])
    return outline + centre


def photograph(
    light: NDArray[np.float32], camera: Camera, shape: tuple[int, int], face_height: float, seed: int
) -> NDArray[np.uint8]:
    """Return the picture (H, W, 3) that ``camera`` takes of linear ``light`` (3, rows, columns).

    Args:
        light: Linear light, about 1 on a white wall, at the size of the picture or finer.
        camera: Exposure, tone, noise, blur and compression.
        shape: Height and width of the picture.
        face_height: Pixels of the picture from hairline to chin, the measure of blur.
        seed: Of the sensor's noise.
    """
    picture = cv2.merge(list(light))
    if light.shape[1:] != shape:
        picture = cv2.resize(picture, (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    sigma = camera.blur * face_height / 100.0
    if sigma > 0.25:
        picture = cv2.GaussianBlur(picture, (0, 0), sigma)
    tone = np.sqrt(picture * np.float32(camera.exposure))
    # A shoulder instead of clipped highlights.
    over = np.maximum(tone - 0.8, 0.0)
    tone = tone - over + over / (1.0 + 2.5 * over)
    grey = cv2.cvtColor(tone, cv2.COLOR_RGB2GRAY)[:, :, None]
    tone = grey + np.float32(camera.saturation) * (tone - grey)
    tone = (tone - np.float32(0.5)) * np.float32(camera.contrast) + np.float32(0.5)
    noise = np.random.default_rng(seed).standard_normal((*shape, 3), dtype=np.float32)
    # Most of a sensor's noise is shared by the channels once the picture is demosaiced.
    noise = 0.8 * noise[:, :, :1] + 0.6 * noise
    levels = np.clip(tone * 255 + noise * np.float32(camera.noise), 0, 255).round().astype(np.uint8)
    _, data = cv2.imencode(".jpg", levels[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, camera.jpeg_quality])
    return np.ascontiguousarray(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)[:, :, ::-1])
