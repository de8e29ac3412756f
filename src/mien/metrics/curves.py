"""Points of the curves of one class against the rest."""

from __future__ import annotations

import numpy as np

from mien.errors import MienError
from mien.metrics.checks import checked_scores


def roc_curve_points(
    target: np.ndarray, scores: np.ndarray, class_id: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points of the ROC curve of one class against the rest.

    Args:
        target: (n,) true class ids, 0 to M - 1.
        scores: (n, M) probabilities.
        class_id: the class that counts as positive.

    Returns:
        False positive rate and true positive rate, (P,) each, rising from 0 to 1, and the score from which a row is
        taken for the class there, falling from infinity; points on a straight line between others are left out.

    Raises:
        MienError: wrong arrays, or ``target`` is all or none of that class, so that a rate is 0/0.

    Source: ``sklearn.metrics.roc_curve``.
    """
    from sklearn.metrics import roc_curve

    positive, score = _one_against_rest(target, scores, class_id)
    if positive.all() or not positive.any():
        raise MienError(
            f"Class {class_id} has {positive.sum()} of {len(positive)} rows: a ROC curve needs rows of the class and "
            "of others. Leave it out."
        )
    return roc_curve(positive, score)


def precision_recall_points(target: np.ndarray, scores: np.ndarray, class_id: int) -> tuple[np.ndarray, np.ndarray]:
    """Points of the precision-recall curve of one class against the rest.

    Args:
        target: (n,) true class ids, 0 to M - 1.
        scores: (n, M) probabilities.
        class_id: the class that counts as positive.

    Returns:
        Recall, never falling from 0 to 1, and precision at it, (P,) each. The first point is recall 0 at precision 1,
        where nothing is taken for the class. The curve is a step function: the recall gained at each point times its
        precision, summed, is the average precision. Points with the recall of both neighbours are left out.

    Raises:
        MienError: wrong arrays, or no row of ``target`` is of that class, so that recall is 0/0.

    Source: ``sklearn.metrics.precision_recall_curve``.
    """
    from sklearn.metrics import precision_recall_curve

    positive, score = _one_against_rest(target, scores, class_id)
    if not positive.any():
        raise MienError(
            f"Class {class_id} has 0 of {len(positive)} rows: a precision-recall curve needs rows of the class. "
            "Leave it out."
        )
    precision, recall, _ = precision_recall_curve(positive, score, drop_intermediate=True)
    return recall[::-1], precision[::-1]


def _one_against_rest(target: np.ndarray, scores: np.ndarray, class_id: int) -> tuple[np.ndarray, np.ndarray]:
    """(n,) bool rows of the class, and (n,) its score."""
    target, scores = checked_scores(target, scores)
    if not 0 <= class_id < scores.shape[1]:
        raise MienError(f"class_id is {class_id}: the scores have the columns 0 to {scores.shape[1] - 1}.")
    return target == class_id, scores[:, class_id]
