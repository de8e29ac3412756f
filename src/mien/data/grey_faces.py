"""Grey faces in [0, 1], and vectors computed from them, as torch datasets."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from mien.data.face_images import check_rows, resize_square


class GreyFaces:
    """Faces of some rows of a packed file, averaged to grey, over 255, mirrored at random if requested.

    Args:
        faces: All packed faces (n, H, W, C) uint8, memory-mapped or not.
        rows: Which of them, one per sample.
        targets: (n,) or (n, T) whole numbers, one or several per sample.
        image_size: Side of the images given out, in pixels.
        flip: Share of images that are mirrored.
        seed: Seed of the mirroring.

    ``dataset[key]`` is ``((image,), target)`` with image (1, image_size, image_size) float32. A key is ``epoch * n +
    i``: sample i in that epoch (see ``engine.sampling``).

    Raises:
        ValueError: Rows and targets differ in length, or a row is not among the faces.
    """

    def __init__(
        self,
        faces: np.ndarray,
        rows: Sequence[int] | np.ndarray,
        targets: np.ndarray,
        *,
        image_size: int,
        flip: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.faces, self.rows, self.targets = faces, np.asarray(rows, np.int64), np.asarray(targets, np.int64)
        check_rows(self.rows, self.targets, len(faces))
        self.image_size, self.flip, self.seed = image_size, flip, seed

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: int) -> tuple[tuple[Tensor], Tensor]:
        index = key % len(self)
        mirrored = bool(self.flip) and np.random.default_rng((self.seed, key)).random() < self.flip
        return (self._image(index, mirrored),), torch.tensor(self.targets[index])

    def images(self) -> Tensor:
        """All images as they are, (n, 1, image_size, image_size)."""
        return torch.stack([self._image(index) for index in range(len(self))])

    def _image(self, index: int, mirrored: bool = False) -> Tensor:
        face = resize_square(np.asarray(self.faces[self.rows[index]]), self.image_size)
        grey = face.reshape(self.image_size, self.image_size, -1).mean(axis=2, dtype=np.float32) / 255
        return torch.from_numpy(np.ascontiguousarray(grey[:, ::-1] if mirrored else grey))[None]


class Vectors:
    """Vectors (n, D) with their targets; keys as in ``GreyFaces``."""

    def __init__(self, vectors: Tensor, targets: np.ndarray) -> None:
        self.vectors, self.targets = vectors, torch.tensor(targets, dtype=torch.int64)

    def __len__(self) -> int:
        return len(self.vectors)

    def __getitem__(self, key: int) -> tuple[tuple[Tensor], Tensor]:
        index = key % len(self)
        return (self.vectors[index],), self.targets[index]
