"""Augmentation of landmarks: points move with the picture, sides are distinguished, every change does its part."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.data.landmark_transforms import MIRROR, LandmarkAugmentation, Movement
from mien.data.synthetic import ActionUnits, sample_identity
from mien.data.synthetic.geometry import build_curves, landmarks
from mien.labels import FIVE_POINT_LANDMARKS, FIVE_POINT_MIRROR, LANDMARK_GROUPS, LANDMARK_MIRROR, NUM_LANDMARKS

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
    return np.full((73, 2), np.nan)


# ---- the scheme ----------------------------------------------------------------------------------------------------


def test_groups_cover_every_landmark_once():
    numbers = [number for group in LANDMARK_GROUPS.values() for number in group]
    assert sorted(numbers) == list(range(NUM_LANDMARKS))


def test_the_mirror_image_of_the_mirror_image_is_the_face():
    mirror = np.array(LANDMARK_MIRROR)
    np.testing.assert_array_equal(mirror[mirror], np.arange(NUM_LANDMARKS))
    np.testing.assert_array_equal(MIRROR[MIRROR], np.arange(73))
    for name, group in LANDMARK_GROUPS.items():
        assert {LANDMARK_MIRROR[number] for number in group} == set(group), name


def test_the_mirror_image_of_an_even_face_has_each_landmark_where_its_partner_was():
    identity = replace(sample_identity(np.random.default_rng(0)), asymmetry=(0.0, 0.0, 0.0))
    points = landmarks(build_curves(identity, ActionUnits.of({12: 0.6, 25: 0.4})))
    np.testing.assert_allclose(points[list(LANDMARK_MIRROR)] * (-1, 1), points, atol=1e-9)


def test_five_points_change_sides_as_their_landmarks_do():
    for point, group in enumerate(FIVE_POINT_LANDMARKS):
        partners = {LANDMARK_MIRROR[number] for number in group}
        assert partners == set(FIVE_POINT_LANDMARKS[FIVE_POINT_MIRROR[point]])


# ---- movement ------------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), x=st.integers(24, 40), y=st.integers(24, 40), number=st.integers(0, 72))
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
    points[36], points[68] = (0.3, 0.4), (0.35, 0.4)
    mirrored, there = flipped(image, points, 0)
    np.testing.assert_array_equal(mirrored, image[:, ::-1])
    np.testing.assert_allclose(there[[45, 69]], [(0.7, 0.4), (0.65, 0.4)])
    assert np.isnan(there[[36, 68]]).all()


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
    image, points = photograph(), np.random.default_rng(0).random((73, 2))
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
    image, points = photograph(), np.random.default_rng(0).random((73, 2))
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
    image, points = photograph(), np.random.default_rng(0).random((73, 2))
    (one, at_one), (again, at_again), (other, at_other) = (rich(image, points, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    np.testing.assert_array_equal(at_one, at_again)
    assert not np.array_equal(one, other)
    assert not np.array_equal(at_one, at_other)
