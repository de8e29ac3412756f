"""Points with intervals, one line each: scores of several models, or differences between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mien.errors import MienError
from mien.figures.style import (
    COLORS,
    COLUMN_WIDTH,
    GREY,
    GRID,
    TEXT_POINTS,
    canvas,
    label_axes,
    with_interval,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MatplotlibFigure

_NAME_LETTERS = 20  # of a line


@dataclass(frozen=True)
class _Points:
    """Values (K,), NaN where there is none, their bounds, and the words beside them."""

    names: list[str]
    values: np.ndarray
    lows: np.ndarray
    highs: np.ndarray
    texts: list[str]

    @property
    def limits(self) -> tuple[float, float]:
        """Where the axis begins and ends: a little beyond everything that is drawn."""
        drawn = np.concatenate([self.values, self.lows, self.highs])
        low, high = float(np.nanmin(drawn)), float(np.nanmax(drawn))
        room = 0.06 * (high - low) or 0.05
        return low - room, high + room


def intervals_plot(
    names: Sequence[str],
    values: Sequence[float | None],
    lows: Sequence[float | None],
    highs: Sequence[float | None],
    title: str,
    *,
    quantity: str,
    reference: float | None = None,
    synthetic: bool = False,
) -> MatplotlibFigure:
    """Points with intervals, the first on top, each with its numbers beside it.

    Args:
        names: K names.
        values: (K,); None where there is none: the name keeps its line.
        lows: (K,) lower bounds of the 95 % intervals; None where unknown.
        highs: (K,) upper bounds likewise.
        title: of the figure.
        quantity: what the values are, with its unit; the name of the axis.
        reference: where a line is drawn, as at 0 for differences; None for none.
        synthetic: say under the title that the faces are synthetic.

    Raises:
        MienError: not K of each, or no value at all.
    """
    shown = _points(names, values, lows, highs, quantity)
    lines = [wrapped(name, letters=_NAME_LETTERS) for name in shown.names]
    height = 0.8 + sum(max(0.2, 0.13 * (name.count("\n") + 1)) for name in lines)
    figure, (axes,) = canvas(COLUMN_WIDTH, height, title, synthetic=synthetic)
    places = np.arange(len(lines))
    if reference is not None:
        axes.axvline(reference, color=GREY, linewidth=0.7, linestyle=(0, (1, 2)))
    axes.hlines(places, shown.lows, shown.highs, color=COLORS[0], linewidth=1)
    axes.plot(shown.values, places, "o", color=COLORS[0], markersize=3.5)
    for place, text in zip(places, shown.texts, strict=True):
        axes.text(1.03, float(place), text, transform=axes.get_yaxis_transform(), va="center", fontsize=TEXT_POINTS)
    axes.set_yticks(places, lines)
    axes.set(xlim=_with(shown.limits, reference), ylim=(len(lines) - 0.5, -0.5))
    axes.tick_params(axis="y", length=0)
    axes.locator_params(axis="x", nbins=4)
    axes.grid(axis="x", color=GRID, linewidth=0.4)
    axes.set_axisbelow(True)
    label_axes(axes, quantity)
    return figure


def _with(limits: tuple[float, float], reference: float | None) -> tuple[float, float]:
    if reference is None:
        return limits
    room = 0.04 * (limits[1] - limits[0])
    return min(limits[0], reference - room), max(limits[1], reference + room)


def _points(
    names: Sequence[str],
    values: Sequence[float | None],
    lows: Sequence[float | None],
    highs: Sequence[float | None],
    quantity: str,
) -> _Points:
    K = len(names)
    if {len(values), len(lows), len(highs)} != {K}:
        raise MienError(
            f"Intervals of {K} names have {len(values)} values, {len(lows)} lower and {len(highs)} upper bounds: give "
            "one of each per name."
        )
    value, low, high = (np.array(each, float) for each in (values, lows, highs))
    if not np.isfinite(value).any():
        raise MienError(f"None of the {K} points of {quantity} has a value: there is nothing to draw.")
    texts = [
        with_interval(one, (lower, upper), 3) if np.isfinite(one) else "none"
        for one, lower, upper in zip(value, low, high, strict=True)
    ]
    return _Points(list(names), value, low, high, texts)
