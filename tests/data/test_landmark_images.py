"""Faces with landmarks as a dataset: what the network sees, and where the points are in it."""

import numpy as np
import pytest
import torch

from mien.data.landmark_images import LandmarkImages

FACES = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
POINTS = np.random.default_rng(1).random((3, 73, 2))


def dataset(**options) -> LandmarkImages:
    return LandmarkImages(FACES, [4, 0, 2], POINTS, **{"image_size": 32, **options})


def test_the_network_sees_blue_first_in_zero_to_one():
    (pixels,), points = dataset()[1]
    assert pixels.shape == (3, 32, 32)
    assert pixels.dtype == torch.float32
    np.testing.assert_allclose(pixels[0].numpy(), FACES[0, ..., 2] / 255, rtol=1e-6)
    np.testing.assert_allclose(pixels[2].numpy(), FACES[0, ..., 0] / 255, rtol=1e-6)
    np.testing.assert_allclose(points.numpy(), POINTS[1], rtol=1e-6)


def test_points_stay_where_they_are_when_a_face_is_resized():
    (pixels,), points = dataset(image_size=16)[0]
    assert pixels.shape == (3, 16, 16)
    np.testing.assert_allclose(points.numpy(), POINTS[0], rtol=1e-6)


def test_a_key_says_which_sample_and_in_which_epoch_it_is_changed():
    seen = []

    def augment(image, points, seed):
        seen.append(seed)
        return image, points + 1

    changed = dataset(augment=augment, seed=3)
    assert len(changed) == 3
    for key in (1, 4, 1):
        np.testing.assert_allclose(changed[key][1].numpy(), POINTS[1] + 1, rtol=1e-6)
    assert seen[0] == seen[2] != seen[1]
    assert dataset(augment=augment, seed=4)[1] is not None
    assert seen[3] != seen[0]


@pytest.mark.parametrize(
    ("rows", "points", "message"),
    [
        ([0, 1], POINTS, r"2 rows but points of shape \(3, 73, 2\): every sample needs 73 .*NaN"),
        ([0, 1, 2], POINTS[:, :68], r"points of shape \(3, 68, 2\)"),
        ([0, 1, 5], POINTS, r"face rows 0 to 5, the packed file has 5.*run the pipeline"),
        ([-1, 1, 2], POINTS, "face rows -1 to 2"),
    ],
)
def test_samples_that_do_not_fit_are_refused(rows, points, message):
    with pytest.raises(ValueError, match=message):
        LandmarkImages(FACES, rows, points, image_size=32)
