"""Scales, levels and crops of the image pyramid against closed forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.models.image_pyramid import ImagePyramid, pyramid_scales


@given(st.integers(12, 3000), st.floats(12, 200), st.floats(0.3, 0.9))
def test_scales_span_from_just_below_one_to_the_last_that_holds_a_window(side, min_face_size, factor):
    side = max(side, int(min_face_size) + 1)
    scales = pyramid_scales(side, 12, min_face_size, factor)
    assert np.isclose(scales, 12 / min_face_size).any()
    assert np.allclose(np.divide(scales[1:], scales[:-1]), factor)
    assert scales[0] < 1 + 1e-9
    assert scales[0] / factor >= 1 - 1e-9
    assert scales[-1] * side >= 12 - 1e-6
    assert scales[-1] * factor * side < 12 + 1e-6


@pytest.mark.parametrize("side", [12, 20, 47, 94, 307])  # 12 / 47 * 47 is less than 12 to a computer
def test_an_image_of_just_the_smallest_face_ends_at_the_scale_that_shows_it_as_a_window(side):
    assert pyramid_scales(side, 12, side, 0.709)[-1] == 12 / side


def test_levels_round_their_size_up_and_keep_the_mean():
    images = np.random.default_rng(0).integers(0, 256, (2, 61, 47, 3), dtype=np.uint8)
    pyramid = ImagePyramid(images, window=12, min_face_size=24, scale_factor=0.6)
    np.testing.assert_allclose(pyramid.scales, [1, 0.5 / 0.6, 0.5, 0.3])
    for image, levels in zip(images, pyramid.levels, strict=True):
        assert [level.shape for level in levels] == [(61, 47, 3), (51, 40, 3), (31, 24, 3), (19, 15, 3)]
        assert levels[0] is image or np.shares_memory(levels[0], image)
        for level in levels[1:]:
            np.testing.assert_allclose(level.mean(axis=(0, 1)), image.mean(axis=(0, 1)), atol=3)


def test_images_of_other_sizes_have_the_levels_that_they_have_alone():
    random = np.random.default_rng(1)
    images = [random.integers(0, 256, (h, w, 3), dtype=np.uint8) for h, w in ((40, 70), (90, 61), (40, 70), (20, 33))]
    together = ImagePyramid(images, 12, 20, 0.709)
    for image, levels in zip(images, together.levels, strict=True):
        alone = ImagePyramid([image], 12, 20, 0.709)
        assert alone.scales == together.scales[: len(levels)]
        for level, expected in zip(levels, alone.levels[0], strict=True):
            np.testing.assert_array_equal(level, expected)


@pytest.mark.parametrize("square", [(10.3, 20.7, 34.3, 44.7), (31.6, 15.2, 61.8, 45.4), (20.0, 30.5, 140.0, 150.5)])
@pytest.mark.parametrize("size", [24, 48])
def test_a_crop_of_a_ramp_is_the_ramp_at_the_cells_centres(square, size):
    # A linear picture is reproduced by every antialiasing and interpolation, so any misplacement of the crop shows.
    y, x = np.mgrid[:170, :180] + 0.5
    rising = x + 0.4 * y
    ramps = np.stack([np.zeros_like(rising), rising, 255 - rising]).round().astype(np.uint8)
    pyramid = ImagePyramid(np.repeat(ramps[..., None], 3, axis=3), 12, 20, 0.709)
    crops = pyramid.crop(np.array([1, 2]), np.array([square, square]), size).astype(float)
    centres = (np.arange(size) + 0.5) / size * (square[2] - square[0])
    expected = (square[0] + centres)[None, :] + 0.4 * (square[1] + centres)[:, None]
    error = crops - np.stack([expected, 255 - expected])[..., None]
    assert np.abs(error).max() < 2  # roundings to 8 bits
    # Rounding errs to the same side on both ramps, a shift to opposite sides.
    assert abs((error[0] - error[1]).mean() / 2) < 0.1


def test_a_large_square_averages_its_pixels_instead_of_skipping_most():
    stripes = np.zeros((1, 480, 480, 3), np.uint8)
    stripes[:, :, ::2] = 200
    pyramid = ImagePyramid(stripes, 12, 20, 0.709)
    crop = pyramid.crop(np.array([0]), np.array([[41.0, 41.0, 441.0, 441.0]]), 24)
    assert crop.min() >= 90
    assert crop.max() <= 110


def test_outside_of_the_image_is_grey():
    pyramid = ImagePyramid(np.full((1, 60, 60, 3), 255, np.uint8), 12, 20, 0.709)
    crop = pyramid.crop(np.array([0]), np.array([[-24.0, 0.0, 24.0, 48.0]]), 24)[0]
    assert (crop[:, :11] == 128).all()
    assert (crop[:, 13:] == 255).all()


def test_a_crop_does_not_depend_on_the_other_images_of_the_pyramid():
    random = np.random.default_rng(2)
    images = [random.integers(0, 256, (side, side, 3), dtype=np.uint8) for side in (200, 60, 200)]
    square = np.array([[3.0, 4.0, 55.0, 56.0]])
    together = ImagePyramid(images, 12, 20, 0.709)
    for position, image in enumerate(images):
        alone = ImagePyramid([image], 12, 20, 0.709).crop(np.array([0]), square, 24)
        np.testing.assert_array_equal(together.crop(np.array([position]), square, 24), alone)


def test_no_square_gives_no_crop():
    pyramid = ImagePyramid(np.zeros((1, 60, 60, 3), np.uint8), 12, 20, 0.709)
    assert pyramid.crop(np.zeros(0, int), np.zeros((0, 4)), 24).shape == (0, 24, 24, 3)
