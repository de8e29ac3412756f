"""Packed faces as a torch dataset."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from mien.data.transforms import Augment

CLASS_STREAM = 1
"""Parts the random numbers of drawn classes from those of the augmentation, which has the same seed and key."""


class FaceImages:
    """Faces of some rows of a packed file, resized, augmented if requested, and normalised.

    Args:
        faces: All packed faces (n, H, W, 3) uint8 RGB, memory-mapped or not.
        rows: Which of them, one per sample.
        targets: Class id per sample, or the share of each class (n, M), which add up to 1.
        image_size: Side of the images given out, in pixels.
        mean: Mean per channel, of values in [0, 1].
        std: Standard deviation per channel, likewise.
        augment: Changes an image (image_size, image_size, 3) uint8; None for evaluation.
        seed: Seed of the augmentation and of drawn classes.
        draw: Draw a class by the shares instead of giving them out.

    ``dataset[key]`` is ``((image,), target)`` with image (3, image_size, image_size) float32 and target a class id,
    int64, or the shares (M,) float32. A key is ``epoch * n + i``: sample i as augmented and drawn in that epoch (see
    ``engine.sampling``); where neither is done, plain indices do. The class is drawn from a random stream of its own,
    so that it tells nothing of the augmentation.

    Raises:
        ValueError: Rows and targets differ in length, a row is not among the faces, or shares do not add up to 1.
    """

    def __init__(
        self,
        faces: np.ndarray,
        rows: Sequence[int] | np.ndarray,
        targets: Sequence[int] | np.ndarray,
        *,
        image_size: int,
        mean: Sequence[float],
        std: Sequence[float],
        augment: Augment | None = None,
        seed: int = 0,
        draw: bool = False,
    ) -> None:
        self.faces, self.rows = faces, np.asarray(rows, np.int64)
        self.targets = np.asarray(targets, np.float64 if np.ndim(targets) == 2 else np.int64)
        check_rows(self.rows, self.targets, len(faces))
        _check_shares(self.targets, draw)
        self.image_size, self.augment, self.seed, self.draw = image_size, augment, seed, draw
        self._scale = (1 / (255 * np.asarray(std, np.float32))).astype(np.float32)
        self._offset = (np.asarray(mean, np.float32) / np.asarray(std, np.float32)).astype(np.float32)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: int) -> tuple[tuple[Tensor], Tensor]:
        index = key % len(self)
        image = resize_square(np.asarray(self.faces[self.rows[index]]), self.image_size)
        if self.augment is not None:
            image = self.augment(image, int(np.random.SeedSequence((self.seed, key)).generate_state(1)[0]))
        normalised = image * self._scale - self._offset
        pixels = torch.from_numpy(np.ascontiguousarray(normalised.transpose(2, 0, 1)))  # (3, H, W)
        return (pixels,), self._target(index, key)

    def _target(self, index: int, key: int) -> Tensor:
        target = self.targets[index]
        if self.targets.ndim == 1:
            return torch.tensor(target)
        if not self.draw:
            return torch.from_numpy(target.astype(np.float32))
        stream = np.random.default_rng(np.random.SeedSequence((self.seed, key), spawn_key=(CLASS_STREAM,)))
        return torch.tensor(stream.choice(len(target), p=target))


def _check_shares(targets: np.ndarray, draw: bool) -> None:
    if targets.ndim == 1 and draw:
        raise ValueError("There are no shares to draw a class by: give targets (n, M), or set draw to false.")
    if targets.ndim == 2 and not ((targets >= 0).all() and np.allclose(targets.sum(axis=1), 1)):
        wrong = int(((targets < 0).any(axis=1) | ~np.isclose(targets.sum(axis=1), 1)).sum())
        raise ValueError(
            f"The shares of {wrong} of {len(targets)} samples are negative or do not add up to 1. "
            "Look at the columns target/<class> of the samples table and at the reader of this dataset."
        )


def check_rows(rows: np.ndarray, targets: np.ndarray, num_faces: int) -> None:
    """Check that every sample has a target and a face.

    Args:
        rows: Rows of the packed file, one or several per sample.
        targets: One per sample.
        num_faces: How many the packed file has.

    Raises:
        ValueError: Rows and targets differ in length, or a row is not among the faces.
    """
    if len(rows) != len(targets):
        raise ValueError(f"{len(rows)} rows but {len(targets)} targets: every sample needs both.")
    if rows.size and not (rows.min() >= 0 and rows.max() < num_faces):
        raise ValueError(
            f"The samples name face rows {rows.min()} to {rows.max()}, the packed file has {num_faces}. "
            "Samples and faces come from different runs: run the pipeline that makes them again."
        )


def resize_square(image: np.ndarray, size: int) -> np.ndarray:
    """Resize to (size, size, C); shrinking averages over areas, so that it does not alias.

    Example:
        >>> resize_square(np.full((4, 4, 3), 7, np.uint8), 2)[0, 0]
        array([7, 7, 7], dtype=uint8)
    """
    if image.shape[0] == size:
        return image
    shrinks = image.shape[0] > size
    resized = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return resized.reshape(size, size, -1)  # OpenCV drops the axis of a single channel


def resize_as_poster(image: np.ndarray, size: int) -> np.ndarray:
    """Resize (H, W, C) to (size, size, C) by the way of POSTER's code: to twice the side, then every second pixel.

    Source: POSTER's ``train.py``, torchvision's ``Resize`` of a PIL image to 224 px, and ``models/emotion_hyp.py``,
        nearest-neighbour interpolation to 112 px, which takes the first of each two pixels.

    Example:
        >>> resize_as_poster(np.full((4, 4, 3), 7, np.uint8), 3).shape
        (3, 3, 3)
    """
    from PIL import Image

    larger = Image.fromarray(image).resize((2 * size, 2 * size), Image.Resampling.BILINEAR)
    return np.asarray(larger)[::2, ::2]
