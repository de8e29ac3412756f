"""Calibration against hand computation and a loop over bins."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.metrics.synthetic_predictions import drawn

from mien.metrics import classification_metrics, reliability_bins
from mien.metrics.calibration import bin_numbers, expected_calibration_error


def test_bins_equal_hand_computation():
    # Confidence .9 right, .8 wrong, .75 right, .55 wrong; in quarters: one row above .5 to .75 twice, two above .75.
    scores = np.array([[0.9, 0.1], [0.2, 0.8], [0.25, 0.75], [0.55, 0.45]])
    table = reliability_bins(np.array([0, 0, 1, 1]), scores, bins=4)
    assert table["low"].tolist() == [0, 0.25, 0.5, 0.75]
    assert table["high"].tolist() == [0.25, 0.5, 0.75, 1]
    assert table["n"].tolist() == [0, 0, 2, 2]
    assert table["confidence"].tolist() == pytest.approx([np.nan, np.nan, 0.65, 0.85], nan_ok=True)
    assert table["accuracy"].tolist() == pytest.approx([np.nan, np.nan, 0.5, 0.5], nan_ok=True)
    error = expected_calibration_error(np.array([0, 0, 1, 1]), scores, bins=4)
    assert error == pytest.approx((2 * 0.15 + 2 * 0.35) / 4)


@settings(max_examples=60, deadline=None)
@given(n=st.integers(6, 100), M=st.integers(2, 6), seed=st.integers(0, 2**31), bins=st.integers(1, 20))
def test_the_calibration_error_is_the_mean_gap_of_the_bins(n, M, seed, bins):
    target, scores = drawn(n, M, seed)
    confidence, right = scores.max(axis=1), scores.argmax(axis=1) == target
    gap = 0.0
    for low, high in zip(np.arange(bins) / bins, np.arange(1, bins + 1) / bins, strict=True):
        rows = (confidence > low) & (confidence <= high)
        if rows.any():
            gap += rows.mean() * abs(right[rows].mean() - confidence[rows].mean())
    assert expected_calibration_error(target, scores, bins) == pytest.approx(gap)
    table = reliability_bins(target, scores, bins)
    assert table["n"].sum() == n
    assert (table["n"] * (table["accuracy"] - table["confidence"]).abs()).sum() / n == pytest.approx(gap)


def test_one_bin_is_the_gap_between_mean_confidence_and_accuracy_and_the_metric_has_fifteen():
    target, scores = drawn(100, 4, seed=0)
    overall = abs(scores.max(axis=1).mean() - (scores.argmax(axis=1) == target).mean())
    assert expected_calibration_error(target, scores, bins=1) == pytest.approx(overall)
    m = classification_metrics(target, scores, list("abcd"), resamples=1)
    assert m["calibration_error"] == pytest.approx(expected_calibration_error(target, scores, bins=15))
    assert len(reliability_bins(target, scores)) == 15


def test_a_bin_is_open_below_and_closed_above():
    edges = np.arange(16) / 15
    assert bin_numbers(edges[1:]).tolist() == list(range(15))
    assert bin_numbers(np.array([0.2, 0.4, 0.6, 0.8, 1.0])).tolist() == [2, 5, 8, 11, 14]
    assert bin_numbers(edges[:-1] + 1e-9).tolist() == list(range(15))


def test_certain_and_right_has_no_error_certain_and_wrong_has_all():
    certain = np.eye(3)
    assert expected_calibration_error(np.array([0, 1, 2]), certain) == 0
    assert expected_calibration_error(np.array([1, 2, 0]), certain) == 1


@pytest.mark.parametrize(
    ("target", "scores", "bins", "message"),
    [
        ([0, 1], np.eye(2), 0, "at least 1 bin"),
        ([0], np.eye(2), 15, "1 targets and 2 rows"),
        ([0, 1], np.array([[1, 0], [np.nan, 1]]), 15, "no probabilities in 1 of 2"),
        (np.zeros(0, int), np.zeros((0, 2)), 15, "no rows"),
    ],
)
def test_a_mistake_is_named(target, scores, bins, message):
    with pytest.raises(ValueError, match=message):
        reliability_bins(np.array(target), scores, bins)
