"""Error rates of a cross-validation in which every row is tested once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mien.errors import MienError
from mien.metrics.bootstrap import bootstrap_bounds, bounds_of_units, summing_matrix, with_interval
from mien.metrics.checks import check_class_names, check_resampling, checked_scores, unit_ids
from mien.metrics.comparison import mean_and_sd


def fold_metrics(
    target: np.ndarray,
    scores: np.ndarray,
    folds: np.ndarray,
    class_names: Sequence[str],
    *,
    subjects: np.ndarray,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, float | int | None]:
    """Error rates over all folds, by fold and by class, as one flat dictionary ready for JSON.

    The pooled rate counts every row once; the mean over folds counts every fold once, and folds differ in size.
    Intervals are 95 % percentile bootstrap over subjects, None where fewer than two subjects have rows (in a fold, in a
    class, at all). The mean over folds has none: with a fold per subject no resample of subjects changes a fold's rate.

    Args:
        target: (n,) true class ids, 0 to M - 1.
        scores: (n, M) probabilities, each row's from the network that was not trained on its fold.
        folds: (n,) fold of each row, integers of 0 or more.
        class_names: the M names, in the order of the ids.
        subjects: (n,) subject of each row.
        resamples: at least 1.
        seed: of the resampling; the same seed gives the same intervals.

    Returns:
        ``n``, ``errors`` (count) and ``error_rate`` (0 to 1) with ``error_rate_low`` and ``error_rate_high``; all of
        these per fold, as ``error_rate/fold_3``, and per class, as ``error_rate/posed``, None where a class has no
        rows; ``error_rate_fold_mean`` and ``error_rate_fold_sd`` (n - 1; None with one fold). The standard deviation
        describes the folds; it is no standard error, since folds share what they were trained on.

    Raises:
        MienError: wrong arrays or options, or class names that look like a fold's.

    Source: pooled counts as CompCNN's tables imply (38 errors of 1,028 pairs are its 3.70 %); no standard error from
        folds: Bengio and Grandvalet, JMLR 5, 2004.

    Example:
        >>> scores = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]])
        >>> m = fold_metrics(np.array([0, 1, 0]), scores, np.array([0, 0, 1]), ["posed", "spontaneous"],
        ...                  subjects=np.array(["s1", "s1", "s2"]))
        >>> m["errors"], m["error_rate/fold_0"], m["error_rate/posed"], m["error_rate_fold_mean"]
        (1, 0.0, 0.5, 0.5)
    """
    target, scores = checked_scores(target, scores)
    n, M = scores.shape
    check_class_names(class_names, M)
    check_resampling(resamples, seed)
    fold_ids, in_fold = _fold_numbers(folds, n)
    fold_names = [f"fold_{fold}" for fold in fold_ids]
    if clash := {name for name in class_names for fold in fold_names if name in (fold, f"{fold}_low", f"{fold}_high")}:
        raise MienError(f"The classes {sorted(clash)} have the name of a fold's rate: rename them.")
    units = unit_ids(subjects, n)
    wrong = scores.argmax(axis=1) != target
    sets = {name: in_fold == number for number, name in enumerate(fold_names)}
    sets |= {name: target == label for label, name in enumerate(class_names)}
    metrics = _error_rates(wrong, {"": np.ones(n, bool), **sets}, units, resamples, seed)
    mean, sd = mean_and_sd([wrong[in_fold == fold].mean() for fold in range(len(fold_ids))])
    return metrics | {"error_rate_fold_mean": mean, "error_rate_fold_sd": sd}


def _fold_numbers(folds: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Ids of the folds, rising, and (n,) each row's place among them."""
    folds = np.asarray(folds)
    if folds.shape != (n,) or not np.issubdtype(folds.dtype, np.integer):
        raise MienError(f"folds are {folds.dtype} of shape {folds.shape}: give an integer for each of the {n} rows.")
    if folds.min() < 0:
        raise MienError(f"folds go down to {folds.min()}: leave out rows that are in no fold, as none tested them.")
    return np.unique(folds, return_inverse=True)


def _error_rates(
    wrong: np.ndarray, sets: Mapping[str, np.ndarray], units: np.ndarray, resamples: int, seed: int
) -> dict[str, float | int | None]:
    """Rows, errors and their rate in each set of rows: name → (n,) bool; the set named "" has no name in the keys."""
    n = len(wrong)
    in_set, rows = np.nonzero(list(sets.values()))
    matrices = {
        "n": summing_matrix(in_set, (len(sets), n), rows=rows),
        "errors": summing_matrix(in_set, (len(sets), n), rows=rows, values=wrong[rows]),
    }
    bounds = bootstrap_bounds(matrices, _rates_of_sums, units, resamples=resamples, seed=seed)["error_rate"]
    metrics: dict[str, float | int | None] = {}
    for number, (name, members) in enumerate(sets.items()):
        end = f"/{name}" if name else ""
        metrics |= {f"n{end}": int(members.sum()), f"errors{end}": int(wrong[members].sum())}
        rate = wrong[members].mean() if members.any() else np.nan
        metrics |= with_interval(f"error_rate{end}", rate, bounds_of_units(bounds[:, number], units[members]))
    return metrics


def _rates_of_sums(sums: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """(K, R) error rate of K sets of rows, NaN where a resample has none of the rows."""
    n, errors = sums["n"], sums["errors"]
    return {"error_rate": np.where(n > 0, errors / np.maximum(n, 1), np.nan)}
