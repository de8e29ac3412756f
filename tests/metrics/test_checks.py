"""Units of resampling, and names; the other checks are shown where a metric makes them."""

import numpy as np
import pytest

from mien.metrics.checks import check_class_names, check_ids, checked_scores, checked_values, unit_ids


def test_units_are_numbered_by_their_first_row():
    assert unit_ids(np.array(["b", "a", "b", "c"]), 4).tolist() == [0, 1, 0, 2]
    assert unit_ids(np.array([7, 3, 7]), 3).tolist() == [0, 1, 0]
    assert unit_ids(None, 3).tolist() == [0, 1, 2]


def test_checked_arrays_have_the_types_that_metrics_compute_with():
    target, scores = checked_scores(np.array([1], np.uint8), np.array([[0.25, 0.75]], np.float32))
    assert (target.dtype, scores.dtype) == (np.int64, np.float64)
    target, predicted = checked_values(np.array([30], np.int32), np.array([29.5], np.float16))
    assert (target.dtype, predicted.dtype) == (np.float64, np.float64)


def test_ids_may_be_none_but_not_outside():
    check_ids("target", np.zeros(0, int), 2)
    with pytest.raises(ValueError, match="predicted has ids from 0 to 2: give ids from 0 to 1 for 2 classes"):
        check_ids("predicted", np.array([0, 2]), 2)


def test_a_class_may_not_have_the_name_of_anothers_bound():
    check_class_names(["low", "high", "a_low"], 3)
    with pytest.raises(ValueError, match=r"a_high"):
        check_class_names(["a", "b", "a_high"], 3)
