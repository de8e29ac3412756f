"""Ages: predicted against true, and the error by age band."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mien.errors import MienError
from mien.figures.bars import class_bars_plot
from mien.figures.style import (
    COLORS,
    COLUMN_WIDTH,
    DENSITY_COLORS,
    GRID,
    TEXT_POINTS,
    Interval,
    canvas,
    label_axes,
    require_columns,
    with_interval,
    with_n,
)
from mien.metrics.checks import checked_values

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as MatplotlibFigure

_MOST_CELLS = 60  # along an axis: a cell is 0.04 inches wide in print
_LEAST_YEARS = 10  # on either side of few ages
_NAMES = ("true age, years", "predicted age, years")
_TICKS = tuple(step * 10**power for power in range(7) for step in (1, 2, 5))
_BAND_COLUMNS = ("band", "n", "mae", "low", "high")


@dataclass(frozen=True)
class _Density:
    """How many samples lie in each cell: (E,) edges of both axes, (E - 1, E - 1) counts, predicted age in rows."""

    edges: np.ndarray
    counts: np.ndarray
    title: str

    @property
    def ticks(self) -> list[int]:
        """Counts that the colour bar names."""
        return [tick for tick in _TICKS if tick <= self.counts.max()]


def age_plot(
    target: np.ndarray,
    predicted: np.ndarray,
    title: str,
    *,
    intervals: Mapping[str, Interval] | None = None,
    names: tuple[str, str] = _NAMES,
    synthetic: bool = False,
) -> MatplotlibFigure:
    """Density of predicted against true age, with the line where both are equal.

    Colour is the number of samples in a cell of one or more whole years, on a logarithmic scale.

    Args:
        target: (n,) true ages in years.
        predicted: (n,) predicted ages in years.
        title: n, the mean absolute error and Pearson's r are appended.
        intervals: 95 % intervals by ``mae`` and ``pearson``; those that are missing are not mentioned.
        names: what stands at the abscissa, for ``target``, and at the ordinate.
        synthetic: say under the title that the faces are synthetic.

    Raises:
        MienError: not two vectors of one length, no rows, an age that is not finite, or an interval of another metric.
    """
    from matplotlib.colors import LinearSegmentedColormap, LogNorm
    from matplotlib.ticker import MaxNLocator

    shown = _density(target, predicted, title, intervals)
    figure, (axes,) = canvas(COLUMN_WIDTH, COLUMN_WIDTH - 0.15, shown.title, synthetic=synthetic)
    cells = axes.pcolormesh(
        shown.edges,
        shown.edges,
        np.ma.masked_equal(shown.counts, 0),
        norm=LogNorm(1, max(2, shown.counts.max())),
        cmap=LinearSegmentedColormap.from_list("density", DENSITY_COLORS),
        rasterized=True,  # thousands of cells would make the SVG heavy
    )
    ends = shown.edges[[0, -1]]
    axes.plot(ends, ends, color=COLORS[1], linestyle="--", linewidth=0.9)
    axes.set(xlim=ends, ylim=ends, aspect="equal")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.grid(color=GRID, linewidth=0.4)
    axes.set_axisbelow(True)
    bar = figure.colorbar(cells, cax=axes.inset_axes((1.03, 0.1, 0.03, 0.8)))
    bar.set_ticks(shown.ticks, labels=[f"{tick:,}" for tick in shown.ticks], minor=False)
    bar.minorticks_off()
    bar.ax.tick_params(labelsize=TEXT_POINTS, width=0.6, length=2)
    bar.outline.set_visible(False)
    bar.set_label("samples", fontsize=TEXT_POINTS)
    label_axes(axes, *names)
    return figure


def age_bands_plot(bands: pd.DataFrame, title: str, *, synthetic: bool = False) -> MatplotlibFigure:
    """Bars of the mean absolute error by age band.

    Args:
        bands: one row per band: ``band`` as it is to be named, ``n`` samples, ``mae`` in years, its 95 % interval
            ``low`` and ``high``; NaN where unknown.
        title: n is appended.
        synthetic: say under the title that the faces are synthetic.

    Raises:
        MienError: a column is missing; else as ``class_bars_plot``.
    """
    return class_bars_plot(*_band_columns(bands), title, quantity=_ERROR, limit=None, synthetic=synthetic)


_ERROR = "mean absolute error, years"


def _band_columns(bands: pd.DataFrame) -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Names, errors, lower and upper bounds, n."""
    require_columns(bands, _BAND_COLUMNS, "The age bands")
    values, lows, highs = (bands[name].to_numpy(float, na_value=np.nan) for name in ("mae", "low", "high"))
    return bands["band"].astype(str).tolist(), values, lows, highs, bands["n"].to_numpy()


def _density(
    target: np.ndarray, predicted: np.ndarray, title: str, intervals: Mapping[str, Interval] | None
) -> _Density:
    target, predicted = checked_values(target, predicted)
    unknown = sorted(set(intervals or ()) - {"mae", "pearson"})
    if unknown:
        raise MienError(f"Intervals of {unknown} are not shown: name them mae and pearson.")
    intervals = intervals or {}
    mae = with_interval(float(np.abs(predicted - target).mean()), intervals.get("mae"), 2)
    varied = len(target) > 1 and np.ptp(target) > 0 and np.ptp(predicted) > 0
    r = with_interval(float(np.corrcoef(target, predicted)[0, 1]), intervals.get("pearson")) if varied else "undefined"
    low = math.floor(min(target.min(), predicted.min()))
    high = math.ceil(max(target.max(), predicted.max()))
    low, high = min(low, high - _LEAST_YEARS), max(high, low + _LEAST_YEARS)
    step = max(1, math.ceil((high - low + 1) / _MOST_CELLS))
    edges = np.arange(low, high + step + 1, step) - 0.5  # whole ages stand in the middle of a year
    counts, _, _ = np.histogram2d(predicted, target, bins=(edges, edges))
    return _Density(edges, counts.astype(int), f"{with_n(title, len(target))}\nMAE {mae} years\nr {r}")
