"""A linear support vector machine whose cost is chosen by subjects that it was not fitted on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mien.errors import MienError


@dataclass(frozen=True)
class FittedSVM:
    """The margin of features (n, D): ``((features - mean) / scale) @ weight + bias``, positive for class 1.

    Attributes:
        mean: (D,) float32.
        scale: (D,) float32; 1 where a feature does not vary.
        weight: (D,) float32.
        bias: float32.
        cost: C.
    """

    mean: np.ndarray
    scale: np.ndarray
    weight: np.ndarray
    bias: np.ndarray
    cost: float


def fit_linear_svm(
    features: np.ndarray,
    target: np.ndarray,
    groups: np.ndarray,
    *,
    costs: Sequence[float],
    num_folds: int,
    seed: int = 0,
) -> FittedSVM:
    """Standardise, choose C by the error over folds that share no group, and fit on everything.

    Args:
        features: (n, D).
        target: (n,) of 0 and 1, both present.
        groups: (n,) subject of each row.
        costs: Values of C; of those with equally few errors the smallest is taken.
        num_folds: At most; fewer where there are fewer groups. Folds are balanced by class where groups allow it.
        seed: Deals the groups into folds.

    Raises:
        MienError: ``target`` has not both classes, or ``costs`` is empty.

    Source: Xu et al., 2017, section 3: the second hidden layer's outputs feed a linear support vector machine. How C
        was chosen is not said; the rest is ours.
    """
    target = np.asarray(target)
    if set(np.unique(target)) != {0, 1} or not len(costs):
        raise MienError(
            f"A support vector machine of classes {np.unique(target).tolist()} with costs {list(costs)}: give rows of "
            "both classes, 0 and 1, and at least one cost."
        )
    errors = np.zeros(len(costs))
    for train, held_out in _group_folds(target, groups, num_folds, seed):
        mean, scale = _statistics(features[train])
        for place, cost in enumerate(costs):
            fitted = _fit((features[train] - mean) / scale, target[train], cost)
            errors[place] += (fitted.predict((features[held_out] - mean) / scale) != target[held_out]).sum()
    best = min(cost for cost, wrong in zip(costs, errors, strict=True) if wrong == errors.min())
    mean, scale = _statistics(features)
    fitted = _fit((features - mean) / scale, target, best)
    weight, bias = fitted.coef_[0].astype(np.float32), fitted.intercept_[0].astype(np.float32)
    return FittedSVM(mean, scale, weight, np.asarray(bias), float(best))


def _group_folds(
    target: np.ndarray, groups: np.ndarray, num_folds: int, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Folds whose training part has both classes; none with a single group."""
    from sklearn.model_selection import StratifiedGroupKFold

    num_folds = min(num_folds, len(np.unique(groups)), *np.unique(target, return_counts=True)[1])
    if num_folds < 2:
        return []
    folds = StratifiedGroupKFold(num_folds, shuffle=True, random_state=seed).split(target, target, groups)
    return [(train, held_out) for train, held_out in folds if len(np.unique(target[train])) == 2]


def _statistics(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scale = features.std(axis=0)
    return features.mean(axis=0).astype(np.float32), np.where(scale > 1e-6, scale, 1).astype(np.float32)


def _fit(features: np.ndarray, target: np.ndarray, cost: float):  # type: ignore[no-untyped-def]  # sklearn is imported late
    from sklearn.svm import LinearSVC

    return LinearSVC(C=cost, dual=False).fit(features, target)  # the primal has no random order of steps
