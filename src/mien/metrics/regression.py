"""Metrics of predicted numbers, such as ages, against the true ones, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mien.errors import MienError
from mien.metrics.bootstrap import bootstrap_bounds, bounds_of_units, summing_matrix, with_interval
from mien.metrics.checks import check_resampling, checked_values, unit_ids

_NO_SPREAD = 1e-12  # a variance this small beside the mean square is what rounding leaves of equal values


def regression_metrics(
    target: np.ndarray,
    predicted: np.ndarray,
    *,
    bands: Sequence[int] | None = None,
    resamples: int = 1000,
    seed: int = 0,
    groups: np.ndarray | None = None,
) -> dict[str, float | int | None]:
    """Metrics of predicted against true numbers, as one flat dictionary ready for JSON.

    Intervals are 95 % percentile bootstrap over rows, or over whole groups where ``groups`` is given; None with fewer
    than two rows or groups, for a band's error also with fewer than two in the band. R2 is None where all targets are
    equal, Pearson's r also where all predictions are.

    Args:
        target: (n,) true values.
        predicted: (n,) predicted values, in the same unit.
        bands: edges of bands of the target, rising whole numbers: 0, 10, 20 make the bands ``0-9`` (0 to below 10) and
            ``10-19``. Every target must lie in a band.
        resamples: at least 1.
        seed: of the resampling; the same seed gives the same intervals.
        groups: (n,) subject of each row.

    Returns:
        ``n``; ``mae`` and ``rmse`` (unit of the target), ``mse`` (its square), ``r2`` (at most 1) and ``pearson`` (-1
        to 1), each with ``<key>_low`` and ``<key>_high``; per band ``n/<band>`` and ``mae/<band>`` with interval, None
        where the band has no rows.

    Raises:
        MienError: arrays of wrong shape, type or length, values that are not finite, or bad options.

    Source: point values by scikit-learn and, for Pearson's r, SciPy; intervals as in ``classification_metrics``.

    Example:
        >>> m = regression_metrics(np.array([5, 12, 18]), np.array([7.0, 12.0, 14.0]), bands=[0, 10, 20])
        >>> m["mae"], m["mae/0-9"], m["mae/10-19"]
        (2.0, 2.0, 2.0)
    """
    target, predicted = checked_values(target, predicted)
    check_resampling(resamples, seed)
    n, units = len(target), unit_ids(groups, len(target))
    names, in_band = _bands(target, bands)
    error = abs(predicted - target)
    matrices = _sums_needed(target, predicted)
    matrices["band_n"] = summing_matrix(in_band, (max(len(names), 1), n))
    matrices["band_error"] = summing_matrix(in_band, matrices["band_n"].shape, values=error)
    bounds = bootstrap_bounds(matrices, _metrics_of_sums, units, resamples=resamples, seed=seed)
    metrics: dict[str, float | int | None] = {"n": n}
    for key, value in _point_metrics(target, predicted).items():
        metrics |= with_interval(key, value, bounds[key])
    for band, name in enumerate(names):
        rows = in_band == band
        metrics[f"n/{name}"] = int(rows.sum())
        interval = bounds_of_units(bounds["band_mae"][:, band], units[rows])
        metrics |= with_interval(f"mae/{name}", error[rows].mean() if rows.any() else np.nan, interval)
    return metrics


def _bands(target: np.ndarray, edges: Sequence[int] | None) -> tuple[list[str], np.ndarray]:
    """Names of the bands, and (n,) the band of each row; no names and zeros without edges."""
    if edges is None:
        return [], np.zeros(len(target), np.int64)
    whole = np.asarray(edges)
    if whole.ndim != 1 or len(whole) < 2 or whole.dtype.kind not in "iu" or (np.diff(whole.astype(np.int64)) < 1).any():
        raise MienError(f"bands are {list(edges)}: give at least two rising whole numbers, such as 0, 10, 20.")
    outside = (target < whole[0]) | (target >= whole[-1])
    if outside.any():
        raise MienError(
            f"{outside.sum()} of {len(target)} targets are in no band, the first is {target[outside][0]:g}: the bands "
            f"go from {whole[0]} to below {whole[-1]}. Add edges, or leave the rows out."
        )
    names = [f"{low}-{high - 1}" for low, high in zip(whole[:-1].tolist(), whole[1:].tolist(), strict=True)]
    return names, np.searchsorted(whole, target, side="right") - 1


def _point_metrics(target: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    from scipy.stats import pearsonr
    from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

    mse = mean_squared_error(target, predicted)
    varied = [bool(np.ptp(values) > 0) for values in (target, predicted)]
    return {
        "mae": mean_absolute_error(target, predicted),
        "mse": mse,
        "rmse": float(np.sqrt(mse)),
        "r2": r2_score(target, predicted) if varied[0] else np.nan,
        "pearson": pearsonr(target, predicted).statistic if all(varied) else np.nan,
    }


def _sums_needed(target: np.ndarray, predicted: np.ndarray) -> dict[str, Any]:
    """Matrices of the sums, (1, n) each, that the metrics over all bands depend on."""
    n, error = len(target), abs(predicted - target)
    # Centred, so that the sums of squares keep their digits however far the values are from 0.
    x, y = target - target.mean(), predicted - predicted.mean()
    columns = {"n": np.ones(n), "error": error, "error2": error**2, "x": x, "x2": x**2, "y": y, "y2": y**2, "xy": x * y}
    everywhere = np.zeros(n, np.int64)
    return {name: summing_matrix(everywhere, (1, n), values=column) for name, column in columns.items()}


def _metrics_of_sums(sums: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Every metric of R resamples, (R,), and ``band_mae`` (K, R) of the K bands."""
    n, error, error2, x, x2, y, y2, xy = (
        sums[name][0] for name in ("n", "error", "error2", "x", "x2", "y", "y2", "xy")
    )
    spread_x, spread_y = (
        np.where(square - total**2 / n > _NO_SPREAD * square, square - total**2 / n, np.nan)
        for total, square in ((x, x2), (y, y2))
    )
    band_n = sums["band_n"]
    return {
        "mae": error / n,
        "mse": error2 / n,
        "rmse": np.sqrt(error2 / n),
        "r2": 1 - error2 / spread_x,
        "pearson": (xy - x * y / n) / np.sqrt(spread_x * spread_y),
        "band_mae": np.where(band_n > 0, sums["band_error"] / np.maximum(band_n, 1), np.nan),
    }
