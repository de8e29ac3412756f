"""Checks of the arrays that metrics are computed from; what is wrong with them is said to the caller."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mien.errors import MienError

_ROW_SUM_TOLERANCE = 1e-3  # a softmax in half precision is off by this much


def checked_scores(target: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """True class ids and class probabilities in the types that metrics compute with.

    Args:
        target: (n,) integers from 0 to M - 1.
        scores: (n, M) probabilities, each row summing to 1 within 0.001; M at least 2.

    Returns:
        (n,) int64 and (n, M) float64.

    Raises:
        MienError: wrong shape, type or range, no rows, or scores that are no probabilities.
    """
    target, scores = np.asarray(target), np.asarray(scores)
    if scores.ndim != 2 or scores.shape[1] < 2 or not np.issubdtype(scores.dtype, np.floating):
        raise MienError(f"scores are {scores.dtype} of shape {scores.shape}: give floats (n, M), M at least 2.")
    check_ids("target", target, scores.shape[1])
    if len(target) != len(scores):
        raise MienError(f"{len(target)} targets and {len(scores)} rows of scores: give one row of scores per target.")
    if len(target) == 0:
        raise MienError("target and scores have no rows: there is nothing to measure. Check what was predicted.")
    scores = scores.astype(np.float64)
    off = ~np.isfinite(scores).all(axis=1) | (scores < 0).any(axis=1)
    off |= ~(abs(scores.sum(axis=1) - 1) <= _ROW_SUM_TOLERANCE)
    if off.any():
        row = int(off.argmax())
        raise MienError(
            f"scores are no probabilities in {off.sum()} of {len(scores)} rows, the first is row {row}: "
            f"{scores[row].tolist()}. Each row must be finite, 0 or more, and sum to 1: apply a softmax first."
        )
    return target.astype(np.int64), scores


def checked_values(target: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """True and predicted values of a regression as float64.

    Args:
        target: (n,) finite numbers.
        predicted: (n,) finite numbers.

    Returns:
        (n,) and (n,) float64.

    Raises:
        MienError: not two vectors of numbers of one length, no rows, or values that are not finite.
    """
    checked = []
    for name, values in (("target", np.asarray(target)), ("predicted", np.asarray(predicted))):
        if values.ndim != 1 or values.dtype.kind not in "iuf":
            raise MienError(f"{name} is {values.dtype} of shape {values.shape}: give numbers of shape (n,).")
        finite = np.isfinite(values)
        if not finite.all():
            row = int(finite.argmin())
            raise MienError(
                f"{name} is not finite in {(~finite).sum()} of {len(values)} rows, the first is row {row}: "
                f"{values[row]}. Leave out rows without a value, and look for the step that made it."
            )
        checked.append(values.astype(np.float64))
    if len(checked[0]) != len(checked[1]):
        raise MienError(f"{len(checked[0])} targets and {len(checked[1])} predictions: give one prediction per target.")
    if len(checked[0]) == 0:
        raise MienError("target and predicted have no rows: there is nothing to measure. Check what was predicted.")
    return checked[0], checked[1]


def check_ids(name: str, ids: np.ndarray, M: int) -> None:
    """Check that ids are (n,) integers from 0 to M - 1.

    Raises:
        MienError: they are not; the message begins with ``name``.
    """
    if ids.ndim != 1 or not np.issubdtype(ids.dtype, np.integer):
        raise MienError(f"{name} is {ids.dtype} of shape {ids.shape}: give integer class ids of shape (n,).")
    if len(ids) and (ids.min() < 0 or ids.max() >= M):
        raise MienError(f"{name} has ids from {ids.min()} to {ids.max()}: give ids from 0 to {M - 1} for {M} classes.")


def check_class_names(class_names: Sequence[str], M: int) -> None:
    """Check that there are M different names, and that ``<metric>/<class>_low`` can be no class's own value.

    Raises:
        MienError: there are not, or it can.
    """
    if len(class_names) != M or len(set(class_names)) != M:
        raise MienError(f"class_names are {list(class_names)}: give {M} different names, one per column of scores.")
    bounds = {f"{name}{end}" for name in class_names for end in ("_low", "_high")} & set(class_names)
    if bounds:
        raise MienError(
            f"The class names {sorted(bounds)} are also those of another class's interval: give names that do not "
            "end in _low or _high."
        )


def check_resampling(resamples: int, seed: int) -> None:
    """Check the options of the bootstrap.

    Raises:
        MienError: no resample, or a negative seed.
    """
    if resamples < 1 or seed < 0:
        raise MienError(f"resamples={resamples}, seed={seed}: give at least 1 resample and a seed of 0 or more.")


def unit_ids(groups: np.ndarray | None, n: int) -> np.ndarray:
    """Numbers of the units that are resampled together: of the groups, or of the rows where there are none.

    Args:
        groups: (n,) group of each row, strings, numbers or objects; None makes every row a unit.
        n: number of rows.

    Returns:
        (n,) integers from 0 to the number of units - 1, in the order of their first row.

    Raises:
        MienError: wrong shape, or rows without a group.
    """
    import pandas as pd

    if groups is None:
        return np.arange(n)
    groups = np.asarray(groups)
    if groups.shape != (n,):
        raise MienError(f"groups have shape {groups.shape}: give one group for each of the {n} rows.")
    ids, _ = pd.factorize(groups)
    if (ids < 0).any():
        raise MienError(
            f"groups are missing in {(ids < 0).sum()} of {n} rows: name every row's subject, or pass groups=None."
        )
    return ids
