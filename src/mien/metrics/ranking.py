"""AUROC and average precision of one class against the rest, for many resamples at once.

Both follow from what lies at and above each step of the ranking that has a row of the class (a positive); equal scores
are one step, as in scikit-learn.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mien.metrics.bootstrap import summing_matrix


def ranking_matrices(positive: np.ndarray, score: np.ndarray) -> tuple[dict[str, Any], np.ndarray]:
    """What ``ranking_metrics`` needs to know of resampled rows.

    Args:
        positive: (n,) bool, the rows of the class; P steps of the ranking have any.
        score: (n,) the class's score.

    Returns:
        Matrices of ``summing_matrix``: ``gained`` (P, n), the positives of each of these steps from the highest score
        down; ``passed`` (P, n), the negatives in the step and between it and the one above; ``tied`` (T, n), the
        negatives in those steps that have both. And (T,) the numbers of those steps.
    """
    n = len(score)
    order = np.argsort(-score, kind="stable")
    step = np.append(0, np.cumsum(np.diff(score[order]) != 0))
    is_positive = positive[order]
    positive_steps = np.unique(step[is_positive])
    P = len(positive_steps)
    nearest = np.searchsorted(positive_steps, step)  # P for rows below the last positive: they pass none
    passed = ~is_positive & (nearest < P)
    tied = ~is_positive & np.isin(step, positive_steps)
    tied_steps, tied_sets = np.unique(nearest[tied], return_inverse=True)
    matrices = {
        "gained": summing_matrix(nearest[is_positive], (P, n), rows=order[is_positive]),
        "passed": summing_matrix(nearest[passed], (P, n), rows=order[passed]),
        "tied": summing_matrix(tied_sets, (len(tied_steps), n), rows=order[tied]),
    }
    return matrices, tied_steps


def ranking_metrics(
    sums: Mapping[str, np.ndarray], tied_steps: np.ndarray, num_positive: np.ndarray, num_negative: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """AUROC and average precision of R resamples.

    Args:
        sums: ``gained`` (P, R), ``passed`` (P, R) and ``tied`` (T, R).
        tied_steps: (T,) as ``ranking_matrices`` gives them.
        num_positive: (R,) rows of the class.
        num_negative: (R,) other rows.

    Returns:
        AUROC (R,), NaN without a positive or without a negative; average precision (R,), NaN without a positive.
    """
    gained = sums["gained"]
    true_positive, false_positive = gained.cumsum(axis=0), sums["passed"].cumsum(axis=0)
    # A positive loses to the negatives at or above its step, but ties with those in it: half a win each.
    lost = np.einsum("pr,pr->r", gained, false_positive) - np.einsum("tr,tr->r", gained[tied_steps], sums["tied"]) / 2
    precision = true_positive / np.maximum(true_positive + false_positive, 1)
    with np.errstate(invalid="ignore"):  # 0/0 is the NaN that is meant
        auroc = 1 - lost / (num_positive * num_negative)
        average_precision = np.einsum("pr,pr->r", gained, precision) / num_positive
    return auroc, average_precision
