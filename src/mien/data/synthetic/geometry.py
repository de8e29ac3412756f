"""Curves of a face: an identity's features moved by action units, and the 68 landmarks on them.

Coordinates are in inter-ocular distances (IOD), origin midway between the eyes, x to the right and y down the
picture. Features that come in pairs are laid out once with x outwards from the midline; side 0 is the left of the
picture, side 1 the right.

Source: ours. The landmark scheme is iBUG's (Sagonas et al., "300 Faces in-the-Wild Challenge", ICCVW 2013); which way
a unit moves which feature follows the FACS manual (Ekman, Friesen and Hager, 2002).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mien.data.synthetic.action_units import ACTION_UNITS, ActionUnits
from mien.data.synthetic.canvas import Points, xy
from mien.data.synthetic.identity import Identity

SIDES = (0, 1)
SIGN = (-1.0, 1.0)
_X, _Y = np.eye(2)


@dataclass(frozen=True)
class Eye:
    """One eye: lids run from the inner to the outer corner, (N, 2) each."""

    upper: Points
    lower: Points
    crease: Points
    centre: Points
    iris: float  # radius


@dataclass(frozen=True)
class Brow:
    """One brow from its inner to its outer end: five landmarks and the upper and lower edge, (N, 2) each."""

    points: Points
    upper: Points
    lower: Points


@dataclass(frozen=True)
class Mouth:
    """Lip contours from the left to the right corner, (N, 2) each; ``gap`` is the opening in the middle, IOD."""

    upper_outer: Points
    upper_inner: Points
    lower_inner: Points
    lower_outer: Points
    gap: float


@dataclass(frozen=True)
class Nose:
    """Ridge (4, 2), base from the left to the right wing (5, 2), and the half width of the wings."""

    ridge: Points
    base: Points
    half_width: float


@dataclass(frozen=True)
class FaceCurves:
    """All curves of one face and the units (intensity per FACS number and side) that moved them."""

    contour: Points  # (17, 2) landmarks of the jaw
    skull: Points  # (N, 2) closed outline of the skin
    brows: tuple[Brow, Brow]
    eyes: tuple[Eye, Eye]
    nose: Nose
    mouth: Mouth
    units: dict[int, Points]

    def mean_unit(self, unit: int) -> float:
        """Return the mean of the unit's two sides."""
        return float(self.units[unit].mean())


@lru_cache(maxsize=64)
def _spline_matrix(knots: int, samples: int, closed: bool) -> Points:
    """Return the (samples, knots) matrix of a Catmull-Rom spline through equally weighted knots."""
    spans = knots if closed else knots - 1
    u = np.linspace(0.0, spans, samples, endpoint=not closed)
    span = np.minimum(u.astype(int), spans - 1)
    t = u - span
    weights = (
        (-t + 2 * t**2 - t**3) / 2,
        (2 - 5 * t**2 + 3 * t**3) / 2,
        (t + 4 * t**2 - 3 * t**3) / 2,
        (-(t**2) + t**3) / 2,
    )
    matrix = np.zeros((samples, knots))
    for offset, weight in zip((-1, 0, 1, 2), weights, strict=True):
        knot = (span + offset) % knots if closed else np.clip(span + offset, 0, knots - 1)
        np.add.at(matrix, (np.arange(samples), knot), weight)
    return matrix


def spline(points: Points, samples: int, closed: bool = False) -> Points:
    """Return ``samples`` points (samples, 2) on a smooth curve through ``points`` (knots, 2)."""
    return _spline_matrix(len(points), samples, closed) @ points


def build_curves(identity: Identity, action_units: ActionUnits) -> FaceCurves:
    """Return the curves of ``identity`` at its age, moved by ``action_units``."""
    table = action_units.as_array()
    units = {unit: table[row] for row, unit in enumerate(ACTION_UNITS)}
    contour, skull = _head(identity, units)
    return FaceCurves(
        contour=contour,
        skull=skull,
        brows=(_brow(identity, units, 0), _brow(identity, units, 1)),
        eyes=(_eye(identity, units, 0), _eye(identity, units, 1)),
        nose=_nose(identity, units),
        mouth=_mouth(identity, units),
        units=units,
    )


def _face_length(identity: Identity) -> float:
    return identity.face_length * (0.80 + 0.20 * identity.growth)


def _head(identity: Identity, units: dict[int, Points]) -> tuple[Points, Points]:
    """Return the 17 landmarks of the jaw and the closed outline of the skin."""
    growth, length = identity.growth, _face_length(identity)
    drop = 0.33 * units[26].mean() + 0.03 * units[25].mean() - 0.03 * units[17].mean()
    width = identity.face_width * (0.97 + 0.03 * growth) + 0.03 * identity.cheek_fullness * (1.5 - growth)
    jaw = width * (
        identity.jaw_width + 0.03 * identity.cheek_fullness + 0.04 * (1.0 - growth) + 0.04 * identity.wrinkles
    )
    chin = identity.chin_width * (0.85 + 0.15 * growth)
    half = np.array(
        [
            (width * 0.985, -0.15),
            (width, 0.25),
            (0.52 * width + 0.48 * jaw, 0.46 * length),
            (jaw * 0.93, 0.66 * length + 0.35 * drop),
            (0.50 * jaw + 0.48 * chin, 0.85 * length + 0.75 * drop),
            (chin * 0.80, 0.967 * length + drop),
            (0.0, length + drop),
        ]
    )
    curve = spline(half, 49)
    # iBUG's first point lies beside the eye; nine points to the chin at equal arc length.
    steps = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(curve, axis=0).T))])
    at = np.linspace(steps[4], steps[-1], 9)
    nine = np.stack([np.interp(at, steps, curve[:, 0]), np.interp(at, steps, curve[:, 1])], axis=1)
    contour = np.concatenate([nine * (-1.0, 1.0), nine[-2::-1]])
    crown = 1.62 + 0.35 * (identity.forehead_height - 1.0) + 0.10 * (1.0 - growth)
    angle = np.linspace(0.0, np.pi, 33)[1:-1]
    dome = np.stack([-width * 0.985 * np.cos(angle), -0.15 - (crown - 0.15) * np.sin(angle) ** 0.85], axis=1)
    skull = np.concatenate([curve[::-1] * (-1.0, 1.0), dome, curve[:-1]])
    return contour, skull


def _brow(identity: Identity, units: dict[int, Points], side: int) -> Brow:
    inner_up, outer_up, lower = units[1][side], units[2][side], units[4][side]
    # AU1 with AU4 still lifts the inner ends (the oblique brows of sadness), so it takes most of AU4's pull away.
    pull = lower * (1.0 - 0.75 * inner_up)
    height = identity.brow_height * (1.0 + 0.10 * (1.0 - identity.growth)) - 0.03 * identity.wrinkles
    along = np.linspace(0.0, 1.0, 5)
    x = identity.brow_gap + along * (0.68 + 0.3 * (identity.eye_width - 0.232))
    x = x - (0.090 * lower + 0.02 * units[9][side]) * (1.0 - along) ** 0.8
    x = np.maximum(x, 0.075 + along * 0.3)
    arch = identity.brow_arch * np.array([0.2, 0.62, 0.95, 1.0, 0.3])
    y = -height + 0.045 - arch - identity.brow_tilt * (along - 0.5)
    y = y - 0.17 * inner_up * np.array([1.0, 0.75, 0.40, 0.12, 0.0])
    y = y - 0.16 * outer_up * np.array([0.10, 0.35, 0.80, 1.0, 0.85])
    y = y + pull * np.array([0.175, 0.16, 0.125, 0.075, 0.03])
    y = y + units[9][side] * np.array([0.07, 0.06, 0.04, 0.02, 0.0])
    y = y + units[6][side] * np.array([0.0, 0.0, 0.01, 0.025, 0.03])
    y = y + (0.5 if side else -0.5) * identity.asymmetry[0]
    points = np.stack([x * SIGN[side], y], axis=1)
    line = spline(points, 25)
    thickness = identity.brow_thickness * (0.55 + 0.45 * identity.growth) * (1.0 - 0.25 * identity.wrinkles)
    profile = (
        0.5 * thickness * np.interp(np.linspace(0.0, 1.0, 25), [0.0, 0.12, 0.45, 0.8, 1.0], [0.55, 1.0, 1.0, 0.6, 0.1])
    )
    offset = np.stack([np.zeros(25), profile], axis=1)
    return Brow(points=points, upper=line - offset, lower=line + offset)


def _eye(identity: Identity, units: dict[int, Points], side: int) -> Eye:
    growth, age = identity.growth, identity.wrinkles
    wide, tight, cheek, wrinkle = units[5][side], units[7][side], units[6][side], units[9][side]
    half = identity.eye_width * (1.10 - 0.10 * growth)
    opening = identity.eye_opening * (1.18 - 0.18 * growth)
    # The lids meet at most: squinting by several units saturates.
    upper = (
        opening
        * 0.62
        * (1.0 + 0.55 * wide - 0.10 * units[4][side] - 0.12 * age)
        * (1.0 - 0.30 * tight)
        * (1.0 - 0.20 * cheek)
    )
    upper *= (1.0 - 0.22 * wrinkle) * (1.0 - 0.08 * units[12][side])
    lower = opening * 0.38 * (1.0 + 0.18 * wide) * (1.0 - 0.70 * tight) * (1.0 - 0.62 * cheek) * (1.0 - 0.35 * wrinkle)
    lift = 0.02 * cheek + 0.018 * tight + 0.015 * wrinkle
    middle = 0.5 + 0.5 * (half - identity.eye_width)
    inner = np.array([middle - half, 0.018])
    outer = np.array([middle + half, -identity.eye_tilt + 0.03 * age - 0.01 * cheek])
    t = np.linspace(0.0, 1.0, 25)[:, None]
    chord = (1.0 - t) * inner + t * outer
    bow = 4.0 * t * (1.0 - t)
    top = chord - _Y * bow * (1.06 - 0.24 * (t - 0.42)) * (upper + lift * 0.2)
    bottom = chord + _Y * (bow * (0.95 + 0.25 * (t - 0.5)) * (lower - lift))
    bottom = np.maximum(bottom, top + _Y * bow * 0.012)
    fold = 0.055 * (1.0 - 0.75 * identity.lid_fold) * (1.0 - 0.6 * wide) + 0.018 * units[1][side]
    crease = top - _Y * (fold + 0.012) * (0.35 + 0.65 * bow) + 0.012 * _X * (t - 0.5)
    shift = (0.5 if side else -0.5) * identity.asymmetry[1]
    placed = [curve * (SIGN[side], 1.0) + xy(0.0, shift) for curve in (top, bottom, crease)]
    ring = np.concatenate([placed[0][[0, 8, 16, 24]], placed[1][[8, 16]]])
    return Eye(placed[0], placed[1], placed[2], centre=ring.mean(axis=0), iris=0.103 * (1.02 - 0.02 * growth))


def _nose(identity: Identity, units: dict[int, Points]) -> Nose:
    growth = identity.growth
    length = identity.nose_length * (0.74 + 0.26 * growth) * (1.0 + 0.05 * identity.wrinkles)
    half = identity.nose_width * (0.86 + 0.14 * growth) + 0.02 * units[12].mean() + 0.02 * units[9].mean()
    up = 0.05 * units[9] + 0.03 * units[10]
    ridge = np.stack([np.zeros(4), np.linspace(0.02, length - 0.13 - 0.4 * up.mean(), 4)], axis=1)
    x = np.array([-0.88, -0.42, 0.0, 0.42, 0.88]) * half
    rise = np.array([up[0], 0.4 * up[0], 0.3 * up.mean(), 0.4 * up[1], up[1]])
    base = np.stack([x, length + np.array([-0.045, -0.005, 0.02, -0.005, -0.045]) - rise], axis=1)
    return Nose(ridge=ridge, base=base, half_width=half)


def _mouth(identity: Identity, units: dict[int, Points]) -> Mouth:
    growth, age = identity.growth, identity.wrinkles
    along = np.linspace(-1.0, 1.0, 33)
    u = np.abs(along)
    blend = np.sign(along) * (u * u * (3.0 - 2.0 * u))

    def across(unit: int) -> Points:
        left, right = units[unit]
        return (left + right) / 2 + (right - left) / 2 * blend

    pull, depress, stretch, drop = across(12), across(15), across(20), across(26)
    tight, press, chin, up, down = across(23), across(24), across(17), across(10), across(16)
    dimple, part, wrinkle = across(14), across(25), across(9)
    base = identity.nose_length * (0.74 + 0.26 * growth)
    middle = base + identity.mouth_position * (_face_length(identity) - base)
    half = identity.mouth_width * (0.84 + 0.16 * growth)
    x = along * (half + 0.125 * pull + 0.13 * stretch + 0.035 * dimple - 0.05 * tight - 0.045 * drop - 0.03 * chin)
    # The line along which the lips meet: centre, and what is added towards the corners.
    line = middle - 0.03 * pull - 0.055 * chin + 0.015 * depress - 0.02 * up - 0.03 * wrinkle + 0.05 * drop
    corner = (
        -0.15 * pull
        + 0.13 * depress
        + 0.03 * stretch
        - 0.035 * dimple
        + 0.02 * chin
        + 0.05 * drop
        - identity.mouth_tilt
    )
    corner = corner + 0.02 * age + (0.5 * blend) * identity.asymmetry[2]
    line = line + corner * u**1.7
    taper, belly = (1.0 - u**2.6) ** 0.8, np.sqrt(np.maximum(1.0 - u**2.2, 0.0))
    thin = (
        (1.0 - 0.42 * tight) * (1.0 - 0.55 * press) * (1.0 - 0.22 * pull) * (1.0 - 0.18 * stretch) * (1.0 - 0.4 * age)
    )
    bow = 1.0 + 0.22 * np.exp(-(((u - 0.24) / 0.14) ** 2)) - 0.10 * np.exp(-((u / 0.09) ** 2))
    upper = identity.upper_lip * thin * bow * taper * (1.0 + 0.10 * up)
    lower = identity.lower_lip * thin * belly * (1.0 + 0.20 * chin) * (1.0 - 0.15 * age)
    rise = (0.022 * part + 0.055 * pull * part + 0.02 * drop) * belly
    raised = (0.085 * up + 0.035 * wrinkle) * (1.0 - u**2) + 0.03 * up * np.exp(-(((u - 0.45) / 0.25) ** 2))
    parted = part * raised
    fall = (0.035 * part + 0.32 * drop * (0.6 + 0.4 * part) + 0.045 * down * (0.4 + 0.6 * part)) * (1.0 - u**2.4)
    lowered = 0.045 * down * (1.0 - u**2) * (1.0 - part)
    upper_inner, lower_inner = line - rise - parted, line + fall
    curves = (upper_inner - upper - (raised - parted), upper_inner, lower_inner, lower_inner + lower + lowered)
    placed = [np.stack([x, y], axis=1) for y in curves]
    return Mouth(placed[0], placed[1], placed[2], placed[3], gap=float(lower_inner[16] - upper_inner[16]))


def landmarks(curves: FaceCurves) -> Points:
    """Return the 68 landmarks (68, 2) in iBUG's order: jaw, brows, nose, eyes, outer and inner lips.

    Every group starts at the left of the picture, as iBUG numbers them.
    """
    (left_brow, right_brow), (left_eye, right_eye), mouth = curves.brows, curves.eyes, curves.mouth
    left_ring = np.concatenate([left_eye.upper[[24, 16, 8, 0]], left_eye.lower[[8, 16]]])
    right_ring = np.concatenate([right_eye.upper[[0, 8, 16, 24]], right_eye.lower[[16, 8]]])
    outer = np.concatenate([mouth.upper_outer[[0, 6, 12, 16, 20, 26, 32]], mouth.lower_outer[[26, 20, 16, 12, 6]]])
    inner = np.concatenate([mouth.upper_inner[[2, 11, 16, 21, 30]], mouth.lower_inner[[21, 16, 11]]])
    groups = (
        curves.contour,
        left_brow.points[::-1],
        right_brow.points,
        curves.nose.ridge,
        curves.nose.base,
        left_ring,
        right_ring,
        outer,
        inner,
    )
    return np.concatenate(groups)
