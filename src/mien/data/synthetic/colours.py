"""Colours of skin, hair, lips and eyes from their pigments."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

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
