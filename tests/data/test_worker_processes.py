"""Work over processes: results in order, few items under way, errors and interruptions as in one process."""

import os

import pytest

from mien.data.images import ImageError
from mien.data.worker_processes import WAITING_PER_WORKER, map_in_order


def process_of(item: int) -> tuple[int, int]:
    return item, os.getpid()


def refuse_three(item: int) -> int:
    if item == 3:
        raise ImageError("truncated", "Broken image: three")
    return item


@pytest.fixture(scope="module")
def two_workers() -> list[tuple[int, int]]:
    return list(map_in_order(process_of, range(20), workers=2))


def test_results_come_in_the_order_of_the_items(two_workers):
    assert [item for item, _ in two_workers] == list(range(20))


def test_several_workers_are_processes_of_their_own(two_workers):
    processes = {process for _, process in two_workers}
    assert len(processes) <= 2
    assert os.getpid() not in processes


def test_one_worker_or_one_item_needs_no_process():
    assert {process for _, process in map_in_order(process_of, range(3), workers=1)} == {os.getpid()}
    assert list(map_in_order(process_of, [7], workers=2)) == [(7, os.getpid())]
    assert list(map_in_order(process_of, [], workers=2)) == []


def test_items_are_requested_only_as_there_is_room():
    requested = []

    def items():
        for item in range(50):
            requested.append(item)
            yield item

    results = map_in_order(abs, items(), workers=2)
    assert requested == []
    for taken in range(1, 4):
        next(results)
        assert len(requested) <= taken + 2 * WAITING_PER_WORKER
    results.close()
    assert len(requested) < 50


def test_an_error_passes_through_with_its_reason():
    results = map_in_order(refuse_three, range(6), workers=2)
    assert [next(results), next(results), next(results)] == [0, 1, 2]
    with pytest.raises(ImageError, match="Broken image: three") as error:
        next(results)
    assert error.value.reason == "truncated"


def test_a_negative_number_is_refused_at_once():
    with pytest.raises(ValueError, match="workers is -1"):
        map_in_order(abs, [1], workers=-1)
