"""Hair of several styles: what hangs behind the neck and what lies before the skull, made of strands."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from mien.data.synthetic.canvas import Canvas, Image, Points
from mien.data.synthetic.colours import hair_colour
from mien.data.synthetic.geometry import FaceCurves, spline
from mien.data.synthetic.identity import HAIR_STYLES, Identity
from mien.data.synthetic.skin import texture

_VOLUME = {
    "shaved": 0.012,
    "short": 0.09,
    "parted": 0.13,
    "fringe": 0.13,
    "bob": 0.17,
    "long": 0.15,
    "curly": 0.30,
    "tied": 0.05,
}
_LENGTH = {"bob": 1.25, "long": 2.35, "curly": 0.55}
_CROPPED = ("shaved", "short", "curly")


@dataclass(frozen=True)
class HairShape:
    """Hairline and silhouette from the left to the right of the picture, (N, 2) each, and the hair behind the neck."""

    inner: Points
    outer: Points
    behind: Points | None


def build_hair(identity: Identity, curves: FaceCurves, rng: np.random.Generator) -> HairShape:
    """Return the outline of the hair of ``identity`` at its age; ``rng`` makes its edges uneven."""
    style = HAIR_STYLES[identity.hair_style]
    half, crown = float(np.abs(curves.skull[:, 0]).max()), -float(curves.skull[:, 1].min())
    grown = float(np.clip(identity.age / 3.0, 0.0, 1.0))
    volume = _VOLUME[style] * (0.7 + 0.6 * identity.hair_volume) * (0.3 + 0.7 * grown) + 0.008
    length = _LENGTH.get(style, 0.0) * grown
    inner, outer = (_hanging if length > 0.5 else _cropped)(identity, half, crown, volume, length)
    rough = 0.035 if style == "curly" else 0.014
    inner, outer = spline(inner, 61), spline(outer, 61)
    inner = inner + rng.normal(0.0, 0.010, inner.shape)
    outer = outer + rng.normal(0.0, rough, outer.shape)
    behind = None
    if length > 0.5:
        wide = half + volume * 0.95
        side = np.array([(wide * 0.9, -0.6), (wide, 0.3), (wide * 1.02, 0.7 * length), (wide * 0.85, length)])
        behind = np.concatenate([side * (-1.0, 1.0), side[::-1]])
    return HairShape(inner, outer, behind)


def _hairline(identity: Identity, half: float) -> Points:
    """Return the hairline from the left temple over the forehead to the right one, (N, 2)."""
    style = HAIR_STYLES[identity.hair_style]
    recede, temple = 0.42 * identity.recession, 0.30 * identity.recession
    top = -identity.forehead_height - recede
    if style == "fringe" or (style == "bob" and identity.hair_volume > 0.55):
        low = -0.56 - 0.10 * identity.hair_volume
        right = np.array(
            [(half * 0.93, -0.30), (half * 0.85, low + 0.10), (half * 0.55, low), (half * 0.25, low - 0.03)]
        )
        return np.concatenate([right * (-1.0, 1.0), [(0.0, low - 0.01)], right[::-1]])
    right = np.array(
        [
            (half * 0.955, -0.25),
            (half * 0.89, -0.58 - 0.6 * temple),
            (half * 0.70, min(top + 0.17, -0.62) - temple),
            (half * 0.36, top + 0.03 - 0.7 * temple),
        ]
    )
    line = np.concatenate([right * (-1.0, 1.0), [(0.0, top - 0.03 + 0.15 * temple)], right[::-1]])
    if style in ("parted", "short", "long", "tied"):
        # Combed over: the hairline sinks on the side away from the parting.
        sweep = np.array([0.0, 0.6, 1.0, 0.8, 0.0, -0.8, -1.0, -0.6, 0.0])
        line[:, 1] += 0.11 * identity.hair_parting * sweep
    return line


def _dome(half: float, crown: float, volume: float) -> Points:
    right = np.array(
        [
            (half * 1.00 + volume, -0.42),
            (half * 0.90 + volume * 0.95, -0.42 * crown - 0.36),
            (half * 0.64 + volume * 0.7, -0.84 * crown - 0.75 * volume),
            (half * 0.30 + volume * 0.3, -crown * 0.985 - volume),
        ]
    )
    return np.concatenate([right * (-1.0, 1.0), [(0.0, -crown - volume)], right[::-1]])


def _cropped(identity: Identity, half: float, crown: float, volume: float, length: float) -> tuple[Points, Points]:
    burn = 0.10 + 0.16 * identity.masculinity * identity.growth + 0.3 * length
    inner = np.array([(half * 0.965, burn), (half * 0.96, 0.4 * burn)])
    outer = np.array([(half * 1.0, burn), (half * 1.03 + 0.45 * volume + 0.15 * length, 0.8 * burn - 0.12)])
    return _flank(inner, _hairline(identity, half)), _flank(outer, _dome(half, crown, volume))


def _hanging(identity: Identity, half: float, crown: float, volume: float, length: float) -> tuple[Points, Points]:
    close = 0.93 + 0.08 * identity.hair_volume
    inner = np.array(
        [(half * 0.80, length), (half * 0.97, 0.62 * length), (half * 1.0 * close, 0.30), (half * 0.95 * close, -0.05)]
    )
    wide = half * 1.03 + volume
    outer = np.array([(wide * 0.98, length), (wide * 1.03, 0.62 * length), (wide * 1.01, 0.25), (wide, -0.1)])
    return _flank(inner, _hairline(identity, half)), _flank(outer, _dome(half, crown, volume))


def _flank(right: Points, top: Points) -> Points:
    """Return ``top`` with ``right``, and its mirror image on the left, put at its ends; ``right`` runs upwards."""
    return np.concatenate([right * (-1.0, 1.0), top, right[::-1]])


def paint_hair(canvas: Canvas, identity: Identity, shape: HairShape, skull: Image, rng: np.random.Generator) -> Image:
    """Paint the hair before the skull; return its coverage (H, W).

    ``skull`` (H, W) is the coverage of what is already painted.
    """
    density = float(np.clip(1.06 - 0.40 * identity.recession, 0.0, 1.0)) * float(
        np.clip(0.3 + identity.age / 4.0, 0.0, 1.0)
    )
    if HAIR_STYLES[identity.hair_style] == "shaved":
        density *= 0.6
    cover = np.zeros(canvas.shape, np.float32)
    found = canvas.mask([np.concatenate([shape.outer, shape.inner[::-1]])], feather=0.026)
    if found is None:
        return cover
    window, edge = found
    if HAIR_STYLES[identity.hair_style] == "curly":
        light = (
            0.85
            + 0.20 * texture(rng, cover.shape, 0.055 * canvas.scale)
            + 0.12 * texture(rng, cover.shape, 0.15 * canvas.scale)
        )
    else:
        light = _strands(canvas, shape, HAIR_STYLES[identity.hair_style] in _CROPPED, rng)
    # Thin hair lets the scalp shine through, not what is behind the head.
    cover[window] = edge * (1 - np.float32(1.0 - density) * (0.15 + 0.85 * skull[window]))
    over = cover / np.maximum(cover + skull * (1.0 - cover), 1e-3)
    colour = hair_colour(identity)[:, None, None] * np.clip(light, 0.2, 1.5).astype(np.float32)
    canvas.blend((slice(None), slice(None)), over, np.minimum(colour, 1.0))
    return cover


def _strands(canvas: Canvas, shape: HairShape, cropped: bool, rng: np.random.Generator) -> Image:
    """Return brightness factors (H, W) of strands that run along the outline, or across it where ``cropped``."""
    sheet = np.full(canvas.shape, 128, np.uint8)
    inner, outer = canvas.to_pixels(shape.inner), canvas.to_pixels(shape.outer)
    count, levels = 130, 6
    if cropped:
        start = rng.integers(0, len(inner), count)
        end = np.clip(start + rng.integers(-5, 6, count), 0, len(inner) - 1)
        t = np.linspace(-0.1, 1.0, 5)[None, :, None]
        lines = (1 - t) * inner[start][:, None] + t * outer[end][:, None]
        lines = lines + rng.normal(0.0, 0.018 * canvas.scale, lines.shape)
    else:
        bend = np.linspace(-0.10, 0.10, 21)[None, :, None] * rng.normal(size=(count, 1, 1))
        share = rng.uniform(-0.05, 1.05, (count, 1, 1)) + bend
        lines = (1.0 - share) * inner[::3] + share * outer[::3]
    fixed = np.round(lines * 16).astype(np.int32)
    thickness = max(round(0.024 * canvas.scale), 1)
    for level in range(levels):
        grey = int(128 + 76 * (2 * level / (levels - 1) - 1))
        cv2.polylines(sheet, list(fixed[level::levels]), False, grey, thickness, cv2.LINE_AA, 4)
    smooth = cv2.GaussianBlur(sheet, (0, 0), 0.014 * canvas.scale + 0.4)
    return smooth.astype(np.float32) * np.float32(0.8 / 128) + np.float32(0.2)
