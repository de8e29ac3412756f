"""Training curves: what was measured after each epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mien.errors import MienError
from mien.figures.style import (
    COLORS,
    COLUMN_WIDTH,
    DASHES,
    GRID,
    TEXT_POINTS,
    canvas,
    label_axes,
    wrapped,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as MatplotlibFigure

_MARKED_EPOCHS = 30  # more points than this run together
_LABEL_LETTERS = 14  # of a line that stands beside a panel


def training_curves_plot(history: pd.DataFrame, title: str, *, synthetic: bool = False) -> MatplotlibFigure:
    """Training curves: one panel per quantity, train and val together, loss first, learning rate last.

    Args:
        history: one row per epoch; ``epoch``, columns ``train/<quantity>`` and ``val/<quantity>``, and ``lr`` where it
            is known. Other columns, and those without a number, are left out. Gaps stay gaps.
        title: of the figure.
        synthetic: say under the title that the faces are synthetic.

    Raises:
        MienError: no rows, no ``epoch``, or nothing to draw.
    """
    from matplotlib.ticker import MaxNLocator

    panels = _panels(history)
    height, ratios = 0.65 + 1.05 * len(panels), [1] * len(panels)
    figure, all_axes = canvas(COLUMN_WIDTH, height, title, synthetic=synthetic, ratios=ratios)
    for axes, (quantity, columns) in zip(all_axes, panels.items(), strict=True):
        for column in columns:
            split, color, (dash, _) = _curve_style(column)
            marker = "o" if len(history) <= _MARKED_EPOCHS else ""
            axes.plot(
                history["epoch"], history[column], label=split, color=color, linestyle=dash, lw=1.1, marker=marker, ms=2
            )
        label_axes(axes, y=wrapped(quantity, letters=_LABEL_LETTERS))
        if quantity == "lr":
            axes.yaxis.set_major_formatter("{x:g}")  # the default puts a power of ten above the axis
        axes.grid(color=GRID, linewidth=0.4)
    # One legend for all panels, in the first: the splits keep their colours.
    labelled = {str(line.get_label()): line for axes in all_axes for line in axes.lines}
    curves = {split: labelled[split] for split in ("train", "val") if split in labelled}
    if curves:
        all_axes[0].legend(list(curves.values()), list(curves), fontsize=TEXT_POINTS, frameon=False, handlelength=2.6)
    figure.align_ylabels(all_axes)
    all_axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    label_axes(all_axes[-1], "epoch")
    return figure


def _panels(history: pd.DataFrame) -> dict[str, list[str]]:
    """Columns to draw together, by quantity: loss first, the learning rate last."""
    if "epoch" not in history or history.empty:
        raise MienError(
            f"The history has {len(history)} rows and the columns {list(history.columns)}: "
            "give `epoch`, one row per epoch."
        )
    panels: dict[str, list[str]] = {"loss": []}
    for column in history.columns:
        split, _, quantity = column.partition("/")
        if split in ("train", "val") and quantity and history[column].notna().any():
            panels.setdefault(quantity, []).append(column)
    if "lr" in history and history["lr"].notna().any():
        panels["lr"] = ["lr"]
    panels = {quantity: columns for quantity, columns in panels.items() if columns}
    if not panels:
        raise MienError(
            f"The history has nothing to draw in {list(history.columns)}: "
            "give columns such as `train/loss` and `val/accuracy`, or `lr`, with numbers in them."
        )
    return panels


def _curve_style(column: str) -> tuple[str, str, tuple[str, str]]:
    """(split, colour, dashes): distinguished by both, so that grey prints read as well."""
    split = column.partition("/")[0]
    return {
        "train": (split, COLORS[0], DASHES[1]),
        "val": (split, COLORS[1], DASHES[0]),
    }.get(split, (split, COLORS[6], DASHES[0]))
