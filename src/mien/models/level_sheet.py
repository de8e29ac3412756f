"""All resolutions of an image side by side on one sheet, cut into tiles, so that P-Net sees them in one pass."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

WINDOW, STRIDE = 12, 2
"""P-Net's square in pixels, and the step between neighbouring squares."""

LARGEST_TILE = 192
"""Pixels per side of a tile at most. Ours: P-Net's activations of a larger one outgrow the processor's cache."""

_TILE_MULTIPLE = 8  # few shapes of tiles: convolutions are prepared anew for every shape, in a millisecond or two
_OVERLAP = WINDOW - STRIDE


@dataclass(frozen=True, eq=False)
class LevelSheet:
    """Where the levels of an image lie on its sheet, and where the sheet is cut.

    Levels begin at even pixels, where P-Net's squares do. One of odd height or width is continued by a copy of its last
    row or column, because P-Net's pool rounds up; to the pool itself that pixel does not exist, so squares at such an
    edge have slightly other numbers than P-Net gives on the level alone. Tiles overlap so far that every square lies
    in exactly one.

    Attributes:
        corners: top and left pixel of each level.
        size: height and width in pixels, all tiles together.
        tile_size: height and width of every tile, multiples of 8 up to LARGEST_TILE.
        tiles: top and left pixel of each of the T tiles.
        level: (T, H', W') int16, the level that each of P-Net's squares lies on; -1 for squares that lie on none, or on
            two. H' = height / 2 - 5, and W' alike, of a tile.
    """

    corners: tuple[tuple[int, int], ...]
    size: tuple[int, int]
    tile_size: tuple[int, int]
    tiles: tuple[tuple[int, int], ...]
    level: np.ndarray

    def draw(self, levels: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Lay out the levels (h, w, 3) uint8 and cut the sheet.

        Returns:
            T arrays of ``tile_size`` by 3, uint8.
        """
        sheet = np.zeros((*self.size, 3), np.uint8)
        for (top, left), pixels in zip(self.corners, levels, strict=True):
            bottom, right = top + pixels.shape[0], left + pixels.shape[1]
            sheet[top:bottom, left:right] = pixels
            if pixels.shape[1] % 2:
                sheet[top:bottom, right] = sheet[top:bottom, right - 1]
            if pixels.shape[0] % 2:
                sheet[bottom, left : right + 1] = sheet[bottom - 1, left : right + 1]
        h, w = self.tile_size
        return [sheet[top : top + h, left : left + w] for top, left in self.tiles]


@lru_cache(maxsize=256)
def lay_out(sizes: tuple[tuple[int, int], ...]) -> LevelSheet:
    """Place levels on a sheet, each in the smallest gap that holds it.

    Example:
        >>> sheet = lay_out(((60, 60), (43, 43), (31, 31), (22, 22), (16, 16)))
        >>> sheet.size, sheet.corners
        ((64, 136), ((0, 0), (0, 60), (0, 104), (32, 104), (44, 60)))

    Args:
        sizes: height and width of each level, falling, at least 12.

    Source: ours; the packing is the guillotine cut with best short-side fit.
    """
    even = [(h + h % 2, w + w % 2) for h, w in sizes]
    corners = _packed(even)
    extent = [max(corner[axis] + size[axis] for corner, size in zip(corners, even, strict=True)) for axis in (0, 1)]
    (h, rows), (w, columns) = (_cut(length) for length in extent)
    tiles = tuple((row * (h - _OVERLAP), column * (w - _OVERLAP)) for row in range(rows) for column in range(columns))
    size = (rows * (h - _OVERLAP) + _OVERLAP, columns * (w - _OVERLAP) + _OVERLAP)
    level = np.full([_squares(length) for length in size], -1, np.int16)
    for k, ((top, left), (height, width)) in enumerate(zip(corners, even, strict=True)):
        level[top // STRIDE :, left // STRIDE :][: _squares(height), : _squares(width)] = k
    of_tiles = [level[top // STRIDE :, left // STRIDE :][: _squares(h), : _squares(w)] for top, left in tiles]
    return LevelSheet(tuple(corners), size, (h, w), tiles, np.stack(of_tiles))


def _squares(length: int) -> int:
    """Count P-Net's squares along an even length."""
    return (length - WINDOW) // STRIDE + 1


def _cut(length: int) -> tuple[int, int]:
    """Length of a tile, and how many of them span a length."""
    number = max(1, math.ceil((length - _OVERLAP) / (LARGEST_TILE - _OVERLAP)))
    tile = math.ceil((length - _OVERLAP) / number) + _OVERLAP
    return -(-tile // _TILE_MULTIPLE) * _TILE_MULTIPLE, number


def _packed(sizes: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Top-left corners of rectangles (h, w), largest first, none overlapping, along the first one's shorter side."""
    height, width = sizes[0]
    endless = 4 * sum(h + w for h, w in sizes)
    # Gaps as top, left, height, width. To the right of an upright level or below a lying one the sheet goes on.
    gaps = [(0, 0, height, endless) if height >= width else (0, 0, endless, width)]
    corners = []
    for h, w in sizes:
        fits = [gap for gap in gaps if gap[2] >= h and gap[3] >= w]
        top, left, gap_h, gap_w = gap = min(fits, key=lambda gap: (min(gap[2] - h, gap[3] - w), gap))
        gaps.remove(gap)
        corners.append((top, left))
        if height >= width:  # cut so that the larger rest stays whole in the direction of growth
            gaps += [(top + h, left, gap_h - h, w), (top, left + w, gap_h, gap_w - w)]
        else:
            gaps += [(top, left + w, h, gap_w - w), (top + h, left, gap_h - h, gap_w)]
    return corners
