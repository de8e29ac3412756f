"""What a token-pruning network still sees: patches drawn over faces, and how often each is kept, by class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mien.errors import MienError
from mien.figures.mistakes import TILE, face_tile
from mien.figures.style import (
    COLUMN_WIDTH,
    GREY,
    SYNTHETIC,
    TEXT_POINTS,
    canvas,
    with_n,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MatplotlibFigure

_COLORS = "cividis"  # sequential, and the same to all kinds of colour vision
_DROPPED = 0.2  # of a dropped patch's contrast that is left
_PANEL_LETTERS = 13  # of a class name above a panel of print
_GRID_COLOR = "#FFFFFF"


def tokens_sheet(
    faces: np.ndarray,
    labels: np.ndarray,
    alive: np.ndarray,
    class_names: Sequence[str],
    stage_names: Sequence[str],
    title: str,
    *,
    synthetic: bool = False,
) -> np.ndarray:
    """Show faces, a class per row, each followed by what is left of it after every pruning stage.

    Args:
        faces: (n, H, W, C) uint8, RGB or grey. Classes may have different numbers of faces, or none.
        labels: (n,) class ids, 0 to M - 1.
        alive: (n, S, N) 1 or True for a patch that is alive after a stage; N is a square, patches in raster order.
        class_names: the M names, in the order of the ids.
        stage_names: the S names, as in ``block 0``.
        title: the line above.
        synthetic: say in the line above that the faces are synthetic.

    Returns:
        (H, W, 3) uint8 RGB. Dropped patches are pale.

    Raises:
        MienError: no face, not one label and one row of patches per face, N no square, or not one name per stage.
    """
    from mien.io.sheets import captioned_sheet

    side = _grid_side(alive, len(labels))
    n, S, N = alive.shape
    if n == 0 or len(faces) != n or len(stage_names) != S:
        raise MienError(
            f"A sheet of tokens is given {len(faces)} faces, {n} rows of patches, {S} stages and "
            f"{len(stage_names)} names of stages: give one of each per face, at least one face, and a name per stage."
        )
    sizes = np.bincount(labels, minlength=len(class_names))
    blank = np.full((TILE, TILE, 3), 255, np.uint8)
    tiles, captions = [], []
    for label, name in enumerate(class_names):
        rows = np.flatnonzero(labels == label)
        for row in rows:
            tile = face_tile(faces[row])
            tiles.append(tile)
            captions.append([name.replace("_", " "), ""])
            for stage, stage_name in enumerate(stage_names):
                kept = alive[row, stage].astype(bool)
                tiles.append(_pale_where_dropped(tile, kept.reshape(side, side)))
                captions.append([stage_name, f"{kept.sum()} of {N} kept"])
        missing = (sizes.max() - len(rows)) * (S + 1)
        tiles += [blank] * missing
        captions += [["", ""]] * missing
    origin = f" ({SYNTHETIC})" if synthetic else ""
    return captioned_sheet(tiles, captions, heading=f"{title}{origin}", columns=int(sizes.max()) * (S + 1))


def kept_frequency_plot(
    frequency: np.ndarray,
    sizes: Sequence[int],
    class_names: Sequence[str],
    mean_face: np.ndarray,
    title: str,
    *,
    synthetic: bool = False,
) -> MatplotlibFigure:
    """Map of how often each patch of the grid is kept: a panel per class, beside the mean face.

    Args:
        frequency: (M, N) shares in [0, 1] of the class's faces in which a patch is kept, NaN for a class without faces.
            N is a square, patches in raster order. All panels share the scale 0 to 100 %.
        sizes: (M,) faces of each class.
        class_names: the M names, in the order of the ids.
        mean_face: (H, H, 3) uint8 RGB, which shows what lies where.
        title: n is appended.
        synthetic: say under the title that the faces are synthetic.

    Raises:
        MienError: not one row, size and name per class, N no square, or a share outside [0, 1].
    """
    import matplotlib

    side = _checked(frequency, sizes, class_names)
    titles = ["mean face", *_panel_titles(class_names, sizes, "\n")]
    rows, columns = _arranged(len(titles))
    lines = max(text.count("\n") + 1 for text in titles)
    height = 0.85 + rows * (3.3 / columns + 0.13 * lines)
    figure, panels = canvas(
        COLUMN_WIDTH, height, with_n(title, sum(sizes)), synthetic=synthetic, ratios=[1] * rows, columns=columns
    )
    edges = -0.5, side - 0.5
    colors = matplotlib.colormaps[_COLORS]
    for axes, text in zip(panels, titles, strict=False):
        axes.set_title(text, fontsize=TEXT_POINTS, pad=2)
    panels[0].imshow(mean_face, extent=(*edges, edges[1], edges[0]))
    for axes, shares in zip(panels[1:], frequency, strict=False):
        axes.imshow(100 * shares.reshape(side, side), cmap=colors, vmin=0, vmax=100)
        if np.isnan(shares).any():
            axes.text(
                side / 2 - 0.5, side / 2 - 0.5, "none", ha="center", va="center", fontsize=TEXT_POINTS, color=GREY
            )
    for axes in panels:
        _draw_grid(axes, side)
    bar = figure.colorbar(
        panels[1].images[0],
        ax=panels,
        location="bottom",
        shrink=0.6,
        aspect=30,
        label="faces in which a patch is kept, %",
    )
    bar.ax.xaxis.label.set_fontsize(TEXT_POINTS)
    bar.ax.tick_params(labelsize=TEXT_POINTS, width=0.6, length=2.5)
    bar.outline.set_visible(False)
    return figure


def _draw_grid(axes: Any, side: int) -> None:
    """Lines between the patches, and nothing else around them."""
    edges = -0.5, side - 0.5
    axes.set(xlim=edges, ylim=edges[::-1], xticks=[], yticks=[])
    axes.set_xticks(np.arange(side - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(side - 1) + 0.5, minor=True)
    axes.grid(which="minor", color=_GRID_COLOR, linewidth=0.4 if side <= 7 else 0.2)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)


def _arranged(panels: int) -> tuple[int, int]:
    """Rows and columns of so many panels."""
    columns = 3 if panels % 3 == 0 else 4
    return -(-panels // columns), columns


def _panel_titles(class_names: Sequence[str], sizes: Sequence[int], newline: str) -> list[str]:
    return [
        f"{wrapped(name, newline, _PANEL_LETTERS)}{newline}(n = {size:,})"
        for name, size in zip(class_names, sizes, strict=True)
    ]


def _pale_where_dropped(face: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """A face (T, T, 3) whose patches are pale where ``kept`` (side, side) is False."""
    place = np.arange(len(face)) * len(kept) // len(face)  # the patch that each row of pixels lies in
    dropped = ~kept[np.ix_(place, place)]
    pale = (255 - _DROPPED * (255 - face.astype(np.float32))).round().astype(np.uint8)
    return np.where(dropped[..., None], pale, face)


def _checked(frequency: np.ndarray, sizes: Sequence[int], class_names: Sequence[str]) -> int:
    if frequency.ndim != 2 or not len(frequency) == len(sizes) == len(class_names):
        raise MienError(
            f"Kept frequencies have shape {frequency.shape} for {len(sizes)} sizes and {len(class_names)} class names: "
            "give (M, N), and one size and one name per class."
        )
    off = ~(np.isnan(frequency) | ((frequency >= 0) & (frequency <= 1)))
    if off.any():
        raise MienError(
            f"A kept frequency is {frequency[off][0]} in class {np.argwhere(off)[0, 0]}: give shares from 0 to 1."
        )
    return _side(frequency.shape[1])


def _grid_side(alive: np.ndarray, n: int) -> int:
    if alive.ndim != 3 or len(alive) != n:
        raise MienError(f"Patches have shape {alive.shape} for {n} faces: give (n, S, N), one row per face.")
    return _side(alive.shape[2])


def _side(num_patches: int) -> int:
    side = round(num_patches**0.5)
    if num_patches < 1 or side**2 != num_patches:
        raise MienError(f"{num_patches} patches are no square grid: give all patches of a grid, in raster order.")
    return side
