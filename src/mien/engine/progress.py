"""What a person sees of training: a bar per epoch on a terminal, a log line per epoch everywhere."""

import sys
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import numpy as np

Batch = TypeVar("Batch")

CLOCKED = ("seconds", "images_per_second")
"""Columns of a history that no two runs have alike."""

OnEpochEnd = Callable[[dict[str, Any], Mapping[str, "np.ndarray"]], None]
"""What has the record of an epoch that has ended, and the pictures (H, W, 3) uint8 made after it, by name."""


def batch_bar(batches: Iterable[Batch], epoch: int) -> Iterable[Batch]:
    """Wrap the batches in a progress bar if somebody is looking at a terminal."""
    if not sys.stderr.isatty():
        return batches
    from tqdm import tqdm

    return tqdm(batches, desc=f"epoch {epoch}", unit="batch", leave=False)


class EpochClock:
    """Times epochs and says how long the rest will take.

    Args:
        done: Epochs finished before this process began.
        max_epochs: Epochs in all.
    """

    def __init__(self, done: int, max_epochs: int) -> None:
        self.done, self.max_epochs = done, max_epochs
        self._begun = 0.0
        self._seconds: list[float] = []

    def start(self) -> None:
        """Begin an epoch."""
        self._begun = time.perf_counter()

    def stop(self, images: int) -> dict[str, float]:
        """End an epoch that trained on ``images``; its seconds and images per second, validation included."""
        seconds = time.perf_counter() - self._begun
        self._seconds.append(seconds)
        return dict(zip(CLOCKED, (seconds, images / seconds), strict=True))

    def line(self, record: dict[str, float], best: dict[str, float], monitor: str) -> str:
        """One line: epoch, losses, the monitored metric with its best, learning rate, speed, time left."""
        left = (self.max_epochs - record["epoch"]) * sum(self._seconds) / len(self._seconds)
        return (
            f"epoch {record['epoch']}/{self.max_epochs}  train/loss {record['train/loss']:.4f}  "
            f"{monitor} {record[monitor]:.4f} (best {best[monitor]:.4f} in {best['epoch']})  lr {record['lr']:.2e}  "
            f"{record['images_per_second']:.0f} images/s  {_duration(left)} left"
        )


def _duration(seconds: float) -> str:
    """Hours, minutes and seconds as people say them.

    Example:
        >>> _duration(3725), _duration(65)
        ('1 h 02 min', '1 min 05 s')
    """
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 60} min {whole % 60:02d} s"
