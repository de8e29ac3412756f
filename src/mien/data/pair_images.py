"""Pairs of an onset and an apex, or longer sequences, as a torch dataset."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from mien.data.face_images import resize_square


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
        ValueError: The faces are no grey sequences of so many frames, or a row is not among them.
    """
    rows = np.asarray(rows, np.int64)
    if faces.ndim != 5 or faces.shape[-1] != 1 or faces.shape[1] < num_frames:
        raise ValueError(
            f"Packed faces of shape {faces.shape} hold no {num_frames} grey frames per sample, (n, {num_frames}, H, "
            "W, 1). Give a dataset of pairs, or set model.num_frames to what it has."
        )
    if len(rows) and not (rows.min() >= 0 and rows.max() < len(faces)):
        raise ValueError(
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
        ValueError: Sequences and targets differ in number, or the images are too small.

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
            raise ValueError(f"{len(sequences)} sequences but {len(self.targets)} targets: every sample needs both.")
        self.margin = sequences.shape[-1] - image_size
        if self.margin < 2 * shift:
            raise ValueError(
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
