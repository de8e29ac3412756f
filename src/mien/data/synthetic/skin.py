"""Skin: colours from pigments (also of hair, lips and eyes), lines of units and years, beard and stubble."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.data.synthetic.canvas import Canvas, Image, Points, ellipse, ribbon, xy
from mien.data.synthetic.geometry import SIDES, SIGN, FaceCurves, spline
from mien.data.synthetic.identity import Identity

Colour = NDArray[np.float32]


def _ramp(value: float, stops: Sequence[tuple[float, float, float]]) -> Colour:
    """Return the colour at ``value`` in [0, 1] along equally spaced stops, given in grey levels of 255."""
    table = np.asarray(stops, dtype=np.float64) / 255.0
    at = np.linspace(0.0, 1.0, len(table))
    return np.array([np.interp(value, at, table[:, channel]) for channel in range(3)], dtype=np.float32)


def skin_colour(identity: Identity) -> Colour:
    """Return the skin's sRGB colour (3,) in [0, 1]."""
    stops = [
        (238, 206, 188),
        (226, 182, 156),
        (208, 158, 124),
        (172, 120, 88),
        (136, 92, 68),
        (100, 67, 51),
        (80, 55, 44),
    ]
    base = _ramp(identity.melanin, stops)
    flush = np.array([0.03, -0.02, -0.02], np.float32) * np.float32((identity.redness - 0.3) * (1.0 - identity.melanin))
    return np.clip(base + flush, 0.0, 1.0)


def hair_colour(identity: Identity) -> Colour:
    """Return the hair's sRGB colour (3,) in [0, 1] at the identity's age."""
    pigment = _ramp(identity.hair_melanin, [(188, 162, 124), (146, 108, 70), (104, 70, 44), (58, 40, 30), (28, 24, 24)])
    red = np.array([0.16, 0.02, -0.04], np.float32) * np.float32(
        identity.hair_redness * (1.0 - 0.6 * identity.hair_melanin)
    )
    grey = np.array([0.60, 0.60, 0.61], np.float32)
    share = np.float32(identity.greyness)
    return np.clip((pigment + red) * (1 - share) + grey * share, 0.0, 1.0)


def iris_colour(identity: Identity) -> Colour:
    """Return the iris's sRGB colour (3,) in [0, 1]."""
    return _ramp(identity.iris_melanin, [(110, 148, 178), (112, 138, 138), (118, 112, 70), (104, 68, 36), (52, 32, 22)])


def lip_colour(identity: Identity) -> Colour:
    """Return the lips' sRGB colour (3,) in [0, 1], with any lipstick."""
    natural = _ramp(identity.melanin, [(204, 124, 118), (190, 112, 104), (160, 90, 80), (112, 66, 60), (84, 52, 50)])
    stick = np.array([0.70, 0.13, 0.20], np.float32)
    share = np.float32(0.65 * max(identity.worn_makeup - 0.35, 0.0) / 0.65)
    return natural * (1 - share) + stick * share


def texture(rng: np.random.Generator, shape: tuple[int, int], cell: float) -> Image:
    """Return smooth noise (H, W) of zero mean and unit spread whose grains are about ``cell`` pixels wide."""
    rows, columns = (max(round(side / cell), 2) for side in shape)
    grains = rng.standard_normal((rows, columns), dtype=np.float32)
    return np.asarray(cv2.resize(grains, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC), np.float32)


def paint_skin(canvas: Canvas, identity: Identity, curves: FaceCurves, rng: np.random.Generator) -> None:
    """Paint ears and the skin of the face, before any feature."""
    skin = skin_colour(identity)
    height, width = canvas.shape
    canvas.pixels[:] = skin[:, None, None]
    _paint_ears(canvas, skin, ear_outlines(identity, curves))
    canvas.fill(curves.skull, skin)
    blotch = texture(rng, (height, width), 0.28 * canvas.scale) * np.float32(0.016)
    pores = texture(rng, (height, width), 0.035 * canvas.scale) * np.float32(0.012 + 0.012 * identity.wrinkles)
    canvas.pixels *= 1.0 + blotch + pores
    pale = 1.0 - identity.melanin
    flush = np.clip(skin * (1.06, 0.80, 0.78), 0.0, 1.0)
    nose, mouth = curves.nose, curves.mouth
    for side in SIDES:
        sign, eye = SIGN[side], curves.eyes[side]
        warm = (0.20 + 0.35 * identity.redness + 0.25 * identity.worn_makeup + 0.15 * (1.0 - identity.growth)) * (
            0.35 + 0.65 * pale
        )
        canvas.fill(ellipse((0.60 * sign, 0.55), (0.26, 0.20)), flush, warm, feather=0.13)
        canvas.fill(
            ellipse(eye.centre + xy(0.0, 0.16), (0.22, 0.07)),
            skin * (0.80, 0.74, 0.76),
            0.28 + 0.45 * identity.wrinkles,
            0.05,
        )
        canvas.fill(ellipse(eye.centre + xy(-0.16 * sign, -0.02), (0.12, 0.10)), skin * 0.72, 0.35, 0.05)
    canvas.fill(
        ellipse(nose.base[2] - xy(0.0, 0.12), (0.15, 0.12)), flush, 0.25 + 0.3 * identity.redness * pale, feather=0.07
    )
    canvas.fill(ellipse((0.0, -0.75), (0.6, 0.25)), np.minimum(skin * 1.05, 1.0), 0.4, feather=0.2)
    spots = int(60 * identity.freckles + 26 * identity.wrinkles * pale)
    if spots:
        where = rng.normal(0.0, 1.0, (spots, 2)) * (0.48, 0.30) + xy(0.0, 0.40)
        canvas.fill([ellipse(at, (0.013, 0.012), 8) for at in where], skin * (0.70, 0.58, 0.50), 0.55, feather=0.008)
    _paint_beard(canvas, identity, curves, rng)
    canvas.fill(ellipse(mouth.upper_outer[16] - xy(0.0, 0.07), (0.03, 0.05)), skin * 0.8, 0.3, feather=0.02)


def ear_outlines(identity: Identity, curves: FaceCurves) -> list[Points]:
    """Return the outlines of the left and the right ear, (N, 2) each."""
    half = float(np.abs(curves.skull[:, 0]).max())
    size = identity.ear_size * (0.86 + 0.14 * identity.growth + 0.10 * identity.wrinkles)
    outlines = []
    for side in SIDES:
        ear = (
            np.array(
                [(-0.02, -0.30), (0.11, -0.31), (0.17, -0.16), (0.13, 0.05), (0.07, 0.22), (-0.02, 0.27), (-0.08, 0.0)]
            )
            * size
        )
        outlines.append(spline(ear * (SIGN[side], 1.0) + xy(SIGN[side] * (half - 0.03), 0.24), 28, closed=True))
    return outlines


def _paint_ears(canvas: Canvas, skin: Image, outlines: list[Points]) -> None:
    for outline in outlines:
        middle = outline.mean(axis=0)
        canvas.fill(outline + xy(0.0, 0.0), skin * (1.04, 0.92, 0.90))
        canvas.fill(middle + (outline - middle) * (0.55, 0.65), skin * (0.62, 0.50, 0.48), 0.75, feather=0.03)
        canvas.fill(
            middle + xy(0.0, -0.03) + (outline - middle) * (0.30, 0.42), skin * (0.92, 0.8, 0.78), 0.6, feather=0.02
        )


def _paint_beard(canvas: Canvas, identity: Identity, curves: FaceCurves, rng: np.random.Generator) -> None:
    grown = float(np.clip((identity.age - 16.0) / 4.0, 0.0, 1.0))
    stubble, beard, moustache = (grown * v for v in (identity.stubble, identity.beard, identity.moustache))
    if max(stubble, beard, moustache) < 0.05:
        return
    contour, mouth = curves.contour, curves.mouth
    lower = np.concatenate(
        [
            spline(contour[2:15] * (0.98, 1.0), 41),
            [(0.78, 0.62), (mouth.upper_outer[-1, 0] + 0.12, mouth.upper_outer[16, 1] - 0.02)],
            mouth.upper_outer[::-1][::8] - xy(0.0, 0.10),
            [(mouth.upper_outer[0, 0] - 0.12, mouth.upper_outer[16, 1] - 0.02), (-0.78, 0.62)],
        ]
    )
    skin, hair = skin_colour(identity), hair_colour(identity) * np.float32(0.85)
    grain = texture(rng, canvas.shape, 0.022 * canvas.scale)
    shadow = np.clip(0.75 + 0.22 * grain, 0.0, 1.0)
    canvas.fill(lower, skin * (0.66, 0.68, 0.74), 0.55 * stubble, feather=0.07, texture=shadow)
    strands = np.clip(0.90 + 0.16 * grain, 0.4, 1.0)
    canvas.fill(lower, hair, 0.95 * min(beard * 1.3, 1.0), feather=0.05, texture=strands)
    lip = np.concatenate([mouth.upper_outer[2:-2] + xy(0.0, 0.015), mouth.upper_outer[2:-2][::-1] - xy(0.0, 0.10)])
    corners = [ellipse(mouth.upper_outer[i] + xy(0.02 * s, 0.03), (0.05, 0.09), 12) for i, s in ((1, -1.0), (-2, 1.0))]
    canvas.fill([lip, *corners], hair, 0.95 * min(moustache * 1.2, 1.0), feather=0.022, texture=strands)


def groove_lines(identity: Identity, curves: FaceCurves) -> list[tuple[Points, float, float]]:
    """Return the lines in the skin as (curve, width in IOD, depth in [0, 1]).

    Each is as deep as the unit that folds the skin there, or as the years that have kept it.
    """
    age = identity.wrinkles
    lines = _forehead_lines(curves, age)
    for side in SIDES:
        lines += _eye_lines(curves, age, side) + _mouth_lines(curves, age, side)
    wrinkle, chin = curves.mean_unit(9), curves.mean_unit(17)
    for y, width in ((0.05, 0.10), (0.13, 0.12), (0.21, 0.10)):
        bend = np.array([(-width, y + 0.03), (0.0, y - 0.02), (width, y + 0.03)])
        lines.append((spline(bend, 9), 0.03, 0.85 * wrinkle))
    low = curves.mouth.lower_outer
    fold = low[6:27:5] * (0.75, 1.0) + xy(0.0, 0.055)
    lines.append((spline(fold, 13), 0.05, 0.25 + 0.45 * chin + 0.15 * age))
    below = float(low[16, 1]) + 0.16
    for x in (-0.07, 0.07):
        lines.append(
            (np.array([(x, below - 0.01), (0.6 * x, below + 0.04), (1.3 * x, below + 0.09)]), 0.06, 0.40 * chin)
        )
    return lines


def _forehead_lines(curves: FaceCurves, age: float) -> list[tuple[Points, float, float]]:
    lines = []
    inner, outer, lower = curves.mean_unit(1), curves.mean_unit(2), curves.mean_unit(4)
    top = min(float(brow.points[:, 1].min()) for brow in curves.brows)
    for step, share in ((0.16, 1.0), (0.30, 0.85), (0.44, 0.6)):
        raised = max(inner, outer)
        wave = 0.035 * outer - 0.05 * inner * (1.0 - outer)
        bend = np.array(
            [
                (-0.58, top - step + 0.05),
                (-0.3, top - step - wave),
                (0.0, top - step + 0.025),
                (0.3, top - step - wave),
                (0.58, top - step + 0.05),
            ]
        )
        reach = 0.55 + 0.45 * max(outer, age)
        lines.append((spline(bend * (reach, 1.0), 25), 0.032, share * min(0.80 * raised + 0.55 * age, 1.0)))
    for side in SIDES:
        root = curves.brows[side].points[0]
        frown = np.array([(0.055, 0.10), (0.045, 0.0), (0.06, -0.12)]) * (SIGN[side], 1.0) + xy(0.0, root[1])
        lines.append((spline(frown, 9), 0.032, min(0.90 * float(curves.units[4][side]) + 0.30 * age, 1.0)))
    lines.append((np.array([(-0.1, 0.0), (0.0, -0.02), (0.1, 0.0)]), 0.03, 0.35 * lower))
    return lines


def _eye_lines(curves: FaceCurves, age: float, side: int) -> list[tuple[Points, float, float]]:
    sign, eye, units = SIGN[side], curves.eyes[side], curves.units
    cheek, tight = float(units[6][side]), float(units[7][side])
    bag = eye.lower[2:23:5] + xy(0.0, 0.065 + 0.02 * age)
    lines = [(spline(bag, 13), 0.034, min(0.18 + 0.45 * max(cheek, 0.8 * tight) + 0.5 * age, 1.0))]
    outer = eye.upper[-1]
    for angle, length in ((-0.45, 0.20), (0.05, 0.24), (0.5, 0.22)):
        start = outer + xy(0.06 * sign, 0.02 * np.sign(angle))
        end = start + length * np.array([sign * np.cos(angle), np.sin(angle)])
        middle = (start + end) / 2 + xy(0.0, 0.02)
        lines.append((spline(np.stack([start, middle, end]), 9), 0.024, min(0.65 * cheek + 0.6 * age, 1.0)))
    return lines


def _mouth_lines(curves: FaceCurves, age: float, side: int) -> list[tuple[Points, float, float]]:
    sign, units = SIGN[side], curves.units
    wing = curves.nose.base[0 if side == 0 else 4]
    corner = curves.mouth.upper_inner[0 if side == 0 else 32]
    smile, raised, wrinkle = float(units[12][side]), float(units[10][side]), float(units[9][side])
    dimple, depress, stretch = float(units[14][side]), float(units[15][side]), float(units[20][side])
    reach = abs(float(corner[0])) + 0.10
    fold = np.array(
        [
            wing + xy(0.05 * sign, -0.06),
            (
                sign * (0.55 * abs(float(wing[0])) + 0.5 * reach),
                0.5 * (float(wing[1]) + float(corner[1])) - 0.03 * smile,
            ),
            (sign * reach, float(corner[1]) + 0.02),
            (sign * (reach - 0.01), float(corner[1]) + 0.13 - 0.05 * smile),
        ]
    )
    depth = min(0.12 + 0.80 * max(smile, 0.9 * raised, 0.8 * wrinkle) + 0.5 * age, 1.0)
    beside = np.array([corner + xy(0.05 * sign, -0.07), corner + xy(0.075 * sign, 0.0), corner + xy(0.05 * sign, 0.07)])
    down = np.array([corner + xy(0.02 * sign, 0.02), corner + xy(0.06 * sign, 0.12), corner + xy(0.07 * sign, 0.24)])
    bracket = np.array(
        [corner + xy(0.10 * sign, -0.14), corner + xy(0.16 * sign, 0.02), corner + xy(0.13 * sign, 0.18)]
    )
    return [
        (spline(fold, 21), 0.052, depth),
        (spline(beside, 9), 0.042, min(0.95 * dimple + 0.25 * smile, 1.0)),
        (spline(down, 9), 0.036, min(0.50 * depress + 0.45 * age, 1.0)),
        (spline(bracket, 9), 0.036, 0.6 * stretch),
    ]


def groove_map(canvas: Canvas, identity: Identity, curves: FaceCurves) -> Image:
    """Return the depth of the lines (H, W) in [0, 1] on the canvas' grid."""
    depth = Canvas(np.zeros((1, *canvas.shape), np.float32), canvas.scale, canvas.offset)
    for curve, width, amount in groove_lines(identity, curves):
        if amount > 0.04:
            depth.fill(ribbon(curve, width, (0.15, 0.15)), 1.0, amount, feather=width * 0.45)
    return depth.pixels[0]
