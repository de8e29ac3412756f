"""Batches of an epoch: a permutation that depends on seed and epoch alone, shared by ranks without gap or overlap."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.engine.sampling import EpochBatches


def batches(num_samples: int, batch_size: int, seed: int = 0, epoch: int = 0, **options: int) -> list[list[int]]:
    sampler = EpochBatches(num_samples, batch_size, seed, **options)
    sampler.epoch = epoch
    return list(sampler)


@given(st.integers(1, 60), st.integers(1, 20), st.integers(0, 5), st.integers(0, 30))
def test_an_epoch_shows_every_sample_at_most_once_and_names_itself_in_the_keys(n, batch_size, seed, epoch):
    shown = batches(n, batch_size, seed, epoch)
    keys = [key for batch in shown for key in batch]
    assert all(key // n == epoch for key in keys)
    assert len(set(keys)) == len(keys)
    size = min(batch_size, n)
    rest = [n % size] if n % size > 1 else []
    assert [len(batch) for batch in shown] == [size] * (n // size) + rest, "the rest is kept, a single sample is not"
    full = batches(n, batch_size, seed, epoch, drop_last=True)
    assert full == shown[: n // size], "full batches in the same order"


@given(st.integers(1, 8), st.integers(1, 4), st.integers(1, 6), st.integers(0, 3))
def test_ranks_together_show_what_one_process_shows(per_rank, world_size, num_batches, epoch):
    batch_size = per_rank * world_size
    n = batch_size * num_batches + world_size - 1  # a rest that gives no process two samples
    whole = batches(n, batch_size, epoch=epoch)
    ranks = [batches(n, batch_size, epoch=epoch, rank=rank, world_size=world_size) for rank in range(world_size)]
    for number, batch in enumerate(whole[:num_batches]):
        parts = [rank[number] for rank in ranks]
        assert {len(part) for part in parts} == {per_rank}
        assert sorted(key for part in parts for key in part) == sorted(batch)


def test_the_order_changes_with_the_epoch_and_the_seed_and_with_nothing_else():
    order = [[key % 40 for key in batch] for batch in batches(40, 8, seed=1, epoch=2)]
    assert order == [[key % 40 for key in batch] for batch in batches(40, 8, seed=1, epoch=2)]
    for seed, epoch in ((1, 3), (2, 2), (2, 1)):
        assert order != [[key % 40 for key in batch] for batch in batches(40, 8, seed, epoch)]


def test_the_rest_is_shared_evenly_by_ranks_and_at_least_two_samples_each():
    ranks = [batches(8 + 7, 8, rank=rank, world_size=2) for rank in range(2)]
    assert [[len(batch) for batch in rank] for rank in ranks] == [[4, 3], [4, 3]]
    keys = [key for rank in ranks for batch in rank for key in batch]
    assert len(set(keys)) == len(keys) == 14
    assert [len(batch) for batch in batches(8 + 3, 8, rank=0, world_size=2)] == [4], "one sample each is left out"


def test_its_length_is_the_number_of_batches_and_it_counts_the_samples():
    kept, dropped = EpochBatches(25, 7, 0), EpochBatches(25, 7, 0, drop_last=True)
    assert (len(kept), kept.samples_per_epoch) == (4, 25)
    assert (len(dropped), dropped.samples_per_epoch) == (3, 21)
    assert len(EpochBatches(25, 8, 0)) == 3, "a rest of one sample is left out"
    assert len(EpochBatches(5, 8, 0)) == 1


def test_a_batch_that_devices_cannot_share_evenly_is_refused():
    with pytest.raises(ValueError, match=r"batch_size 10 cannot be shared evenly by 4 devices.*multiple of 4"):
        EpochBatches(100, 10, 0, world_size=4)
