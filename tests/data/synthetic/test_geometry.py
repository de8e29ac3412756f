"""Relief, pose and pictures against closed forms: what projects back, turns, scales and blurs as it must."""

from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.data.synthetic import (
    ActionUnits,
    Camera,
    Framing,
    Pose,
    render_face,
    render_scene,
    sample_face,
    sample_identity,
)
from mien.data.synthetic.canvas import Canvas, ellipse, photograph, ribbon
from mien.data.synthetic.geometry import build_curves, landmarks, spline
from mien.data.synthetic.light import build_relief, project, rotation, unproject


@pytest.fixture(scope="module")
def params():
    return sample_face(np.random.default_rng(12), "happy", roll_degrees=0.0, age=30.0)


def test_a_spline_passes_through_its_knots_and_keeps_a_straight_line_straight():
    knots = np.random.default_rng(0).normal(size=(6, 2))
    np.testing.assert_allclose(spline(knots, 51)[::10], knots, atol=1e-12)
    np.testing.assert_allclose(spline(knots, 60, closed=True)[::10], knots, atol=1e-12)
    line = np.stack([np.linspace(0, 1, 5), np.linspace(2, 0, 5)], axis=1)
    middle = spline(line, 41)[10:31]
    np.testing.assert_allclose(middle[:, 1], 2 - 2 * middle[:, 0], atol=1e-12)


@pytest.mark.parametrize(("feather", "tolerance"), [(0.0, 0.04), (0.05, 0.04)])
def test_a_painted_disc_covers_its_area_whatever_its_softness(feather, tolerance):
    canvas = Canvas(np.zeros((1, 240, 240), np.float32), 40.0, np.array([120.0, 120.0]))
    canvas.fill(ellipse((0.1, -0.2), (1.2, 0.9), 64), 1.0, feather=feather)
    assert canvas.pixels.sum() / 40.0**2 == pytest.approx(np.pi * 1.2 * 0.9, rel=tolerance)


def test_paint_outside_the_canvas_is_no_mistake_and_leaves_it_as_it_was():
    canvas = Canvas(np.zeros((3, 20, 20), np.float32), 10.0, np.zeros(2))
    canvas.fill(ellipse((50.0, 50.0), (1.0, 1.0)), (1.0, 1.0, 1.0), feather=0.1)
    assert canvas.pixels.sum() == 0.0


def test_a_rolled_canvas_turns_clockwise_and_converts_back():
    canvas = Canvas(np.zeros((1, 9, 9), np.float32), 2.0, np.array([3.0, 4.0]), roll=90.0)
    np.testing.assert_allclose(canvas.to_pixels(np.array([[1.0, 0.0]])), [[3.0, 6.0]], atol=1e-12)
    where = np.random.default_rng(0).normal(size=(5, 2))
    np.testing.assert_allclose(canvas.to_units(canvas.to_pixels(where)), where, atol=1e-12)


def test_a_ribbon_is_as_wide_as_it_says_in_its_middle():
    line = np.stack([np.linspace(0.0, 4.0, 9), np.zeros(9)], axis=1)
    outline = ribbon(line, 0.5)
    assert abs(outline[4, 1] - outline[-5, 1]) == pytest.approx(0.5)
    assert abs(outline[0, 1] - outline[-1, 1]) == pytest.approx(0.0, abs=1e-9)


def test_the_relief_is_the_same_over_a_grid_and_at_points(params):
    relief = build_relief(params.identity, build_curves(params.identity, params.action_units))
    x, y = np.linspace(-1.0, 1.0, 7), np.linspace(-1.0, 1.8, 9)
    points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    np.testing.assert_allclose(relief.grid(x, y).ravel(), relief.at(points), atol=1e-5)


def test_the_nose_stands_out_from_the_cheeks_and_the_eyes_lie_deeper(params):
    curves = build_curves(params.identity, params.action_units)
    relief = build_relief(params.identity, curves)
    tip, cheek, eye = relief.at(np.array([curves.nose.ridge[3], (0.5, curves.nose.ridge[3, 1]), (0.5, 0.0)]))
    assert tip > cheek + 0.1
    assert tip > eye + 0.2


@given(yaw=st.floats(-35, 35), pitch=st.floats(-25, 25))
@settings(max_examples=30, deadline=None)
def test_a_turn_is_a_rotation(yaw, pitch):
    turn = rotation(Pose(yaw=yaw, pitch=pitch))
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(turn) == pytest.approx(1.0)
    assert np.sign(round(turn[0, 2], 9)) == np.sign(round(np.sin(np.deg2rad(yaw)), 9))


@pytest.mark.parametrize(("yaw", "pitch"), [(0.0, 0.0), (20.0, 0.0), (-20.0, 10.0), (5.0, -14.0)])
def test_landmarks_are_where_the_picture_shows_their_place_of_the_face(params, yaw, pitch):
    curves = build_curves(params.identity, params.action_units)
    relief, turn = build_relief(params.identity, curves), rotation(Pose(yaw=yaw, pitch=pitch))
    flat = landmarks(curves)[17:]
    seen = project(flat, relief.at(flat), turn)
    scale, corner = 60.0, np.array([-1.8, -2.4])
    canvas = Canvas(np.zeros((3, 290, 216), np.float32), scale, -corner * scale)
    height = relief.grid(np.arange(216) / scale + corner[0], np.arange(290) / scale + corner[1])
    x, y = (seen[None, :, axis].astype(np.float32) for axis in (0, 1))
    column, row = unproject(x, y, height, canvas, turn)
    back = canvas.to_units(np.stack([column[0], row[0]], axis=1))
    error = np.linalg.norm(back - flat, axis=1)
    assert np.median(error) < 0.01
    assert error.max() < 0.08  # of the distance between the eyes, at the wings of the nose


@given(roll=st.floats(-180, 180), seed=st.integers(0, 1000))
@settings(max_examples=12, deadline=None)
def test_roll_is_exactly_a_rotation_about_the_centre(roll, seed):
    params = sample_face(np.random.default_rng(seed), "fear", roll_degrees=0.0)
    upright = render_face(params, 32).landmarks.astype(float)
    rolled = render_face(replace(params, pose=replace(params.pose, roll=roll)), 32).landmarks
    cosine, sine = np.cos(np.deg2rad(roll)), np.sin(np.deg2rad(roll))
    expected = (upright - 15.5) @ np.array([[cosine, sine], [-sine, cosine]]) + 15.5
    np.testing.assert_allclose(rolled, expected, atol=1e-4)


@pytest.mark.parametrize("size", [24, 48, 150, 224])
def test_size_scales_landmarks_about_the_pictures_corner(params, size):
    base, scaled = render_face(params, 100).landmarks, render_face(params, size).landmarks
    np.testing.assert_allclose((scaled + 0.5) / size, (base + 0.5) / 100, atol=1e-5)


def test_the_same_face_is_drawn_at_every_size(params):
    quiet = replace(params, camera=Camera(noise=0.0, blur=0.0, jpeg_quality=100))
    small, large = render_face(quiet, 64).image, render_face(quiet, 256).image
    shrunk = cv2.resize(large, (64, 64), interpolation=cv2.INTER_AREA)
    assert np.abs(small.astype(float) - shrunk).mean() < 6.0


def test_the_face_of_a_scene_has_the_centre_and_the_height_it_is_given(params):
    scenes = [render_scene(params, (180, 240), face_scale=share, centre=(0.4, 0.5)) for share in (0.3, 0.6)]
    iod = [np.linalg.norm(np.subtract(*scene.five_points[:2])) for scene in scenes]
    assert iod[1] == pytest.approx(2 * iod[0], rel=1e-3)
    moved = render_scene(params, (180, 240), face_scale=0.3, centre=(0.6, 0.5)).landmarks - scenes[0].landmarks
    np.testing.assert_allclose(moved, np.broadcast_to((0.2 * 240, 0.0), (68, 2)), atol=1e-3)


def test_framing_moves_the_face_about_a_scene(params):
    left, right = (
        render_scene(replace(params, framing=Framing(x=x, scale=-1.0)), (180, 240)).landmarks for x in (-1.0, 1.0)
    )
    assert right[:, 0].mean() > left[:, 0].mean() + 40
    assert abs(right[:, 1].mean() - left[:, 1].mean()) < 1e-3


def test_a_clip_of_one_identity_moves_without_jumps_and_keeps_its_backdrop(params):
    frames = [
        render_face(replace(params, action_units=ActionUnits.of({12: 1.0, 25: 0.6}).scaled(level)), 100, seed=1)
        for level in np.linspace(0.0, 1.0, 6)
    ]
    steps = [np.abs(a.landmarks - b.landmarks).max() for a, b in pairwise(frames)]
    assert max(steps) < 2.5 * max(min(steps), 0.5)
    corners = np.stack([frame.image[:12, :12].astype(float) for frame in frames])
    assert np.ptp(corners.mean(axis=(1, 2, 3))) < 3.0


def test_a_child_has_a_shorter_face_for_its_eyes_than_the_adult_it_becomes():
    person = sample_identity(np.random.default_rng(2), age=40)
    child, adult = (landmarks(build_curves(person.at_age(age), ActionUnits())) for age in (4, 40))
    assert child[8, 1] < adult[8, 1] - 0.1
    assert np.ptp(child[36:42, 1]) > np.ptp(adult[36:42, 1])


def test_the_camera_exposes_adds_its_noise_and_drains_colour():
    light = np.stack([np.full((32, 32), level, np.float32) for level in (0.30, 0.20, 0.10)])
    clean = Camera(noise=0.0, blur=0.0, jpeg_quality=100)
    plain = photograph(light, clean, (32, 32), 30.0, 0)
    np.testing.assert_allclose(plain.mean(axis=(0, 1)), 255 * np.sqrt([0.30, 0.20, 0.10]), atol=2.0)
    brighter = photograph(light, replace(clean, exposure=1.44), (32, 32), 30.0, 0)
    np.testing.assert_allclose(brighter.mean(axis=(0, 1)), 1.2 * plain.mean(axis=(0, 1)), rtol=0.02)
    grey = photograph(light, replace(clean, saturation=0.0), (32, 32), 30.0, 0)
    assert np.ptp(grey.reshape(-1, 3).mean(axis=0)) < 1.0
    noisy = photograph(np.full((3, 64, 64), 0.25, np.float32), replace(clean, noise=5.0), (64, 64), 30.0, 0)
    assert noisy.astype(float)[:, :, 1].std() == pytest.approx(5.0, rel=0.15)


@pytest.mark.parametrize(("name", "angle"), [("roll", 400.0), ("yaw", 36.0), ("pitch", -26.0), ("yaw", float("nan"))])
def test_a_turn_beyond_the_relief_is_refused(name, angle):
    with pytest.raises(ValueError, match=rf"{name} .+ lies outside .+, in Pose: .+"):
        Pose(**{name: angle})
