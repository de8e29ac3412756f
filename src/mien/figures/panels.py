"""Printed figures of several runs side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mien.errors import MienError
from mien.figures.confusion import draw_matrix, matrix_width
from mien.figures.embedding import draw_points
from mien.figures.style import (
    COLUMN_WIDTH,
    SYNTHETIC,
    TEXT_POINTS,
    TITLE_POINTS,
    class_sizes,
    legend_below,
    legend_height,
    with_n,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as MatplotlibFigure

ABREAST = 2
"""Panels side by side: a page has two columns."""


@dataclass(frozen=True)
class MatrixPanel:
    """The confusion matrix of one run.

    Attributes:
        title: Above the panel; n is appended.
        counts: (M, M) integers, true class in rows; None where there is no run.
        class_names: The M names.
        synthetic: The faces are synthetic.
    """

    title: str
    counts: np.ndarray | None
    class_names: Sequence[str] = ()
    synthetic: bool = False


@dataclass(frozen=True)
class MapPanel:
    """The features of one run's test samples in a plane.

    Attributes:
        title: Above the panel; n is appended.
        points: (n, 2) places, as of ``tsne_points``; None where there is no run.
        labels: (n,) class ids.
        class_names: The M names.
        synthetic: The faces are synthetic.
    """

    title: str
    points: np.ndarray | None
    labels: np.ndarray | None = None
    class_names: Sequence[str] = ()
    synthetic: bool = False


def confusion_panels(panels: Sequence[MatrixPanel], title: str, missing: str) -> MatplotlibFigure:
    """Confusion matrices of several runs, two columns wide.

    Args:
        panels: One per run, at least one.
        title: Of the figure.
        missing: What stands in a panel without a run.

    Raises:
        MienError: As ``confusion_matrix_plot``.
    """
    side = max(matrix_width(panel.class_names) if panel.class_names else COLUMN_WIDTH for panel in panels)
    figure, all_axes = _page(panels, title, side, side + 0.15)
    for axes, panel in zip(all_axes, panels, strict=True):
        if panel.counts is None:
            _say(axes, panel.title, missing)
        else:
            _head(axes, with_n(panel.title, int(panel.counts.sum())), panel.synthetic)
            draw_matrix(axes, panel.counts, panel.class_names)
    return figure


def embedding_panels(panels: Sequence[MapPanel], title: str, missing: str) -> MatplotlibFigure:
    """Maps of the features of several runs, two columns wide, with one legend.

    Args:
        panels: One per run, at least one, of the same classes.
        title: Of the figure.
        missing: What stands in a panel without a run.

    Raises:
        MienError: The runs have different classes, or points and labels do not pair off.
    """
    known = list(dict.fromkeys(tuple(panel.class_names) for panel in panels if panel.points is not None))
    if len(known) > 1:
        raise MienError(
            f"Runs of one figure of feature maps have {len(known)} sets of classes: {known}. Draw runs on one dataset."
        )
    legend = [name.replace("_", " ") for name in known[0]] if known else []
    figure, all_axes = _page(panels, title, COLUMN_WIDTH, COLUMN_WIDTH, legend_height(legend) if legend else 0)
    handles = []
    for axes, panel in zip(all_axes, panels, strict=True):
        if panel.points is None or panel.labels is None:
            _say(axes, panel.title, missing)
            continue
        if panel.points.shape != (len(panel.labels), 2):
            raise MienError(f"{panel.title}: points of shape {panel.points.shape} for {len(panel.labels)} labels.")
        _head(axes, with_n(panel.title, len(panel.points)), panel.synthetic)
        sizes = class_sizes(panel.labels, len(panel.class_names))
        order = np.argsort(np.argsort(-np.array(sizes), kind="stable")).tolist()
        handles = draw_points(axes, panel.points, panel.labels, order)
    if handles:
        legend_below(figure, handles, legend, handle_width=1)
    return figure


def _page(
    panels: Sequence[MatrixPanel] | Sequence[MapPanel], title: str, width: float, height: float, below: float = 0
) -> tuple[MatplotlibFigure, list[Axes]]:
    """A page with as many panels, ``ABREAST`` in a row, each of a size in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    abreast = min(ABREAST, len(panels))
    rows = math.ceil(len(panels) / abreast)
    figure = Figure(figsize=(abreast * width, 0.3 + rows * (height + 0.25) + below), dpi=300, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=TITLE_POINTS + 1, fontweight="bold")
    every = figure.subplots(rows, abreast, squeeze=False).ravel().tolist()
    for axes in every[len(panels) :]:
        axes.set_axis_off()
    for axes in every[: len(panels)]:
        axes.tick_params(labelsize=TEXT_POINTS, width=0.6, length=2.5)
        axes.spines[:].set_linewidth(0.6)
    return figure, every[: len(panels)]


def _head(axes: Axes, title: str, synthetic: bool) -> None:
    axes.set_title(f"{title}, {SYNTHETIC}" if synthetic else title, fontsize=TITLE_POINTS)


def _say(axes: Axes, title: str, text: str) -> None:
    _head(axes, title, synthetic=False)
    axes.set(xticks=[], yticks=[])
    axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes, fontsize=TEXT_POINTS)
