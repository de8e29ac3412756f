"""Metrics of a classifier's predictions table, with bootstrap intervals.

Everything is computed from the targets (n,) and the class probabilities (n, M) of a finished prediction, never inside
a training loop.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

INTERVAL_PERCENTILES = (2.5, 97.5)
"""Percentiles of the bootstrap distribution that bound a 95 % interval."""

_ROW_SUM_TOLERANCE = 1e-3  # a softmax in half precision is off by this much
_CHUNK_ELEMENTS = 1_000_000  # resampled weights held at once: 8 MB, near the cache


def classification_metrics(
    target: np.ndarray,
    scores: np.ndarray,
    class_names: Sequence[str],
    *,
    resamples: int = 1000,
    seed: int = 0,
    groups: np.ndarray | None = None,
) -> dict[str, float | int | None]:
    """Metrics of class probabilities against the true classes, as one flat dictionary ready for JSON.

    The prediction is the class of the largest score, the first of equals. Means over classes are unweighted and over
    the classes that ``target`` contains. A class that it does not contain has None for each of its values and 0 for
    ``n/<class>``; AUROC is also None where all rows are of one class. A class never predicted has precision 0.

    Intervals are 95 % percentile bootstrap: rows are drawn with replacement, or whole groups where ``groups`` is given
    (all rows of a subject in or out together). They are not stratified by class: a test set's class frequencies are as
    much a sample as its images, and subjects cannot be drawn by class. A resample that lacks a class averages over the
    others. With fewer than two rows or groups the intervals are None.

    Args:
        target: (n,) true class ids, integers from 0 to M - 1.
        scores: (n, M) probabilities, each row summing to 1 within 0.001.
        class_names: the M names, in the order of the ids.
        resamples: at least 1; with 1,000 a bound moves by a fiftieth of the interval's width from seed to seed.
        seed: of the resampling; the same seed gives the same intervals.
        groups: (n,) subject of each row.

    Returns:
        ``n``; ``accuracy``, ``mean_class_accuracy``, ``macro_f1``, ``weighted_f1`` (weights: rows per class),
        ``auroc`` and ``average_precision`` (one class against the rest, mean), ``log_loss`` (nats), each with
        ``<key>_low`` and ``<key>_high``; per class ``n/<class>``, ``recall/<class>``, ``precision/<class>``,
        ``f1/<class>``, ``auroc/<class>``, ``average_precision/<class>``. All but n and the loss lie in 0 to 1.

    Raises:
        ValueError: arrays of wrong shape, type or range, scores that are no probabilities, or bad options.

    Source: point values by scikit-learn, so that they mean what the literature means; intervals: Efron and
        Tibshirani, An Introduction to the Bootstrap, ch. 13; by group: Field and Welsh, JRSS B 69, 2007.

    Example:
        >>> m = classification_metrics(np.array([0, 1]), np.array([[0.9, 0.1], [0.6, 0.4]]), ["no", "yes"])
        >>> m["accuracy"], m["recall/yes"], m["auroc"]
        (0.5, 0.0, 1.0)
    """
    target, scores = _checked(target, scores)
    n, M = scores.shape
    _check_options(class_names, M, resamples, seed)
    units = np.arange(n) if groups is None else _group_ids(groups, n)
    values, per_class = _point_metrics(target, scores)
    bounds = _bootstrap_bounds(target, scores, units, resamples, seed)
    metrics: dict[str, float | int | None] = {"n": n}
    for key, value in values.items():
        metrics[key] = _json_number(value)
        metrics[f"{key}_low"], metrics[f"{key}_high"] = (_json_number(bound) for bound in bounds[key])
    for label, name in enumerate(class_names):
        metrics[f"n/{name}"] = int((target == label).sum())
        metrics |= {f"{key}/{name}": _json_number(column[label]) for key, column in per_class.items()}
    return metrics


def confusion_counts(target: np.ndarray, predicted: np.ndarray, M: int) -> np.ndarray:
    """Count how often class i (row) was taken for class j (column).

    Args:
        target: (n,) true class ids, 0 to M - 1.
        predicted: (n,) predicted class ids, 0 to M - 1.
        M: number of classes.

    Returns:
        (M, M) int64, summing to n.

    Raises:
        ValueError: not two vectors of one length, or ids that are no integers from 0 to M - 1.

    Source: as ``sklearn.metrics.confusion_matrix`` with all M labels.
    """
    target, predicted = np.asarray(target), np.asarray(predicted)
    _check_ids("target", target, M)
    _check_ids("predicted", predicted, M)
    if len(target) != len(predicted):
        raise ValueError(f"{len(target)} targets and {len(predicted)} predictions: give one prediction per target.")
    return np.bincount(target.astype(np.int64) * M + predicted, minlength=M * M).reshape(M, M)


def roc_curve_points(target: np.ndarray, scores: np.ndarray, class_id: int) -> tuple[np.ndarray, np.ndarray]:
    """Points of the ROC curve of one class against the rest.

    Args:
        target: (n,) true class ids, 0 to M - 1.
        scores: (n, M) probabilities.
        class_id: the class that counts as positive.

    Returns:
        False positive rate and true positive rate, (P,) each, rising from 0 to 1; points on a straight line between
        others are left out.

    Raises:
        ValueError: wrong arrays, or ``target`` is all or none of that class, so that a rate is 0/0.

    Source: ``sklearn.metrics.roc_curve``.
    """
    from sklearn.metrics import roc_curve

    target, scores = _checked(target, scores)
    if not 0 <= class_id < scores.shape[1]:
        raise ValueError(f"class_id is {class_id}: the scores have the columns 0 to {scores.shape[1] - 1}.")
    positive = target == class_id
    if positive.all() or not positive.any():
        raise ValueError(
            f"Class {class_id} has {positive.sum()} of {len(target)} rows: a ROC curve needs rows of the class and of "
            "others. Leave it out."
        )
    false_positive_rate, true_positive_rate, _ = roc_curve(positive, scores[:, class_id])
    return false_positive_rate, true_positive_rate


def _checked(target: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (n,) int64 and (n, M) float64, or say what is wrong with them."""
    target, scores = np.asarray(target), np.asarray(scores)
    if scores.ndim != 2 or scores.shape[1] < 2 or not np.issubdtype(scores.dtype, np.floating):
        raise ValueError(f"scores are {scores.dtype} of shape {scores.shape}: give floats (n, M), M at least 2.")
    _check_ids("target", target, scores.shape[1])
    if len(target) != len(scores):
        raise ValueError(f"{len(target)} targets and {len(scores)} rows of scores: give one row of scores per target.")
    if len(target) == 0:
        raise ValueError("target and scores have no rows: there is nothing to measure. Check what was predicted.")
    scores = scores.astype(np.float64)
    off = ~np.isfinite(scores).all(axis=1) | (scores < 0).any(axis=1)
    off |= ~(abs(scores.sum(axis=1) - 1) <= _ROW_SUM_TOLERANCE)
    if off.any():
        row = int(off.argmax())
        raise ValueError(
            f"scores are no probabilities in {off.sum()} of {len(scores)} rows, the first is row {row}: "
            f"{scores[row].tolist()}. Each row must be finite, 0 or more, and sum to 1: apply a softmax first."
        )
    return target.astype(np.int64), scores


def _check_options(class_names: Sequence[str], M: int, resamples: int, seed: int) -> None:
    if len(class_names) != M or len(set(class_names)) != M:
        raise ValueError(f"class_names are {list(class_names)}: give {M} different names, one per column of scores.")
    if resamples < 1 or seed < 0:
        raise ValueError(f"resamples={resamples}, seed={seed}: give at least 1 resample and a seed of 0 or more.")


def _check_ids(name: str, ids: np.ndarray, M: int) -> None:
    if ids.ndim != 1 or not np.issubdtype(ids.dtype, np.integer):
        raise ValueError(f"{name} is {ids.dtype} of shape {ids.shape}: give integer class ids of shape (n,).")
    if len(ids) and (ids.min() < 0 or ids.max() >= M):
        raise ValueError(f"{name} has ids from {ids.min()} to {ids.max()}: give ids from 0 to {M - 1} for {M} classes.")


def _group_ids(groups: np.ndarray, n: int) -> np.ndarray:
    """(n,) numbers from 0 of the groups."""
    import pandas as pd

    groups = np.asarray(groups)
    if groups.shape != (n,):
        raise ValueError(f"groups have shape {groups.shape}: give one group for each of the {n} rows.")
    ids, _ = pd.factorize(groups)
    if (ids < 0).any():
        raise ValueError(
            f"groups are missing in {(ids < 0).sum()} of {n} rows: name every row's subject, or pass groups=None."
        )
    return ids


def _json_number(value: float) -> float | None:
    """JSON has no NaN."""
    return float(value) if np.isfinite(value) else None


def _point_metrics(target: np.ndarray, scores: np.ndarray) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Values over all classes, and (M,) values per class, NaN where undefined."""
    from sklearn.metrics import (
        accuracy_score,
        average_precision_score,
        f1_score,
        log_loss,
        precision_recall_fscore_support,
        roc_auc_score,
    )

    labels = np.arange(scores.shape[1])
    predicted = scores.argmax(axis=1)
    present = np.isin(labels, target)
    precision, recall, f1, _ = precision_recall_fscore_support(target, predicted, labels=labels, zero_division=0)
    auroc, average_precision = np.full((2, len(labels)), np.nan)
    for label in labels[present]:
        positive = target == label
        average_precision[label] = average_precision_score(positive, scores[:, label])
        if not positive.all():
            auroc[label] = roc_auc_score(positive, scores[:, label])
    per_class = {"recall": recall, "precision": precision, "f1": f1}
    per_class = {key: np.where(present, column, np.nan) for key, column in per_class.items()}
    per_class |= {"auroc": auroc, "average_precision": average_precision}
    overall = {
        "accuracy": accuracy_score(target, predicted),
        "mean_class_accuracy": recall[present].mean(),
        "macro_f1": f1[present].mean(),
        "weighted_f1": f1_score(target, predicted, labels=labels, average="weighted", zero_division=0),
        "auroc": auroc[present].mean(),
        "average_precision": average_precision[present].mean(),
        "log_loss": log_loss(target, scores / scores.sum(axis=1, keepdims=True), labels=labels),
    }
    return overall, per_class


def _bootstrap_bounds(
    target: np.ndarray, scores: np.ndarray, units: np.ndarray, resamples: int, seed: int
) -> dict[str, np.ndarray]:
    """(2,) lower and upper bound of each overall metric, from weights that say how often a row was drawn."""
    num_units = int(units.max()) + 1
    rng = np.random.default_rng(seed)
    chunk = max(_CHUNK_ELEMENTS // len(target), 1)
    parts = []
    for start in range(0, resamples, chunk):
        R = min(chunk, resamples - start)
        drawn = rng.integers(num_units, size=(R, num_units)) + num_units * np.arange(R)[:, None]
        weights = np.bincount(drawn.ravel(), minlength=R * num_units).reshape(R, num_units)[:, units]
        parts.append(_weighted_metrics(target, scores, weights.astype(np.float64)))
    bounds = {}
    for key in parts[0]:
        values = np.concatenate([part[key] for part in parts])
        values = values[np.isfinite(values)]
        known = num_units > 1 and len(values) > 0
        bounds[key] = np.percentile(values, INTERVAL_PERCENTILES) if known else np.full(2, np.nan)
    return bounds


def _weighted_metrics(target: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Every overall metric of R resamples at once; weights (R, n) say how often each row counts. Values are (R,)."""
    n, M = scores.shape
    cells = np.zeros((n, M * M))
    cells[np.arange(n), target * M + scores.argmax(axis=1)] = 1
    confusion = (weights @ cells).reshape(-1, M, M)
    correct = np.diagonal(confusion, axis1=1, axis2=2)  # (R, M)
    true, predicted, total = confusion.sum(axis=2), confusion.sum(axis=1), weights.sum(axis=1)
    # Half of numerator and denominator: 2 TP / (2 TP + FP + FN). Never 0/0 where the class is present.
    f1 = 2 * correct / np.maximum(true + predicted, 1)
    epsilon = np.finfo(np.float64).eps
    likelihood = scores[np.arange(n), target] / scores.sum(axis=1)
    nats = -np.log(np.clip(likelihood, epsilon, 1 - epsilon))
    ranked = np.stack([_weighted_ranking(target == label, scores[:, label], weights) for label in range(M)], axis=2)
    return {
        "accuracy": correct.sum(axis=1) / total,
        "mean_class_accuracy": _mean_where(true > 0, correct / np.maximum(true, 1)),
        "macro_f1": _mean_where(true > 0, f1),
        "weighted_f1": (true * f1).sum(axis=1) / total,
        "auroc": _mean_where((true > 0) & (true < total[:, None]), ranked[0]),
        "average_precision": _mean_where(true > 0, ranked[1]),
        "log_loss": weights @ nats / total,
    }


def _mean_where(mask: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(R,) mean over the classes in mask (R, M), NaN where there is none."""
    counts = mask.sum(axis=1)
    return np.where(counts > 0, np.where(mask, values, 0).sum(axis=1) / np.maximum(counts, 1), np.nan)


def _weighted_ranking(positive: np.ndarray, score: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(2, R) AUROC and average precision of one class; zeros where a resample has no positive (or no negative) row.

    Equal scores form one step of the curve, as in scikit-learn.
    """
    order = np.argsort(-score, kind="stable")
    last_of_step = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))
    sorted_weights = weights[:, order]
    taken = np.cumsum(sorted_weights, axis=1)[:, last_of_step]  # (R, steps) rows at or above each threshold
    true_positive = np.cumsum(sorted_weights * positive[order], axis=1)[:, last_of_step]
    false_positive = taken - true_positive
    gained = np.diff(true_positive, axis=1, prepend=0)
    num_positive, num_negative = true_positive[:, -1], false_positive[:, -1]
    # A positive beats the negatives below its step and ties with half of those in it.
    beaten = num_negative[:, None] - false_positive + np.diff(false_positive, axis=1, prepend=0) / 2
    auroc = (gained * beaten).sum(axis=1) / np.maximum(num_positive * num_negative, 1)
    average_precision = (gained * true_positive / np.maximum(taken, 1)).sum(axis=1) / np.maximum(num_positive, 1)
    return np.stack([auroc, average_precision])
