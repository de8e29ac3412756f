"""Synthetic faces with exact landmarks: the points lie where the picture has them, whatever is cut out.

Faces with landmarks as a dataset: what the network sees, and where the points are in it.

Augmentation of landmarks: points move with the picture, sides are distinguished, every change does its part.
"""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.data.alignment import FIVE_POINT_TEMPLATE, align_face, roll_angle_degrees
from mien.data.landmarks import (
    MIRROR,
    LandmarkAugmentation,
    LandmarkCrops,
    LandmarkImages,
    Movement,
    place_landmark_face,
    render_landmark_face,
)
from mien.data.synthetic import ActionUnits, five_points, render_scene, sample_face, sample_identity, scene_landmarks
from mien.data.synthetic.geometry import build_curves, landmarks
from mien.labels import (
    EXPRESSIONS,
    FIVE_POINT_LANDMARKS,
    LANDMARK_GROUPS,
    LANDMARK_MIRROR,
    NUM_LANDMARKS,
)

STILL = LandmarkCrops(112, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
MOVING = LandmarkCrops(48, 0.6, 30.0, 0.15, 0.08, 14.0, 8.0, 0.3)


def test_landmarks_without_drawing_are_those_of_the_drawn_scene():
    for seed, place in enumerate(({}, {"face_scale": 0.4, "centre": (0.4, 0.6)})):
        parameters = sample_face(np.random.default_rng(seed), "happy")
        drawn = render_scene(parameters, (90, 120), **place)
        np.testing.assert_array_equal(scene_landmarks(parameters, (90, 120), **place), drawn.landmarks)


def test_five_points_are_those_of_the_synthetic_face_for_one_face_and_for_many():
    drawn = render_scene(sample_face(np.random.default_rng(0), "sad"), (64, 64))
    np.testing.assert_allclose(five_points(drawn.landmarks), drawn.five_points, rtol=1e-6)
    left_eye = drawn.landmarks[36:42].mean(axis=0)
    np.testing.assert_allclose(five_points(np.stack([drawn.landmarks] * 3))[2, 0], left_eye, rtol=1e-6)
    assert [len(group) for group in FIVE_POINT_LANDMARKS] == [6, 6, 1, 1, 1]


@pytest.mark.parametrize("picture", range(6))
def test_a_dot_on_a_landmark_of_the_scene_is_found_where_the_crop_has_it(picture):
    """The picture is replaced by dots, so that what is cut out shows where each landmark went."""
    face = place_landmark_face(MOVING, seed=3, person=picture, picture=picture)
    in_scene = scene_landmarks(face.parameters, (face.scene_size, face.scene_size))
    followed = 0
    for number in (8, 30, 36, 45, 48, 54):
        scene = np.zeros((face.scene_size, face.scene_size, 3), np.uint8)
        column, row = in_scene[number].round().astype(int)
        if not (min(row, column) >= 2 and max(row, column) < face.scene_size - 2):
            continue
        scene[row - 1 : row + 2, column - 1 : column + 2] = 255
        crop = align_face(scene, face.cut, MOVING.size)[..., 0].astype(float)
        expected = face.landmarks[number] * MOVING.size - 0.5
        if not crop.any() or (expected < 3).any() or (expected > MOVING.size - 4).any():
            continue
        rows, columns = np.mgrid[: MOVING.size, : MOVING.size]
        found = np.array([(columns * crop).sum(), (rows * crop).sum()]) / crop.sum()
        # The dot lies on a whole pixel of the scene, up to half of one beside the landmark, and is enlarged
        assert np.abs(found - expected).max() < 0.8, (number, found, expected)
        followed += 1
    assert followed >= 3


def test_an_aligned_face_that_is_not_moved_has_its_five_points_near_the_template():
    for number in range(8):
        face = place_landmark_face(STILL, 0, number, number)
        found = five_points(face.landmarks) * 112 - 0.5
        assert face.aligned
        assert np.abs(found - FIVE_POINT_TEMPLATE).max() < 8  # a head that is turned by two standard deviations
        np.testing.assert_allclose(found.mean(axis=0), FIVE_POINT_TEMPLATE.mean(axis=0), atol=1e-6)


def test_a_face_that_is_not_aligned_lies_whole_within_its_crop():
    whole = replace(STILL, aligned_share=0.0)
    faces = [place_landmark_face(whole, 0, number, number) for number in range(8)]
    for face in faces:
        assert not face.aligned
        assert face.landmarks.min() >= 0
        assert face.landmarks.max() <= 1
    sizes = [np.ptp(face.landmarks, axis=0).max() for face in faces]
    assert max(sizes) > 1.1 * min(sizes)


def test_moved_faces_lean_as_far_as_requested_and_no_further():
    turned = replace(STILL, rotate_degrees=30.0)
    rolls = [roll_angle_degrees(five_points(place_landmark_face(turned, 0, n, n).landmarks)) for n in range(40)]
    assert 20 < max(rolls) < 36  # a turned head leans a little by itself
    assert -36 < min(rolls) < -20


def test_a_face_depends_on_its_numbers_alone_and_persons_are_distinguished():
    one, again = (place_landmark_face(MOVING, 5, 2, 9) for _ in range(2))
    np.testing.assert_array_equal(one.landmarks, again.landmarks)
    assert one.parameters == again.parameters
    np.testing.assert_array_equal(render_landmark_face(one, 48), render_landmark_face(again, 48))
    other = place_landmark_face(MOVING, 5, 2, 10)
    assert other.parameters.identity == one.parameters.identity
    assert other.parameters.pose != one.parameters.pose
    assert place_landmark_face(MOVING, 5, 3, 9).parameters.identity != one.parameters.identity
    assert place_landmark_face(MOVING, 6, 2, 9).parameters.identity != one.parameters.identity


def test_expressions_take_turns_and_free_units_leave_them():
    assert [place_landmark_face(STILL, 0, 0, n).expression for n in range(8)] == list(EXPRESSIONS)
    free = replace(STILL, free_share=1.0)
    units = [place_landmark_face(free, 0, 0, 6 + 8 * n).parameters.action_units.as_array() for n in range(6)]
    assert np.mean([array.max() for array in units]) > 0.5, "neutral faces would show nearly nothing"


def test_a_synthetic_face_has_its_size_and_a_dark_pupil_in_each_eye():
    face = place_landmark_face(STILL, 0, 1, 6)
    image = render_landmark_face(face, 112)
    assert image.shape == (112, 112, 3)
    assert image.dtype == np.uint8
    for eye in (slice(36, 42), slice(42, 48)):
        x, y = (face.landmarks[eye].mean(axis=0) * 112 - 0.5).round().astype(int)
        cheek = image[y + 14 : y + 20, x - 3 : x + 4].mean()
        assert image[y - 3 : y + 4, x - 4 : x + 5].min() < cheek - 20


FACES = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
POINTS = np.random.default_rng(1).random((3, 68, 2))


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
        ([0, 1], POINTS, r"2 rows but points of shape \(3, 68, 2\): every sample needs 68 .*NaN"),
        ([0, 1, 2], POINTS[:, :67], r"points of shape \(3, 67, 2\)"),
        ([0, 1, 5], POINTS, r"face rows 0 to 5, the packed file has 5.*run the pipeline"),
        ([-1, 1, 2], POINTS, "face rows -1 to 2"),
    ],
)
def test_samples_that_do_not_fit_are_refused(rows, points, message):
    with pytest.raises(ValueError, match=message):
        LandmarkImages(FACES, rows, points, image_size=32)


SIZE = 64
STAY = Movement(flip=0.0, rotate_degrees=0.0, scale=0.0, stretch=0.0, shift=0.0)
MOVE = Movement(flip=0.5, rotate_degrees=30.0, scale=0.2, stretch=0.15, shift=0.1)
NOTHING = LandmarkAugmentation(
    movement=STAY,
    often=1.0,
    brightness=0.0,
    contrast=0.0,
    gamma=1.0,
    tint=0.0,
    light=0.0,
    grey=0.0,
    lowest_size=SIZE,
    blur=0.0,
    noise=0.0,
    jpeg_quality=100,
    erase=0.0,
)


def photograph(seed: int = 0) -> np.ndarray:
    """A smooth coloured picture."""
    coarse = np.random.default_rng(seed).integers(40, 216, (8, 8, 3), dtype=np.uint8)
    return cv2.resize(coarse, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)


def unknown_points() -> np.ndarray:
    return np.full((68, 2), np.nan)


# ---- the scheme ----------------------------------------------------------------------------------------------------


def test_groups_cover_every_landmark_once():
    numbers = [number for group in LANDMARK_GROUPS.values() for number in group]
    assert sorted(numbers) == list(range(NUM_LANDMARKS))


def test_the_mirror_image_of_the_mirror_image_is_the_face():
    mirror = np.array(LANDMARK_MIRROR)
    np.testing.assert_array_equal(mirror[mirror], np.arange(NUM_LANDMARKS))
    np.testing.assert_array_equal(MIRROR[MIRROR], np.arange(NUM_LANDMARKS))
    for name, group in LANDMARK_GROUPS.items():
        assert {LANDMARK_MIRROR[number] for number in group} == set(group), name


def test_the_mirror_image_of_an_even_face_has_each_landmark_where_its_partner_was():
    identity = replace(sample_identity(np.random.default_rng(0)), asymmetry=(0.0, 0.0, 0.0))
    points = landmarks(build_curves(identity, ActionUnits.of({12: 0.6, 25: 0.4})))
    np.testing.assert_allclose(points[list(LANDMARK_MIRROR)] * (-1, 1), points, atol=1e-9)


# ---- movement ------------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), x=st.integers(24, 40), y=st.integers(24, 40), number=st.integers(0, 67))
def test_a_dot_is_found_where_its_point_went(seed, x, y, number):
    image = np.zeros((SIZE, SIZE, 3), np.uint8)
    image[y - 1 : y + 2, x - 1 : x + 2] = 255
    points = unknown_points()
    points[number] = (np.array([x, y]) + 0.5) / SIZE
    moved, there = MOVE(image, points, seed)
    (landed,) = np.flatnonzero(np.isfinite(there[:, 0]))
    assert landed in (number, MIRROR[number])
    rows, columns = np.mgrid[:SIZE, :SIZE]
    weight = moved[..., 0].astype(float)
    found = np.array([(columns * weight).sum(), (rows * weight).sum()]) / weight.sum()
    assert np.abs((found + 0.5) / SIZE - there[landed]).max() < 0.5 / SIZE


def test_the_mirror_image_is_exact():
    flipped = replace(STAY, flip=1.0)
    image, points = photograph(), unknown_points()
    points[36], points[39] = (0.3, 0.4), (0.35, 0.4)
    mirrored, there = flipped(image, points, 0)
    np.testing.assert_array_equal(mirrored, image[:, ::-1])
    np.testing.assert_allclose(there[[45, 42]], [(0.7, 0.4), (0.65, 0.4)])
    assert np.isnan(there[[36, 39]]).all()


def test_a_quarter_turn_and_a_shift_move_points_as_computed_by_hand():
    class Quarter:
        def uniform(self, low, high, size=None):
            return np.array([0.1, -0.2]) if size else (90.0 if high == 90 else 0.0)

        def random(self):
            return 0.9

    points = unknown_points()
    points[0] = 0.75, 0.5
    _, there = Movement(0.0, 90.0, 0.0, 0.0, 0.3).move(Quarter(), photograph(), points)
    np.testing.assert_allclose(there[0], (0.6, 0.55))  # clockwise on the screen: from the right to the bottom


def test_without_any_change_a_face_stays_as_it_is():
    image, points = photograph(), np.random.default_rng(0).random((68, 2))
    same, there = replace(NOTHING, often=0.0)(image, points, 7)
    np.testing.assert_array_equal(same, image)
    np.testing.assert_allclose(there, points)


# ---- what is done to the picture -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"brightness": 0.3},
        {"contrast": 0.5},
        {"gamma": 2.5},
        {"tint": 0.4},
        {"light": 0.5},
        {"grey": 1.0},
        {"lowest_size": 8},
        {"blur": 0.1},
        {"noise": 40.0},
        {"jpeg_quality": 1},
        {"erase": 0.5},
    ],
    ids=lambda change: next(iter(change)),
)
def test_each_change_alters_the_picture_and_never_the_points(change):
    image, points = photograph(), np.random.default_rng(0).random((68, 2))
    quiet, _ = NOTHING(image, points, 0)
    difference = []
    for seed in range(8):
        changed, there = replace(NOTHING, **change)(image, points, seed)
        assert changed.shape == image.shape
        assert changed.dtype == np.uint8
        np.testing.assert_allclose(there, points)
        difference.append(np.abs(changed.astype(int) - quiet).mean())
    assert max(difference) > 2


def test_grey_has_no_colour_and_a_shrunk_face_has_no_detail():
    grey, _ = replace(NOTHING, grey=1.0)(photograph(), unknown_points(), 0)
    assert np.ptp(grey.astype(int), axis=2).max() <= 6  # JPEG rounds
    noise = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    rough = [replace(NOTHING, lowest_size=8)(noise, unknown_points(), seed)[0].std() for seed in range(12)]
    assert min(rough) < 0.5 * noise.std()


def test_an_erased_patch_is_as_large_as_requested_at_most():
    image = np.full((SIZE, SIZE, 3), 128, np.uint8)
    for seed in range(20):
        hidden, _ = replace(NOTHING, erase=0.25)(image, unknown_points(), seed)
        rows, columns = np.nonzero((np.abs(hidden.astype(int) - 128) > 8).any(axis=2))
        if len(rows):
            assert np.ptp(rows) < 18
            assert np.ptp(columns) < 18


def test_equal_seeds_give_equal_faces_and_others_do_not():
    rich = replace(NOTHING, movement=MOVE, brightness=0.2, noise=10.0, lowest_size=16, erase=0.3)
    image, points = photograph(), np.random.default_rng(0).random((68, 2))
    (one, at_one), (again, at_again), (other, at_other) = (rich(image, points, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    np.testing.assert_array_equal(at_one, at_again)
    assert not np.array_equal(one, other)
    assert not np.array_equal(at_one, at_other)
