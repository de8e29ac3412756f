"""Eyes, brows, nose and mouth, painted on the frontal canvas, and hair before and behind the head."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from mien.data.synthetic.canvas import Canvas, Image, Points, ellipse, ribbon, xy
from mien.data.synthetic.geometry import SIDES, SIGN, Eye, FaceCurves, spline
from mien.data.synthetic.identity import HAIR_STYLES, Identity
from mien.data.synthetic.scene import Pose
from mien.data.synthetic.skin import hair_colour, iris_colour, lip_colour, skin_colour, texture


def paint_eyes(canvas: Canvas, identity: Identity, curves: FaceCurves, pose: Pose) -> None:
    """Paint lids, whites, irises, pupils and lashes."""
    skin, hair = skin_colour(identity), hair_colour(identity)
    lash = np.minimum(hair, 0.25) * (0.9 - 0.5 * identity.worn_makeup)
    for side in SIDES:
        eye = curves.eyes[side]
        lid = np.concatenate([eye.upper, eye.crease[::-1]])
        canvas.fill(lid, skin * (0.84 - 0.22 * identity.worn_makeup), 0.55 + 0.25 * identity.worn_makeup, feather=0.018)
        canvas.stroke(eye.crease, skin * 0.45, 0.022, 0.75 - 0.55 * identity.lid_fold, 0.008, (0.3, 0.5))
        _paint_eyeball(canvas, identity, eye, pose)
        # Lashes: a dark upper rim that widens outwards, a faint lower one.
        widen = np.linspace(0.35, 1.0, 25)[:, None] * (0.0, 1.0)
        rim = np.concatenate(
            [eye.upper + 0.010 * widen, (eye.upper - (0.026 + 0.016 * identity.worn_makeup) * widen)[::-1]]
        )
        canvas.fill(rim, lash, 0.88, feather=0.004)
        canvas.stroke(eye.lower, skin * 0.42, 0.016, 0.65 + 0.3 * identity.worn_makeup, 0.005, (0.2, 0.9))
        inner = eye.upper[0] - xy(0.018 * SIGN[side], 0.0)
        canvas.fill(ellipse(inner, (0.026, 0.018), 10), (0.72, 0.42, 0.38), 0.5 * (1 - 0.5 * identity.melanin), 0.006)


def _paint_eyeball(canvas: Canvas, identity: Identity, eye: Eye, pose: Pose) -> None:
    opening = np.concatenate([eye.upper, eye.lower[::-1]])
    found = canvas.mask([opening])
    if found is None:
        return
    window, cover = found
    ball = canvas.cut(window)
    white = np.array([0.90, 0.87, 0.85], np.float32) * np.float32(
        1.0 - 0.10 * identity.melanin - 0.06 * identity.wrinkles
    )
    ball.pixels[:] = white[:, None, None]
    gaze_x = pose.gaze[0] * 0.75 * eye.iris - 0.10 * np.deg2rad(pose.yaw)
    gaze_y = pose.gaze[1] * 0.75 * eye.iris - 0.08 * np.deg2rad(pose.pitch)
    # The iris rests on the lower third of a relaxed opening: a lifted upper lid shows white above it.
    corners = (eye.upper[0] + eye.upper[-1]) / 2
    centre = np.array([corners[0] + gaze_x, corners[1] - 0.012 + gaze_y])
    colour = iris_colour(identity)
    ball.fill(ellipse(centre, (eye.iris, eye.iris)), colour * 0.42)
    ball.fill(ellipse(centre, (eye.iris * 0.84, eye.iris * 0.84)), colour, feather=0.006)
    ball.fill(ellipse(centre + xy(0.0, 0.4 * eye.iris), (eye.iris * 0.6, eye.iris * 0.35)), colour * 1.35, 0.5, 0.015)
    ball.fill(ellipse(centre, (eye.iris * 0.42, eye.iris * 0.42), 16), (0.03, 0.03, 0.03))
    shade = ribbon(eye.upper + xy(0.0, 0.012), 0.055)
    ball.fill(shade, (0.16, 0.11, 0.10), 0.62, feather=0.014)
    for corner in (eye.upper[0], eye.upper[-1]):
        ball.fill(ellipse(corner, (0.06, 0.06), 12), (0.45, 0.30, 0.28), 0.45, feather=0.02)
    canvas.blend(window, cover, ball.pixels)


def paint_highlights(canvas: Canvas, curves: FaceCurves, pose: Pose, towards: Points, strength: float) -> None:
    """Paint the light's mirror image on both eyes; ``canvas`` holds the shaded face."""
    for eye in curves.eyes:
        corners = (eye.upper[0] + eye.upper[-1]) / 2
        spot = (
            corners
            + np.asarray(pose.gaze) * 0.75 * eye.iris
            + np.array([towards[0], towards[1]]) * 0.05
            - xy(0.0, 0.02)
        )
        top = np.interp(spot[0], *_ascending(eye.upper))
        low = np.interp(spot[0], *_ascending(eye.lower))
        if top + 0.015 < spot[1] < low - 0.005:
            canvas.fill(ellipse(spot, (0.020, 0.022), 12), (1.0, 1.0, 0.98), 0.5 + 0.45 * strength, feather=0.004)


def _ascending(curve: Points) -> tuple[Points, Points]:
    order = curve if curve[0, 0] < curve[-1, 0] else curve[::-1]
    return order[:, 0], order[:, 1]


def paint_brows(canvas: Canvas, identity: Identity, curves: FaceCurves, rng: np.random.Generator) -> None:
    """Paint the brows as a soft band with hairs that lean outwards."""
    colour = hair_colour(identity) * np.float32(0.72) * (1 - 0.25 * np.float32(identity.worn_makeup))
    density = (0.45 + 0.45 * identity.growth) * (1.0 - 0.25 * identity.greyness) * (0.8 + 0.2 * identity.masculinity)
    for side in SIDES:
        brow = curves.brows[side]
        canvas.fill(np.concatenate([brow.upper, brow.lower[::-1]]), colour, 0.62 * density, feather=0.018)
        canvas.fill(np.concatenate([brow.upper, brow.lower[::-1]]), colour, 0.42 * density, feather=0.008)
        at, cross = rng.integers(0, 24, 40), rng.uniform(-0.15, 1.1, (40, 1))
        root = brow.lower[at] * (1 - cross) + brow.upper[at] * cross
        lean = np.stack([np.full(40, 0.05 * SIGN[side]), -0.015 - 0.03 * (1 - at / 23)], axis=1) + rng.normal(
            0.0, 0.010, (40, 2)
        )
        hairs = np.stack([root - xy(0.0, 0.005), root + xy(0.0, 0.005), root + lean], axis=1)
        canvas.fill(list(hairs), colour * np.float32(0.7), 0.40 * density)


def paint_nose(canvas: Canvas, identity: Identity, curves: FaceCurves) -> None:
    """Paint nostrils, the rims of the wings and the shadow under the tip; the relief does the rest."""
    skin, nose = skin_colour(identity), curves.nose
    left, right, base = nose.base[0], nose.base[4], nose.base[2]
    under = np.stack(
        [
            left + xy(0.03, 0.0),
            nose.base[1] + xy(0.0, 0.012),
            base,
            nose.base[3] + xy(0.0, 0.012),
            right - xy(0.03, 0.0),
        ]
    )
    canvas.stroke(spline(under, 17), skin * 0.42, 0.035, 0.55, 0.018, (0.4, 0.4))
    for sign, wing, mid in ((-1.0, left, nose.base[1]), (1.0, right, nose.base[3])):
        hole = mid + xy(0.006 * sign, -0.014)
        canvas.fill(ellipse(hole, (0.058, 0.026), 14, tilt=0.35 * sign), skin * 0.22, 0.9, feather=0.010)
        rim = np.stack(
            [
                wing + xy(-0.02 * sign, -0.12),
                wing + xy(0.035 * sign, -0.055),
                wing + xy(0.02 * sign, 0.02),
                mid + xy(0.05 * sign, 0.015),
            ]
        )
        canvas.stroke(spline(rim, 13), skin * 0.45, 0.028, 0.38, 0.014, (0.1, 0.3))


def paint_mouth(canvas: Canvas, identity: Identity, curves: FaceCurves) -> None:
    """Paint the lips and what shows between them."""
    skin, lips, mouth = skin_colour(identity), lip_colour(identity), curves.mouth
    soft = 0.014 - 0.008 * identity.worn_makeup
    child = 0.25 * (1.0 - identity.growth)
    upper = np.concatenate([mouth.upper_outer, mouth.upper_inner[::-1]])
    lower = np.concatenate([mouth.lower_inner, mouth.lower_outer[::-1]])
    canvas.fill(upper, lips * 0.84, 0.85 - child, feather=soft)
    canvas.fill(lower, lips, 0.82 - child, feather=soft)
    gloss = (mouth.lower_inner + mouth.lower_outer)[8:25] / 2
    canvas.stroke(
        gloss, np.minimum(lips * 1.28 + 0.06, 1.0), 0.04, 0.35 + 0.35 * identity.worn_makeup, 0.016, (0.1, 0.1)
    )
    if mouth.gap > 0.012:
        _paint_inside(canvas, identity, curves)
    else:
        middle = (mouth.upper_inner + mouth.lower_inner) / 2
        canvas.stroke(middle, skin * 0.22, 0.026, 0.85, 0.006, (0.35, 0.35))
    for corner in (mouth.upper_inner[0], mouth.upper_inner[-1]):
        canvas.fill(ellipse(corner, (0.028, 0.020), 10), skin * 0.35, 0.6, feather=0.010)


def _paint_inside(canvas: Canvas, identity: Identity, curves: FaceCurves) -> None:
    mouth = curves.mouth
    opening = np.concatenate([mouth.upper_inner, mouth.lower_inner[::-1]])
    found = canvas.mask([opening])
    if found is None:
        return
    window, cover = found
    inside = canvas.cut(window)
    inside.pixels[:] = np.array([0.16, 0.06, 0.06])[:, None, None]
    middle, low = mouth.upper_inner[16], mouth.lower_inner[16]
    drop = curves.mean_unit(26)
    tongue = (middle[0], low[1] + 0.02)
    inside.fill(ellipse(tongue, (0.24, 0.05 + 0.16 * drop)), (0.62, 0.28, 0.28), 0.8, feather=0.03)
    # The upper teeth hang from the skull: a lifted lip shows more of them, a dropped jaw does not.
    rest = mouth.upper_inner[16] * (1.0, 0.0) + xy(0.0, float(np.median(mouth.upper_inner[:, 1])))
    tint = np.array([0.93, 0.90, 0.85], np.float32) * np.float32(1.0 - 0.10 * identity.wrinkles)
    spread = mouth.upper_inner[4:29]
    edge = np.stack(
        [spread[:, 0], np.minimum(spread[:, 1] + 0.13, rest[1] + 0.105 - 0.05 * ((spread[:, 0] - rest[0]) / 0.4) ** 2)],
        axis=1,
    )
    inside.fill(np.concatenate([spread - xy(0.0, 0.03), edge[::-1]]), tint, 0.97, feather=0.004)
    gaps = [
        ribbon(np.array([(rest[0] + k * 0.085, rest[1] - 0.1), (rest[0] + k * 0.085, rest[1] + 0.11)]), 0.008)
        for k in range(-4, 5)
    ]
    inside.fill(gaps, (0.55, 0.45, 0.40), 0.30)
    show = max(curves.mean_unit(16), 0.5 * curves.mean_unit(20))
    if show > 0.05:
        floor = mouth.lower_inner[6:27]
        inside.fill(
            np.concatenate([floor + xy(0.0, 0.03), (floor - xy(0.0, 0.075 * show))[::-1]]),
            tint * 0.88,
            0.9,
            feather=0.006,
        )
    inside.fill(ribbon(mouth.upper_inner, 0.05), (0.10, 0.04, 0.04), 0.40, feather=0.018)
    for corner in (mouth.upper_inner[0], mouth.upper_inner[-1]):
        inside.fill(ellipse(corner, (0.12, 0.10), 12), (0.10, 0.04, 0.04), 0.75, feather=0.035)
    canvas.blend(window, cover, inside.pixels)


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
