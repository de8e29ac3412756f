"""Bars with intervals: one value per class, or per group of people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mien.errors import MienError
from mien.figures.style import (
    COLORS,
    COLUMN_WIDTH,
    GRID,
    TEXT_POINTS,
    canvas,
    label_axes,
    with_interval,
    with_n,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MatplotlibFigure

_NAME_LETTERS = 18  # of a line with name and n
_BAR_COLOR, _INTERVAL_COLOR = COLORS[4], "#000000"


@dataclass(frozen=True)
class _Bars:
    """Values (K,), NaN where there is none, their bounds, NaN where unknown, and the words beside them."""

    names: list[str]
    values: np.ndarray
    lows: np.ndarray
    highs: np.ndarray
    texts: list[str]
    heading: str
    title: str

    @property
    def bounded(self) -> np.ndarray:
        """(K,) whether the interval is known."""
        return np.isfinite(self.values) & np.isfinite(self.lows) & np.isfinite(self.highs)

    @property
    def strokes(self) -> dict[str, list[float | None]]:
        """The intervals as one broken line: ``x``, and ``y``, the bar's place."""
        places = np.flatnonzero(self.bounded).tolist()
        x = [value for place in places for value in (float(self.lows[place]), float(self.highs[place]), None)]
        return {"x": x, "y": [value for place in places for value in (place, place, None)]}


def class_bars_plot(
    class_names: Sequence[str],
    values: Sequence[float | None] | np.ndarray,
    lows: Sequence[float | None] | np.ndarray,
    highs: Sequence[float | None] | np.ndarray,
    n: Sequence[int] | np.ndarray,
    title: str,
    *,
    quantity: str = "recall",
    limit: float | None = 1.0,
    total: int | None = None,
    synthetic: bool = False,
) -> MatplotlibFigure:
    """Horizontal bars, the first on top, each with its interval, value and n.

    Args:
        class_names: K names of classes or groups.
        values: (K,); None or NaN where there is none: a class without rows keeps its line.
        lows: (K,) lower bounds of the 95 % intervals; None or NaN where unknown.
        highs: (K,) upper bounds likewise.
        n: (K,) rows of each.
        title: the sum of n, or ``total``, is appended.
        quantity: what the values are, with its unit; the name of the axis.
        limit: the largest value possible, where the axis ends; None lets it end above the largest bound.
        total: samples in all, where bars share them.
        synthetic: say under the title that the faces are synthetic.

    Raises:
        MienError: not K of each, no value at all, a value out of range, or a lower bound above its upper one.
    """
    shown = _bars(class_names, values, lows, highs, n, title, quantity, limit, total)
    names = [wrapped(name, letters=_NAME_LETTERS) for name in shown.names]
    rows = sum(max(0.22, 0.14 * (name.count("\n") + 1)) for name in names)
    height = 0.9 + max(rows, 0.7)  # a bar alone leaves no room for a title of two lines and the note on synthetic faces
    figure, (axes,) = canvas(COLUMN_WIDTH, height, shown.title, synthetic=synthetic)
    places = np.arange(len(names))
    axes.barh(places, np.nan_to_num(shown.values), height=0.7, color=_BAR_COLOR)
    known = shown.bounded
    axes.hlines(places[known], shown.lows[known], shown.highs[known], color=_INTERVAL_COLOR, linewidth=1)
    for bounds in (shown.lows, shown.highs):
        axes.plot(bounds[known], places[known], "|", color=_INTERVAL_COLOR, markersize=4, markeredgewidth=1)
    for place, text in zip([-1, *places], [shown.heading, *shown.texts], strict=True):
        axes.text(1.03, place, text, transform=axes.get_yaxis_transform(), va="center", fontsize=TEXT_POINTS)
    axes.set_yticks(places, names)
    axes.set(xlim=(0, _end(shown, limit)), ylim=(len(names) - 0.5, -0.5))
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=GRID, linewidth=0.4)
    axes.set_axisbelow(True)
    label_axes(axes, quantity)
    return figure


def _bars(
    class_names: Sequence[str],
    values: Sequence[float | None] | np.ndarray,
    lows: Sequence[float | None] | np.ndarray,
    highs: Sequence[float | None] | np.ndarray,
    n: Sequence[int] | np.ndarray,
    title: str,
    quantity: str,
    limit: float | None,
    total: int | None,
) -> _Bars:
    K = len(class_names)
    numbers = {"values": values, "lows": lows, "highs": highs, "n": n}
    lengths = {name: len(given) for name, given in numbers.items()}
    if set(lengths.values()) != {K}:
        raise MienError(f"Bars of {K} names have {lengths}: give one of each per name.")
    height, low, high = (np.array(numbers[name], float) for name in ("values", "lows", "highs"))
    if not np.isfinite(height).any():
        raise MienError(f"None of the {K} bars of {quantity} has a value: there is nothing to draw. Check the metrics.")
    top = np.inf if limit is None else limit
    wrong = (height < 0) | (height > top) | (low > high) | (low < 0) | (high > top)
    if wrong.any():
        k = int(wrong.argmax())
        raise MienError(
            f"The bar of {class_names[k]} is {height[k]} in [{low[k]}, {high[k]}]: give a value from 0 to {top} and "
            "bounds likewise, the lower one first."
        )
    digits = 2 if limit is None else 3
    texts = [
        with_interval(value, (lower, upper), digits) if np.isfinite(value) else "none"
        for value, lower, upper in zip(height, low, high, strict=True)
    ]
    named = [f"{name} ({int(size):,})" for name, size in zip(class_names, n, strict=True)]
    heading = "[95 % interval]" if any("[" in text for text in texts) else ""
    return _Bars(named, height, low, high, texts, heading, with_n(title, int(np.sum(n)) if total is None else total))


def _end(shown: _Bars, limit: float | None) -> float:
    """Where the axis ends."""
    return limit or 1.05 * (float(np.nanmax(np.stack([shown.values, shown.highs]))) or 1)
