"""Timing ways to do one thing in turn, so that a machine that slows down slows all of them."""

import math
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

Way = TypeVar("Way", bound=Hashable)

LEAST_ROUNDS = 3
"""As many as a median with a spread needs."""


@dataclass
class Lap:
    """One run of one way.

    Attributes:
        seconds: On the clock.
        cpu_seconds: Of this process, all threads together; what other processes take does not count.
        stages: Seconds on the clock by stage.
    """

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    stages: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the time within towards a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.stages[name] = self.stages.get(name, 0.0) + time.perf_counter() - start


def interleaved(
    ways: Mapping[Way, Callable[[Lap], object]], repeats: int, seconds: float = math.inf
) -> dict[Way, list[Lap]]:
    """Time every way ``repeats`` times, each in turn.

    Example:
        >>> laps = interleaved({"sum": lambda lap: sum(range(10)), "max": lambda lap: max(range(10))}, repeats=3)
        >>> [len(laps[name]) for name in ("sum", "max")]
        [3, 3]

    Args:
        ways: By name; each is called with its lap, whose ``stage`` it may use.
        repeats: At least 1.
        seconds: After so long no further round begins, but for the first ``LEAST_ROUNDS``.

    Returns:
        The laps of each way, in the order in which they were run.
    """
    laps: dict[Way, list[Lap]] = {name: [] for name in ways}
    begun = time.perf_counter()
    for number in range(repeats):
        if number >= LEAST_ROUNDS and time.perf_counter() - begun > seconds:
            break
        for name, way in ways.items():
            lap = Lap()
            start, cpu_start = time.perf_counter(), time.process_time()
            way(lap)
            lap.seconds, lap.cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
            laps[name].append(lap)
    return laps


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    """Median, least and largest.

    Example:
        >>> spread([3.0, 1.0, 2.5])
        (2.5, 1.0, 3.0)
    """
    import statistics

    return statistics.median(values), min(values), max(values)
