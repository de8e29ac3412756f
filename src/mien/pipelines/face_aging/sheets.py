"""Sheets of generated faces: the same noise at several ages, and given persons at several ages."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from mien.models.network import Network
from mien.nodes.prediction import unseen_samples
from mien.pipelines.face_aging.params import AgingPredictionParams

FIGURE_AGES = tuple(range(21, 31))
"""Those of the paper's Fig. 25."""

LIFE_AGES = (1, *range(10, 91, 10))
"""Ours: a life in ten steps."""

ROWS = 6
"""Ours: faces, or persons, below each other."""

_TILE = 96  # pixels: twice the face's side


def show_ages(
    samples: pd.DataFrame, faces: np.ndarray, network: Network, prediction: AgingPredictionParams
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Show generated faces from 21 to 30 and from 1 to 90, and test persons from 1 to 90.

    Args:
        samples: The samples table.
        faces: Packed faces (n, H, W, C) uint8.
        network: The trained networks.
        prediction: Its seed draws the noise.

    Returns:
        Three sheets; the last says so where there is no encoder.
    """
    import torch

    from mien.engine.device import limited_threads
    from mien.io.sheets import message_tile

    model = network.model.eval()
    test = unseen_samples(samples, ("test",)).iloc[:ROWS]
    origin = " - trained on synthetic faces" if test["synthetic"].any() else ""
    noise = torch.from_numpy(
        np.random.default_rng(prediction.seed).standard_normal((ROWS, model.noise_dim)).astype(np.float32)
    )
    with limited_threads(prediction.device.threads):
        sheets = [
            by_age(model, noise, ages, f"The same noise in each row, requested {ages[0]} to {ages[-1]} years{origin}")
            for ages in (FIGURE_AGES, LIFE_AGES)
        ]
        if model.encoder is None:
            nothing = message_tile("No encoder was trained: no given person can be aged", 4 * _TILE, 4 * _TILE)
            return sheets[0], sheets[1], nothing
        return sheets[0], sheets[1], _persons(model, test, faces, f"Test persons at other ages{origin}")


def by_age(model: Any, noise: Any, ages: Sequence[int], heading: str) -> np.ndarray:
    """A sheet of one row per noise and one column per age.

    Args:
        model: ``mien.models.face_aging.FaceAging``, in evaluation mode.
        noise: (n, Z).
        ages: Years.
        heading: Above it.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    import torch

    from mien.io.sheets import captioned_sheet

    requested = torch.tensor(ages, dtype=torch.float32, device=noise.device)
    with torch.no_grad():
        rows = [model(each.expand(len(ages), -1), requested) for each in noise]
    tiles = [_tile(face[0].cpu().numpy()) for row in rows for face in row]
    captions = [[f"{age} years"] for _ in rows for age in ages]
    return captioned_sheet(tiles, captions, heading=heading, columns=len(ages))


def _persons(model: Any, persons: pd.DataFrame, faces: np.ndarray, heading: str) -> np.ndarray:
    """Each person's own face, its reconstruction, and its face at the ages of a life."""
    import torch

    from mien.data.face_images import GreyFaces
    from mien.io.sheets import captioned_sheet

    ages = persons["age"].to_numpy(np.float32)
    size = model.image_size
    images = GreyFaces(faces, persons["face_index"].to_numpy(), np.zeros(len(persons)), image_size=size).images()
    tiles, captions = [], []
    for image, age in zip(images, ages, strict=True):
        requested = torch.tensor([age, *LIFE_AGES])
        with torch.no_grad():
            aged = model.age_face(
                image.expand(len(requested), -1, -1, -1), torch.full_like(requested, float(age)), requested
            )
        tiles += [_tile(each[0].numpy()) for each in (image, *aged)]
        captions += [[f"is {age:.0f}"], ["restored"], *([f"{year} years"] for year in LIFE_AGES)]
    return captioned_sheet(tiles, captions, heading=heading, columns=2 + len(LIFE_AGES))


def _tile(values: np.ndarray) -> np.ndarray:
    """Values (H, W), of which those outside [0, 1] are cut, as a picture."""
    import cv2

    grey = np.uint8(np.clip(values, 0, 1) * 255 + 0.5)
    return np.repeat(cv2.resize(grey, (_TILE, _TILE), interpolation=cv2.INTER_CUBIC)[..., None], 3, axis=2)
