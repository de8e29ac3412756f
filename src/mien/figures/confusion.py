"""The confusion matrix: shares of the true class as colour, with the counts they are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mien.errors import MienError
from mien.figures.style import (
    COLUMN_WIDTH,
    GREY,
    TEXT_POINTS,
    canvas,
    label_axes,
    text_width,
    with_n,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as MatplotlibFigure


def confusion_matrix_plot(
    counts: np.ndarray, class_names: Sequence[str], title: str, *, synthetic: bool = False
) -> MatplotlibFigure:
    """Confusion matrix: colour is the share of the true class, cells hold percentage and count.

    Args:
        counts: (M, M) integers, true class in rows. A class without rows stays blank.
        class_names: the M names, in the order of the ids.
        title: n is appended.
        synthetic: say under the title that the faces are synthetic.

    Raises:
        MienError: ``counts`` is not a square of counts, all of them 0, or there is not one name per class.
    """
    width = matrix_width(class_names)
    figure, (axes,) = canvas(width, width + 0.15, with_n(title, counts.sum()), synthetic=synthetic)
    draw_matrix(axes, counts, class_names)
    return figure


def matrix_width(class_names: Sequence[str]) -> float:
    """Inches that a printed matrix takes, at least a column."""
    beside = 0.28 + text_width([wrapped(name) for name in class_names])
    return max(COLUMN_WIDTH, 0.35 * len(class_names) + beside)  # below 0.35 inches a cell cuts off "1,145"


def draw_matrix(axes: Axes, counts: np.ndarray, class_names: Sequence[str]) -> None:
    """Draw a confusion matrix into a printed panel; errors as in ``confusion_matrix_plot``."""
    percent = _row_percent(counts, class_names)
    M = len(class_names)
    names = [wrapped(name) for name in class_names]
    axes.imshow(percent, cmap="Blues", vmin=0, vmax=100)
    for row, column in np.argwhere(~np.isnan(percent)):
        share = percent[row, column]
        color = "white" if share > 55 else "black" if share else GREY
        cell = f"{share:.1f}\n{counts[row, column]:,}"
        axes.text(column, row, cell, ha="center", va="center", color=color, fontsize=TEXT_POINTS, linespacing=1.15)
    if any("\n" in name for name in names):  # two slanted lines run into those of the neighbours
        axes.set_xticks(range(M), names, rotation=90)
    else:
        axes.set_xticks(range(M), names, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(M), names)
    axes.set_xticks(np.arange(M - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(M - 1) + 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=0.8)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
    label_axes(axes, "predicted (cells: % of the true class, count)", "true")


def _row_percent(counts: np.ndarray, class_names: Sequence[str]) -> np.ndarray:
    """(M, M) percentages of each row's sum, NaN in the rows of absent classes."""
    M = len(class_names)
    if counts.shape != (M, M) or not np.issubdtype(counts.dtype, np.integer) or (counts < 0).any():
        raise MienError(
            f"Confusion counts are {counts.dtype} of shape {counts.shape} for {M} class names: give integers, 0 or "
            f"more, of shape ({M}, {M}), as mien.metrics.confusion_counts returns."
        )
    rows = counts.sum(axis=1, keepdims=True)
    if not rows.any():
        raise MienError("Confusion counts are all 0: there is nothing to draw. Check that the predictions have rows.")
    return np.where(rows > 0, 100 * counts / np.maximum(rows, 1), np.nan)
