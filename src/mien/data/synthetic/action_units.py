"""Facial action units (FACS): their intensities on the two sides of a face, and the expressions as sets of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.errors import MienError
from mien.labels import EXPRESSIONS

ACTION_UNITS: dict[int, str] = {
    1: "inner brow raise",
    2: "outer brow raise",
    4: "brow lower",
    5: "upper lid raise",
    6: "cheek raise",
    7: "lid tighten",
    9: "nose wrinkle",
    10: "upper lip raise",
    12: "lip corner pull",
    14: "dimple",
    15: "lip corner depress",
    16: "lower lip depress",
    17: "chin raise",
    20: "lip stretch",
    23: "lip tighten",
    24: "lip press",
    25: "lips part",
    26: "jaw drop",
}
"""The units that the renderer moves, by FACS number."""

_POSITION = {unit: row for row, unit in enumerate(ACTION_UNITS)}

_CORE: dict[str, tuple[int, ...]] = {
    "surprise": (1, 2, 5, 25, 26),
    "fear": (1, 2, 4, 5, 7, 20, 25),
    "disgust": (9, 10),
    "happy": (6, 12),
    "sad": (1, 4, 15),
    "angry": (4, 5, 7, 23),
    "neutral": (),
    "contempt": (12, 14),
}

# Units that an expression may or may not show, with how often it does.
_OPTIONAL: dict[str, dict[int, float]] = {
    "surprise": {},
    "fear": {26: 0.3},
    "disgust": {15: 0.4, 16: 0.35, 25: 0.4, 4: 0.35, 17: 0.3, 7: 0.4, 6: 0.2},
    "happy": {25: 0.7, 26: 0.15, 7: 0.25},
    "sad": {17: 0.55, 7: 0.25, 6: 0.15},
    "angry": {24: 0.5, 17: 0.3, 10: 0.15, 25: 0.2},
    "neutral": {},
    "contempt": {10: 0.15, 24: 0.2, 2: 0.15},
}

# How strongly a unit shows at full intensity of the expression, where that is not about 1.
_LEVEL: dict[tuple[str, int], float] = {
    ("happy", 26): 0.4,
    ("fear", 26): 0.5,
    ("fear", 4): 0.75,
    ("sad", 4): 0.75,
    ("disgust", 25): 0.6,
    ("disgust", 4): 0.6,
    ("disgust", 15): 0.7,
    ("angry", 5): 0.8,
    ("angry", 25): 0.5,
    ("contempt", 12): 0.8,
}


@dataclass(frozen=True)
class ActionUnits:
    """Intensity of every action unit on the two sides of the face.

    The value is immutable and hashable; unnamed units are at rest. Left is the left side of the picture (at zero
    roll), so the right half of the person's own face.

    Args:
        left: One intensity in [0, 1] per unit, in the order of ``ACTION_UNITS``.
        right: The same for the right side of the picture.

    Raises:
        MienError: An intensity lies outside [0, 1] or their number is not that of ``ACTION_UNITS``.

    Example:
        >>> smile = ActionUnits.of({12: 0.8, 6: (0.5, 0.7)})
        >>> smile[6]
        (0.5, 0.7)
        >>> smile.scaled(0.5)[12]
        (0.4, 0.4)
    """

    left: tuple[float, ...] = (0.0,) * len(ACTION_UNITS)
    right: tuple[float, ...] = (0.0,) * len(ACTION_UNITS)

    def __post_init__(self) -> None:
        for side in ("left", "right"):
            values = getattr(self, side)
            if len(values) != len(ACTION_UNITS):
                raise MienError(
                    f"{len(values)} intensities for {len(ACTION_UNITS)} action units, in ActionUnits.{side}: "
                    "give one per unit in the order of ACTION_UNITS, or name units with ActionUnits.of({12: 0.8})"
                )
            for unit, value in zip(ACTION_UNITS, values, strict=True):
                if not 0.0 <= value <= 1.0:
                    raise MienError(
                        f"intensity {value} lies outside [0, 1], in AU{unit} {side}: FACS A to E are 0.2 to 1.0"
                    )

    @classmethod
    def of(cls, intensities: Mapping[int, float | tuple[float, float]]) -> ActionUnits:
        """Return the units named by ``intensities``: FACS number to one intensity or a (left, right) pair.

        Raises:
            MienError: A number is not in ``ACTION_UNITS``, or an intensity lies outside [0, 1].
        """
        return cls().with_units(intensities)

    @classmethod
    def from_array(cls, values: NDArray[np.floating]) -> ActionUnits:
        """Return the units of an array (units, 2) of left and right intensities, the inverse of ``as_array``."""
        return cls(tuple(float(v) for v in values[:, 0]), tuple(float(v) for v in values[:, 1]))

    def __getitem__(self, unit: int) -> tuple[float, float]:
        row = _row(unit)
        return self.left[row], self.right[row]

    def as_array(self) -> NDArray[np.float64]:
        """Return the intensities as (units, 2), columns left and right, rows in the order of ``ACTION_UNITS``."""
        return np.array([self.left, self.right], dtype=np.float64).T

    def with_units(self, intensities: Mapping[int, float | tuple[float, float]]) -> ActionUnits:
        """Return a copy in which the named units have new intensities (see ``of``)."""
        values = self.as_array()
        for unit, intensity in intensities.items():
            values[_row(unit)] = intensity
        return ActionUnits.from_array(values)

    def scaled(self, factor: float) -> ActionUnits:
        """Return all intensities times ``factor`` (>= 0), cut at 1: a clip is one apex scaled by a curve."""
        if factor < 0:
            raise MienError(
                f"factor {factor} is negative, in ActionUnits.scaled: give 0 (at rest) or more (1 leaves it as is)"
            )
        return ActionUnits.from_array(np.minimum(self.as_array() * factor, 1.0))

    def blended(self, other: ActionUnits, weight: float) -> ActionUnits:
        """Return ``(1 - weight) * self + weight * other``, ``weight`` in [0, 1]."""
        if not 0.0 <= weight <= 1.0:
            raise MienError(
                f"weight {weight} lies outside [0, 1], in ActionUnits.blended: 0 is self alone, 1 the other alone"
            )
        return ActionUnits.from_array((1.0 - weight) * self.as_array() + weight * other.as_array())


def _row(unit: int) -> int:
    if unit not in _POSITION:
        raise MienError(
            f"no action unit AU{unit}, in ActionUnits: the renderer knows AU{', AU'.join(map(str, ACTION_UNITS))}"
        )
    return _POSITION[unit]


def check_expression(expression: str, caller: str) -> None:
    """Raise a MienError that names ``caller`` unless ``expression`` is one of ``mien.labels.EXPRESSIONS``."""
    if expression not in EXPRESSIONS:
        raise MienError(f"no expression {expression!r}, in {caller}: give one of {', '.join(EXPRESSIONS)}")


def sample_action_units(
    rng: np.random.Generator, expression: str, *, intensity: float | None = None, asymmetry: float = 1.0
) -> ActionUnits:
    """Draw how one person shows ``expression`` once.

    The prototype of the expression varies as it does in life: which optional units appear, a core unit that stays
    away, an intensity per unit and one overall (down to subtle), unequal sides, units that leak in from elsewhere,
    and now and then a second expression blended in. Contempt is unilateral. Classes therefore overlap.

    Args:
        rng: The source of all randomness.
        expression: One of ``mien.labels.EXPRESSIONS``.
        intensity: Overall intensity in [0, 1]; sampled when None.
        asymmetry: Spread of the difference between the sides; 0 gives symmetric units (contempt stays one-sided), 1
            what is common, more for posed expressions.

    Raises:
        MienError: ``expression`` is unknown, or ``intensity`` or ``asymmetry`` lies outside its range.

    Source: prototypes of EMFACS (Friesen and Ekman, 1983); the variation around them is ours, set so that a small
        CNN, but not a linear classifier, separates the classes on a thousand pictures.
    """
    check_expression(expression, "sample_action_units")
    if intensity is not None and not 0.0 <= intensity <= 1.0:
        raise MienError(
            f"intensity {intensity} lies outside [0, 1], in sample_action_units: 0 is at rest, 1 the full apex"
        )
    if asymmetry < 0:
        raise MienError(f"asymmetry {asymmetry} is negative, in sample_action_units: 0 is symmetric, 1 what is common")
    overall = 1.0 - 0.65 * float(rng.beta(1.0, 3.2)) if intensity is None else intensity
    values = _express(rng, expression, overall, asymmetry)
    blend, second, weight = rng.random(), EXPRESSIONS[rng.integers(7)], rng.uniform(0.15, 0.4)
    if blend < 0.06 and expression != "neutral":
        values = np.maximum(values, weight * _express(rng, second, overall, asymmetry))
    # Whoever speaks opens the mouth, whatever the expression: an open mouth alone says little.
    speaks, parted, dropped = rng.random() < 0.30, rng.uniform(0.2, 1.0), rng.uniform(0.0, 0.55)
    if speaks and expression != "surprise":
        values[_POSITION[25]] = np.maximum(values[_POSITION[25]], parted)
        values[_POSITION[26]] = np.maximum(values[_POSITION[26]], dropped)
    # A unit or two leak in from habit or effort; a neutral face shows the same small movements.
    for _ in range(int(rng.integers(0, 3))):
        row, level = rng.integers(len(ACTION_UNITS)), rng.uniform(0.0, 0.2)
        values[row] = np.maximum(values[row], level)
    return ActionUnits.from_array(np.clip(values, 0.0, 1.0))


def _express(rng: np.random.Generator, expression: str, overall: float, asymmetry: float) -> NDArray[np.float64]:
    """Return (units, 2) intensities of the expression's own units, before leakage and blending."""
    values = np.zeros((len(ACTION_UNITS), 2))
    units = dict.fromkeys(_CORE[expression], 0.97) | _OPTIONAL[expression]
    if expression == "contempt":
        units |= dict.fromkeys(_CORE[expression], 1.0)
    strong_side = rng.normal(0.0, 0.10)
    for unit, probability in units.items():
        appears, own, tilt = rng.random() < probability, rng.uniform(0.72, 1.12), rng.normal(0.0, 0.06)
        if appears:
            level = overall * own * _LEVEL.get((expression, unit), 1.0)
            difference = asymmetry * (strong_side + tilt)
            values[_POSITION[unit]] = level * (1.0 - difference), level * (1.0 + difference)
    if expression == "contempt":
        weak = int(rng.integers(2))
        for unit in _CORE[expression]:
            values[_POSITION[unit], weak] *= 0.1
    return np.clip(values, 0.0, 1.0)
