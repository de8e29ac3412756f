"""Greedy non-maximum suppression of boxes, for many images in lockstep."""

from __future__ import annotations

from typing import Literal

import numpy as np


def non_maximum_suppression(
    boxes: np.ndarray,
    scores: np.ndarray,
    groups: np.ndarray,
    threshold: float,
    relative_to: Literal["union", "smaller"] = "union",
) -> np.ndarray:
    """Keep the best of every set of overlapping boxes.

    In each group the box of the highest score is kept, every other box that overlaps it by more than the threshold is
    dropped, and so on with the best of the rest. All groups take this step at once, so that the number of passes over
    the arrays is that of the group with most kept boxes. Memory grows with n, not its square. Of equal scores the
    earlier box wins.

    Example:
        >>> boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 9], [0, 0, 10, 9]])
        >>> non_maximum_suppression(boxes, np.array([0.8, 0.9, 0.7]), np.array([0, 0, 1]), threshold=0.5)
        array([1, 2])

    Args:
        boxes: (n, 4) left, top, right and bottom edge; right > left and bottom > top.
        scores: (n,) higher is better.
        groups: (n,) integers; boxes of different groups never suppress each other.
        threshold: the largest overlap, in [0, 1], that both boxes survive.
        relative_to: the intersection is divided by the area of the ``union`` or of the ``smaller`` box.

    Returns:
        (k,) indices of the kept boxes, ordered by group, then by falling score.

    Source: Zhang et al. 2016, section II (MTCNN); the lockstep over groups is ours.
    """
    order = np.lexsort((-scores, groups))  # stable: ties keep the order of the input
    kept = []
    waiting = order
    while waiting.size:
        is_best = np.append(True, groups[waiting[1:]] != groups[waiting[:-1]])
        best = waiting[is_best]
        kept.append(best)
        rival = best[np.cumsum(is_best) - 1]
        survives = _overlap(boxes[waiting], boxes[rival], relative_to) <= threshold
        waiting = waiting[survives & ~is_best]
    is_kept = np.zeros(len(order), dtype=bool)
    if kept:
        is_kept[np.concatenate(kept)] = True
    return order[is_kept[order]]


def _overlap(a: np.ndarray, b: np.ndarray, relative_to: Literal["union", "smaller"]) -> np.ndarray:
    """Overlap of each row of a (n, 4) with the same row of b (n, 4)."""
    sides = np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2])
    intersection = sides.clip(min=0).prod(axis=1)
    area_a, area_b = (a[:, 2:] - a[:, :2]).prod(axis=1), (b[:, 2:] - b[:, :2]).prod(axis=1)
    whole = area_a + area_b - intersection if relative_to == "union" else np.minimum(area_a, area_b)
    return intersection / whole
