"""Packed faces as torch datasets: coloured ones, grey ones and vectors of them, pairs and sequences."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from mien.data.transforms import Augment
from mien.errors import MienError

CLASS_STREAM = 1
"""Parts the random numbers of sampled classes from those of the augmentation, which has the same seed and key."""


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
        seed: Seed of the augmentation and of sampled classes.
        draw: Draw a class by the shares instead of giving them out.

    ``dataset[key]`` is ``((image,), target)`` with image (3, image_size, image_size) float32 and target a class id,
    int64, or the shares (M,) float32. A key is ``epoch * n + i``: sample i as augmented and sampled in that epoch (see
    ``engine.sampling``); where neither is done, plain indices do. The class is sampled from a random stream of its own,
    so that it tells nothing of the augmentation.

    Raises:
        MienError: Rows and targets differ in length, a row is not among the faces, or shares do not add up to 1.
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
        raise MienError("There are no shares to draw a class by: give targets (n, M), or set draw to false.")
    if targets.ndim == 2 and not ((targets >= 0).all() and np.allclose(targets.sum(axis=1), 1)):
        wrong = int(((targets < 0).any(axis=1) | ~np.isclose(targets.sum(axis=1), 1)).sum())
        raise MienError(
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
        MienError: Rows and targets differ in length, or a row is not among the faces.
    """
    if len(rows) != len(targets):
        raise MienError(f"{len(rows)} rows but {len(targets)} targets: every sample needs both.")
    if rows.size and not (rows.min() >= 0 and rows.max() < num_faces):
        raise MienError(
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
        MienError: Rows and targets differ in length, or a row is not among the faces.
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


def decode_sequences(
    faces: np.ndarray, rows: Sequence[int] | np.ndarray, *, num_frames: int, size: int, mean: float, std: float
) -> Tensor:
    """Take sequences out of a packed file, resized and normalised: done once, shared by every net that trains on them.

    Args:
        faces: Packed grey faces (n, F, H, W, 1) uint8, the onset first, the apex last.
        rows: Which of them.
        num_frames: K of the F frames, evenly spaced from the onset to the apex.
        size: Side that images are resized to, in pixels.
        mean: Of values in [0, 1].
        std: Likewise.

    Returns:
        (rows, K, size, size) float32.

    Raises:
        MienError: The faces are no grey sequences of so many frames, or a row is not among them.
    """
    rows = np.asarray(rows, np.int64)
    if faces.ndim != 5 or faces.shape[-1] != 1 or faces.shape[1] < num_frames:
        raise MienError(
            f"Packed faces of shape {faces.shape} hold no {num_frames} grey frames per sample, (n, {num_frames}, H, "
            "W, 1). Give a dataset of pairs, or set model.num_frames to what it has."
        )
    if len(rows) and not (rows.min() >= 0 and rows.max() < len(faces)):
        raise MienError(
            f"The samples name face rows {rows.min()} to {rows.max()}, the packed file has {len(faces)}. "
            "Samples and faces come from different runs: run the dataset's pipeline again."
        )
    frames = np.linspace(0, faces.shape[1] - 1, num_frames).round().astype(int)
    decoded = np.empty((len(rows), num_frames, size, size), np.float32)
    for place, row in enumerate(rows):
        for number, frame in enumerate(frames):
            decoded[place, number] = resize_square(np.asarray(faces[row, frame, :, :, 0]), size)
    return torch.from_numpy((decoded / 255 - mean) / std)


class PairImages:
    """Decoded sequences with their targets; each sequence is changed as a whole.

    Args:
        sequences: (n, K, H, H) of ``decode_sequences``; not copied.
        targets: Class id per sample.
        image_size: Side of the images given out, at most H: the middle of each, when nothing is augmented.
        shift: Most pixels, either way, by which what is cut out departs from the middle.
        flip: Probability of mirroring.
        rotate_degrees: Largest rotation, either way.
        seed: Of the augmentation.

    ``dataset[key]`` is ``((frames,), target)`` with frames (K, image_size, image_size) float32. A key is ``epoch * n +
    i``: sample i as augmented in that epoch (see ``engine.sampling``); without augmentation plain indices do.

    Raises:
        MienError: Sequences and targets differ in number, or the images are too small.

    Source: ours. One movement for all images of a sequence: what moves between them is what is to be seen.
    """

    def __init__(
        self,
        sequences: Tensor,
        targets: Sequence[int] | np.ndarray,
        *,
        image_size: int,
        shift: int = 0,
        flip: float = 0.0,
        rotate_degrees: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.targets = torch.tensor(np.asarray(targets, np.int64))  # a copy: a table lends its columns read-only
        if len(sequences) != len(self.targets):
            raise MienError(f"{len(sequences)} sequences but {len(self.targets)} targets: every sample needs both.")
        self.margin = sequences.shape[-1] - image_size
        if self.margin < 2 * shift:
            raise MienError(
                f"Images of {sequences.shape[-1]} px leave no room to cut out {image_size} px up to {shift} px off the "
                "middle. Lower training.augmentation.shift, or decode larger images."
            )
        self.sequences, self.image_size, self.shift = sequences, image_size, shift
        self.flip, self.rotate_degrees, self.seed = flip, rotate_degrees, seed

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, key: int) -> tuple[tuple[Tensor], Tensor]:
        index = key % len(self)
        frames, middle = self.sequences[index], self.margin // 2
        top, left = middle, middle
        if self.shift or self.flip or self.rotate_degrees:
            rng = np.random.default_rng((self.seed, key))
            down, right = rng.integers(-self.shift, self.shift + 1, 2)
            top, left = middle + int(down), middle + int(right)
            angle = float(rng.uniform(-self.rotate_degrees, self.rotate_degrees))
            if rng.random() < self.flip:
                frames = frames.flip(-1)
            if angle:
                frames = _rotated(frames, angle)
        end = self.image_size
        return (frames[:, top : top + end, left : left + end],), self.targets[index]


def _rotated(frames: Tensor, angle: float) -> Tensor:
    """Frames (K, H, H) turned about their middle, the border repeated."""
    side = frames.shape[-1]
    turn = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), angle, 1.0)
    turned = [
        cv2.warpAffine(frame, turn, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        for frame in frames.numpy()
    ]
    return torch.from_numpy(np.stack(turned))
