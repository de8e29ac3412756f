"""Random numbers of synthetic data: equal for equal things, apart for all others."""

import numpy as np

from mien.data.synthetic_stream import synthetic_stream


def first(dataset: str, *numbers: int) -> float:
    return float(synthetic_stream(dataset, *numbers).random())


def test_equal_names_and_numbers_give_equal_streams():
    np.testing.assert_array_equal(
        synthetic_stream("sfew", 0, 1, 2).random(5), synthetic_stream("sfew", 0, 1, 2).random(5)
    )


def test_another_dataset_another_seed_and_another_count_of_numbers_give_other_streams():
    things = [("sfew", 0), ("sfew", 0, 0), ("sfew", 0, 0, 0), ("sfew", 0, 1), ("sfew", 1, 0), ("raf_db", 0, 0)]
    assert len({first(*thing) for thing in things}) == len(things)


def test_no_stream_is_one_that_a_seed_and_numbers_alone_give():
    every = [(seed, *numbers) for seed in range(3) for numbers in [(), (0,), (1,)]]
    plain = {float(np.random.default_rng(numbers).random()) for numbers in every}
    named = {first(name, *numbers) for name in ("a", "b") for numbers in every}
    assert not plain & named
