"""Percentile bootstrap of metrics that are functions of sums over rows, all resamples at once.

A resample is a weight per row: how often the row was sampled. Every metric here depends on its rows through sums only
(of
rows that are right, of errors, of rows ranked above a threshold), so the sums of many resamples are one product of a
sparse matrix and their weights, and no resample is written out row by row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

INTERVAL_PERCENTILES = (2.5, 97.5)
"""Percentiles of the bootstrap distribution that bound a 95 % interval."""

_CHUNK_ELEMENTS = 1_000_000  # weights, and sums, of the resamples held at once: 8 MB each, near the cache


def summing_matrix(
    sets: np.ndarray, shape: tuple[int, int], *, rows: np.ndarray | None = None, values: np.ndarray | None = None
) -> Any:
    """Sparse matrix whose product with the rows' weights is their sum over sets of rows.

    Args:
        sets: (k,) the set, 0 to S - 1, that each of k rows counts in.
        shape: (S, n), the numbers of sets and of rows.
        rows: (k,) those rows, 0 to n - 1; None for all n in their order.
        values: (k,) what each adds to the sum of its set; None for 1.

    Returns:
        (S, n) ``scipy.sparse.csr_array`` of float64.

    Example:
        >>> summing_matrix(np.array([0, 1, 1]), (2, 3)) @ np.array([2.0, 1.0, 4.0])
        array([2., 5.])
    """
    from scipy.sparse import csr_array

    rows = np.arange(shape[1]) if rows is None else rows
    return csr_array((np.ones(len(sets)) if values is None else values.astype(np.float64), (sets, rows)), shape=shape)


def bootstrap_bounds(
    matrices: Mapping[str, Any],
    measure: Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]],
    units: np.ndarray,
    *,
    resamples: int,
    seed: int,
) -> dict[str, np.ndarray]:
    """Bounds of the 95 % percentile intervals of metrics.

    Units are sampled with replacement, as many as there are; the rows of a unit are in or out together. Resamples in
    which a metric is undefined (NaN) are left out of its percentiles.

    Args:
        matrices: name → (S, n) matrix of ``summing_matrix``.
        measure: name → (S, R) sums of R resamples → metric → values (..., R).
        units: (n,) unit of each row, numbers from 0 without gaps.
        resamples: number of resamples, at least 1.
        seed: of the resampling, 0 or more.

    Returns:
        Metric → (2, ...) lower and upper bounds; NaN with fewer than two units or without a defined resample.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, ch. 13; by group: Field and Welsh, JRSS B 69, 2007.
    """
    from scipy.sparse import vstack

    num_units = int(units.max()) + 1
    stacked = vstack(list(matrices.values()), format="csr")
    if num_units < len(units):
        stacked = stacked @ summing_matrix(units, (num_units, len(units))).T.tocsr()
    ends = np.cumsum([matrix.shape[0] for matrix in matrices.values()])[:-1]
    rng = np.random.default_rng(seed)
    chunk = max(_CHUNK_ELEMENTS // max(stacked.shape), 1)
    parts = []
    for start in range(0, resamples, chunk):
        weights = _unit_weights(rng, num_units, min(chunk, resamples - start))
        parts.append(measure(dict(zip(matrices, np.split(stacked @ weights, ends), strict=True))))
    bounds = {}
    for name in parts[0]:
        values = np.concatenate([part[name] for part in parts], axis=-1)
        bounds[name] = _percentiles(values) if num_units > 1 else np.full((2, *values.shape[:-1]), np.nan)
    return bounds


def mean_where_defined(values: np.ndarray) -> np.ndarray:
    """(R,) mean over the classes of values (M, R) that are not NaN; NaN where there is none."""
    counts = np.isfinite(values).sum(axis=0)
    return np.where(counts > 0, np.nansum(values, axis=0) / np.maximum(counts, 1), np.nan)


def reflected(value: float, bounds: np.ndarray) -> np.ndarray:
    """(2,) bounds mirrored at the value and not below 0, for metrics that noise can only increase.

    Resampling moves such a metric up about as far as sampling has moved the value itself, so the plain percentiles
    miss the population's value twice over.

    Source: the basic bootstrap limits of Davison and Hinkley, Bootstrap Methods and their Application, ch. 5.
    """
    return np.maximum(2 * value - bounds[::-1], 0)


def with_interval(key: str, value: float, bounds: np.ndarray) -> dict[str, float | None]:
    """``key``, ``<key>_low`` and ``<key>_high`` for JSON, which has no NaN: None where a number is undefined."""
    low, high = (json_number(bound) for bound in bounds)
    return {key: json_number(value), f"{key}_low": low, f"{key}_high": high}


def bounds_of_units(bounds: np.ndarray, units: np.ndarray) -> np.ndarray:
    """(2,) bounds of a metric of the rows that are of these units; NaN for fewer than two, which cannot vary."""
    return bounds if len(np.unique(units)) > 1 else np.full(2, np.nan)


def json_number(value: float) -> float | None:
    """A Python float, None instead of what is not finite."""
    return float(value) if np.isfinite(value) else None


def _unit_weights(rng: np.random.Generator, num_units: int, R: int) -> np.ndarray:
    """(num_units, R) how often each unit is sampled in each of R resamples."""
    sampled = rng.integers(num_units, size=(R, num_units)) * R + np.arange(R)[:, None]
    return np.bincount(sampled.ravel(), minlength=num_units * R).reshape(num_units, R).astype(np.float64)


def _percentiles(values: np.ndarray) -> np.ndarray:
    """(2, ...) bounds of values (..., R), over the resamples where they are defined."""
    bounds = np.full((2, *values.shape[:-1]), np.nan)
    for index in np.ndindex(*values.shape[:-1]):
        defined = values[index][np.isfinite(values[index])]
        if len(defined):
            bounds[(slice(None), *index)] = np.percentile(defined, INTERVAL_PERCENTILES)
    return bounds
