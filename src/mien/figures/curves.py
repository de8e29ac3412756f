"""ROC and precision-recall curves, each class against the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mien.errors import MienError
from mien.figures.style import (
    COLUMN_WIDTH,
    GREY,
    GRID,
    Interval,
    canvas,
    class_color,
    class_dash,
    class_sizes,
    label_axes,
    layout,
    legend_below,
    legend_height,
    with_interval,
    with_n,
    wrapped,
)
from mien.metrics import precision_recall_points, roc_curve_points

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MatplotlibFigure
    from plotly.graph_objects import Figure as PlotlyFigure

MACRO_AVERAGE = "macro average"
"""Key of the macro average's interval beside those of the classes."""

_NAME_LETTERS = 28  # of a class name in a line of the legend


@dataclass(frozen=True)
class _Kind:
    """What tells the two kinds of curve apart."""

    area: str
    x: str
    y: str
    points: Callable[[np.ndarray, np.ndarray, int], tuple[np.ndarray, np.ndarray, float, np.ndarray]]
    needs_others: bool  # rows of other classes, without which a rate is 0/0
    chance: str | None


@dataclass(frozen=True)
class _Curve:
    """One class: points (P,) of its curve, what the legend says, and of ROC curves the thresholds of the points."""

    x: list[float]
    y: list[float]
    legend: str
    thresholds: list[float]


@dataclass(frozen=True)
class _Curves:
    """All that a figure shows."""

    kind: _Kind
    curves: list[_Curve]
    heading: str
    title: str


def roc_plot(
    target: np.ndarray,
    scores: np.ndarray,
    class_names: Sequence[str],
    title: str,
    *,
    intervals: Mapping[str, Interval] | None = None,
    synthetic: bool = False,
) -> MatplotlibFigure:
    """ROC curves, each class against the rest, with the area under each in the legend.

    Args:
        target: (n,) true class ids, 0 to M - 1. A class of all or no rows has no curve, and the legend says so.
        scores: (n, M) probabilities.
        class_names: the M names, in the order of the ids.
        title: n is appended.
        intervals: 95 % interval of the area by class name, and by ``MACRO_AVERAGE`` of the mean over the classes that
            have a curve; those that are missing are not mentioned.
        synthetic: say under the title that the faces are synthetic.

    Raises:
        MienError: as ``mien.metrics.roc_curve_points``, there is not one name per class, or an interval is of another
            class.
    """
    return _plot(_measured(_ROC, target, scores, class_names, intervals, title), synthetic)


def roc_figure(
    target: np.ndarray,
    scores: np.ndarray,
    class_names: Sequence[str],
    title: str,
    *,
    intervals: Mapping[str, Interval] | None = None,
    synthetic: bool = False,
) -> PlotlyFigure:
    """Interactive ROC curves, whose points have their thresholds; arguments and errors as in ``roc_plot``."""
    return _figure(_measured(_ROC, target, scores, class_names, intervals, title), synthetic)


def precision_recall_plot(
    target: np.ndarray,
    scores: np.ndarray,
    class_names: Sequence[str],
    title: str,
    *,
    intervals: Mapping[str, Interval] | None = None,
    synthetic: bool = False,
) -> MatplotlibFigure:
    """Precision-recall curves, each class against the rest, with the average precision in the legend.

    The curves are steps, whose area is the average precision. At recall 1 each comes down to the class's share of the
    rows, which is what chance reaches.

    Args:
        target: (n,) true class ids, 0 to M - 1. A class without rows has no curve, and the legend says so.
        scores: (n, M) probabilities.
        class_names: the M names, in the order of the ids.
        title: n is appended.
        intervals: as in ``roc_plot``, of the average precision.
        synthetic: say under the title that the faces are synthetic.

    Raises:
        MienError: as ``roc_plot``.
    """
    return _plot(_measured(_PRECISION_RECALL, target, scores, class_names, intervals, title), synthetic)


def _roc_points(target: np.ndarray, scores: np.ndarray, label: int) -> tuple[np.ndarray, np.ndarray, float, np.ndarray]:
    from sklearn.metrics import auc

    x, y, thresholds = roc_curve_points(target, scores, label)
    return x, y, auc(x, y), thresholds


def _precision_recall_corners(
    target: np.ndarray, scores: np.ndarray, label: int
) -> tuple[np.ndarray, np.ndarray, float, np.ndarray]:
    """Corners of the steps from recall 0 to 1, the average precision, and no thresholds."""
    recall, precision = precision_recall_points(target, scores, label)
    steps = recall > 0  # at recall 0 the curve has no width, and its precision is a convention
    recall, precision = np.concatenate([[0], recall[steps]]), precision[steps]
    return np.repeat(recall, 2)[1:-1], np.repeat(precision, 2), float(np.diff(recall) @ precision), np.zeros(0)


_ROC = _Kind("AUC", "false positive rate", "true positive rate", _roc_points, True, "0.500  chance")
_PRECISION_RECALL = _Kind("AP", "recall", "precision", _precision_recall_corners, False, None)


def _measured(
    kind: _Kind,
    target: np.ndarray,
    scores: np.ndarray,
    class_names: Sequence[str],
    intervals: Mapping[str, Interval] | None,
    title: str,
) -> _Curves:
    _check(scores, class_names, intervals)
    intervals = intervals or {}
    curves, areas = [], []
    for label, (name, n) in enumerate(zip(class_names, class_sizes(target, len(class_names)), strict=True)):
        named = f"{wrapped(name, letters=_NAME_LETTERS)} ({n:,})"
        if n == 0 or (kind.needs_others and n == len(target)):
            curves.append(
                _Curve([np.nan], [np.nan], f"none   {named}", [])
            )  # a point nowhere: Plotly drops empty lines
            continue
        x, y, area, thresholds = kind.points(target, scores, label)
        areas.append(area)
        legend = f"{with_interval(area, intervals.get(name))}  {named}"
        curves.append(_Curve(x.tolist(), y.tolist(), legend, thresholds.tolist()))
    mean = with_interval(float(np.mean(areas)), intervals.get(MACRO_AVERAGE)) if areas else "none"
    bounds = " [95 % interval]" if "[" in mean + "".join(curve.legend for curve in curves) else ""
    heading = f"{kind.area}{bounds}, class against the rest (n)\n{mean}  {MACRO_AVERAGE}"
    return _Curves(kind, curves, heading, with_n(title, len(target)))


def _check(scores: np.ndarray, class_names: Sequence[str], intervals: Mapping[str, Interval] | None) -> None:
    if scores.ndim != 2 or len(class_names) != scores.shape[1]:
        raise MienError(f"{len(class_names)} class names for scores of shape {scores.shape}: give one name per column.")
    unknown = sorted(set(intervals or ()) - {*class_names, MACRO_AVERAGE})
    if unknown:
        raise MienError(
            f"Intervals of {unknown}, which are no classes: the classes are {list(class_names)}; the mean's key is "
            f"{MACRO_AVERAGE!r}."
        )


def _figure(shown: _Curves, synthetic: bool) -> PlotlyFigure:
    import plotly.graph_objects as go

    figure = go.Figure()
    for label, curve in enumerate(shown.curves):
        figure.add_scatter(
            x=curve.x,
            y=curve.y,
            mode="lines",
            name=curve.legend.replace("\n", "<br>"),
            line={"color": class_color(label), "dash": class_dash(label)[1], "width": 2},
            customdata=[f"score ≥ {each:.3f}" if np.isfinite(each) else "no row" for each in curve.thresholds],
            hovertemplate=f"%{{customdata}}<br>{shown.kind.x} %{{x:.3f}}<br>{shown.kind.y} %{{y:.3f}}",
        )
    if shown.kind.chance:
        chance: dict[str, Any] = {"color": GREY, "dash": "dot", "width": 1}
        figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", name=shown.kind.chance, line=chance, hoverinfo="skip")
    figure.update_layout(**layout(shown.title, synthetic), width=900, height=640)
    figure.update_layout(legend={"title": {"text": shown.heading.replace("\n", "<br>"), "font": {"size": 14}}})
    figure.update_xaxes(title_text=shown.kind.x, range=[-0.01, 1.01], constrain="domain")
    figure.update_yaxes(title_text=shown.kind.y, range=[-0.01, 1.01], scaleanchor="x", constrain="domain")
    return figure


def _plot(shown: _Curves, synthetic: bool) -> MatplotlibFigure:
    labels = [curve.legend for curve in shown.curves] + ([shown.kind.chance] if shown.kind.chance else [])
    height = COLUMN_WIDTH + legend_height(labels, shown.heading)
    figure, (axes,) = canvas(COLUMN_WIDTH, height, shown.title, synthetic=synthetic)
    for label, curve in enumerate(shown.curves):
        color, (dash, _) = class_color(label), class_dash(label)
        axes.plot(curve.x, curve.y, color=color, linestyle=dash, linewidth=1.1)
    if shown.kind.chance:
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.7, linestyle=(0, (1, 2)), zorder=1)
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    axes.grid(color=GRID, linewidth=0.4)
    label_axes(axes, shown.kind.x, shown.kind.y)
    legend_below(figure, axes.lines, labels, shown.heading)
    return figure
