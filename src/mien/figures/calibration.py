"""The reliability diagram: how often a prediction is right, by how confident it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mien.errors import MienError
from mien.figures.style import (
    COLORS,
    COLUMN_WIDTH,
    GREY,
    GRID,
    Interval,
    canvas,
    label_axes,
    legend_below,
    legend_height,
    require_columns,
    with_interval,
    with_n,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as MatplotlibFigure

_COLUMNS = ("low", "high", "n", "confidence", "accuracy")
_PANELS = (3, 1)  # relative heights: accuracy, number of predictions
_ACCURACY, _GAP, _IDEAL = "accuracy", "gap to confidence", "ideal"
_BAR_COLOR, _GAP_COLOR = COLORS[4], COLORS[1]


@dataclass(frozen=True)
class _Bins:
    """Bins (K,) that hold predictions, and the heading."""

    low: np.ndarray
    high: np.ndarray
    n: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray
    title: str

    @property
    def gaps(self) -> tuple[list[float | None], list[float | None]]:
        """Vertical strokes from each accuracy to the diagonal, as one broken line."""
        x = [value for mean in self.confidence.tolist() for value in (mean, mean, None)]
        pairs = zip(self.accuracy.tolist(), self.confidence.tolist(), strict=True)
        return x, [value for accuracy, mean in pairs for value in (accuracy, mean, None)]


def reliability_plot(
    bins: pd.DataFrame, error: float, title: str, *, interval: Interval | None = None, synthetic: bool = False
) -> MatplotlibFigure:
    """Reliability diagram, with the number of predictions in each bin beneath.

    A bar spans its bin and is as high as the accuracy in it. A dot stands at the bin's mean confidence; the stroke
    from it to the diagonal is the gap that the calibration error averages.

    Args:
        bins: one row per bin of confidence: its edges ``low`` and ``high``, ``n`` predictions, their mean
            ``confidence`` and ``accuracy``, all but n in 0 to 1. Bins with n of 0 stay blank.
        error: expected calibration error; stands in the title.
        title: n and the error are appended.
        interval: 95 % interval of the error.
        synthetic: say under the title that the faces are synthetic.

    Raises:
        MienError: a column is missing, no bin has a prediction, or a value is out of its range.

    Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017, Fig. 1.
    """
    from matplotlib.ticker import MaxNLocator

    shown = _filled(bins, error, title, interval)
    labels = [_ACCURACY, _GAP, _IDEAL]
    height = COLUMN_WIDTH + 0.5 + legend_height(labels)
    figure, (upper, lower) = canvas(COLUMN_WIDTH, height, shown.title, synthetic=synthetic, ratios=_PANELS)
    width = shown.high - shown.low
    outline: dict[str, Any] = {"align": "edge", "edgecolor": "white", "linewidth": 0.5}
    bars = upper.bar(shown.low, shown.accuracy, width, color=_BAR_COLOR, **outline)
    gaps = upper.vlines(shown.confidence, shown.accuracy, shown.confidence, color=_GAP_COLOR, linewidth=1.5)
    upper.plot(shown.confidence, shown.accuracy, "o", color=_GAP_COLOR, markersize=2.5)
    (ideal,) = upper.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=0.8)
    lower.bar(shown.low, shown.n, width, color=COLORS[0], **outline)
    upper.set(xlim=(0, 1), ylim=(0, 1.01))
    upper.grid(color=GRID, linewidth=0.4)
    upper.set_axisbelow(True)
    lower.yaxis.set_major_locator(MaxNLocator(nbins=3, integer=True))
    lower.yaxis.set_major_formatter("{x:,.0f}")
    label_axes(upper, y="accuracy")
    label_axes(lower, "confidence", "predictions")
    figure.align_ylabels([upper, lower])
    legend_below(figure, [bars, gaps, ideal], labels)
    return figure


def _filled(bins: pd.DataFrame, error: float, title: str, interval: Interval | None) -> _Bins:
    require_columns(bins, _COLUMNS, "The bins of confidence")
    filled = bins[bins["n"] > 0]
    if filled.empty:
        raise MienError(
            f"None of the {len(bins)} bins of confidence has a prediction: there is nothing to draw. "
            "Check that the predictions have rows."
        )
    shares = filled[["low", "high", "confidence", "accuracy"]].to_numpy(float)
    wrong = ~((shares >= 0) & (shares <= 1)).all(axis=1) | ~(shares[:, 0] < shares[:, 1])
    if wrong.any():
        row = int(wrong.argmax())
        raise MienError(
            f"Bin of confidence {filled.index[row]} has {dict(filled.iloc[row])}: give low below high, and confidence "
            "and accuracy from 0 to 1."
        )
    n = filled["n"].to_numpy()
    return _Bins(
        shares[:, 0],
        shares[:, 1],
        n,
        shares[:, 2],
        shares[:, 3],
        f"{with_n(title, int(n.sum()))}\nECE {with_interval(error, interval)}",
    )
