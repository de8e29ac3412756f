"""Regression metrics against scikit-learn, NumPy, hand computation and a loop over resamples."""

import itertools
import json
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk
from tests.metrics.synthetic_predictions import found_bounds, naive_bounds

from mien.metrics import regression_metrics

MAIN = ("mae", "mse", "rmse", "r2", "pearson")


def ages(n, seed, noise=8.0):
    rng = np.random.default_rng(seed)
    target = rng.integers(1, 100, size=n)
    return target, target * 0.8 + 8 + rng.normal(scale=noise, size=n)


def independent(target, predicted):
    """The metrics from scikit-learn and NumPy; NaN where undefined."""
    varied = np.ptp(target) > 0
    return {
        "mae": sk.mean_absolute_error(target, predicted),
        "mse": sk.mean_squared_error(target, predicted),
        "rmse": sk.root_mean_squared_error(target, predicted),
        "r2": sk.r2_score(target, predicted) if varied else np.nan,
        "pearson": np.corrcoef(target, predicted)[0, 1] if varied and np.ptp(predicted) > 0 else np.nan,
    }


def by_band(target, predicted, edges):
    bands = [(target >= low) & (target < high) for low, high in itertools.pairwise(edges)]
    return {
        f"mae/{low}-{high - 1}": abs(predicted - target)[rows].mean() if rows.any() else np.nan
        for rows, low, high in zip(bands, edges[:-1], edges[1:], strict=True)
    }


@settings(max_examples=25, deadline=None)
@given(n=st.integers(2, 60), seed=st.integers(0, 2**31), offset=st.sampled_from([0, 10_000_000]))
def test_point_values_equal_scikit_learn_and_numpy(n, seed, offset):
    target, predicted = ages(n, seed)
    ours = regression_metrics(target + offset, predicted + offset, resamples=1)
    expected = independent(target, predicted)
    assert ours["n"] == n
    for key in MAIN:
        if np.isnan(expected[key]):
            assert ours[key] is None, key
        else:
            assert ours[key] == pytest.approx(expected[key], rel=1e-5), key


@settings(max_examples=5, deadline=None)
@given(n=st.integers(4, 40), num_groups=st.integers(2, 40), seed=st.integers(0, 2**31))
def test_intervals_equal_those_of_a_loop_over_resamples(n, num_groups, seed):
    target, predicted = ages(n, seed)
    groups = np.random.default_rng(seed).integers(num_groups, size=n)
    groups[:2] = 0, 1
    edges = [0, 30, 70, 100]
    ours = regression_metrics(target, predicted, bands=edges, resamples=30, seed=seed, groups=groups)

    def measure(rows):
        return independent(target[rows], predicted[rows]) | by_band(target[rows], predicted[rows], edges)

    loop = naive_bounds(measure, groups, 30, seed)
    for low, high in itertools.pairwise(edges):
        if len(np.unique(groups[(target >= low) & (target < high)])) < 2:
            loop[f"mae/{low}-{high - 1}"] = (None, None)
    for key, bounds in found_bounds(ours, loop).items():
        assert bounds == (loop[key] if loop[key][0] is None else pytest.approx(loop[key], rel=1e-6, abs=1e-9)), key


def test_a_small_case_equals_hand_computation():
    # Errors 2, 0, -4; true mean 10, squared distances 25 + 4 + 49 = 78 from (5, 8, 17); squared errors 20.
    m = regression_metrics(np.array([5, 8, 17]), np.array([7.0, 8.0, 13.0]), bands=[0, 10, 20, 30], resamples=50)
    assert (m["mae"], m["mse"]) == pytest.approx((2, 20 / 3))
    assert m["rmse"] == pytest.approx(np.sqrt(20 / 3))
    assert m["r2"] == pytest.approx(1 - 20 / 78)
    # Predictions 7, 8, 13 about 28 / 3: cross products sum to 40, squares to 62 / 3.
    assert m["pearson"] == pytest.approx(40 / np.sqrt(78 * 62 / 3))
    assert [m[f"n/{band}"] for band in ("0-9", "10-19", "20-29")] == [2, 1, 0]
    assert [m[f"mae/{band}"] for band in ("0-9", "10-19", "20-29")] == [1, 4, None]
    assert (m["mae/10-19_low"], m["mae/20-29_high"]) == (None, None)
    assert 0 <= m["mae/0-9_low"] <= 1 <= m["mae/0-9_high"] <= 2


def test_a_band_holds_its_lower_edge_and_not_its_upper():
    m = regression_metrics(np.array([0, 9, 9.5, 10, 19]), np.zeros(5), bands=(0, 10, 20), resamples=1)
    assert (m["n/0-9"], m["n/10-19"]) == (3, 2)


def test_the_band_errors_average_to_the_whole_error():
    target, predicted = ages(300, seed=4)
    m = regression_metrics(target, predicted, bands=range(0, 101, 10), resamples=1)
    bands = [key.removeprefix("n/") for key in m if key.startswith("n/")]
    assert bands == [f"{low}-{low + 9}" for low in range(0, 100, 10)]
    assert sum(m[f"n/{band}"] * m[f"mae/{band}"] for band in bands) / 300 == pytest.approx(m["mae"])


def test_equal_targets_have_no_r2_and_equal_predictions_no_correlation():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        same_target = regression_metrics(np.full(5, 0.1), np.arange(5.0), resamples=20)
        same_prediction = regression_metrics(np.arange(5.0), np.full(5, 0.1), resamples=20)
        one = regression_metrics(np.array([3.0]), np.array([4.0]), resamples=20)
    for key in ("r2", "pearson"):
        assert same_target[key] is same_target[f"{key}_low"] is None
    assert same_target["mae_low"] < same_target["mae"]
    assert same_prediction["pearson"] is same_prediction["pearson_high"] is None
    assert same_prediction["r2"] < 0
    assert (one["mae"], one["r2"], one["mae_low"]) == (1, None, None)


def test_intervals_contain_the_value_are_seeded_and_fit_json():
    target, predicted = ages(300, seed=1)
    m = regression_metrics(target, predicted, bands=[0, 50, 100], resamples=300, seed=3)
    for key in (*MAIN, "mae/0-49", "mae/50-99"):
        assert m[f"{key}_low"] < m[key] < m[f"{key}_high"], key
    assert m == regression_metrics(target, predicted, bands=[0, 50, 100], resamples=300, seed=3)
    assert m != regression_metrics(target, predicted, bands=[0, 50, 100], resamples=300, seed=4)
    assert json.loads(json.dumps(m, allow_nan=False)) == m


def test_the_interval_of_the_mean_error_covers_it_about_as_often_as_it_says():
    # Half-normal errors of mean 8 sqrt(2 / pi); 80 trials: fewer than 68 hits has a chance below 0.001.
    hits = 0
    for trial in range(80):
        error = np.random.default_rng(trial).normal(scale=8, size=150)
        m = regression_metrics(np.zeros(150), error, resamples=200, seed=trial)
        hits += m["mae_low"] <= 8 * np.sqrt(2 / np.pi) <= m["mae_high"]
    assert 68 <= hits < 80


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target": np.array([1.0, 2.0])}, "2 targets and 3 predictions"),
        ({"target": np.array([1.0, np.nan, 2.0])}, "target is not finite in 1 of 3 rows, the first is row 1"),
        ({"predicted": np.array([1.0, 2.0, np.inf])}, "predicted is not finite"),
        ({"predicted": np.ones((3, 1))}, r"predicted is float64 of shape \(3, 1\)"),
        ({"target": np.array(["1", "2", "3"])}, "target is <U1"),
        ({"target": np.array([True, False, True])}, "target is bool"),
        ({"target": np.zeros(0), "predicted": np.zeros(0)}, "no rows"),
        ({"bands": [0, 10]}, "1 of 3 targets are in no band, the first is 12"),
        ({"bands": [10, 20]}, "2 of 3 targets are in no band"),
        ({"bands": [0, 20, 10]}, "rising whole numbers"),
        ({"bands": [0, 10, 10, 20]}, "rising whole numbers"),
        ({"bands": [0.5, 20]}, "rising whole numbers"),
        ({"bands": [0]}, "at least two"),
        ({"resamples": 0}, "at least 1 resample"),
        ({"seed": -1}, "seed of 0 or more"),
        ({"groups": np.array(["s1"])}, "one group for each of the 3"),
        ({"groups": np.array(["s1", None, "s2"], dtype=object)}, "groups are missing in 1 of 3"),
    ],
)
def test_a_mistake_is_named(change, message):
    arguments = {"target": np.array([3.0, 12.0, 8.0]), "predicted": np.array([3.0, 11.0, 9.0])} | change
    with pytest.raises(ValueError, match=message):
        regression_metrics(**arguments)
