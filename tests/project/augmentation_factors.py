"""What each augmentation draws, read off what it gives: the table that every augmentation class must be in.

A class of ``mien.data`` that changes training samples at random has an entry in ``JOINT_TESTS``: a function that
applies it under many seeds and returns what it drew, part by part. Parts of different groups must tell nothing of each
other.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from tests.data.augmentation_states import SIDE, augmented_picture, look_at, recipes

from mien.data.clip_samples import ArraySamples, FrameDifferences, NeighbourFaces, SoundSamples
from mien.data.face_images import FaceImages, GreyFaces, PairImages
from mien.data.landmarks import LandmarkAugmentation, LandmarkImages, Movement
from mien.labels import NUM_LANDMARKS

CONF = Path(__file__).resolve().parents[2] / "conf"
NUM_SEEDS = 1_500
LEFT_AND_RIGHT = np.array([[10, 200], [10, 200]], np.uint8)
"""A picture that is not its mirror image."""

Groups = Mapping[str, Mapping[str, np.ndarray]]


def one_by_one(factors: Mapping[str, np.ndarray]) -> Groups:
    """Groups of one factor each: none may tell anything of any other."""
    return {name: {"": values} for name, values in factors.items()}


def expression_augmentation() -> Groups:
    """All of its steps at work at once."""
    recipe = recipes(CONF)["sae_ferplus_medium sae_ferplus"] | {"grayscale": 0.3}
    found = look_at(augmented_picture(recipe, NUM_SEEDS), recipe)
    return one_by_one({**found.states, **found.amounts})


def rounded_gauss_noise() -> Groups:
    """Two pixels, two channels, and the neighbouring seed, where there is noise alone."""
    recipe = recipes(CONF)["base sae"] | {"flip_or_noise": 1.0, "flip": 0.0, "erase": 0.0}
    images = augmented_picture(recipe, 2 * NUM_SEEDS)
    noisy = images[look_at(images, recipe).states["noisy"]].astype(float)
    middle = SIDE // 2
    levels = {
        "pixel": noisy[:-1, middle, middle, 0],
        "another channel": noisy[:-1, middle, middle, 1],
        "the pixel beside": noisy[:-1, middle, middle + 1, 0],
        "the pixel of the next seed": noisy[1:, middle, middle, 0],
    }
    return one_by_one(levels)


def movement() -> Groups:
    """From where three points go, and from a picture of a ramp and of white."""
    recipe = _landmark_recipe()["movement"]
    augment, far = Movement(**recipe), Movement(**{**recipe, "shift": 0.5})  # moved far, every border is seen
    side = 24
    ramp = np.broadcast_to(np.linspace(0, 250, side), (side, side))
    picture = np.stack([ramp, np.full((side, side), 255), ramp], axis=2).astype(np.uint8)
    points = np.full((NUM_LANDMARKS, 2), 0.5)
    left, right, chin, nose = 36, 45, 8, 30
    points[left], points[right], points[chin] = (0.25, 0.5), (0.75, 0.5), (0.5, 1.0)
    moved = [augment(picture, points, seed) for seed in range(NUM_SEEDS)]
    images, at = (np.stack(each).astype(float) for each in zip(*moved, strict=True))
    # The mirror image swaps the two eyes' numbers, too: the left one stays on the left
    across, down = (at[:, right] - at[:, left]) * 2, (at[:, chin] - at[:, nose]) * 2
    width, height = np.linalg.norm(across, axis=1), np.linalg.norm(down, axis=1)
    factors = {
        "mirrored": images[:, side // 2, 6, 0] > images[:, side // 2, 18, 0],
        "black border": np.array([far(picture, points, seed)[0][..., 1].min() < 250 for seed in range(NUM_SEEDS)]),
        "angle": np.arctan2(across[:, 1], across[:, 0]),
        "size": np.sqrt(width * height),
        "stretch": height / width,
        "shift right": at[:, nose, 0],
        "shift down": at[:, nose, 1],
    }
    return one_by_one(factors)


def landmark_augmentation() -> Groups:
    """Each change by itself under the same seeds, the strengths of all others being nil.

    A change of no strength takes its random numbers all the same, so that what is seen of each is what all do at once.
    """
    recipe = _landmark_recipe()
    side = 32  # more than the lowest size, so that shrinking takes its random numbers
    still = dict.fromkeys(recipe["movement"], 0.0)
    nil = dict.fromkeys(("brightness", "contrast", "tint", "light", "grey", "blur", "noise"), 0.0) | {"gamma": 1.0}
    nil |= {"lowest_size": side - 1, "jpeg_quality": 100, "erase": 1e-6, "movement": Movement(**still)}
    flat = np.full((side, side, 3), 120, np.uint8)
    texture = np.random.default_rng(0).integers(90, 150, (side, side, 3), dtype=np.uint8)
    points = np.zeros((NUM_LANDMARKS, 2))

    def alone(picture: np.ndarray, *parts: str) -> np.ndarray:
        augment = LandmarkAugmentation(**{**recipe, **nil, **{part: recipe[part] for part in parts}})
        return np.stack([augment(picture, points, seed)[0] for seed in range(NUM_SEEDS)]).astype(float)

    def amount(values: np.ndarray, at_work: np.ndarray) -> np.ndarray:
        return np.where(at_work, values, np.nan)

    factors = {}
    for part, picture in {"gamma": flat // 2, "brightness": flat}.items():
        change = alone(picture, part).mean(axis=(1, 2, 3)) - picture.mean()
        factors |= {part: abs(change) > 0.6, f"{part} by": amount(change, abs(change) > 0.6)}
    tint = alone(flat, "tint").mean(axis=(1, 2)) - 120
    tinted = tint.std(axis=1) > 0.3
    factors |= {"tint": tinted, "red by": amount(tint[:, 0], tinted), "blue by": amount(tint[:, 2], tinted)}
    lit = alone(flat, "light").mean(axis=3)
    right, down = (
        lit[:, :, -1].mean(axis=1) - lit[:, :, 0].mean(axis=1),
        lit[:, -1].mean(axis=1) - lit[:, 0].mean(axis=1),
    )
    shaded = np.hypot(right, down) > 2
    factors |= {"light": shaded, "light's angle": amount(np.arctan2(down, right), shaded)}
    factors["light by"] = amount(np.hypot(right, down), shaded)
    coloured = alone(np.broadcast_to(np.array([60, 120, 200], np.uint8), flat.shape).copy(), "grey")
    factors["grey"] = np.ptp(coloured.mean(axis=(1, 2)), axis=1) < 3
    factors["shrunk"] = alone(texture, "lowest_size").std(axis=(1, 2, 3)) < 0.9 * texture.std()
    noise = alone(flat, "noise") - 120
    weights = np.array([0.299, 0.587, 0.114])
    bright = (noise @ weights).std(axis=(1, 2))  # JPEG leaves it as it is, and colours it does not
    in_colour = (noise[..., 0] - noise[..., 2]).std(axis=(1, 2)) > 0.3 * bright
    strength = bright / np.where(in_colour, np.linalg.norm(weights), 1.0)
    noisy = strength > 0.8
    factors |= {"noise": noisy, "noise by": amount(strength, noisy), "noise in colour": amount(in_colour, noisy)}
    hidden = (abs(alone(flat, "erase") - 120).max(axis=3) > 3).reshape(NUM_SEEDS, side, side)
    erased, rows, columns = hidden.any(axis=(1, 2)), hidden.any(axis=2), hidden.any(axis=1)
    factors |= {"erased height": amount(rows.sum(axis=1), erased), "erased width": amount(columns.sum(axis=1), erased)}
    return one_by_one(factors)


def seeds_of_faces() -> Groups:
    """The seed that a sample's augmentation gets, beside the next sample's, the next epoch's and another run's."""
    faces = np.zeros((100, 4, 4, 3), np.uint8)
    seeds: list[int] = []

    def note(image: np.ndarray, seed: int) -> np.ndarray:
        seeds.append(seed)
        return image

    how = {"image_size": 4, "mean": (0.0,) * 3, "std": (1.0,) * 3, "augment": note}
    return _keys(lambda run: FaceImages(faces, range(100), range(100), seed=run, **how), lambda _: seeds.pop())


def seeds_of_landmark_images() -> Groups:
    """The same."""
    faces, points = np.zeros((100, 4, 4, 3), np.uint8), np.zeros((100, NUM_LANDMARKS, 2))
    seeds: list[int] = []

    def note(image: np.ndarray, points: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        seeds.append(seed)
        return image, points

    def samples(run: int) -> Any:
        return LandmarkImages(faces, range(100), points, image_size=4, augment=note, seed=run)

    return _keys(samples, lambda _: seeds.pop())


def mirrors_of_grey_faces() -> Groups:
    """Whether a face is mirrored."""
    faces = np.broadcast_to(LEFT_AND_RIGHT[None, :, :, None], (100, 2, 2, 1))
    return _keys(
        lambda run: GreyFaces(faces, range(100), np.zeros(100), image_size=2, flip=0.5, seed=run), _is_mirrored
    )


def neighbours() -> Groups:
    """Which neighbour, and whether it is mirrored."""
    faces = np.stack([LEFT_AND_RIGHT + number for number in range(5)])[None, ..., None].repeat(100, axis=0)

    def samples(run: int) -> Any:
        return NeighbourFaces(faces, range(100), np.zeros(100), mean=0.0, std=1 / 255, flip=0.5, seed=run)

    def number(inputs: tuple[torch.Tensor, ...]) -> float:
        return round(float(inputs[0].min()) - 10)

    return {**_keys(samples, _is_mirrored), "the neighbour": _keys(samples, number)["this"]}


def frame_differences() -> Groups:
    """Whether a stack of differences is mirrored."""
    faces = np.stack([np.zeros_like(LEFT_AND_RIGHT), LEFT_AND_RIGHT])[..., None]
    rows = np.tile([0, 1], (100, 1))
    return _keys(lambda run: FrameDifferences(faces, rows, np.zeros(100), std=1.0, flip=0.5, seed=run), _is_mirrored)


def pair_images() -> Groups:
    """Where a sequence is cut out, how it is turned, and whether it is mirrored."""
    along = torch.arange(20.0) / 20
    x, y = along.expand(20, 20), along[:, None].expand(20, 20)
    sequences = torch.stack([x, y])[None].expand(100, 2, 20, 20)

    def samples(run: int) -> Any:
        moves = {"shift": 2, "flip": 0.5, "rotate_degrees": 10.0, "seed": run}
        return PairImages(sequences, np.zeros(100), image_size=12, **moves)

    def slope(inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
        return inputs[0][:, 6, 10] - inputs[0][:, 6, 2]

    def tilt(inputs: tuple[torch.Tensor, ...]) -> float:
        return float(slope(inputs)[1] / slope(inputs)[0].abs())

    def right(inputs: tuple[torch.Tensor, ...]) -> float:
        # The middle of a mirrored picture is as far from the other edge
        return float((inputs[0][0, 5:7, 5:7].mean() - 0.475) * slope(inputs)[0].sign())

    return {
        **_keys(samples, lambda inputs: bool(slope(inputs)[0] < 0)),
        "turned": _keys(samples, tilt)["this"],
        "right": _keys(samples, right)["this"],
        "down": _keys(samples, lambda inputs: float(inputs[0][1, 5:7, 5:7].mean()))["this"],
    }


def noise_of_arrays() -> Groups:
    """Noise of two elements of a vector."""
    inputs = [np.zeros((100, 3), np.float32)]
    samples = lambda run: ArraySamples(inputs, np.zeros(100), noise=1.0, seed=run)  # noqa: E731
    beside = _keys(samples, lambda inputs: float(inputs[0][1]))["this"]
    return {**_keys(samples, lambda inputs: float(inputs[0][0])), "the element beside": beside}


def noise_of_sounds() -> Groups:
    """Noise of two channels of a sound."""
    ones, start = np.ones(100, np.int64), np.arange(100)
    prosody = np.zeros((100, 1), np.float32)

    def samples(run: int) -> Any:
        silence = np.zeros((100, 2), np.float32)
        return SoundSamples(silence, start, ones, prosody, ones, steps=1, noise=np.ones(2), seed=run)

    beside = _keys(samples, lambda inputs: float(inputs[0][0, 1]))["this"]
    return {**_keys(samples, lambda inputs: float(inputs[0][0, 0])), "the channel beside": beside}


JOINT_TESTS: dict[str, Callable[[], Groups]] = {
    "ExpressionAugmentation": expression_augmentation,
    "RoundedGaussNoise": rounded_gauss_noise,
    "Movement": movement,
    "LandmarkAugmentation": landmark_augmentation,
    "FaceImages": seeds_of_faces,
    "LandmarkImages": seeds_of_landmark_images,
    "GreyFaces": mirrors_of_grey_faces,
    "NeighbourFaces": neighbours,
    "FrameDifferences": frame_differences,
    "PairImages": pair_images,
    "ArraySamples": noise_of_arrays,
    "SoundSamples": noise_of_sounds,
}
"""Class → what it drew under many seeds. ``ExpressionAugmentation`` has a table for each recipe besides."""


def _landmark_recipe() -> dict[str, Any]:
    text = (CONF / "base" / "parameters_landmarks.yml").read_text()
    return yaml.safe_load(text)["landmarks"]["training"]["augmentation"]


def _is_mirrored(inputs: tuple[torch.Tensor, ...]) -> bool:
    image = inputs[0][0]
    return bool(image[0, 0] > image[0, -1])


def _keys(samples: Callable[[int], Any], read: Callable[[Any], float]) -> Groups:
    """What is read of 100 samples in 15 epochs, beside that of the next sample, the next epoch and the next seed."""
    drawn = {run: np.array([read(made[key][0]) for key in range(1_700)]) for run in (0, 1) for made in [samples(run)]}
    now = np.arange(NUM_SEEDS)
    return one_by_one(
        {
            "this": drawn[0][now],
            "the next sample": drawn[0][now + 1],
            "the next epoch": drawn[0][now + 100],
            "another run": drawn[1][now],
        }
    )
