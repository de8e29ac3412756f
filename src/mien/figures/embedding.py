"""A map of features: samples whose features are alike lie together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mien.errors import MienError
from mien.figures.style import (
    COLUMN_WIDTH,
    canvas,
    class_color,
    class_marker,
    class_sizes,
    layout,
    legend_below,
    legend_height,
    with_n,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as MatplotlibFigure
    from plotly.graph_objects import Figure as PlotlyFigure

MOST_POINTS = 2000
"""Points that a column of print can show, and that t-SNE places within half a minute on one core."""

_PERPLEXITY = 30  # of scikit-learn; a third of the points at the most, as its authors advise
_LEAST_POINTS = 4
_NAME_LETTERS = 28


def tsne_points(
    features: np.ndarray, *, seed: int, most: int = MOST_POINTS
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Place features in a plane by t-SNE.

    Of more than ``most`` samples, as many are drawn at random, so that the classes keep their shares on average. It
    runs on one core, so that the number of cores changes no digit and a busy machine does not slow it down.

    Args:
        features: (n, D) floats.
        seed: of the choice of samples and of t-SNE.
        most: points at the most, at least 4.

    Returns:
        ``points`` (k, 2) float32, k = min(n, most); ``rows`` (k,), the rows of ``features`` they are, in order; and
        ``left_out`` (n - k,), the others.

    Raises:
        MienError: fewer than four rows, wrong shape, values that are not finite, or ``most`` below 4.

    Source: van der Maaten and Hinton, JMLR 9, 2008, in scikit-learn's version: Barnes-Hut, begun from the two principal
        components.
    """
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    if features.ndim != 2 or len(features) < _LEAST_POINTS or not features.shape[1]:
        raise MienError(f"Features have shape {features.shape}: t-SNE needs (n, D), n at least {_LEAST_POINTS}.")
    if most < _LEAST_POINTS:
        raise MienError(f"most={most}: t-SNE needs at least {_LEAST_POINTS} points.")
    off = ~np.isfinite(features).all(axis=1)
    if off.any():
        raise MienError(
            f"Features are not finite in {off.sum()} of {len(off)} rows, the first is row {off.argmax()}: "
            "check the training's loss and the images."
        )
    n = len(features)
    rows = np.sort(np.random.default_rng(seed).choice(n, min(n, most), replace=False))
    perplexity = min(_PERPLEXITY, (len(rows) - 1) / 3)
    with threadpool_limits(1):
        points = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(features[rows])
    return points, rows, np.setdiff1d(np.arange(n), rows)


def embedding_plot(
    points: np.ndarray,
    labels: np.ndarray,
    class_names: Sequence[str],
    title: str,
    *,
    left_out: int = 0,
    synthetic: bool = False,
) -> MatplotlibFigure:
    """Map of samples, by class. Its axes have no unit: only who lies near whom says something.

    Args:
        points: (n, 2) places, as of ``tsne_points``.
        labels: (n,) class ids, 0 to M - 1.
        class_names: the M names, in the order of the ids. A class without points stays in the legend.
        title: n is appended, and of how many samples the points were chosen where some were left out.
        left_out: number of samples that are not shown.
        synthetic: say under the title that the faces are synthetic.

    Raises:
        MienError: no points, not one label per point, or a label without a name.
    """
    legend, order, heading = _described(points, labels, class_names, title, left_out)
    height = COLUMN_WIDTH + legend_height(legend)
    figure, (axes,) = canvas(COLUMN_WIDTH, height, heading, synthetic=synthetic)
    handles = draw_points(axes, points, labels, order)
    legend_below(figure, handles, legend, handle_width=1)
    return figure


def embedding_figure(
    points: np.ndarray,
    labels: np.ndarray,
    class_names: Sequence[str],
    title: str,
    *,
    left_out: int = 0,
    synthetic: bool = False,
    sample_ids: Sequence[str] = (),
) -> PlotlyFigure:
    """Interactive map of samples, by class; arguments and errors as in ``embedding_plot``.

    Beside them ``sample_ids``, (n,), are what a point is called where the mouse is over it; none where empty.
    """
    import plotly.graph_objects as go

    legend, order, heading = _described(points, labels, class_names, title, left_out)
    figure, ids = go.Figure(), np.asarray(sample_ids, object)
    for label, name in enumerate(legend):
        x, y = points[labels == label].T.tolist() if (labels == label).any() else ([None], [None])
        marker = {"color": class_color(label), "symbol": class_marker(label)[1], "size": 6, "opacity": 0.8}
        figure.add_scatter(
            x=x,
            y=y,
            mode="markers",
            name=name.replace("\n", "<br>"),
            marker=marker,
            zorder=order[label],
            customdata=ids[labels == label].tolist() if len(ids) else None,
        )
    hover = "%{customdata}<br>" if len(ids) else ""
    figure.update_traces(hovertemplate=f"{hover}%{{fullData.name}}<extra></extra>")
    figure.update_layout(**layout(heading, synthetic), width=860, height=700)
    bare = {"showticklabels": False, "ticks": "", "mirror": True}
    figure.update_layout(legend={"itemsizing": "constant"}, xaxis=bare, yaxis={**bare, "scaleanchor": "x"})
    return figure


def draw_points(axes: Axes, points: np.ndarray, labels: np.ndarray, order: Sequence[int]) -> list[Any]:
    """Draw a map of samples into a printed panel.

    Args:
        axes: The panel.
        points: (n, 2) places.
        labels: (n,) class ids.
        order: Of each class, from bottom to top.

    Returns:
        What stands for each class in a legend.
    """
    from matplotlib.lines import Line2D

    size = float(np.clip(40 / np.sqrt(len(points)), 1.5, 5))
    handles = []
    for label, place in enumerate(order):
        marker, color = class_marker(label)[0], class_color(label)
        style: dict[str, Any] = {"marker": marker, "color": color, "linestyle": "none", "mew": 0}
        axes.plot(*points[labels == label].T, markersize=size, alpha=0.8, zorder=2 + place / 100, **style)
        handles.append(Line2D([], [], markersize=5, **style))
    axes.set(xticks=[], yticks=[])
    axes.set_aspect("equal", adjustable="datalim")
    axes.spines[:].set_visible(True)
    return handles


def _described(
    points: np.ndarray, labels: np.ndarray, class_names: Sequence[str], title: str, left_out: int
) -> tuple[list[str], list[int], str]:
    """Names with the number of points of each class, its place from bottom to top, and the title."""
    if points.ndim != 2 or points.shape[1] != 2 or not len(points) or labels.shape != (len(points),):
        raise MienError(f"Points have shape {points.shape}, labels {labels.shape}: give (n, 2) and (n,), n at least 1.")
    sizes = class_sizes(labels, len(class_names))
    legend = [
        f"{wrapped(name, letters=_NAME_LETTERS)} ({size:,})" for name, size in zip(class_names, sizes, strict=True)
    ]
    order = np.argsort(np.argsort(-np.array(sizes), kind="stable")).tolist()  # the rarest on top, where they are seen
    if not left_out:
        return legend, order, with_n(title, len(points))
    return legend, order, f"{title} ({len(points):,} of {len(points) + left_out:,})"
