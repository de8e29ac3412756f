"""Lopes et al.'s steps against hand-computed values, slow loops and finer sampling."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mien.data import lopes
from mien.data.alignment import apply_transform
from mien.data.lopes import CropGeometry

LOPES = CropGeometry()
SIZES = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9)


def eyes(x: float, y: float, distance: float, degrees: float = 0) -> np.ndarray:
    half = distance / 2 * np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])
    middle = np.array([x, y])
    return np.stack([middle - half, middle + half])


some_eyes = st.builds(
    eyes, st.floats(-50, 500), st.floats(-50, 500), st.floats(1, 300), st.integers(-180, 180).map(float)
)


@given(some_eyes)
def test_levelled_eyes_lie_on_one_line_as_far_apart_and_about_the_same_point(points):
    left, right = apply_transform(points, lopes.level_eyes(points))
    np.testing.assert_allclose((left + right) / 2, points.mean(axis=0), atol=1e-9)
    assert left[1] == pytest.approx(right[1], abs=1e-9)
    assert right[0] - left[0] == pytest.approx(np.hypot(*(points[1] - points[0])))


def test_levelling_turns_and_does_not_mirror():
    upside_down = np.array([[10.0, 0], [0, 0]])
    below_the_middle = np.array([5.0, 3])
    np.testing.assert_allclose(apply_transform(below_the_middle, lopes.level_eyes(upside_down)), [5, -3], atol=1e-12)


@pytest.mark.parametrize("points", [np.zeros((2, 2)), np.full((2, 2), np.nan), np.array([[0, 0], [np.inf, 0]])])
def test_eyes_without_a_distance_are_refused(points):
    for step in (lopes.level_eyes, lambda points: lopes.face_box(points, LOPES)):
        with pytest.raises(ValueError, match=r"Both eyes lie at.*Leave it out"):
            step(points)


def test_the_crop_reaches_from_the_eyes_as_published():
    """a = 10: 13 above, 32 below, 24 to either side."""
    assert lopes.face_box(eyes(100, 50, 20), LOPES) == (76, 37, 124, 82)


@given(some_eyes, st.integers(1, 64))
def test_the_eyes_of_every_face_come_to_one_place(points, size):
    """2.4 half distances to either side and 1.3 of 4.5 below the upper edge, in a frame from -1/2 to size - 1/2."""
    matrix = lopes.compose(lopes.box_to_square(lopes.face_box(points, LOPES), size), lopes.level_eyes(points))
    height = 1.3 / 4.5 * size - 0.5
    expected = [[1.4 / 4.8 * size - 0.5, height], [3.4 / 4.8 * size - 0.5, height]]
    np.testing.assert_allclose(apply_transform(points, matrix), expected, atol=1e-7)


def test_a_box_fills_the_square_from_edge_to_edge():
    corners = apply_transform(np.array([[3.0, 5], [11, 9]]), lopes.box_to_square((3, 5, 11, 9), 16))
    np.testing.assert_allclose(corners, [[-0.5, -0.5], [15.5, 15.5]])


@pytest.mark.parametrize("box", [(-0.5, -0.5, 99.5, 99.5), (0.0, 0, 143, 181), (10.0, 20, 90, 40)])
def test_a_box_taken_as_a_face_is_its_crop(box):
    points, geometry = lopes.box_as_face(box, LOPES)
    np.testing.assert_allclose(lopes.face_box(points, geometry), box, atol=1e-9)
    assert points[0, 1] == points[1, 1]


def test_a_box_of_the_published_proportions_has_the_published_geometry():
    points, geometry = lopes.box_as_face(lopes.face_box(eyes(60, 40, 18), LOPES), LOPES)
    np.testing.assert_allclose(points, eyes(60, 40, 18))
    assert (geometry.above, geometry.below, geometry.beside) == pytest.approx((1.3, 3.2, 2.4))


def test_image_boxes_are_the_outer_edges_of_pixels():
    assert lopes.image_box((3, 7)) == (-0.5, -0.5, 6.5, 2.5)
    assert lopes.image_box((3, 7), square=True) == (1.5, -0.5, 4.5, 2.5)
    assert lopes.image_box((7, 3), square=True) == (-0.5, 1.5, 2.5, 4.5)


def test_jitter_moves_each_coordinate_of_each_eye_independently_with_the_given_deviation():
    points = eyes(50, 60, 40)
    moved = lopes.jitter_eyes(points, 20_000, 3.0, np.random.default_rng(0))
    offsets = (moved - points).reshape(-1, 4)
    np.testing.assert_allclose(offsets.mean(axis=0), 0, atol=0.1)
    np.testing.assert_allclose(np.cov(offsets.T), 9 * np.eye(4), atol=0.3)


def test_jitter_is_repeatable_and_its_first_results_do_not_depend_on_how_many_there_are():
    first, second = (lopes.jitter_eyes(eyes(9, 9, 9), num, 1.0, np.random.default_rng(5)) for num in (3, 70))
    np.testing.assert_array_equal(first, second[:3])


@given(some_eyes, st.floats(0.1, 10))
def test_jitter_turns_a_large_face_as_much_as_a_small_one(points, factor):
    larger = lopes.jitter_sigma(points * factor)
    assert larger == pytest.approx(lopes.jitter_sigma(points) * factor)


def test_jitter_has_three_pixels_at_its_reference_distance():
    assert lopes.jitter_sigma(eyes(0, 0, lopes.JITTER_EYE_DISTANCE)) == pytest.approx(3)


IMAGE = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)


def test_an_image_of_the_size_requested_passes_unchanged():
    np.testing.assert_array_equal(lopes.resample(IMAGE, lopes.box_to_square(lopes.image_box((64, 64)), 64), 64), IMAGE)


@pytest.mark.parametrize("shape", [(64, 64), (64, 32), (32, 96)])
def test_shrinking_by_whole_numbers_averages_blocks(shape):
    image = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    H, W = shape
    blocks = image.reshape(16, H // 16, 16, W // 16).mean(axis=(1, 3))
    small = lopes.resample(image, lopes.box_to_square(lopes.image_box(shape), 16), 16)
    assert np.abs(small - blocks).max() <= 0.5


@pytest.mark.parametrize("degrees", [0, 7, 45, 90])
@pytest.mark.parametrize("size", [16, 21, 31])
def test_stripes_finer_than_a_pixel_become_even_grey(degrees, size):
    """An average over a few stripes and a part of one leaves a trace; picking single pixels would leave them all."""
    stripes = np.zeros((200, 200), np.uint8)
    stripes[:, ::2] = 254
    turn = lopes.level_eyes(eyes(99.5, 99.5, 10, degrees))
    matrix = lopes.compose(lopes.box_to_square((49.5, 49.5, 149.5, 149.5), size), turn)
    small = lopes.resample(stripes, matrix, size)
    picked = cv2.warpAffine(stripes, matrix, (size, size), flags=cv2.INTER_NEAREST)
    assert np.abs(small.astype(int) - 127).max() <= 28
    assert np.abs(picked.astype(int) - 127).max() == 127


@pytest.mark.parametrize("degrees", [0, 13, -130])
def test_a_turned_face_is_what_much_finer_sampling_gives(degrees):
    """Against 16 x 16 samples of each pixel, interpolated in floating point by a loop-free textbook formula."""
    image = cv2.GaussianBlur(np.random.default_rng(2).integers(0, 256, (160, 160)).astype(np.float32), (0, 0), 2)
    image = ((image - image.min()) / np.ptp(image) * 255).astype(np.uint8)
    points = eyes(80, 75, 24, degrees)
    size, fine = 20, 16
    matrix = lopes.compose(lopes.box_to_square(lopes.face_box(points, LOPES), size), lopes.level_eyes(points))
    places = (np.arange(size * fine) + 0.5) / fine - 0.5
    grid = np.stack(np.meshgrid(places, places), axis=-1)
    x, y = np.moveaxis((grid - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T, -1, 0)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    across, down = x - left, y - top
    corners = [
        image[top + j, left + i] * (across if i else 1 - across) * (down if j else 1 - down)
        for i in (0, 1)
        for j in (0, 1)
    ]
    expected = sum(corners).reshape(size, fine, size, fine).mean(axis=(1, 3))
    assert np.abs(lopes.resample(image, matrix, size) - expected).max() < 3


def test_a_face_of_thousands_of_pixels_is_averaged_too():
    large = cv2.resize(IMAGE, (3000, 2400), interpolation=cv2.INTER_CUBIC)
    small = lopes.resample(large, lopes.box_to_square(lopes.image_box(large.shape), 32), 32)
    expected = cv2.resize(large, (32, 32), interpolation=cv2.INTER_AREA)
    assert np.abs(small.astype(int) - expected).max() <= 3


def test_eyes_far_apart_in_the_largest_image_do_not_exceed_what_opencv_can_draw():
    points = eyes(10_000, 50, 19_000)
    matrix = lopes.compose(lopes.box_to_square(lopes.face_box(points, LOPES)), lopes.level_eyes(points))
    assert lopes.resample(np.full((100, 20_000), 255, np.uint8), matrix).shape == (32, 32)


def test_outside_the_image_is_black():
    face = lopes.resample(np.full((8, 8), 200, np.uint8), lopes.box_to_square((-8.5, -0.5, 7.5, 7.5), 16), 16)
    assert (face[:, :6] == 0).all()
    assert (face[:, 8:] == 200).all(), "to the edges, which do not fade"


def slow_contrast(image: np.ndarray, window: int = 7) -> np.ndarray:
    """The formula, pixel by pixel, with the borders mirrored by hand."""
    weights = np.array([2, 7, 14, 18, 14, 7, 2]) / 64
    H, W = image.shape
    edge = window // 2

    def mirrored(index: int, length: int) -> int:
        while not 0 <= index < length:
            index = -index if index < 0 else 2 * (length - 1) - index
        return index

    result = np.zeros((H, W))
    for row in range(H):
        for column in range(W):
            values = [
                (float(image[mirrored(row + j, H), mirrored(column + i, W)]), weights[j + edge] * weights[i + edge])
                for j in range(-edge, edge + 1)
                for i in range(-edge, edge + 1)
            ]
            mean = sum(value * weight for value, weight in values)
            deviation = (sum((value - mean) ** 2 for value, _ in values) / len(values)) ** 0.5
            result[row, column] = (image[row, column] - mean) / (deviation or 1)
    return result


@pytest.mark.parametrize("shape", [(32, 32), (7, 7), (4, 9), (5, 2)])
def test_contrast_is_the_formulas_at_every_pixel_and_border(shape):
    image = np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)
    np.testing.assert_allclose(lopes.normalise_contrast(image), slow_contrast(image), atol=1e-9)


def test_the_mean_is_opencvs_gaussian_blur():
    """x' = 0 just where a pixel equals the blurred one, and has its sign elsewhere."""
    image = cv2.GaussianBlur(IMAGE, (3, 3), 0)
    blurred = cv2.GaussianBlur(image.astype(np.float64), (7, 7), 0)
    np.testing.assert_array_equal(np.sign(lopes.normalise_contrast(image)), np.sign(image - blurred))


@pytest.mark.parametrize("level", [0, 1, 100, 255])
def test_an_even_neighbourhood_has_no_contrast(level):
    assert (lopes.normalise_contrast(np.full((9, 9), level, np.uint8)) == 0).all()
    patch = np.full((20, 20), level, np.uint8)
    patch[0, 0] ^= 1
    contrast = lopes.normalise_contrast(patch)
    assert (contrast[4:, 4:] == 0).all()
    assert contrast[0, 0] != 0


@settings(max_examples=30, deadline=None)
@given(hnp.arrays(np.uint8, SIZES, elements=st.integers(0, 100)), st.integers(1, 2), st.integers(0, 55))
def test_contrast_ignores_brightness_and_gain(image, gain, offset):
    brighter = image * np.uint8(gain) + np.uint8(offset)
    np.testing.assert_allclose(lopes.normalise_contrast(brighter), lopes.normalise_contrast(image), atol=1e-9)


def test_images_of_a_stack_do_not_touch_each_other():
    stack = np.random.default_rng(4).integers(0, 256, (2, 3, 8, 10), dtype=np.uint8)
    together = lopes.normalise_contrast(stack)
    assert together.shape == stack.shape
    for index in np.ndindex(2, 3):
        np.testing.assert_array_equal(together[index], lopes.normalise_contrast(stack[index]))


def test_two_deviations_fill_the_grey_levels():
    contrast = np.array([-1e9, -2.0, -1.0, 0.0, 1.0, 2.0, 1e9])
    assert lopes.contrast_as_grey(contrast).tolist() == [0, 0, 64, 127, 190, 254, 255]


@pytest.mark.parametrize("window", [0, 1, 4])
def test_a_window_without_a_middle_or_neighbours_is_refused(window):
    with pytest.raises(ValueError, match=rf"window is {window}\. Give an odd number"):
        lopes.normalise_contrast(IMAGE, window)


@pytest.mark.parametrize("images", [IMAGE / 255, IMAGE[0]])
def test_what_is_no_image_of_grey_levels_is_refused(images):
    with pytest.raises(ValueError, match=r"not uint8 \(\.\.\., H, W\)"):
        lopes.normalise_contrast(images)
