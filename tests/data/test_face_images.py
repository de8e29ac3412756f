"""Packed faces as a dataset: the right face, the right numbers, and an augmentation that its key alone decides.

Pairs as a torch dataset: decoded once, moved as a whole.
"""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, chisquare
from torch.utils.data import DataLoader

from mien.data.face_images import (
    FaceImages,
    GreyFaces,
    PairImages,
    Vectors,
    decode_sequences,
    resize_as_poster,
    resize_square,
)
from mien.data.transforms import ExpressionAugmentation

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


# ---- shares of classes ---------------------------------------------------------------------------------------------

SHARES = np.array([[0.2, 0.5, 0.3, 0.0], [0.0, 0.0, 0.0, 1.0], [0.25, 0.25, 0.25, 0.25]])


def test_shares_are_given_out_as_they_are():
    dataset = images(targets=SHARES)
    for key in range(6):
        target = dataset[key][1]
        assert target.dtype == torch.float32
        np.testing.assert_allclose(target.numpy(), SHARES[key % 3], rtol=1e-7)


def test_drawn_classes_come_as_often_as_their_shares_in_the_course_of_the_epochs():
    dataset, epochs = images(targets=SHARES, draw=True, seed=3), 3000
    drawn = np.array([int(dataset[key][1]) for key in range(3 * epochs)]).reshape(epochs, 3)
    assert dataset[0][1].dtype == torch.int64
    for sample, shares in enumerate(SHARES):
        seen, possible = np.bincount(drawn[:, sample], minlength=4), shares > 0
        assert (seen[~possible] == 0).all()
        if possible.sum() > 1:
            assert chisquare(seen[possible], epochs * shares[possible]).pvalue > 1e-3
    assert chi2_contingency(np.histogram2d(drawn[:, 0], drawn[:, 2], (3, 4))[0]).pvalue > 1e-3, "samples share a draw"
    successive = np.histogram2d(drawn[:-1, 0], drawn[1:, 0], 3)[0]
    assert chi2_contingency(successive).pvalue > 1e-3, "epochs share a draw"


def test_a_drawn_class_tells_nothing_of_the_augmentation():
    augment = ExpressionAugmentation(
        flip=0.5,
        flip_or_noise=0.5,
        noise_variance=30.0,
        erase=0.5,
        erase_area=(0.1, 0.2),
        erase_aspect=(0.5, 2.0),
        erase_fill=(250.0, 0.0, 250.0),
    )
    faces = np.zeros((1, 16, 16, 3), np.uint8)
    faces[:, :, 8:] = 128
    dataset = FaceImages(
        faces, [0], [[0.5, 0.3, 0.2]], image_size=16, mean=(0,) * 3, std=(1 / 255,) * 3, augment=augment, draw=True
    )
    states, classes, wide = [], [], []
    for key in range(1500):
        (pixels,), target = dataset[key]
        erased = pixels[0] - pixels[1] > 100
        noisy = len(pixels[1].unique()) > 3
        mirrored = pixels[1, :, :8].median() > 60
        states.append(4 * bool(erased.any()) + 2 * noisy + bool(mirrored))
        classes.append(int(target))
        wide.append(float(erased.sum()))
    table = np.zeros((8, 3))
    np.add.at(table, (states, classes), 1)
    assert (table.sum(axis=1) > 0).all(), "every state of the augmentation is seen"
    assert chi2_contingency(table).pvalue > 1e-3
    erased_alone = [(kind, area) for kind, area in zip(classes, wide, strict=True) if area]
    assert abs(np.corrcoef(np.transpose(erased_alone))[0, 1]) < 4 / np.sqrt(len(erased_alone))


def test_drawing_leaves_the_augmentation_as_it_was():
    hard, soft = images(augment=shift_by_seed), images(targets=SHARES, augment=shift_by_seed, draw=True)
    for key in range(30):
        assert torch.equal(hard[key][0][0], soft[key][0][0])


@settings(deadline=None)
@given(st.integers(0, 40), st.integers(0, 5))
def test_a_drawn_class_depends_on_its_key_and_the_seed_alone(key, seed):
    first, second = (images(targets=SHARES, draw=True, seed=seed) for _ in range(2))
    second[7], second[3]
    assert first[key][1] == second[key][1]


@pytest.mark.parametrize("draw", [True, False])
def test_workers_give_the_same_targets_as_this_process(draw):
    dataset = images(rows=np.arange(60) % 6, targets=np.tile(SHARES, (20, 1)), draw=draw, augment=shift_by_seed)
    batches = [range(60 + start, 60 + start + 15) for start in range(0, 60, 15)]
    here, there = (list(DataLoader(dataset, batch_sampler=batches, num_workers=number)) for number in (0, 2))
    for (ours, our_targets), (theirs, their_targets) in zip(here, there, strict=True):
        assert torch.equal(ours[0], theirs[0])
        assert torch.equal(our_targets, their_targets)


@pytest.mark.parametrize("shares", [SHARES * 0.9, SHARES - [0.5, -0.5, 0, 0], np.zeros((3, 4)), SHARES * np.nan])
def test_shares_that_do_not_add_up_are_refused_with_where_they_come_from(shares):
    with pytest.raises(ValueError, match=r"shares of \d of 3 samples .*do not add up to 1.*target/<class>"):
        images(targets=shares)


def test_a_class_is_not_drawn_of_class_ids():
    with pytest.raises(ValueError, match=r"no shares to draw .*set draw to false"):
        images(draw=True)


GREY = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 3), dtype=np.uint8)


def grey_faces(**changes) -> GreyFaces:
    return GreyFaces(GREY, [3, 1], np.array([30, 40]), image_size=4, **changes)


def test_an_image_is_the_mean_of_its_channels_over_255():
    (image,), target = grey_faces()[0]
    np.testing.assert_allclose(image.numpy()[0], GREY[3].mean(axis=2) / 255, atol=1e-6)
    assert target == 30


def test_a_key_of_a_later_epoch_is_the_same_face_mirrored_or_not():
    mirrored = grey_faces(flip=0.5)
    plain, turned = grey_faces()[0][0][0], grey_faces()[0][0][0].flip(2)
    seen = [mirrored[2 * epoch][0][0] for epoch in range(20)]
    kinds = [torch.equal(image, plain) for image in seen]
    assert all(torch.equal(image, plain) or torch.equal(image, turned) for image in seen)
    assert 0 < sum(kinds) < 20
    assert torch.equal(mirrored[6][0][0], grey_faces(flip=0.5)[6][0][0])


def test_all_images_come_as_they_are_whatever_is_mirrored():
    assert torch.equal(grey_faces(flip=1.0).images(), torch.stack([grey_faces()[index][0][0] for index in range(2)]))


def test_rows_without_a_face_or_a_target_are_refused():
    with pytest.raises(ValueError, match="2 rows but 1 targets"):
        GreyFaces(GREY, [0, 1], np.array([1]), image_size=4)
    with pytest.raises(ValueError, match="rows 0 to 5, the packed file has 5"):
        GreyFaces(GREY, [0, 5], np.array([1, 2]), image_size=4)


def test_vectors_go_with_their_targets_in_every_epoch():
    vectors = Vectors(torch.arange(6.0).view(3, 2), np.array([7, 8, 9]))
    (vector,), target = vectors[3 * 4 + 1]
    assert (vector.tolist(), int(target)) == ([2.0, 3.0], 8)


def pair_faces(n: int = 5, frames: int = 2, side: int = 12) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, frames, side, side, 1), dtype=np.uint8)


def decoded(size: int = 12, num_frames: int = 2, **options) -> torch.Tensor:
    return decode_sequences(pair_faces(**options), [3, 0], num_frames=num_frames, size=size, mean=0.5, std=0.25)


def test_pixels_are_normalised_and_the_onset_comes_first():
    expected = (pair_faces()[[3, 0], :, :, :, 0] / 255 - 0.5) / 0.25
    np.testing.assert_allclose(decoded().numpy(), expected, atol=1e-6)


def test_frames_are_taken_evenly_from_the_onset_to_the_apex():
    sequences = decode_sequences(pair_faces(frames=7), [1], num_frames=3, size=12, mean=0.0, std=1 / 255)
    np.testing.assert_allclose(sequences[0].numpy(), pair_faces(frames=7)[1, [0, 3, 6], :, :, 0], atol=1e-3)


def test_without_movement_the_middle_is_cut_out():
    images = PairImages(decoded(), [1, 0], image_size=8)
    (frames,), target = images[1]
    assert torch.equal(frames, decoded()[1, :, 2:10, 2:10])
    assert target == 0


def test_both_images_are_moved_alike():
    same = decoded()[:, :1].expand(-1, 2, -1, -1)
    images = PairImages(same, [1, 0], image_size=8, shift=2, flip=0.5, rotate_degrees=10, seed=3)
    seen = [images[key][0][0] for key in range(20)]
    assert all(torch.equal(frames[0], frames[1]) for frames in seen)
    assert len({tuple(frames.flatten().tolist()) for frames in seen}) > 15


def test_a_key_decides_what_is_seen():
    def again(seed: int) -> torch.Tensor:
        images = PairImages(decoded(), [1, 0], image_size=8, shift=2, flip=0.5, seed=seed)
        return torch.stack([images[key][0][0] for key in range(12)])

    assert torch.equal(again(0), again(0))
    assert not torch.equal(again(0), again(1))


def test_sequences_are_shared_and_not_copied():
    sequences = decoded()
    first, second = (PairImages(sequences, [1, 0], image_size=8) for _ in range(2))
    assert first.sequences.data_ptr() == second.sequences.data_ptr()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: decoded(num_frames=3), "hold no 3 grey frames per sample"),
        (lambda: decode_sequences(pair_faces(), [5], num_frames=2, size=8, mean=0, std=1), "the packed file has 5"),
        (lambda: PairImages(decoded(), [1], image_size=8), "2 sequences but 1 targets"),
        (lambda: PairImages(decoded(), [1, 0], image_size=8, shift=3), "leave no room"),
        (lambda: PairImages(decoded(), [1, 0], image_size=13), "leave no room"),
    ],
)
def test_what_does_not_fit_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
