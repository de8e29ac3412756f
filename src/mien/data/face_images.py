"""Packed faces as a torch dataset."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from mien.data.transforms import Augment


class FaceImages:
    """Faces of some rows of a packed file, resized, augmented if asked for, and normalised.

    Args:
        faces: All packed faces (n, H, W, 3) uint8 RGB, memory-mapped or not.
        rows: Which of them, one per sample.
        targets: Class id per sample.
        image_size: Side of the images given out, in pixels.
        mean: Mean per channel, of values in [0, 1].
        std: Standard deviation per channel, likewise.
        augment: Changes an image (image_size, image_size, 3) uint8; None for evaluation.
        seed: Seed of the augmentation.

    ``dataset[key]`` is ``((image,), target)`` with image (3, image_size, image_size) float32. A key is ``epoch * n +
    i``: sample i as augmented in that epoch (see ``engine.sampling``); without augmentation plain indices do.

    Raises:
        ValueError: Rows and targets differ in length, or a row is not among the faces.
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
    ) -> None:
        self.faces, self.rows, self.targets = faces, np.asarray(rows, np.int64), np.asarray(targets, np.int64)
        check_rows(self.rows, self.targets, len(faces))
        self.image_size, self.augment, self.seed = image_size, augment, seed
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
        return (pixels,), torch.tensor(self.targets[index])


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
