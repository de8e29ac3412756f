"""Feature maps of a few samples: what a network makes of each image, and of their comparison."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mien.errors import MienError
from mien.figures.style import TEXT_POINTS, canvas

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MatplotlibFigure

PAGE_WIDTH = 7.0
"""Inches: both columns of the two-column layouts of IEEE and CVF."""

_GAP = 2  # pixels between maps
_WHITE = 255


def feature_maps_plot(
    maps: np.ndarray, row_names: Sequence[str], column_names: Sequence[str], title: str, *, synthetic: bool = False
) -> MatplotlibFigure:
    """Table of grey pictures.

    Args:
        maps: (R, K, H, W), each scaled by itself from its least to its largest value.
        row_names: of the R rows.
        column_names: of the K columns.
        title: of the figure.
        synthetic: say under the title that the faces are synthetic.

    Raises:
        MienError: not one name per row and column, or no map.
    """
    picture, rows, columns = _mosaic(maps, row_names, column_names)
    height = 0.8 + (PAGE_WIDTH - 0.9) * picture.shape[0] / picture.shape[1]
    figure, (axes,) = canvas(PAGE_WIDTH, height, title, synthetic=synthetic)
    axes.imshow(picture, cmap="gray", vmin=0, vmax=_WHITE, interpolation="nearest")
    axes.set_xticks(columns, column_names, fontsize=TEXT_POINTS)
    axes.set_yticks(rows, row_names, fontsize=TEXT_POINTS)
    axes.tick_params(length=0, top=False, bottom=False, labeltop=True, labelbottom=False)
    axes.set_title(" ", fontsize=TEXT_POINTS)  # below it is the note on synthetic faces
    axes.spines[:].set_visible(False)
    return figure


def _lines(name: str) -> str:
    return name.replace("\n", "<br>")


def _mosaic(
    maps: np.ndarray, row_names: Sequence[str], column_names: Sequence[str]
) -> tuple[np.ndarray, list[float], list[float]]:
    """All maps as one picture (H, W) uint8, and the middles of its rows and of its columns."""
    if maps.ndim != 4 or maps.shape[:2] != (len(row_names), len(column_names)) or maps.size == 0:
        raise MienError(
            f"Feature maps of shape {maps.shape} with {len(row_names)} row names and {len(column_names)} column names: "
            "give (R, K, H, W), R and K names, and at least one map."
        )
    R, K, H, W = maps.shape
    low, high = maps.min(axis=(2, 3), keepdims=True), maps.max(axis=(2, 3), keepdims=True)
    grey = (_WHITE * (maps - low) / np.maximum(high - low, 1e-12)).round().astype(np.uint8)
    padded = np.full((R, K, H + _GAP, W + _GAP), _WHITE, np.uint8)
    padded[:, :, :H, :W] = grey
    picture = padded.transpose(0, 2, 1, 3).reshape(R * (H + _GAP), K * (W + _GAP))
    return (
        picture,
        [row * (H + _GAP) + (H - 1) / 2 for row in range(R)],
        [column * (W + _GAP) + (W - 1) / 2 for column in range(K)],
    )
