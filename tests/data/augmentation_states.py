"""What an augmentation did to a picture, read off the picture."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tests.project.project_config import environments, load_config

from mien.data.transforms import ExpressionAugmentation
from mien.layers.pixels import IMAGENET_MEAN
from mien.sweep import read_sweep

SIDE = 48
"""Pixels: enough to tell a turn of a degree, and to be shifted by one."""

FILL = tuple(round(255 * mean) for mean in IMAGENET_MEAN)

_LEVEL, _STEP, _BLUE = 40, 2, 20
_ALONG = np.arange(SIDE) - (SIDE - 1) / 2

PICTURE = np.stack(
    [
        np.broadcast_to(_LEVEL + _STEP * np.arange(SIDE), (SIDE, SIDE)),  # red grows to the right
        np.broadcast_to(_LEVEL + _STEP * np.arange(SIDE)[:, None], (SIDE, SIDE)),  # green grows downwards
        np.full((SIDE, SIDE), _BLUE),
    ],
    axis=2,
).astype(np.uint8)
"""What is augmented: wherever it is looked at its colours tell the place, and grey it still grows to the right."""


def recipes(conf: Path) -> dict[str, dict[str, Any]]:
    """Every distinct recipe of ``ExpressionAugmentation``: the published ones, those of environments, those of sweeps.

    Args:
        conf: The folder of the configuration.

    Returns:
        Where a recipe stands first → arguments.
    """
    found: dict[str, dict[str, Any]] = {}
    for env in ("base", *environments(conf)):
        loader = load_config(conf, env)
        written = {name: recipe for name, section in loader["parameters"].items() if (recipe := _augmentation(section))}
        changes: list[tuple[str, str, dict[str, Any]]] = [(env, name, {}) for name in written]
        if env == "base":
            changes += [
                (sweep, member.system, _changed(member.set))
                for sweep in loader["sweeps"]
                for member in read_sweep(loader, sweep).members
                if member.system in written
            ]
        for where, name, change in changes:
            if (recipe := written[name] | change) not in found.values():
                found[f"{where} {name}"] = recipe
    return found


def _augmentation(section: Any) -> dict[str, Any] | None:
    """A system's recipe; None of what is no system, or augments otherwise."""
    training = section.get("training") if isinstance(section, dict) else None
    recipe = (training or {}).get("augmentation") or {}
    lists = {key: tuple(value) if isinstance(value, list) else value for key, value in recipe.items()}
    return {"grayscale": 0.0} | lists if "flip_or_noise" in recipe else None


def _changed(values: dict[str, Any]) -> dict[str, Any]:
    """What a member of a sweep changes of its system's augmentation."""
    prefix = "training.augmentation."
    return {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}


@dataclass(frozen=True)
class Seen:
    """What was done under each seed.

    Attributes:
        states: ``grey``, ``noisy``, ``mirrored``, ``erased`` → (n,) bool.
        amounts: How much → (n,) float64, NaN where the step was not at work.
    """

    states: dict[str, np.ndarray]
    amounts: dict[str, np.ndarray]


def augmented_picture(recipe: dict[str, Any], num: int) -> np.ndarray:
    """(num, SIDE, SIDE, 3) the picture under seeds 0 to ``num - 1``."""
    augment = ExpressionAugmentation(**recipe, erase_fill=FILL)
    return np.stack([augment(PICTURE, seed) for seed in range(num)])


def look_at(images: np.ndarray, recipe: dict[str, Any]) -> Seen:
    """Tell what was done to each image (n, SIDE, SIDE, 3) of ``augmented_picture``."""
    filled = (images == np.array(FILL)).all(axis=3)
    erased = filled.mean(axis=(1, 2)) > recipe["erase_area"][0] / 2
    filled &= erased[:, None, None]
    reach = int(SIDE / 2 - _least_inside(recipe)) + 1
    inside = slice(reach, SIDE - reach, 2)  # every other pixel is enough
    field = (~filled)[:, inside, inside].reshape(len(images), -1).astype(float)
    levels = images[:, inside, inside].reshape(len(images), -1, 3).astype(float)
    slopes, rest = _planes(levels, field, _ALONG[inside])
    weight = field.sum(axis=1)
    spread = np.sqrt(np.einsum("np,npc,npc->n", field, rest, rest) / weight / 3)
    grey = np.abs(((levels[:, :, 0] - levels[:, :, 2]) * field).sum(axis=1) / weight) < 5
    noisy = spread > 1.5
    states = {"grey": grey, "noisy": noisy, "mirrored": slopes[:, 0, 0] < 0, "erased": erased}
    blue = (levels[:, :, 2] * field).sum(axis=1) / weight - _BLUE
    amounts = {"noise mean": np.where(noisy & ~grey, blue, np.nan), "noise spread": np.where(noisy, spread, np.nan)}
    amounts |= _rectangles(filled, erased)
    if recipe["rotate_degrees"] or recipe["scale"] or recipe["shift"]:
        amounts |= _movements(slopes, grey)
    return Seen(states, amounts)


def due_shares(recipe: dict[str, Any]) -> dict[tuple[bool, ...], float]:
    """Probability of each combination of grey, noisy, mirrored and erased, every step drawn by itself."""
    either, flip = recipe["flip_or_noise"], recipe["flip"]
    # The first step mirrors, adds noise or does nothing; the second mirrors, perhaps back
    noise_and_mirror = {
        (True, True): either / 2 * flip,
        (True, False): either / 2 * (1 - flip),
        (False, True): either / 2 * (1 - flip) + (1 - either) * flip,
        (False, False): either / 2 * flip + (1 - either) * (1 - flip),
    }
    grey, erase = recipe["grayscale"], recipe["erase"]
    return {
        (g, n, m, e): (grey if g else 1 - grey) * share * (erase if e else 1 - erase)
        for g in (False, True)
        for (n, m), share in noise_and_mirror.items()
        for e in (False, True)
    }


def _least_inside(recipe: dict[str, Any]) -> float:
    """Half the side, in pixels, of a square that shows the picture and not its repeated border."""
    angle = np.deg2rad(recipe["rotate_degrees"])
    room = SIDE / 2 - 1 - recipe["shift"] * SIDE
    return float(room * (1 - recipe["scale"]) / (np.cos(angle) + np.sin(angle)))


def _planes(levels: np.ndarray, field: np.ndarray, along: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit a plane to each channel where ``field`` is 1: (n, 3, 3) slopes to the right and down and the level in the
    middle, channel by channel in the last axis, and (n, P, 3) what is left."""
    y, x = (axis.ravel() for axis in np.meshgrid(along, along, indexing="ij"))
    terms = np.stack([x, y, np.ones_like(x)], axis=1)  # (P, 3)
    products = (terms[:, :, None] * terms[:, None, :]).reshape(-1, 9)
    normal = (field @ products).reshape(-1, 3, 3)
    right = np.stack([(levels[:, :, channel] * field) @ terms for channel in range(3)], axis=2)
    fitted = np.linalg.solve(normal, right)  # (n, 3 terms, 3 channels)
    return fitted, levels - np.einsum("pt,ntc->npc", terms, fitted)


def _rectangles(filled: np.ndarray, erased: np.ndarray) -> dict[str, np.ndarray]:
    """Area, ratio and place of the rectangle; the place as a part of the room that its size leaves."""
    rows, columns = filled.sum(axis=2) > 1, filled.sum(axis=1) > 1
    height, width = rows.sum(axis=1).astype(float), columns.sum(axis=1).astype(float)
    top, left = rows.argmax(axis=1), columns.argmax(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        amounts = {
            "erased area": height * width / SIDE**2,
            "erased ratio": width / height,
            "erased row": top / (SIDE - height),
            "erased column": left / (SIDE - width),
        }
    return {name: np.where(erased, value, np.nan) for name, value in amounts.items()}


def _movements(slopes: np.ndarray, grey: np.ndarray) -> dict[str, np.ndarray]:
    """Rotation, sizes and shifts of what was moved after it was mirrored; unknown where the colours are gone."""
    linear = slopes[:, :2, :2].transpose(0, 2, 1) / _STEP  # where in the picture a step in the image leads
    middle = (slopes[:, 2, :2] - _LEVEL) / _STEP - (SIDE - 1) / 2
    sign = np.where(linear[:, 0, 0] < 0, -1.0, 1.0)
    linear[:, 0], middle[:, 0] = linear[:, 0] * sign[:, None], middle[:, 0] * sign
    linear[grey] = np.eye(2)
    moved = np.linalg.inv(linear)
    shift = -(moved @ middle[:, :, None])[:, :, 0]
    amounts = {
        "rotation": np.arctan2(moved[:, 1, 0], moved[:, 0, 0]),
        "width": np.hypot(moved[:, 0, 0], moved[:, 1, 0]),
        "height": np.hypot(moved[:, 0, 1], moved[:, 1, 1]),
        "shift right": shift[:, 0].round(),
        "shift down": shift[:, 1].round(),
    }
    return {name: np.where(grey, np.nan, value) for name, value in amounts.items()}
