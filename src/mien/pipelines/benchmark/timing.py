"""Timing ways to do one thing in turn, so that a machine that slows down slows all of them."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field


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


def interleaved(ways: Mapping[str, Callable[[Lap], object]], repeats: int) -> dict[str, list[Lap]]:
    """Time every way ``repeats`` times, each in turn.

    Example:
        >>> laps = interleaved({"sum": lambda lap: sum(range(10)), "max": lambda lap: max(range(10))}, repeats=3)
        >>> [len(laps[name]) for name in ("sum", "max")]
        [3, 3]

    Args:
        ways: By name; each is called with its lap, whose ``stage`` it may use.
        repeats: At least 1.

    Returns:
        The laps of each way, in the order in which they were run.
    """
    laps: dict[str, list[Lap]] = {name: [] for name in ways}
    for _ in range(repeats):
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
