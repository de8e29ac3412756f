"""The order in which training sees its samples."""

from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler

from mien.engine.seed import derive_seed
from mien.errors import MienError


class EpochBatches(Sampler[list[int]]):
    """Shuffled batches of keys ``epoch * n + i``: a key says which sample and, for its augmentation, in which epoch.

    The epoch travels in the key, so that worker processes of a data loader need no message when an epoch begins and the
    same epoch is the same whatever the number of workers. With several ranks each takes its part of every batch.

    Args:
        num_samples: n, the size of the training set.
        batch_size: Samples per batch over all ranks.
        seed: Seed of the order.
        rank: This process's number.
        world_size: Number of processes.
        drop_last: Leave out the last, partial batch of an epoch. Kept, it is cut to a multiple of ``world_size``, and
            left out where a process would get a single sample, which batch normalisation cannot use.

    Source: ours, because resuming at an epoch then needs no state of a random generator.

    Example:
        >>> batches = EpochBatches(num_samples=5, batch_size=2, seed=0)
        >>> batches.epoch = 3
        >>> [[key % 5 for key in batch] for batch in batches]
        [[0, 2], [1, 3]]
    """

    def __init__(
        self, num_samples: int, batch_size: int, seed: int, rank: int = 0, world_size: int = 1, drop_last: bool = False
    ) -> None:
        if batch_size % world_size:
            raise MienError(
                f"batch_size {batch_size} cannot be shared evenly by {world_size} devices. "
                f"Set training.batch_size to a multiple of {world_size}."
            )
        self.num_samples = num_samples
        self.batch_size = min(batch_size, num_samples)
        self.seed, self.rank, self.world_size = seed, rank, world_size
        self.epoch = 0
        rest = num_samples % self.batch_size // world_size
        self._sizes = [self.batch_size] * (num_samples // self.batch_size)
        if not drop_last and rest > 1:
            self._sizes.append(rest * world_size)

    def __len__(self) -> int:
        return len(self._sizes)

    @property
    def samples_per_epoch(self) -> int:
        """Samples that one epoch trains on, over all ranks."""
        return sum(self._sizes)

    def __iter__(self) -> Iterator[list[int]]:
        order = np.random.default_rng(derive_seed(self.seed, self.epoch)).permutation(self.num_samples)
        keys = self.epoch * self.num_samples + order
        for number, size in enumerate(self._sizes):
            start = number * self.batch_size
            yield keys[start : start + size][self.rank :: self.world_size].tolist()
