"""Metrics of class probabilities against the true classes, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from mien.errors import MienError
from mien.metrics.bootstrap import (
    bootstrap_bounds,
    bounds_of_units,
    mean_where_defined,
    reflected,
    summing_matrix,
    with_interval,
)
from mien.metrics.calibration import NUM_BINS, bin_numbers, expected_calibration_error, top_confidence
from mien.metrics.checks import check_class_names, check_ids, check_resampling, checked_scores, unit_ids
from mien.metrics.ranking import ranking_matrices, ranking_metrics


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
    the classes that ``target`` contains; one that it lacks has None for each value and 0 for ``n/<class>``. AUROC is
    None where all rows are of one class, kappa where all are predicted so too. Without predictions precision is 0.

    Intervals are 95 % percentile bootstrap: rows are resampled with replacement, or whole groups where ``groups`` is
    given (all rows of a subject in or out together). They are not stratified by class: a test set's class frequencies
    are as much a sample as its images, and subjects cannot be resampled by class. A resample that lacks a class
    averages over the others. Fewer than two rows or groups, of a class or at all, have None for intervals. A class all
    right or all wrong has a recall interval of no width, as no resample can differ.

    Args:
        target: (n,) true class ids, integers from 0 to M - 1.
        scores: (n, M) probabilities, each row summing to 1 within 0.001.
        class_names: the M names, in the order of the ids.
        resamples: at least 1; with 1,000 a bound moves by a fiftieth of the interval's width from seed to seed.
        seed: of the resampling; the same seed gives the same intervals.
        groups: (n,) subject of each row.

    Returns:
        ``n``; ``accuracy``, ``top2_accuracy``, ``mean_class_accuracy``, ``macro_f1``, ``weighted_f1`` (weights: rows
        per class), ``kappa`` (-1 to 1), ``auroc`` and ``average_precision`` (one class against the rest, mean),
        ``log_loss`` (nats), ``calibration_error``; ``recall``, ``precision``, ``f1``, ``auroc``, ``average_precision``
        per class as ``recall/<class>``; each with ``<key>_low`` and ``<key>_high``; ``n/<class>``.

    Raises:
        MienError: arrays of wrong shape, type or range, scores that are no probabilities, or bad options.

    Source: point values by scikit-learn where it has the metric, so that they mean what the literature means.
        Calibration error: Guo et al., ICML 2017, 15 bins; resampling adds as much noise as the sample has and moves it
        up, so its interval is the percentiles mirrored at the value.

    Example:
        >>> m = classification_metrics(np.array([0, 1]), np.array([[0.9, 0.1], [0.6, 0.4]]), ["no", "yes"])
        >>> m["accuracy"], m["recall/yes"], m["auroc"]
        (0.5, 0.0, 1.0)
    """
    target, scores = checked_scores(target, scores)
    n, M = scores.shape
    check_class_names(class_names, M)
    check_resampling(resamples, seed)
    units = unit_ids(groups, n)
    values, per_class = _point_metrics(target, scores)
    matrices, measure = _resampled_metrics(target, scores)
    bounds = bootstrap_bounds(matrices, measure, units, resamples=resamples, seed=seed)
    bounds["calibration_error"] = reflected(values["calibration_error"], bounds["calibration_error"])
    metrics: dict[str, float | int | None] = {"n": n}
    for key, value in values.items():
        metrics |= with_interval(key, value, bounds[key])
    return metrics | _class_metrics(target, class_names, per_class, bounds, units)


def confusion_counts(target: np.ndarray, predicted: np.ndarray, M: int) -> np.ndarray:
    """Count how often class i (row) was taken for class j (column).

    Args:
        target: (n,) true class ids, 0 to M - 1.
        predicted: (n,) predicted class ids, 0 to M - 1.
        M: number of classes.

    Returns:
        (M, M) int64, summing to n.

    Raises:
        MienError: not two vectors of one length, or ids that are no integers from 0 to M - 1.

    Source: as ``sklearn.metrics.confusion_matrix`` with all M labels.
    """
    target, predicted = np.asarray(target), np.asarray(predicted)
    check_ids("target", target, M)
    check_ids("predicted", predicted, M)
    if len(target) != len(predicted):
        raise MienError(f"{len(target)} targets and {len(predicted)} predictions: give one prediction per target.")
    return np.bincount(target.astype(np.int64) * M + predicted, minlength=M * M).reshape(M, M)


def _point_metrics(target: np.ndarray, scores: np.ndarray) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Values over all classes, and (M,) values per class, NaN where undefined."""
    from sklearn.metrics import (
        accuracy_score,
        average_precision_score,
        cohen_kappa_score,
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
    one_class = len(np.union1d(target, predicted)) == 1
    overall = {
        "accuracy": accuracy_score(target, predicted),
        "top2_accuracy": _in_top2(target, scores).mean(),
        "mean_class_accuracy": recall[present].mean(),
        "macro_f1": f1[present].mean(),
        "weighted_f1": f1_score(target, predicted, labels=labels, average="weighted", zero_division=0),
        "kappa": np.nan if one_class else cohen_kappa_score(target, predicted, labels=labels),
        "auroc": auroc[present].mean(),
        "average_precision": average_precision[present].mean(),
        "log_loss": log_loss(target, scores / scores.sum(axis=1, keepdims=True), labels=labels),
        "calibration_error": expected_calibration_error(target, scores),
    }
    return overall, per_class


def _class_metrics(
    target: np.ndarray,
    class_names: Sequence[str],
    per_class: Mapping[str, np.ndarray],
    bounds: Mapping[str, np.ndarray],
    units: np.ndarray,
) -> dict[str, float | int | None]:
    """``n/<class>`` and ``<metric>/<class>`` with intervals, from values (M,) and bounds (2, M)."""
    metrics: dict[str, float | int | None] = {}
    for label, name in enumerate(class_names):
        rows = target == label
        metrics[f"n/{name}"] = int(rows.sum())
        for key, column in per_class.items():
            interval = bounds_of_units(bounds[f"class_{key}"][:, label], units[rows])
            metrics |= with_interval(f"{key}/{name}", column[label], interval)
    return metrics


def _in_top2(target: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """(n,) whether the true class has one of the two largest scores, the first of equals before the others."""
    return (np.argsort(-scores, axis=1, kind="stable")[:, :2] == target[:, None]).any(axis=1)


def _resampled_metrics(target: np.ndarray, scores: np.ndarray) -> tuple[dict[str, Any], Any]:
    """The sums over rows that the metrics depend on, and the metrics of such sums; both for ``bootstrap_bounds``."""
    n, M = scores.shape
    confidence, right = top_confidence(target, scores)
    epsilon = np.finfo(np.float64).eps
    likelihood = scores[np.arange(n), target] / scores.sum(axis=1)
    nats = -np.log(np.clip(likelihood, epsilon, 1 - epsilon))
    everywhere = np.zeros(n, np.int64)
    matrices = {
        "confusion": summing_matrix(target * M + scores.argmax(axis=1), (M * M, n)),
        "in_top2": summing_matrix(everywhere, (1, n), values=_in_top2(target, scores)),
        "nats": summing_matrix(everywhere, (1, n), values=nats),
        "calibration_gap": summing_matrix(bin_numbers(confidence), (NUM_BINS, n), values=right - confidence),
    }
    tied_steps = []
    for label in range(M):
        ranking, tied = ranking_matrices(target == label, scores[:, label])
        matrices |= {f"{name}/{label}": matrix for name, matrix in ranking.items()}
        tied_steps.append(tied)
    return matrices, partial(_metrics_of_sums, tied_steps=tied_steps)


def _metrics_of_sums(sums: Mapping[str, np.ndarray], tied_steps: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Every metric of R resamples, (R,) over all classes and, named ``class_<metric>``, (M, R) per class."""
    M = len(tied_steps)
    confusion = sums["confusion"].reshape(M, M, -1)
    correct = confusion[np.arange(M), np.arange(M)]  # (M, R)
    true, predicted, total = confusion.sum(axis=1), confusion.sum(axis=0), confusion.sum(axis=(0, 1))
    recall = np.where(true > 0, correct / np.maximum(true, 1), np.nan)
    precision = np.where(true > 0, correct / np.maximum(predicted, 1), np.nan)
    # Half of numerator and denominator: 2 TP / (2 TP + FP + FN). Never 0/0 where the class is present.
    f1 = np.where(true > 0, 2 * correct / np.maximum(true + predicted, 1), np.nan)
    auroc, average_precision = np.empty((2, *true.shape))
    for label in range(M):
        ranking = {name: sums[f"{name}/{label}"] for name in ("gained", "passed", "tied")}
        auroc[label], average_precision[label] = ranking_metrics(
            ranking, tied_steps[label], true[label], total - true[label]
        )
    accuracy, by_chance = correct.sum(axis=0) / total, (true * predicted).sum(axis=0) / total**2
    with np.errstate(invalid="ignore"):  # 0/0 is the NaN that is meant
        kappa = (accuracy - by_chance) / (1 - by_chance)
    return {
        "accuracy": accuracy,
        "top2_accuracy": sums["in_top2"][0] / total,
        "mean_class_accuracy": mean_where_defined(recall),
        "macro_f1": mean_where_defined(f1),
        "weighted_f1": np.nansum(true * f1, axis=0) / total,
        "kappa": kappa,
        "auroc": mean_where_defined(auroc),
        "average_precision": mean_where_defined(average_precision),
        "log_loss": sums["nats"][0] / total,
        "calibration_error": np.abs(sums["calibration_gap"]).sum(axis=0) / total,
        "class_recall": recall,
        "class_precision": precision,
        "class_f1": f1,
        "class_auroc": auroc,
        "class_average_precision": average_precision,
    }
