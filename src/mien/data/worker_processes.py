"""Work spread over processes: results in the order of the items, memory bounded, bytes independent of the number."""

from __future__ import annotations

import itertools
import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any, TypeVar

from mien.errors import MienError

Item = TypeVar("Item")
Result = TypeVar("Result")

WAITING_PER_WORKER = 2
"""Items handed to each process ahead of the one whose result is wanted: enough to keep it busy, few to hold."""


def map_in_order(function: Callable[[Item], Result], items: Iterable[Item], workers: int = 0) -> Iterator[Result]:
    """Apply a function to items in several processes and give out the results one after the other.

    At most ``WAITING_PER_WORKER`` items per process are under way or wait for their turn, so memory does not grow with
    the number of items. One thread computes in each process. With one worker, or one item, everything happens in the
    calling process. Processes are started afresh, so a script of your own calls this below
    ``if __name__ == "__main__":``.

    Args:
        function: What to do with an item; a function of a module, or ``functools.partial`` of one.
        items: Read one by one as there is room.
        workers: Number of processes; 0 is one per core.

    Returns:
        An iterator over ``function(item)``, in the order of ``items``. Closing it early ends the processes.

    Raises:
        MienError: ``workers`` is negative. What ``function`` raises passes through.

    Source: ours, because ``ProcessPoolExecutor.map`` takes all items in at once.

    Example:
        >>> list(map_in_order(abs, [-1, -2], workers=1))
        [1, 2]
    """
    if workers < 0:
        raise MienError(f"workers is {workers}: give 0 for one process per core, or a positive number.")
    return _results(function, iter(items), workers or os.cpu_count() or 1)


def _results(function: Callable[[Any], Any], items: Iterator[Any], workers: int) -> Iterator[Any]:
    ahead = list(itertools.islice(items, 2))
    items = itertools.chain(ahead, items)
    if workers == 1 or len(ahead) < 2:
        yield from map(function, items)
        return
    # Fresh processes: forked ones would inherit the locks of OpenCV's and torch's threads, and could hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=_compute_on_one_thread) as pool:
        waiting: deque[Future[Any]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) >= workers * WAITING_PER_WORKER:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _compute_on_one_thread() -> None:
    import sys

    import cv2

    cv2.setNumThreads(1)
    os.environ["OMP_NUM_THREADS"] = "1"  # read by torch when it is imported
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
