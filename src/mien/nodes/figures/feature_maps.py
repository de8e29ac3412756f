"""Feature maps of a few samples: what a network makes of each image, and of their comparison."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mien.nodes.figures.style import GREY, TEXT_POINTS, canvas, layout

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MatplotlibFigure
    from plotly.graph_objects import Figure as PlotlyFigure

PAGE_WIDTH = 7.0
"""Inches: both columns of the two-column layouts of IEEE and CVF."""


def feature_maps_figure(
    maps: np.ndarray, row_names: Sequence[str], column_names: Sequence[str], title: str, *, synthetic: bool = False
) -> PlotlyFigure:
    """Interactive table of grey pictures.

    Args:
        maps: (R, K, H, W), each scaled by itself from its least to its largest value.
        row_names: of the R rows.
        column_names: of the K columns.
        title: of the figure.
        synthetic: say under the title that the faces are drawn.

    Raises:
        ValueError: not one name per row and column, or no map.
    """
    from plotly.subplots import make_subplots

    _check(maps, row_names, column_names)
    R, K = maps.shape[:2]
    figure = make_subplots(
        rows=R, cols=K, column_titles=list(column_names), horizontal_spacing=0.005, vertical_spacing=0.01
    )
    for row in range(R):
        for column in range(K):
            picture = maps[row, column]
            figure.add_heatmap(
                z=picture.tolist(),
                colorscale="gray",
                showscale=False,
                hovertemplate=f"{row_names[row]}, {column_names[column]}<br>%{{z:.3f}}<extra></extra>",
                row=row + 1,
                col=column + 1,
            )
    nothing: dict[str, Any] = {"visible": True, "showticklabels": False, "ticks": "", "showline": False}
    figure.update_xaxes(**nothing)
    figure.update_yaxes(**nothing, autorange="reversed")
    for row, name in enumerate(row_names):
        figure.update_yaxes(title_text=name.replace("\n", "<br>"), title_font={"size": 11}, row=row + 1, col=1)
    figure.update_layout(**layout(title, synthetic), width=130 + 68 * K, height=150 + 68 * R)
    figure.update_annotations(font_size=11)
    return figure


def feature_maps_plot(
    maps: np.ndarray, row_names: Sequence[str], column_names: Sequence[str], title: str, *, synthetic: bool = False
) -> MatplotlibFigure:
    """Printed table of grey pictures, two columns wide; arguments and errors as in ``feature_maps_figure``."""
    _check(maps, row_names, column_names)
    R, K = maps.shape[:2]
    side = (PAGE_WIDTH - 0.8) / K
    figure, panels = canvas(
        PAGE_WIDTH, 0.6 + R * (side + 0.05), title, synthetic=synthetic, ratios=(1,) * R, columns=K
    )
    for place, axes in enumerate(panels):
        row, column = divmod(place, K)
        axes.imshow(maps[row, column], cmap="gray", interpolation="nearest", aspect="equal")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
        axes.set_xlim(-0.5, maps.shape[3] - 0.5)
        if row == 0:
            axes.set_title(column_names[column], fontsize=TEXT_POINTS, color=GREY)
        if column == 0:
            axes.set_ylabel(row_names[row], fontsize=TEXT_POINTS)
    return figure


def _check(maps: np.ndarray, row_names: Sequence[str], column_names: Sequence[str]) -> None:
    if maps.ndim != 4 or maps.shape[:2] != (len(row_names), len(column_names)) or maps.size == 0:
        raise ValueError(
            f"Feature maps of shape {maps.shape} with {len(row_names)} row names and {len(column_names)} column names: "
            "give (R, K, H, W), R and K names, and at least one map."
        )
