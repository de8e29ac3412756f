"""Synthetic faces with exact landmarks: the points lie where the picture has them, whatever is cut out."""

from dataclasses import replace

import numpy as np
import pytest

from mien.data.alignment import FIVE_POINT_TEMPLATE, align_face, roll_angle_degrees
from mien.data.landmark_faces import LandmarkCrops, draw_landmark_face, place_landmark_face
from mien.data.synthetic import draw_scene, five_points, sample_face, scene_landmarks
from mien.labels import EXPRESSIONS, FIVE_POINT_LANDMARKS

STILL = LandmarkCrops(112, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
MOVING = LandmarkCrops(48, 0.6, 30.0, 0.15, 0.08, 14.0, 8.0, 0.3)


def test_landmarks_without_drawing_are_those_of_the_drawn_scene():
    for seed, place in enumerate(({}, {"face_scale": 0.4, "centre": (0.4, 0.6)})):
        parameters = sample_face(np.random.default_rng(seed), "happy")
        drawn = draw_scene(parameters, (90, 120), **place)
        np.testing.assert_array_equal(scene_landmarks(parameters, (90, 120), **place), drawn.landmarks)


def test_five_points_are_those_of_the_synthetic_face_for_one_face_and_for_many():
    drawn = draw_scene(sample_face(np.random.default_rng(0), "sad"), (64, 64))
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
    np.testing.assert_array_equal(draw_landmark_face(one, 48), draw_landmark_face(again, 48))
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
    image = draw_landmark_face(face, 112)
    assert image.shape == (112, 112, 3)
    assert image.dtype == np.uint8
    for eye in (slice(36, 42), slice(42, 48)):
        x, y = (face.landmarks[eye].mean(axis=0) * 112 - 0.5).round().astype(int)
        cheek = image[y + 14 : y + 20, x - 3 : x + 4].mean()
        assert image[y - 3 : y + 4, x - 4 : x + 5].min() < cheek - 20
