"""Errors of landmarks by hand, against an independent count, and what is refused."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.metrics.landmarks import (
    box_sides,
    cumulative_errors,
    error_metrics,
    interocular_distances,
    mean_shape,
    normalised_errors,
)

errors_of_faces = st.lists(st.floats(0, 1), min_size=1, max_size=30).map(np.array)


def shapes(n: int = 4, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((n, 68, 2))


def test_lengths_are_those_of_the_outer_eye_corners_and_the_box():
    landmarks = shapes(2)
    landmarks[:, 36], landmarks[:, 45] = (0.2, 0.3), (0.5, 0.7)
    np.testing.assert_allclose(interocular_distances(landmarks), [0.5, 0.5])
    corners = np.array([[[1.0, 2.0], [5.0, 2.0], [3.0, 11.0]]])
    np.testing.assert_allclose(box_sides(corners), [6])  # 4 wide, 9 high


def test_an_error_is_the_mean_distance_over_the_length():
    target = np.zeros((2, 2, 2))
    predicted = np.array([[[3.0, 4.0], [0.0, 0.0]], [[0.0, 1.0], [0.0, 3.0]]])
    np.testing.assert_allclose(normalised_errors(target, predicted, np.array([10.0, 4.0])), [0.25, 0.5])


def test_an_error_is_the_same_in_pixels_and_in_shares_of_the_picture():
    target, predicted = shapes(seed=0), shapes(seed=1)
    shares = normalised_errors(target, predicted, interocular_distances(target))
    pixels = normalised_errors(112 * target, 112 * predicted, interocular_distances(112 * target))
    np.testing.assert_allclose(pixels, shares)


def test_the_summary_of_four_faces_by_hand():
    summary = error_metrics(np.array([0.02, 0.04, 0.08, 0.26]), threshold=0.08, resamples=50)
    assert summary["mean"] == pytest.approx(0.1)
    assert summary["median"] == pytest.approx(0.06)
    assert summary["failure_rate"] == 0.25, "an error of exactly the threshold is no failure"
    assert summary["auc"] == pytest.approx((0.75 + 0.5 + 0 + 0) / 4)
    for name in ("mean", "failure_rate", "auc"):
        assert summary[f"{name}_low"] <= summary[name] <= summary[f"{name}_high"]


@given(errors_of_faces, st.floats(0.01, 0.5))
def test_the_area_is_that_below_the_curve(errors, threshold):
    x, y = cumulative_errors(errors, threshold)
    area = error_metrics(errors, threshold=threshold, resamples=1)["auc"]
    assert np.trapezoid(y, x) / threshold == pytest.approx(area, abs=1e-9)


@given(errors_of_faces, st.floats(0.05, 0.9))
def test_the_curve_counts_the_faces_with_at_most_an_error(errors, limit):
    x, y = cumulative_errors(errors, limit)
    assert (np.diff(x) >= 0).all()
    assert (np.diff(y) >= 0).all()
    assert (x[0], x[-1]) == (0, limit)
    assert y[-1] == pytest.approx((errors <= limit).mean())
    middle = limit / 2
    assert y[np.flatnonzero(x <= middle)[-1]] == pytest.approx((errors <= middle).mean())


def test_whole_subjects_are_drawn_so_that_equal_pictures_narrow_no_interval():
    errors = np.random.default_rng(0).random(12)
    alone = error_metrics(errors, resamples=400)
    tenfold = error_metrics(np.tile(errors, 10), groups=np.tile(np.arange(12), 10), resamples=400)
    as_rows = error_metrics(np.tile(errors, 10), resamples=400)
    widths = [each["mean_high"] - each["mean_low"] for each in (alone, tenfold, as_rows)]
    assert widths[1] == pytest.approx(widths[0], rel=0.1)
    assert widths[2] < 0.6 * widths[0]


def test_one_face_has_no_interval():
    summary = error_metrics(np.array([0.05]), resamples=10)
    assert summary["mean"] == 0.05
    assert summary["mean_low"] is None


def test_the_mean_shape_is_the_mean():
    np.testing.assert_allclose(mean_shape(shapes())[30], shapes()[:, 30].mean(axis=0))
    with pytest.raises(ValueError, match=r"shape \(0, 68, 2\): give \(n, 68, 2\)"):
        mean_shape(np.empty((0, 68, 2)))


@pytest.mark.parametrize(
    ("target", "predicted", "lengths", "message"),
    [
        (shapes(), shapes()[:3], np.ones(4), "do not fit: give points"),
        (shapes(), shapes(), np.ones(3), "one length per face"),
        (shapes()[:0], shapes()[:0], np.ones(0), "no face to measure landmarks on"),
        (shapes(), shapes() * math.nan, np.ones(4), "4 of 4 faces .* the first in row 0"),
        (shapes(), shapes(), np.array([1, 1, 0, 1]), "1 of 4 faces .* not above 0, the first in row 2"),
    ],
)
def test_points_that_cannot_be_compared_are_refused(target, predicted, lengths, message):
    with pytest.raises(ValueError, match=message):
        normalised_errors(target, predicted, lengths)


@pytest.mark.parametrize(
    ("errors", "options"),
    [
        (np.array([]), {}),
        (np.array([math.nan]), {}),
        (np.array([[0.1]]), {}),
        (np.array([0.1]), {"threshold": 0.0}),
        (np.array([0.1]), {"resamples": 0}),
        (np.array([0.1]), {"seed": -1}),
    ],
)
def test_a_summary_of_nothing_and_options_out_of_range_are_refused(errors, options):
    with pytest.raises(ValueError, match="give at least"):
        error_metrics(errors, **options)
