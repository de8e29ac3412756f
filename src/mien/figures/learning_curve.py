"""Scores against the size of the training set, one line per model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mien.figures.style import (
    COLUMN_WIDTH,
    GRID,
    canvas,
    class_color,
    class_dash,
    class_marker,
    label_axes,
    legend_below,
    legend_height,
    require_columns,
    with_n,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as MatplotlibFigure

COLUMNS = ("name", "size", "n", "value", "low", "high")
"""What the table of a curve has: name of the model, training size, test samples, value and its 95 % interval."""

NOTHING = "none was requested"


def learning_curve_plot(
    curve: pd.DataFrame, title: str, *, size: str, quantity: str, synthetic: bool = False
) -> MatplotlibFigure:
    """Curves, each point with its interval.

    Args:
        curve: ``COLUMNS``, one row per model and size; without rows the figure says so.
        title: the number of test samples is appended.
        size: what the sizes count; the name of the abscissa.
        quantity: what the values are, with their unit.
        synthetic: say under the title that the faces are synthetic.

    Raises:
        MienError: a column is missing.
    """
    require_columns(curve, COLUMNS, "The rows of a learning curve")
    names = [str(name) for name in curve["name"].unique()]
    height = 2.4 + (legend_height(names) if names else 0)
    figure, (axes,) = canvas(COLUMN_WIDTH, height, _title(curve, title), synthetic=synthetic)
    handles = []
    for number, name in enumerate(names):
        rows = curve[curve["name"] == name].sort_values("size")
        bounds = [rows["value"] - rows["low"], rows["high"] - rows["value"]]
        handles.append(
            axes.errorbar(
                rows["size"] + 0.15 * (number - (len(names) - 1) / 2),  # beside each other, so that strokes are seen
                rows["value"],
                yerr=bounds,
                color=class_color(number),
                linestyle=class_dash(number)[0],
                marker=class_marker(number)[0],
                markersize=3,
                linewidth=1.1,
                elinewidth=0.6,
                capsize=1.5,
            )
        )
    label_axes(axes, size, quantity)
    axes.grid(color=GRID, linewidth=0.4)
    if names:
        legend_below(figure, handles, names)
    return figure


def _title(curve: pd.DataFrame, title: str) -> str:
    return f"{title}: {NOTHING}" if curve.empty else with_n(title, int(curve["n"].max()))
