"""Errors of predicted landmarks, each face's in its own measure, with bootstrap intervals.

The error of a face is the mean distance of its predicted points from the true ones over a length of that face, so that
near and far faces count alike.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mien.errors import MienError
from mien.labels import NUM_LANDMARKS
from mien.metrics.bootstrap import bootstrap_bounds, json_number, summing_matrix, with_interval
from mien.metrics.checks import check_resampling, unit_ids

OUTER_EYE_CORNERS = (36, 45)

FAILURE_THRESHOLD = 0.08
"""Error by the outer eye corners' distance from which a face counts as missed.

Source: the 300-W challenges draw and integrate their curves up to 0.08 (Sagonas et al. 2016).
"""


def interocular_distances(landmarks: np.ndarray) -> np.ndarray:
    """(n,) distance between the outer corners of the eyes, of 68 landmarks (n, 68, 2).

    Source: Sagonas et al. 2013, the measure of the 300-W challenges.
    """
    left, right = (landmarks[:, corner] for corner in OUTER_EYE_CORNERS)
    return np.linalg.norm(left - right, axis=-1)


def box_sides(landmarks: np.ndarray) -> np.ndarray:
    """(n,) geometric mean of the sides of the upright box around the landmarks (n, P, 2).

    Source: Bulat and Tzimiropoulos 2017, section 5, whose measure holds for faces in profile too.
    """
    return np.sqrt(np.prod(landmarks.max(axis=1) - landmarks.min(axis=1), axis=-1))


def normalised_errors(target: np.ndarray, predicted: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """(n,) mean distance of the points of each face from the true ones, over the face's own length.

    Args:
        target: (n, P, 2) true points.
        predicted: (n, P, 2) predicted points, in the same unit.
        lengths: (n,) lengths above 0, in the same unit.

    Raises:
        MienError: Shapes that do not fit, no face, or a number that is not finite or no length.

    Example:
        >>> target = np.array([[[0.0, 0.0], [4.0, 0.0]]])
        >>> normalised_errors(target, target + [0.3, 0.4], np.array([4.0]))
        array([0.125])
    """
    target, predicted, lengths = (np.asarray(each, np.float64) for each in (target, predicted, lengths))
    if target.ndim != 3 or target.shape[2] != 2 or target.shape != predicted.shape or lengths.shape != target.shape[:1]:
        raise MienError(
            f"target {target.shape}, predicted {predicted.shape} and lengths {lengths.shape} do not fit: give points "
            "(n, P, 2) of both and one length per face."
        )
    if len(target) == 0:
        raise MienError("There is no face to measure landmarks on: look at the splits of the samples table.")
    faulty = ~(np.isfinite(target) & np.isfinite(predicted)).all(axis=(1, 2)) | ~(np.isfinite(lengths) & (lengths > 0))
    if faulty.any():
        raise MienError(
            f"{faulty.sum()} of {len(target)} faces have points that are not finite or a length that is not above 0, "
            f"the first in row {faulty.argmax()}. Leave out faces whose points are not known."
        )
    return np.linalg.norm(predicted - target, axis=-1).mean(axis=1) / lengths


def error_metrics(
    errors: np.ndarray,
    *,
    threshold: float = FAILURE_THRESHOLD,
    resamples: int = 1000,
    seed: int = 0,
    groups: np.ndarray | None = None,
) -> dict[str, float | None]:
    """Summary of the errors of many faces, as one flat dictionary ready for JSON.

    Args:
        errors: (n,) of ``normalised_errors``.
        threshold: Errors above it are failures, and the curve is integrated up to it.
        resamples: Bootstrap resamples behind the 95 % intervals, at least 1.
        seed: Of the resampling.
        groups: (n,) subject of each face; whole subjects are resampled.

    Returns:
        ``mean``, ``failure_rate`` and ``auc`` (area below the cumulative curve up to the threshold, over the
        threshold: 1 if no face has any error), each with ``<key>_low`` and ``<key>_high``, and ``median``.

    Raises:
        MienError: No errors, or bad options.

    Example:
        >>> summary = error_metrics(np.array([0.02, 0.04, 0.12]), threshold=0.08, resamples=10)
        >>> [round(summary[name], 4) for name in ("mean", "median", "failure_rate", "auc")]
        [0.06, 0.04, 0.3333, 0.4167]
    """
    errors = np.asarray(errors, np.float64)
    check_resampling(resamples, seed)
    if errors.ndim != 1 or not len(errors) or not np.isfinite(errors).all() or not threshold > 0:
        raise MienError(
            f"errors of shape {errors.shape} and threshold {threshold} cannot be summed up: give at least one finite "
            "error per face and a threshold above 0."
        )
    n = len(errors)
    # Each face's part of the area: how far below the threshold it lies
    columns = {"mean": errors, "failure_rate": errors > threshold, "auc": np.maximum(1 - errors / threshold, 0)}
    everywhere = np.zeros(n, np.int64)
    matrices = {name: summing_matrix(everywhere, (1, n), values=column) for name, column in columns.items()}
    matrices["n"] = summing_matrix(everywhere, (1, n))
    bounds = bootstrap_bounds(matrices, _means, unit_ids(groups, n), resamples=resamples, seed=seed)
    summary: dict[str, float | None] = {}
    for name, column in columns.items():
        summary |= with_interval(name, float(column.mean()), bounds[name])
    return summary | {"median": json_number(float(np.median(errors)))}


def _means(sums: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: total[0] / sums["n"][0] for name, total in sums.items() if name != "n"}


def cumulative_errors(errors: np.ndarray, limit: float) -> tuple[np.ndarray, np.ndarray]:
    """Corners of the cumulative curve: errors from 0 to ``limit`` and the share of faces with at most that error.

    Args:
        errors: (n,) of ``normalised_errors``.
        limit: Where the curve ends.

    Returns:
        Errors (K,) and shares (K,), both rising, in steps: the curve runs through them.

    Example:
        >>> cumulative_errors(np.array([0.03, 0.01, 0.5]), limit=0.1)[1].round(2).tolist()
        [0.0, 0.0, 0.33, 0.33, 0.67, 0.67]
    """
    inside = np.sort(np.asarray(errors, np.float64)[np.asarray(errors) <= limit])
    x = np.concatenate([[0.0], np.repeat(inside, 2), [limit]])
    y = np.repeat(np.arange(len(inside) + 1) / len(errors), 2)
    return x, y


def mean_shape(landmarks: np.ndarray) -> np.ndarray:
    """(68, 2) mean of many faces' landmarks (n, 68, 2): what a network would have to beat that sees nothing."""
    if landmarks.ndim != 3 or landmarks.shape[1:] != (NUM_LANDMARKS, 2) or not len(landmarks):
        raise MienError(f"landmarks have shape {landmarks.shape}: give (n, {NUM_LANDMARKS}, 2) with at least one face.")
    return landmarks.mean(axis=0)
