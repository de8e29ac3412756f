"""Packed faces as a dataset: the right face, the right numbers, and an augmentation that its key alone decides."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mien.data.face_images import FaceImages, resize_as_poster, resize_square

MEAN, STD = (0.5, 0.25, 0.0), (0.5, 0.25, 1.0)
FACES = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)


def images(rows=(4, 0, 2), targets=(1, 0, 1), **changes) -> FaceImages:
    return FaceImages(FACES, rows, targets, **{"image_size": 8, "mean": MEAN, "std": STD, **changes})


def shift_by_seed(image: np.ndarray, seed: int) -> np.ndarray:
    return np.roll(image, seed % 7, axis=1)


def test_a_sample_is_its_own_face_normalised_per_channel_and_its_own_target():
    (pixels,), target = images()[1]
    expected = (FACES[0].transpose(2, 0, 1) / 255 - np.reshape(MEAN, (3, 1, 1))) / np.reshape(STD, (3, 1, 1))
    np.testing.assert_allclose(pixels.numpy(), expected, atol=1e-6)
    assert (pixels.dtype, pixels.shape, int(target)) == (torch.float32, (3, 8, 8), 0)


def test_without_augmentation_a_sample_is_the_same_in_every_epoch():
    dataset = images()
    assert torch.equal(dataset[1][0][0], dataset[1 + 3 * 17][0][0])


@given(st.integers(0, 40), st.integers(0, 5))
def test_an_augmented_sample_depends_on_its_key_and_the_seed_alone(key, seed):
    first, second = (images(augment=shift_by_seed, seed=seed) for _ in range(2))
    second[7], second[3]
    assert torch.equal(first[key][0][0], second[key][0][0])


def test_epochs_samples_and_seeds_are_augmented_differently():
    seeds = []

    def remember(image: np.ndarray, seed: int) -> np.ndarray:
        seeds.append(seed)
        return image

    for seed in (0, 1):
        dataset = images(augment=remember, seed=seed)
        for key in range(9):
            dataset[key]
    assert len(set(seeds)) == 18


def test_augmentation_sees_the_image_at_its_final_size_before_normalisation():
    def check(image: np.ndarray, seed: int) -> np.ndarray:
        assert (image.shape, image.dtype) == ((4, 4, 3), np.uint8)
        return np.zeros_like(image)

    (pixels,), _ = images(image_size=4, augment=check)[0]
    np.testing.assert_allclose(pixels[:, 0, 0], [-1, -1, 0])


def test_faces_on_the_disk_are_read_one_at_a_time(tmp_path):
    np.save(tmp_path / "faces.npy", FACES)
    mapped = np.load(tmp_path / "faces.npy", mmap_mode="r")
    dataset = FaceImages(mapped, [5], [0], image_size=8, mean=MEAN, std=STD)
    assert dataset.faces is mapped
    assert torch.equal(dataset[0][0][0], images(rows=[5], targets=[0])[0][0][0])


@pytest.mark.parametrize("rows", [[0, 6, 1], [0, -1, 1]])
def test_a_row_that_is_not_among_the_faces_is_refused_with_where_it_comes_from(rows):
    with pytest.raises(ValueError, match=r"name face rows .* the packed file has 6.*different runs"):
        images(rows=rows)


def test_rows_and_targets_of_different_length_are_refused():
    with pytest.raises(ValueError, match="3 rows but 2 targets"):
        images(targets=(0, 1))


def test_no_rows_are_an_empty_dataset():
    assert len(images(rows=[], targets=[])) == 0


def test_shrinking_averages_over_areas_and_the_same_size_is_no_copy():
    checkers = np.indices((8, 8)).sum(axis=0) % 2 * np.uint8(200)
    image = np.repeat(checkers[..., None], 3, axis=2).astype(np.uint8)
    assert (resize_square(image, 4) == 100).all(), "picking pixels would give 0 or 200"
    assert resize_square(image, 8) is image
    assert resize_square(image, 16).shape == (16, 16, 3)


def test_a_grey_face_keeps_its_channel_when_it_is_resized():
    assert resize_square(np.zeros((8, 8, 1), np.uint8), 4).shape == (4, 4, 1)


def test_posters_route_to_its_size_is_bilinear_to_twice_the_side_and_then_every_second_pixel():
    image = np.random.default_rng(0).integers(0, 256, (100, 100, 3), dtype=np.uint8)
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None].float()
    larger = torch.nn.functional.interpolate(pixels, size=224, mode="bilinear", align_corners=False)
    expected = larger[0, :, ::2, ::2].permute(1, 2, 0).numpy()
    route = resize_as_poster(image, 112)
    assert abs(route - expected).max() <= 1, "PIL rounds twice, once in each direction"
    assert abs(route.astype(int) - resize_square(image, 112)).mean() > 1, "not what resizing at once gives"
