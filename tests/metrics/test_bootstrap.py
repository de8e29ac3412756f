"""The bootstrap of sums against loops over rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.metrics.synthetic_predictions import naive_bounds

from mien.metrics import INTERVAL_PERCENTILES, bootstrap
from mien.metrics.bootstrap import (
    bootstrap_bounds,
    bounds_of_units,
    json_number,
    mean_where_defined,
    reflected,
    summing_matrix,
    with_interval,
)


@settings(max_examples=50, deadline=None)
@given(n=st.integers(1, 30), S=st.integers(1, 5), seed=st.integers(0, 2**31))
def test_a_summing_matrix_sums_weighted_values_over_its_sets(n, S, seed):
    rng = np.random.default_rng(seed)
    sets, values, weights = rng.integers(S, size=n), rng.normal(size=n), rng.integers(4, size=(n, 3))
    sums = summing_matrix(sets, (S, n), values=values) @ weights
    expected = [[(weights[:, r] * values)[sets == s].sum() for r in range(3)] for s in range(S)]
    assert sums == pytest.approx(np.array(expected))
    some = rng.random(n) < 0.5
    counts = summing_matrix(sets[some], (S, n), rows=np.flatnonzero(some)) @ np.ones(n)
    assert counts.tolist() == np.bincount(sets[some], minlength=S).tolist()


def mean_of(sums):
    return {"mean": sums["value"][0] / sums["n"][0], "both": np.stack([sums["n"][0], sums["value"][0]])}


def matrices_of(values):
    everywhere, shape = np.zeros(len(values), int), (1, len(values))
    return {"n": summing_matrix(everywhere, shape), "value": summing_matrix(everywhere, shape, values=values)}


@settings(max_examples=30, deadline=None)
@given(n=st.integers(2, 25), num_groups=st.integers(2, 6), seed=st.integers(0, 2**31))
def test_bounds_equal_those_of_a_loop_over_resampled_groups(n, num_groups, seed):
    rng = np.random.default_rng(seed)
    values, groups = rng.normal(size=n), rng.integers(num_groups, size=n)
    _, first, units = np.unique(groups, return_index=True, return_inverse=True)
    units = np.argsort(np.argsort(first))[units]  # numbered by first row, as the loop does
    ours = bootstrap_bounds(matrices_of(values), mean_of, units, resamples=20, seed=seed)
    loop = naive_bounds(lambda rows: {"mean": values[rows].mean(), "n": len(rows)}, groups, 20, seed)
    if len(first) > 1:
        assert tuple(ours["mean"]) == pytest.approx(loop["mean"])
        assert tuple(ours["both"][:, 0]) == pytest.approx(loop["n"])
    assert np.isnan(ours["mean"]).all() == (len(first) < 2)


def test_the_size_of_the_chunks_does_not_change_the_bounds(monkeypatch):
    values = np.random.default_rng(0).normal(size=50)
    whole = bootstrap_bounds(matrices_of(values), mean_of, np.arange(50), resamples=100, seed=1)
    monkeypatch.setattr(bootstrap, "_CHUNK_ELEMENTS", 350)  # seven resamples at a time, then two
    pieces = bootstrap_bounds(matrices_of(values), mean_of, np.arange(50), resamples=100, seed=1)
    assert pieces["mean"].tolist() == whole["mean"].tolist()


def test_the_bounds_of_a_mean_are_those_of_the_normal_distribution():
    values = np.random.default_rng(0).normal(size=400)
    low, high = bootstrap_bounds(matrices_of(values), mean_of, np.arange(400), resamples=4000, seed=0)["mean"]
    margin = 1.96 * values.std() / np.sqrt(400)
    assert (low, high) == pytest.approx((values.mean() - margin, values.mean() + margin), abs=0.08 * margin)


def test_undefined_resamples_are_left_out_of_the_percentiles():
    def odd_only(sums):
        return {"n": np.where(sums["value"][0] % 2 == 1, sums["value"][0], np.nan), "never": sums["n"][0] * np.nan}

    values = np.array([0.0, 1.0])
    bounds = bootstrap_bounds(matrices_of(values), odd_only, np.arange(2), resamples=50, seed=0)
    assert bounds["n"].tolist() == [1, 1]
    assert np.isnan(bounds["never"]).all()
    assert INTERVAL_PERCENTILES == (2.5, 97.5)


def test_bounds_are_mirrored_at_the_value_and_stay_above_zero():
    assert reflected(0.10, np.array([0.08, 0.15])) == pytest.approx([0.05, 0.12])
    assert reflected(0.01, np.array([0.012, 0.05])) == pytest.approx([0, 0.008])


def test_means_leave_out_what_is_undefined():
    values = np.array([[1.0, np.nan, np.nan], [3.0, 5.0, np.nan]])
    assert mean_where_defined(values)[:2].tolist() == [2, 5]
    assert np.isnan(mean_where_defined(values)[2])


def test_json_has_none_where_a_number_is_undefined():
    assert with_interval("f1", np.float64(0.5), np.array([0.25, np.nan])) == {
        "f1": 0.5,
        "f1_low": 0.25,
        "f1_high": None,
    }
    assert json_number(np.inf) is None
    assert np.isnan(bounds_of_units(np.array([1.0, 2.0]), np.array([3, 3]))).all()
    assert bounds_of_units(np.array([1.0, 2.0]), np.array([3, 4])).tolist() == [1, 2]
