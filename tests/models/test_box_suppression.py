"""Lockstep suppression against the plain quadratic one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.models.box_suppression import non_maximum_suppression


def plain_suppression(boxes, scores, threshold, relative_to):
    """The textbook, one pair at a time."""
    kept = []
    for i in sorted(range(len(boxes)), key=lambda k: (-scores[k], k)):
        for j in kept:
            width = min(boxes[i][2], boxes[j][2]) - max(boxes[i][0], boxes[j][0])
            height = min(boxes[i][3], boxes[j][3]) - max(boxes[i][1], boxes[j][1])
            shared = max(width, 0) * max(height, 0)
            areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (boxes[i], boxes[j])]
            if shared / (sum(areas) - shared if relative_to == "union" else min(areas)) > threshold:
                break
        else:
            kept.append(i)
    return kept


box = st.tuples(*[st.integers(0, 20)] * 2, *[st.integers(1, 15)] * 2).map(
    lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
)
# Scores from few values, so that ties occur.
rows = st.lists(st.tuples(box, st.integers(0, 5), st.integers(0, 3)), max_size=40)


@given(rows, st.sampled_from([0.0, 0.3, 0.5, 0.7, 1.0]), st.sampled_from(["union", "smaller"]))
def test_each_group_keeps_what_the_plain_algorithm_keeps(rows, threshold, relative_to):
    boxes = np.array([row[0] for row in rows], float).reshape(-1, 4)
    scores = np.array([row[1] for row in rows], float)
    groups = np.array([row[2] for row in rows], int)
    expected = []
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        kept = plain_suppression(boxes[members].tolist(), scores[members], threshold, relative_to)
        expected += members[kept].tolist()
    assert non_maximum_suppression(boxes, scores, groups, threshold, relative_to).tolist() == expected


@pytest.mark.parametrize(("relative_to", "kept"), [("union", [0, 1]), ("smaller", [0])])
def test_a_box_inside_another_overlaps_fully_relative_to_the_smaller_area(relative_to, kept):
    boxes = np.array([[0.0, 0, 10, 10], [2, 2, 6, 6]])
    result = non_maximum_suppression(boxes, np.array([0.9, 0.8]), np.zeros(2, int), 0.5, relative_to)
    assert result.tolist() == kept


def test_an_overlap_of_exactly_the_threshold_survives():
    boxes = np.array([[0.0, 0, 10, 10], [0, 0, 10, 5]])  # intersection 50 of union 100
    assert non_maximum_suppression(boxes, np.array([1.0, 0.5]), np.zeros(2, int), 0.5).tolist() == [0, 1]
