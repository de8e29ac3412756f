"""Clips as torch datasets: faces with synthetic neighbours, stacks of frame differences, arrays of one row per clip."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from mien.data.face_images import check_rows
from mien.errors import MienError


class NeighbourFaces:
    """Grey faces, in training each replaced by itself or one of its synthetic neighbours, another in every epoch.

    Args:
        faces: Packed faces (n, 1 + k, S, S, 1) uint8, a face and its k neighbours.
        rows: Which of them, one per sample.
        targets: Class id per sample.
        mean: Subtracted from pixels in [0, 1].
        std: Divided by.
        flip: Probability of the mirror image.
        seed: Of the choice.

    ``dataset[key]`` is ``((image,), target)`` with image (1, S, S) float32. A key is ``epoch * n + i``
    (see ``engine.sampling``). Over the epochs every neighbour comes up, so that k = 70 is seen without 71 times the
    work in each epoch.

    Raises:
        MienError: Rows and targets differ in length, or a row is not among the faces.
    """

    def __init__(
        self,
        faces: np.ndarray,
        rows: Sequence[int] | np.ndarray,
        targets: Sequence[int] | np.ndarray,
        *,
        mean: float,
        std: float,
        flip: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.faces, self.rows, self.targets = faces, np.asarray(rows, np.int64), np.asarray(targets, np.int64)
        check_rows(self.rows, self.targets, len(faces))
        self.mean, self.std, self.flip, self.seed = mean, std, flip, seed

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: int) -> tuple[tuple[Tensor], Tensor]:
        index = key % len(self)
        random, mirrored = np.random.SeedSequence((self.seed, key)).generate_state(2)
        neighbour = int(random) % self.faces.shape[1]
        face = np.asarray(self.faces[self.rows[index], neighbour, :, :, 0], np.float32)
        face = mirrored_at(face, int(mirrored), self.flip)
        image = torch.from_numpy((face / 255 - self.mean) / self.std)[None]
        return (image,), torch.tensor(self.targets[index])


class FrameDifferences:
    """Stacks of differences between consecutive faces of a clip, around each of its frames.

    Args:
        faces: Packed grey faces (n, S, S, 1) uint8.
        rows: Rows of each sample's ``length + 1`` consecutive faces, (m, length + 1); see ``stacked_rows``.
        targets: Class id per sample.
        std: Differences of pixels in [0, 1] are divided by it.
        flip: Probability of the mirror image, in training.
        seed: Of that choice.

    ``dataset[i]`` is ``((stack,), target)`` with stack (length, S, S) float32.

    Source: stacks of motion as a second stream, Simonyan and Zisserman 2014, in Wu et al. 2016; differences instead of
        optical flow, ours, as in Wang et al.'s temporal segment networks (2016).

    Raises:
        MienError: Rows and targets differ in length, or a row is not among the faces.
    """

    def __init__(
        self,
        faces: np.ndarray,
        rows: np.ndarray,
        targets: Sequence[int] | np.ndarray,
        *,
        std: float,
        flip: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.faces, self.rows, self.targets = faces, np.asarray(rows, np.int64), np.asarray(targets, np.int64)
        check_rows(self.rows, self.targets, len(faces))
        self.std, self.flip, self.seed = std, flip, seed

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: int) -> tuple[tuple[Tensor], Tensor]:
        index = key % len(self)
        stack = np.asarray(self.faces[self.rows[index], :, :, 0], np.float32)
        random = int(np.random.SeedSequence((self.seed, key)).generate_state(1)[0])
        stack = mirrored_at(stack, random, self.flip)
        return (torch.from_numpy(np.diff(stack, axis=0) / (255 * self.std)),), torch.tensor(self.targets[index])


def mirrored_at(image: np.ndarray, random: int, flip: float) -> np.ndarray:
    """The mirror image of the last axis with a probability.

    Args:
        image: (..., H, W).
        random: A whole number below 2^32, uniformly distributed.
        flip: The probability.

    Example:
        >>> mirrored_at(np.array([[1, 2]]), 2**31, 0.6).tolist(), mirrored_at(np.array([[1, 2]]), 2**31, 0.4).tolist()
        ([[2, 1]], [[1, 2]])
    """
    return np.ascontiguousarray(image[..., ::-1]) if random < flip * 2**32 else image


def stacked_rows(rows: np.ndarray, length: int) -> np.ndarray:
    """Rows of ``length + 1`` consecutive frames around each frame of a clip; beyond its ends the outermost is repeated.

    Args:
        rows: (F,) of a clip's faces in their order, F at least 1.
        length: Differences in a stack.

    Returns:
        (F, length + 1). A clip of one frame stands still.

    Example:
        >>> stacked_rows(np.array([5, 6, 7]), 2).tolist()
        [[5, 5, 6], [5, 6, 7], [6, 7, 7]]
    """
    offsets = np.arange(length + 1) - (length + 1) // 2
    places = np.clip(np.arange(len(rows))[:, None] + offsets, 0, len(rows) - 1)
    return rows[places]


class ArraySamples:
    """Rows of arrays that fit in memory.

    Args:
        inputs: Arrays (n, ...) float32, the model's arguments in order.
        targets: Class id per row.
        noise: Standard deviation of Gaussian noise on the first input in training, in its own; 0 for none.
        seed: Of the noise.

    ``dataset[key]`` is ``(inputs, target)``. A key is ``epoch * n + i`` (see ``engine.sampling``).

    Raises:
        MienError: Arrays and targets differ in length.
    """

    def __init__(
        self, inputs: Sequence[np.ndarray], targets: Sequence[int] | np.ndarray, *, noise: float = 0.0, seed: int = 0
    ) -> None:
        self.inputs, self.targets = tuple(inputs), np.asarray(targets, np.int64)
        lengths = {len(each) for each in (*self.inputs, self.targets)}
        if len(lengths) != 1:
            raise MienError(f"Inputs and targets have {sorted(lengths)} rows: every sample needs all of them.")
        self.noise, self.seed = noise, seed

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, key: int) -> tuple[tuple[Tensor, ...], Tensor]:
        index = key % len(self)
        arrays = [np.asarray(each[index], np.float32) for each in self.inputs]
        if self.noise:
            rng = np.random.default_rng(np.random.SeedSequence((self.seed, key)))
            arrays[0] = arrays[0] + rng.normal(0, self.noise, arrays[0].shape).astype(np.float32)
        return tuple(torch.from_numpy(np.ascontiguousarray(each)) for each in arrays), torch.tensor(self.targets[index])


class SoundSamples:
    """Sounds of clips, masked to one length, and a vector of prosody beside each.

    Args:
        contours: (sum of steps, C), all sounds one after the other.
        start: First step of each sample's sound, (n,).
        length: Its steps, (n,), each at least 1.
        prosody: (n, P) float32.
        targets: Class id per sample.
        steps: T of what is given out; a longer sound loses its end.
        noise: Standard deviation per channel (C,) of Gaussian noise on whole sounds in training: another loudness,
            another voice; None for evaluation.
        seed: Of the noise.

    ``dataset[key]`` is ``((sound, mask, prosody), target)`` with sound (T, C), mask (T,), 1 where there is sound, and
    prosody (P,), float32. A key is ``epoch * n + i`` (see ``engine.sampling``).

    Raises:
        MienError: A sample has no sound, or the arrays differ in length.
    """

    def __init__(
        self,
        contours: np.ndarray,
        start: np.ndarray,
        length: np.ndarray,
        prosody: np.ndarray,
        targets: Sequence[int] | np.ndarray,
        *,
        steps: int,
        noise: np.ndarray | None = None,
        seed: int = 0,
    ) -> None:
        self.contours, self.start, self.length, self.prosody = contours, start, length, prosody
        self.targets = np.asarray(targets, np.int64)
        if {len(start), len(length), len(prosody)} != {len(self.targets)} or (len(length) and length.min() < 1):
            raise MienError(
                f"{len(start)} starts, {len(length)} lengths, {len(prosody)} vectors, {len(self.targets)} targets, the "
                "shortest sound perhaps empty: leave clips without sound out, and give all of the rest."
            )
        self.steps, self.noise, self.seed = steps, noise, seed

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, key: int) -> tuple[tuple[Tensor, Tensor, Tensor], Tensor]:
        index = key % len(self)
        known = min(int(self.length[index]), self.steps)
        first = int(self.start[index])
        sound = np.zeros((self.steps, self.contours.shape[1]), np.float32)
        sound[:known] = self.contours[first : first + known]
        if self.noise is not None:
            rng = np.random.default_rng(np.random.SeedSequence((self.seed, key)))
            sound[:known] += (rng.normal(size=len(self.noise)) * self.noise).astype(np.float32)
        mask = (np.arange(self.steps) < known).astype(np.float32)
        inputs = (torch.from_numpy(sound), torch.from_numpy(mask), torch.from_numpy(self.prosody[index]))
        return inputs, torch.tensor(self.targets[index])
