"""Sheets of pyramid levels: every square of P-Net lies in one tile, with the pixels of its level."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.models.image_pyramid import pyramid_scales
from mien.models.level_sheet import LARGEST_TILE, STRIDE, WINDOW, LevelSheet, lay_out


def level_sizes(H: int, W: int, min_face_size: float = 20) -> tuple[tuple[int, int], ...]:
    scales = [
        scale for scale in pyramid_scales(min(H, W), WINDOW, min_face_size, 0.709) if scale * min_face_size < 12.1
    ]
    return tuple((int(np.ceil(H * scale)), int(np.ceil(W * scale))) for scale in scales)


def random_levels(sizes) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.integers(1, 256, (*size, 3), dtype=np.uint8) for size in sizes]


def squares_of(sheet: LevelSheet, levels: list[np.ndarray]) -> list[dict[tuple[int, int], np.ndarray]]:
    """For each level P-Net's squares by their top and left pixel on the level."""
    found: list[dict[tuple[int, int], np.ndarray]] = [{} for _ in levels]
    for tile, (top, left), level in zip(sheet.draw(levels), sheet.tiles, sheet.level, strict=True):
        for row, column in np.argwhere(level >= 0):
            k = level[row, column]
            y, x = STRIDE * row, STRIDE * column
            place = (int(top + y - sheet.corners[k][0]), int(left + x - sheet.corners[k][1]))
            assert place not in found[k]
            found[k][place] = tile[y : y + WINDOW, x : x + WINDOW]
    return found


@settings(max_examples=10, deadline=None)
@given(st.integers(20, 260), st.integers(20, 260))
def test_every_square_of_every_level_lies_in_one_tile_with_the_pixels_of_its_level(H, W):
    sizes = level_sizes(H, W)
    levels = random_levels(sizes)
    sheet = lay_out(sizes)
    for level, squares in zip(levels, squares_of(sheet, levels), strict=True):
        h, w = level.shape[:2]
        continued = np.pad(level, ((0, h % 2), (0, w % 2), (0, 0)), mode="edge")
        places = {(y, x) for y in range(0, h + h % 2 - 11, 2) for x in range(0, w + w % 2 - 11, 2)}
        assert set(squares) == places
        for (y, x), pixels in squares.items():
            np.testing.assert_array_equal(pixels, continued[y : y + WINDOW, x : x + WINDOW])


@given(st.integers(20, 2000), st.integers(20, 2000), st.sampled_from([20, 33, 60]))
def test_levels_do_not_overlap_and_tiles_of_one_bounded_size_cover_the_sheet(H, W, min_face_size):
    sizes = level_sizes(max(H, min_face_size), max(W, min_face_size), min_face_size)
    sheet = lay_out(sizes)
    taken = np.zeros(sheet.size, np.uint8)
    for (top, left), (h, w) in zip(sheet.corners, sizes, strict=True):
        assert top % 2 == left % 2 == 0
        place = taken[top : top + h + h % 2, left : left + w + w % 2]
        assert place.shape == (h + h % 2, w + w % 2)
        place += 1
    assert taken.max() == 1
    h, w = sheet.tile_size
    assert h % 8 == w % 8 == 0
    assert max(h, w) <= LARGEST_TILE
    assert max(top for top, _ in sheet.tiles) + h == sheet.size[0]
    assert max(left for _, left in sheet.tiles) + w == sheet.size[1]


@pytest.mark.parametrize(("size", "most"), [((100, 100), 1.45), ((512, 512), 1.25), ((48, 48), 1.9)])
def test_little_more_is_computed_than_the_levels_hold(size, most):
    sizes = level_sizes(*size)
    sheet = lay_out(sizes)
    seen = len(sheet.tiles) * sheet.tile_size[0] * sheet.tile_size[1]
    assert seen / sum(h * w for h, w in sizes) < most


def test_a_wide_image_grows_downwards_and_an_upright_one_to_the_right():
    wide, upright = lay_out(((20, 40), (14, 28))), lay_out(((40, 20), (28, 14)))
    assert wide.corners == ((0, 0), (20, 0))
    assert upright.corners == ((0, 0), (0, 20))


def test_what_lies_between_the_levels_is_on_no_level():
    sheet = lay_out(((20, 12), (14, 12)))
    assert sheet.corners == ((0, 0), (0, 12))
    (level,) = sheet.level
    assert level[:, 0].tolist() == [0] * 5 + [-1] * (len(level) - 5)  # (20 - 12) / 2 + 1 squares, one above the other
    assert (level[:, 1:6] == -1).all()  # on both levels
    assert level[:, 6].tolist() == [1] * 2 + [-1] * (len(level) - 2)
