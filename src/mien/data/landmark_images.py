"""Faces with landmarks as a torch dataset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from mien.data.face_images import check_rows, resize_square
from mien.labels import FIVE_POINT_LANDMARKS, NUM_LANDMARKS

NUM_POINTS = NUM_LANDMARKS + len(FIVE_POINT_LANDMARKS)
"""Points of a target: 68 landmarks, then MTCNN's five."""


class PointsAugment(Protocol):
    """Changes an image (H, H, 3) uint8 and the points (73, 2) in it; equal seeds give equal results."""

    def __call__(self, image: np.ndarray, points: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the changed image, and where the points are in it."""


class LandmarkImages:
    """Faces of some rows of a packed file as a landmark network sees them, and where their landmarks are.

    Args:
        faces: All packed faces (n, H, H, 3) uint8 RGB, memory-mapped or not.
        rows: Which of them, one per sample.
        points: (n, 73, 2) the 68 landmarks and MTCNN's five points of each sample, x and y with (0, 0) and (1, 1) the
            corners of the face; NaN where unknown.
        image_size: Side of the images given out, in pixels.
        augment: Changes an image of that side and its points; None for evaluation.
        seed: Seed of the augmentation.

    ``dataset[key]`` is ``((image,), points)`` with image (3, image_size, image_size) float32, BGR in [0, 1], and points
    (73, 2) float32. A key is ``epoch * n + i`` (see ``engine.sampling``); without augmentation plain indices do.

    Raises:
        ValueError: Rows and points differ in length, points have another shape, or a row is not among the faces.

    Source: BGR in [0, 1] is what cunjian/pytorch_face_landmark feeds to its network, so that the two are exchangeable.
    """

    def __init__(
        self,
        faces: np.ndarray,
        rows: Sequence[int] | np.ndarray,
        points: np.ndarray,
        *,
        image_size: int,
        augment: PointsAugment | None = None,
        seed: int = 0,
    ) -> None:
        self.faces, self.rows = faces, np.asarray(rows, np.int64)
        self.points = np.asarray(points, np.float64)
        if self.points.shape != (len(self.rows), NUM_POINTS, 2):
            raise ValueError(
                f"{len(self.rows)} rows but points of shape {self.points.shape}: every sample needs {NUM_POINTS} "
                "points (x, y). Put NaN for those that are not known."
            )
        check_rows(self.rows, self.points, len(faces))
        self.image_size, self.augment, self.seed = image_size, augment, seed

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: int) -> tuple[tuple[Tensor], Tensor]:
        index = key % len(self)
        image = resize_square(np.asarray(self.faces[self.rows[index]]), self.image_size)
        points = self.points[index]
        if self.augment is not None:
            seed = int(np.random.SeedSequence((self.seed, key)).generate_state(1)[0])
            image, points = self.augment(image, points, seed)
        pixels = np.ascontiguousarray(image[..., ::-1].transpose(2, 0, 1), np.float32) / np.float32(255)  # (3, H, H)
        return (torch.from_numpy(pixels),), torch.from_numpy(points.astype(np.float32))
