"""The published augmentation: how often and how strongly it changes an image, and that its seed alone decides."""

from typing import Any

import numpy as np
import pytest

from mien.data.transforms import ExpressionAugmentation

OFF: dict[str, Any] = {
    "flip": 0.0,
    "flip_or_noise": 0.0,
    "noise_variance": 30.0,
    "erase": 0.0,
    "erase_area": (0.02, 0.1),
    "erase_aspect": (0.3, 3.3),
    "erase_fill": (10.0, 20.0, 30.0),
}
FACE = np.random.default_rng(0).integers(60, 200, (32, 32, 3), dtype=np.uint8)
MIRRORED = FACE[:, ::-1]


def augmented(num: int = 1, image: np.ndarray = FACE, **on: Any) -> list[np.ndarray]:
    augment = ExpressionAugmentation(**{**OFF, **on})
    return [augment(image, seed) for seed in range(num)]


def share(images: list[np.ndarray], like: np.ndarray) -> float:
    return float(np.mean([np.array_equal(image, like) for image in images]))


def test_with_everything_off_nothing_changes():
    (image,) = augmented()
    np.testing.assert_array_equal(image, FACE)


def test_equal_seeds_give_equal_images_and_shape_and_type_stay():
    everything = {"flip": 0.5, "flip_or_noise": 0.5, "erase": 0.5, "rotate_degrees": 10.0, "scale": 0.1, "shift": 0.1}
    augment = ExpressionAugmentation(**{**OFF, **everything})
    first = [augment(FACE, seed) for seed in range(20)]
    backwards = [augment(FACE, seed) for seed in reversed(range(20))][::-1]
    for one, other in zip(first, backwards, strict=True):
        np.testing.assert_array_equal(one, other)
        assert (one.shape, one.dtype) == (FACE.shape, np.uint8)
    assert len({image.tobytes() for image in first}) > 15


def test_the_image_given_is_not_changed():
    before = FACE.copy()
    augmented(5, flip=1.0, flip_or_noise=1.0, erase=1.0)
    np.testing.assert_array_equal(FACE, before)


def test_flips_come_as_often_as_asked():
    assert share(augmented(flip=1.0), MIRRORED) == 1
    assert share(augmented(200, flip=0.5), MIRRORED) == pytest.approx(0.5, abs=0.12)  # 3.4 standard errors


def test_the_first_step_is_a_flip_or_noise_as_likely_as_each_other():
    images = augmented(200, flip_or_noise=1.0)
    assert share(images, FACE) == 0
    assert share(images, MIRRORED) == pytest.approx(0.5, abs=0.12)


def test_noise_has_the_published_variance_in_grey_levels_and_no_bias():
    grey = np.full((64, 64, 3), 128, np.uint8)
    noisy = [image for image in augmented(40, grey, flip_or_noise=1.0) if not np.array_equal(image, grey)]
    change = np.stack(noisy).astype(float) - 128
    # albumentations cuts the noise to whole levels towards 0: its variance is then 30 - E|x| + 1/3 = 26.
    assert change.var() == pytest.approx(30 - np.sqrt(2 / np.pi * 30) + 1 / 3, rel=0.03)
    assert abs(change.mean()) < 0.1


def test_one_rectangle_is_erased_within_the_published_area_and_filled_with_the_mean_colour():
    white = np.full((100, 100, 3), 255, np.uint8)
    for image in augmented(60, white, erase=1.0):
        erased = (image == (10, 20, 30)).all(axis=2)
        rows, columns = np.flatnonzero(erased.any(axis=1)), np.flatnonzero(erased.any(axis=0))
        height, width = len(rows), len(columns)
        assert erased.sum() == height * width == (rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1)
        assert 0.015 <= erased.mean() <= 0.11
        assert 0.25 <= height / width <= 4
        assert (image[~erased] == 255).all()


def test_erasing_comes_as_often_as_asked():
    assert share(augmented(200, erase=0.5), FACE) == pytest.approx(0.5, abs=0.12)


def test_the_affine_change_stays_within_its_bounds_and_shows_no_black_corners():
    dot = np.full((64, 64, 3), 50, np.uint8)
    dot[30:34, 30:34] = 250
    for image in augmented(40, dot, rotate_degrees=20.0, scale=0.1, shift=0.1):
        assert image.min() >= 45
        y, x = np.argwhere(image[..., 0] > 150).mean(axis=0)
        assert max(abs(x - 31.5), abs(y - 31.5)) <= 0.1 * 64 + 2
    turned = np.stack(augmented(40, dot, shift=0.2))
    assert len({np.argwhere(image[..., 0] > 150)[0].tobytes() for image in turned}) > 10


def test_grey_images_keep_their_shape_and_come_as_often_as_asked():
    images = augmented(200, grayscale=0.3)
    grey = [(image == image[..., :1]).all() for image in images]
    assert np.mean(grey) == pytest.approx(0.3, abs=0.11)  # 3.4 standard errors
    weighted = (FACE @ np.array([0.299, 0.587, 0.114])).astype(int)  # ITU-R BT.601, as PIL's grey images
    assert abs(images[grey.index(True)][..., 0].astype(int) - weighted).max() <= 1


def test_without_grey_images_the_chain_draws_the_same_numbers_as_before():
    for one, other in zip(
        augmented(5, erase=1.0, flip=0.5), augmented(5, erase=1.0, flip=0.5, grayscale=0.0), strict=True
    ):
        np.testing.assert_array_equal(one, other)
