"""Landmarks: how large their errors are, and where they lie on faces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from mien.errors import MienError
from mien.figures.style import (
    COLUMN_WIDTH,
    GREY,
    GRID,
    canvas,
    class_color,
    class_dash,
    label_axes,
    legend_below,
    legend_height,
    with_n,
)
from mien.metrics.landmarks import FAILURE_THRESHOLD, cumulative_errors

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MatplotlibFigure

LANDMARK_TILE = 160
"""Pixels per side of a face on a sheet: points of two pixels then leave the face to be seen."""

_MOST_FACES = 32
_LIMIT = 0.2  # of the axis: twice and a half what counts as missed
_X, _Y = "error / distance of the outer eye corners, %", "faces with at most that error, %"
_TRUE, _PREDICTED = (40, 200, 60), (255, 110, 0)


def cumulative_error_plot(errors: Mapping[str, np.ndarray], title: str, *, synthetic: bool = False) -> MatplotlibFigure:
    """Share of the faces with at most a given error.

    Args:
        errors: (n,) normalised error of each face, by what made them; as many in each.
        title: n is appended.
        synthetic: say under the title that the faces are synthetic.

    Raises:
        MienError: nothing to draw, or different numbers of faces.
    """
    curves = _curves(errors)
    labels = [*(legend for legend, _, _ in curves), _missed()]
    height = 0.75 * COLUMN_WIDTH + legend_height(labels)
    figure, (axes,) = canvas(COLUMN_WIDTH, height, with_n(title, _number(errors)), synthetic=synthetic)
    for place, (_, x, y) in enumerate(curves):
        axes.plot(x, y, color=class_color(place), linestyle=class_dash(place)[0], linewidth=1.1)
    axes.plot([100 * FAILURE_THRESHOLD] * 2, [0, 100], color=GREY, linewidth=0.7, linestyle=(0, (1, 2)), zorder=1)
    axes.set(xlim=(0, 100 * _LIMIT), ylim=(0, 101))
    axes.grid(color=GRID, linewidth=0.4)
    label_axes(axes, _X, _Y)
    legend_below(figure, axes.lines, labels)
    return figure


def landmarks_sheet(
    faces: np.ndarray,
    rows: np.ndarray,
    known: np.ndarray,
    predicted: np.ndarray,
    errors: np.ndarray,
    title: str,
    *,
    most: int = _MOST_FACES,
) -> np.ndarray:
    """Show faces with known points (green) and predicted ones (orange), evenly from the least error to the largest.

    Args:
        faces: packed faces (N, H, H, 3) uint8 RGB; may be memory-mapped.
        rows: (n,) which of them.
        known: (n, P, 2) known points, x and y with (0, 0) and (1, 1) the corners of the face.
        predicted: (n, Q, 2) predicted points, likewise.
        errors: (n,) error of each face.
        title: begins the line above; it says whether the faces are synthetic.
        most: faces at the most, at least 1.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        MienError: not one of each per face, no face, or ``most`` below 1.
    """
    from mien.io.sheets import captioned_sheet

    lengths = {"rows": len(rows), "known": len(known), "predicted": len(predicted), "errors": len(errors)}
    if len(set(lengths.values())) != 1 or not len(rows) or most < 1:
        raise MienError(
            f"A sheet of {most} faces is given {lengths}: give one of each per face, and at least one face."
        )
    order = np.argsort(errors, kind="stable")
    chosen = order[np.unique(np.linspace(0, len(order) - 1, min(most, len(order))).round().astype(int))]
    tiles = [_with_points(faces[rows[row]], known[row], predicted[row]) for row in chosen]
    captions = [[f"error {100 * errors[row]:.1f} %"] for row in chosen]
    heading = f"{title}: {len(chosen):,} of {len(order):,}, by error. Green: known points, orange: predicted"
    return captioned_sheet(tiles, captions, heading=heading)


def _with_points(face: np.ndarray, known: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    import cv2

    from mien.data.face_images import resize_square

    tile = np.array(resize_square(np.asarray(face), LANDMARK_TILE))
    for points, colour, radius in ((known, _TRUE, 2.0), (predicted, _PREDICTED, 1.4)):
        for x, y in points * LANDMARK_TILE - 0.5:
            centre = (round(x * 16), round(y * 16))
            cv2.circle(tile, centre, round(radius * 16), colour, -1, cv2.LINE_AA, 4)  # sixteenths of a pixel
    return tile


def _curves(errors: Mapping[str, np.ndarray]) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Legend, errors in per cent and shares in per cent of each curve."""
    _number(errors)
    curves = []
    for name, values in errors.items():
        x, y = cumulative_errors(values, _LIMIT)
        curves.append((f"{name}, mean {100 * np.mean(values):.2f} %", 100 * x, 100 * y))
    return curves


def _missed() -> str:
    return f"missed from {100 * FAILURE_THRESHOLD:g} %"


def _number(errors: Mapping[str, np.ndarray]) -> int:
    numbers = {name: len(values) for name, values in errors.items()}
    if len(set(numbers.values())) != 1 or not next(iter(numbers.values())):
        raise MienError(f"Curves of errors are given {numbers}: give the errors of the same faces, at least one.")
    return next(iter(numbers.values()))
