"""Figures of a run: confusion matrix, ROC curves, training curves.

Each exists twice, from the same numbers: ``*_figure`` is interactive (Plotly; kedro-viz and MLflow show it), ``*_plot``
is for a paper (matplotlib, one column wide, no type below 7 pt, 300 dots per inch). Where the faces are drawn ones,
both say so under the title, so that no picture of a demo passes for a result.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mien.metrics import roc_curve_points

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as MatplotlibFigure
    from plotly.graph_objects import Figure as PlotlyFigure

COLUMN_WIDTH = 3.5
"""Inches: a column of the two-column layouts of IEEE and CVF."""

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#7A6A00")
"""Okabe and Ito's palette for all kinds of colour vision, blue first; its yellow, too pale for a line, is darkened."""

_DASHES = (("-", "solid"), ("--", "dash"), ("-.", "dashdot"), (":", "dot"))  # matplotlib's and Plotly's names
_GREY = "#666666"
_TITLE_POINTS, _TEXT_POINTS = 8, 7
_MARKED_EPOCHS = 30  # more points than this run together


def confusion_matrix_figure(
    counts: np.ndarray, class_names: Sequence[str], title: str, *, synthetic: bool = False
) -> PlotlyFigure:
    """Interactive confusion matrix: colour is the share of the true class, cells hold percentage and count.

    Args:
        counts: (M, M) integers, true class in rows. A class without rows stays blank.
        class_names: the M names, in the order of the ids.
        title: n is appended.
        synthetic: say under the title that the faces are drawn.

    Raises:
        ValueError: ``counts`` is not a square of counts, all of them 0, or there is not one name per class.
    """
    import plotly.graph_objects as go

    percent = _row_percent(counts, class_names)
    text = [
        ["" if np.isnan(share) else f"{share:.1f} %<br>{count:,}" for share, count in zip(*row, strict=True)]
        for row in zip(percent, counts, strict=True)
    ]
    heatmap = go.Heatmap(
        z=percent.tolist(),
        x=list(class_names),
        y=list(class_names),
        text=text,
        texttemplate="%{text}",
        hovertemplate="true %{y}<br>predicted %{x}<br>%{text}<extra></extra>",
        colorscale="Blues",
        zmin=0,
        zmax=100,
        colorbar={"title": {"text": "% of true class"}, "thickness": 14, "outlinewidth": 0},
        hoverongaps=False,
    )
    figure = go.Figure(heatmap)
    figure.update_layout(**_layout(_with_n(title, counts.sum()), synthetic), width=740, height=680)
    figure.update_xaxes(title_text="predicted", constrain="domain", showgrid=False, ticks="")
    figure.update_yaxes(
        title_text="true", autorange="reversed", scaleanchor="x", constrain="domain", showgrid=False, ticks=""
    )
    return figure


def confusion_matrix_plot(
    counts: np.ndarray, class_names: Sequence[str], title: str, *, synthetic: bool = False
) -> MatplotlibFigure:
    """Printed confusion matrix; arguments and errors as in ``confusion_matrix_figure``.

    Cells hold the percentage of the true class above the count. More than eight classes make it wider than a column.
    """
    percent = _row_percent(counts, class_names)
    M = len(class_names)
    width = max(COLUMN_WIDTH, 0.35 * M + 0.7)  # below 0.35 inches a cell cuts off "1,145"
    figure, (axes,) = _canvas(width, width + 0.15, 1, _with_n(title, counts.sum()), synthetic)
    axes.imshow(np.nan_to_num(percent), cmap="Blues", vmin=0, vmax=100)
    for row, column in np.argwhere(~np.isnan(percent)):
        share = percent[row, column]
        color = "white" if share > 55 else "black" if share else _GREY
        cell = f"{share:.1f}\n{counts[row, column]:,}"
        axes.text(column, row, cell, ha="center", va="center", color=color, fontsize=_TEXT_POINTS, linespacing=1.15)
    axes.set_xticks(range(M), class_names, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(M), class_names)
    axes.set_xticks(np.arange(M - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(M - 1) + 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=0.8)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("predicted (cells: % of the true class, count)", fontsize=_TEXT_POINTS)
    axes.set_ylabel("true", fontsize=_TEXT_POINTS)
    return figure


def roc_figure(
    target: np.ndarray, scores: np.ndarray, class_names: Sequence[str], title: str, *, synthetic: bool = False
) -> PlotlyFigure:
    """Interactive ROC curves, each class against the rest, with the area under each in the legend.

    Args:
        target: (n,) true class ids, 0 to M - 1. A class of all or no rows has no curve, and the legend says so.
        scores: (n, M) probabilities.
        class_names: the M names, in the order of the ids.
        title: n is appended.
        synthetic: say under the title that the faces are drawn.

    Raises:
        ValueError: as ``mien.metrics.roc_curve_points``, or there is not one name per class.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    for label, (name, false_positive_rate, true_positive_rate) in enumerate(_roc_curves(target, scores, class_names)):
        line = {"color": COLORS[label % len(COLORS)], "dash": _DASHES[label % len(_DASHES)][1], "width": 2}
        hover = "false positive rate %{x:.3f}<br>true positive rate %{y:.3f}"
        figure.add_scatter(
            x=false_positive_rate, y=true_positive_rate, mode="lines", name=name, line=line, hovertemplate=hover
        )
    chance = {"color": _GREY, "dash": "dot", "width": 1}
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", name="0.500  chance", line=chance, hoverinfo="skip")
    figure.update_layout(**_layout(_with_n(title, len(target)), synthetic), width=760, height=640)
    figure.update_layout(legend={"title": {"text": "AUC, class against the rest"}})
    figure.update_xaxes(title_text="false positive rate", range=[-0.01, 1.01], constrain="domain")
    figure.update_yaxes(title_text="true positive rate", range=[-0.01, 1.01], scaleanchor="x", constrain="domain")
    return figure


def roc_plot(
    target: np.ndarray, scores: np.ndarray, class_names: Sequence[str], title: str, *, synthetic: bool = False
) -> MatplotlibFigure:
    """Printed ROC curves; arguments and errors as in ``roc_figure``."""
    figure, (axes,) = _canvas(COLUMN_WIDTH, COLUMN_WIDTH + 0.1, 1, _with_n(title, len(target)), synthetic)
    axes.plot([0, 1], [0, 1], color=_GREY, linewidth=0.7, linestyle=(0, (1, 2)), label="0.500  chance")
    for label, (name, false_positive_rate, true_positive_rate) in enumerate(_roc_curves(target, scores, class_names)):
        color, dash = COLORS[label % len(COLORS)], _DASHES[label % len(_DASHES)][0]
        axes.plot(false_positive_rate, true_positive_rate, color=color, linestyle=dash, linewidth=1.1, label=name)
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    axes.grid(color="#E5E5E5", linewidth=0.4)
    axes.set_xlabel("false positive rate", fontsize=_TEXT_POINTS)
    axes.set_ylabel("true positive rate", fontsize=_TEXT_POINTS)
    handles, labels = axes.get_legend_handles_labels()
    legend = axes.legend(
        [*handles[1:], handles[0]],
        [*labels[1:], labels[0]],
        title="AUC, class against the rest",
        loc="lower right",
        fontsize=_TEXT_POINTS,
        title_fontsize=_TEXT_POINTS,
        handlelength=2.6,
        labelspacing=0.3,
        edgecolor="none",
    )
    legend.set_alignment("left")
    return figure


def training_curves_figure(history: pd.DataFrame, title: str, *, synthetic: bool = False) -> PlotlyFigure:
    """Interactive training curves: one panel per quantity, train and val together, loss first, learning rate last.

    Args:
        history: one row per epoch; ``epoch``, columns ``train/<quantity>`` and ``val/<quantity>``, and ``lr`` where it
            is known. Other columns, and those without a number, are left out. Gaps stay gaps.
        title: of the figure.
        synthetic: say under the title that the faces are drawn.

    Raises:
        ValueError: no rows, no ``epoch``, or nothing to draw.
    """
    from plotly.subplots import make_subplots

    panels = _panels(history)
    figure = make_subplots(rows=len(panels), cols=1, shared_xaxes=True, vertical_spacing=0.04)
    named: set[str] = set()
    for row, (quantity, columns) in enumerate(panels.items(), start=1):
        for column in columns:
            split, color, (_, dash) = _curve_style(column)
            figure.add_scatter(
                x=history["epoch"].tolist(),
                y=history[column].tolist(),
                mode="lines+markers" if len(history) <= _MARKED_EPOCHS else "lines",
                name=split,
                legendgroup=split,
                showlegend=split in ("train", "val") and split not in named,
                line={"color": color, "dash": dash, "width": 2},
                marker={"size": 5},
                hovertemplate=f"{column} %{{y:.4g}}, epoch %{{x}}<extra></extra>",
                row=row,
                col=1,
            )
            named.add(split)
        figure.update_yaxes(
            title_text="<br>".join(_axis_label(quantity)), exponentformat="e", title_standoff=8, row=row, col=1
        )
    figure.update_layout(**_layout(title, synthetic), width=760, height=170 + 190 * len(panels))
    figure.update_xaxes(title_text="epoch", row=len(panels), col=1)
    return figure


def training_curves_plot(history: pd.DataFrame, title: str, *, synthetic: bool = False) -> MatplotlibFigure:
    """Printed training curves; arguments and errors as in ``training_curves_figure``."""
    from matplotlib.ticker import MaxNLocator

    panels = _panels(history)
    figure, all_axes = _canvas(COLUMN_WIDTH, 0.65 + 1.05 * len(panels), len(panels), title, synthetic)
    for axes, (quantity, columns) in zip(all_axes, panels.items(), strict=True):
        for column in columns:
            split, color, (dash, _) = _curve_style(column)
            marker = "o" if len(history) <= _MARKED_EPOCHS else ""
            axes.plot(
                history["epoch"], history[column], label=split, color=color, linestyle=dash, lw=1.1, marker=marker, ms=2
            )
        axes.set_ylabel("\n".join(_axis_label(quantity)), fontsize=_TEXT_POINTS)
        if quantity == "lr":
            axes.yaxis.set_major_formatter("{x:g}")  # the default puts a power of ten above the axis
        axes.grid(color="#E5E5E5", linewidth=0.4)
    # One legend for all panels, in the first: the splits keep their colours.
    labelled = {str(line.get_label()): line for axes in all_axes for line in axes.lines}
    curves = {split: labelled[split] for split in ("train", "val") if split in labelled}
    if curves:
        all_axes[0].legend(list(curves.values()), list(curves), fontsize=_TEXT_POINTS, frameon=False, handlelength=2.6)
    figure.align_ylabels(all_axes)
    all_axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    all_axes[-1].set_xlabel("epoch", fontsize=_TEXT_POINTS)
    return figure


def _row_percent(counts: np.ndarray, class_names: Sequence[str]) -> np.ndarray:
    """(M, M) percentages of each row's sum, NaN in the rows of absent classes."""
    M = len(class_names)
    if counts.shape != (M, M) or not np.issubdtype(counts.dtype, np.integer) or (counts < 0).any():
        raise ValueError(
            f"Confusion counts are {counts.dtype} of shape {counts.shape} for {M} class names: give integers, 0 or "
            f"more, of shape ({M}, {M}), as mien.metrics.confusion_counts returns."
        )
    rows = counts.sum(axis=1, keepdims=True)
    if not rows.any():
        raise ValueError("Confusion counts are all 0: there is nothing to draw. Check that the predictions have rows.")
    return np.where(rows > 0, 100 * counts / np.maximum(rows, 1), np.nan)


def _roc_curves(
    target: np.ndarray, scores: np.ndarray, class_names: Sequence[str]
) -> list[tuple[str, list[float], list[float]]]:
    """(legend text, false positive rates, true positive rates) per class."""
    from sklearn.metrics import auc

    if scores.ndim != 2 or len(class_names) != scores.shape[1]:
        raise ValueError(
            f"{len(class_names)} class names for scores of shape {scores.shape}: give one name per column."
        )
    curves: list[tuple[str, list[float], list[float]]] = []
    for label, name in enumerate(class_names):
        if not 0 < (target == label).sum() < len(target):
            curves.append((f"none   {name}", [np.nan], [np.nan]))  # a point nowhere: Plotly's legend drops empty lines
            continue
        x, y = roc_curve_points(target, scores, label)
        curves.append((f"{auc(x, y):.3f}  {name}", x.tolist(), y.tolist()))
    return curves


def _panels(history: pd.DataFrame) -> dict[str, list[str]]:
    """Columns to draw together, by quantity: loss first, the learning rate last."""
    if "epoch" not in history or history.empty:
        raise ValueError(
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
        raise ValueError(
            f"The history has nothing to draw in {list(history.columns)}: "
            "give columns such as `train/loss` and `val/accuracy`, or `lr`, with numbers in them."
        )
    return panels


def _curve_style(column: str) -> tuple[str, str, tuple[str, str]]:
    """(split, colour, dashes): told apart by both, so that grey prints read as well."""
    split = column.partition("/")[0]
    return {
        "train": (split, COLORS[0], _DASHES[1]),
        "val": (split, COLORS[1], _DASHES[0]),
    }.get(split, (split, COLORS[6], _DASHES[0]))


def _axis_label(quantity: str) -> list[str]:
    """Lines short enough to stand beside a panel."""
    return textwrap.wrap(quantity.replace("_", " "), 14)


def _with_n(title: str, n: int) -> str:
    return f"{title} (n = {n:,})"


def _layout(title: str, synthetic: bool) -> dict[str, Any]:
    heading: dict[str, Any] = {"text": title, "x": 0.5, "xanchor": "center", "font": {"size": 18}}
    if synthetic:
        heading["subtitle"] = {"text": "synthetic faces", "font": {"size": 14, "color": _GREY}}
    return {
        "title": heading,
        "template": "simple_white",
        "font": {"family": "Helvetica, Arial, DejaVu Sans, sans-serif", "size": 14},
        "margin": {"l": 80, "r": 30, "t": 90, "b": 70},
    }


def _canvas(
    width: float, height: float, num_panels: int, title: str, synthetic: bool
) -> tuple[MatplotlibFigure, list[Axes]]:
    """A figure of its own Agg canvas with stacked axes; pyplot, its global state and its windows stay out of it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=300, layout="constrained")
    FigureCanvasAgg(figure)
    lines = textwrap.wrap(title, int(width / 0.07))  # an 8 pt bold letter is about 0.07 inches wide
    # The blank line keeps the layout engine off the place of the smaller line below the title.
    figure.suptitle("\n".join([*lines, " "] if synthetic else lines), fontsize=_TITLE_POINTS, fontweight="bold")
    if synthetic:
        top = 0.98 - len(lines) * 1.25 * _TITLE_POINTS / 72 / height
        figure.text(0.5, top, "synthetic faces", ha="center", va="top", fontsize=_TEXT_POINTS, color=_GREY)
    stacked = figure.subplots(num_panels, 1, sharex=True, squeeze=False)[:, 0].tolist()
    for axes in stacked:
        axes.tick_params(labelsize=_TEXT_POINTS, width=0.6, length=2.5)
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[:].set_linewidth(0.6)
    return figure, stacked
