"""Curves of one class against the rest: their areas are the metrics of the same names."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score
from tests.metrics.synthetic_predictions import drawn

from mien.metrics import precision_recall_points, roc_curve_points


def test_the_area_under_the_roc_points_is_the_auroc():
    target, scores = drawn(200, 4, seed=9)
    false_positive_rate, true_positive_rate, thresholds = roc_curve_points(target, scores, 2)
    for rate, threshold in zip(true_positive_rate, thresholds, strict=True):
        assert rate == (scores[target == 2, 2] >= threshold).mean()
    assert (false_positive_rate[0], true_positive_rate[0]) == (0, 0)
    assert (false_positive_rate[-1], true_positive_rate[-1]) == (1, 1)
    area = np.trapezoid(true_positive_rate, false_positive_rate)
    assert area == pytest.approx(roc_auc_score(target == 2, scores[:, 2]))


@pytest.mark.parametrize(("class_id", "message"), [(2, "Class 2 has 0 of 3"), (3, "columns 0 to 2"), (-1, "class_id")])
def test_a_roc_curve_of_an_absent_class_is_refused(class_id, message):
    with pytest.raises(ValueError, match=message):
        roc_curve_points(np.array([0, 1, 1]), np.eye(3), class_id)


@settings(max_examples=60, deadline=None)
@given(n=st.integers(5, 80), M=st.integers(2, 4), seed=st.integers(0, 2**31), decimals=st.integers(0, 3))
def test_the_steps_under_the_precision_recall_points_sum_to_the_average_precision(n, M, seed, decimals):
    target, scores = drawn(n, M, seed, decimals=decimals)
    recall, precision = precision_recall_points(target, scores, M - 1)
    assert (recall[0], precision[0], recall[-1]) == (0, 1, 1)
    assert (np.diff(recall) >= 0).all()
    steps = (np.diff(recall) * precision[1:]).sum()
    assert steps == pytest.approx(average_precision_score(target == M - 1, scores[:, M - 1]))


def test_precision_recall_points_equal_hand_computation():
    # By falling score of class 1: right, wrong, right.
    scores = np.array([[0.1, 0.9], [0.2, 0.8], [0.3, 0.7]])
    recall, precision = precision_recall_points(np.array([1, 0, 1]), scores, 1)
    assert list(zip(recall, precision, strict=True)) == [
        (0, 1),
        (0.5, 1),
        (0.5, 0.5),
        (1, pytest.approx(2 / 3)),
    ]


def test_a_class_of_every_row_has_precision_one_throughout():
    recall, precision = precision_recall_points(np.array([1, 1]), np.array([[0.1, 0.9], [0.6, 0.4]]), 1)
    assert set(precision) == {1}
    assert recall[-1] == 1


@pytest.mark.parametrize(("class_id", "message"), [(2, "Class 2 has 0 of 3"), (3, "columns 0 to 2"), (-1, "class_id")])
def test_a_precision_recall_curve_of_an_absent_class_is_refused(class_id, message):
    with pytest.raises(ValueError, match=message):
        precision_recall_points(np.array([0, 1, 1]), np.eye(3), class_id)
