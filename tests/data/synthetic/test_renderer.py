"""The synthetic face: same in, same out; landmarks where the picture has them; units move what FACS says they move."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.data.synthetic import ActionUnits, Pose, render_face, render_scene, sample_action_units, sample_face
from mien.labels import EXPRESSIONS

# iBUG's 68 points
JAW, NOSE_TIP = slice(0, 17), 30
BROWS = {"left": slice(17, 22), "right": slice(22, 27)}
EYES = {"left": slice(36, 42), "right": slice(42, 48)}
UPPER_LIDS = {"left": (37, 38), "right": (43, 44)}
LOWER_LIDS = {"left": (41, 40), "right": (47, 46)}
MOUTH_CORNERS = {"left": 48, "right": 54}
UPPER_LIP, LOWER_LIP, CHIN = 62, 66, 8
INNER_BROW = {"left": 21, "right": 22}


@pytest.fixture(scope="module")
def person():
    """A neutral, frontal face."""
    params = sample_face(np.random.default_rng(3), "neutral", roll_degrees=0.0, age=30.0)
    return replace(params, pose=Pose(), action_units=ActionUnits())


def points(params, units: dict | None = None):
    moved = replace(params, action_units=ActionUnits.of(units or {}))
    return render_face(moved, 200, seed=0).landmarks


def eye_opening(landmarks, side):
    return float(np.mean(landmarks[list(LOWER_LIDS[side]), 1] - landmarks[list(UPPER_LIDS[side]), 1]))


def test_equal_parameters_and_seed_give_equal_bytes_whatever_the_global_generator(person):
    np.random.seed(1)  # noqa: NPY002  # the global state must not matter
    one = render_face(person, 64, seed=5)
    np.random.seed(2)  # noqa: NPY002
    other = render_face(person, 64, seed=5)
    assert np.array_equal(one.image, other.image)
    assert np.array_equal(one.landmarks, other.landmarks)


def test_another_seed_changes_the_noise_and_not_the_truth(person):
    one, other = render_face(person, 64, seed=5), render_face(person, 64, seed=6)
    assert not np.array_equal(one.image, other.image)
    assert np.array_equal(one.landmarks, other.landmarks)


def test_two_draws_of_parameters_are_two_people():
    one = render_face(sample_face(np.random.default_rng(0), "happy"), 64, seed=0)
    other = render_face(sample_face(np.random.default_rng(1), "happy"), 64, seed=0)
    assert np.abs(one.image.astype(int) - other.image).mean() > 5


def test_landmarks_lie_in_the_order_of_a_face(person):
    p = points(person)
    assert p[EYES["left"], 0].max() < p[EYES["right"], 0].min()
    for side in ("left", "right"):
        assert p[BROWS[side], 1].max() < p[EYES[side], 1].min()
    assert p[EYES["left"], 1].max() < p[NOSE_TIP, 1] < p[48:68, 1].min()
    assert p[CHIN, 1] == p[:, 1].max()
    assert np.all(np.diff(p[JAW, 0]) > 0)


def test_five_points_are_the_eyes_nose_and_mouth_corners_of_the_landmarks(person):
    face = render_face(person, 200, seed=0)
    eyes = [face.landmarks[EYES[side]].mean(axis=0) for side in ("left", "right")]
    unit = np.linalg.norm(eyes[1] - eyes[0])
    expected = np.stack([*eyes, face.landmarks[NOSE_TIP], face.landmarks[48], face.landmarks[54]])
    assert np.linalg.norm(face.five_points - expected, axis=1).max() < 0.15 * unit


def test_unit_12_widens_the_mouth_and_raises_its_corners(person):
    rest, smile = points(person), points(person, {12: 1.0})
    assert smile[54, 0] - smile[48, 0] > 1.03 * (rest[54, 0] - rest[48, 0])
    for corner in MOUTH_CORNERS.values():
        assert smile[corner, 1] < rest[corner, 1] - 1


def test_unit_15_lowers_the_corners_of_the_mouth(person):
    rest, sad = points(person), points(person, {15: 1.0})
    assert all(sad[corner, 1] > rest[corner, 1] + 1 for corner in MOUTH_CORNERS.values())


def test_unit_26_lowers_the_chin_and_with_25_opens_the_mouth(person):
    rest, open_mouth = points(person), points(person, {25: 1.0, 26: 1.0})
    assert open_mouth[CHIN, 1] > rest[CHIN, 1] + 2
    assert open_mouth[LOWER_LIP, 1] - open_mouth[UPPER_LIP, 1] > rest[LOWER_LIP, 1] - rest[UPPER_LIP, 1] + 5


@pytest.mark.parametrize(("units", "sign"), [({1: 1.0, 2: 1.0}, -1), ({4: 1.0}, 1)])
def test_units_1_and_2_raise_the_brows_and_4_lowers_them(person, units, sign):
    rest, moved = points(person), points(person, units)
    for side in ("left", "right"):
        assert sign * (moved[BROWS[side], 1].mean() - rest[BROWS[side], 1].mean()) > 1


def test_unit_4_draws_the_brows_together(person):
    rest, frown = points(person), points(person, {4: 1.0})
    assert frown[22, 0] - frown[21, 0] < rest[22, 0] - rest[21, 0] - 0.5


@pytest.mark.parametrize(("unit", "wider"), [(5, True), (6, False), (7, False)])
def test_unit_5_opens_the_eyes_and_units_6_and_7_narrow_them(person, unit, wider):
    rest, moved = points(person), points(person, {unit: 1.0})
    for side in ("left", "right"):
        assert (eye_opening(moved, side) > eye_opening(rest, side)) == wider


def test_a_unit_on_one_side_moves_that_side_alone(person):
    rest, smirk = points(person), points(person, {12: (1.0, 0.0)})
    moved = np.linalg.norm(smirk - rest, axis=1)
    assert moved[48] > 2
    assert moved[54] < 0.3 * moved[48]


def test_more_of_a_unit_moves_more(person):
    rest = points(person)
    shifts = [rest[48, 1] - points(person, {12: level})[48, 1] for level in (0.25, 0.5, 1.0)]
    assert 0 < shifts[0] < shifts[1] < shifts[2]


@pytest.mark.parametrize("degrees", [-150.0, -20.0, 35.0, 90.0])
def test_roll_turns_the_landmarks_by_its_angle_about_the_picture_s_centre(person, degrees):
    size = 128
    upright = render_face(person, size, seed=0).landmarks
    rolled = render_face(replace(person, pose=Pose(roll=degrees)), size, seed=0).landmarks
    angles = [np.degrees(np.arctan2(*(p[45] - p[36])[::-1])) for p in (upright, rolled)]
    turned = (angles[1] - angles[0] + 180) % 360 - 180
    assert abs(abs(turned) - abs(degrees)) < 0.5
    centre = (size - 1) / 2
    radii = [np.linalg.norm(p - centre, axis=1) for p in (upright, rolled)]
    assert np.allclose(*radii, atol=1.0)


def test_a_picture_twice_as_large_has_its_landmarks_twice_as_far(person):
    small, large = render_face(person, 100, seed=0).landmarks, render_face(person, 200, seed=0).landmarks
    assert np.allclose(2 * (small + 0.5) - 0.5, large, atol=0.6)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_expression_draws_a_face_and_a_scene(expression):
    params = sample_face(np.random.default_rng(4), expression)
    assert params.expression == EXPRESSIONS.index(expression)
    face, scene = render_face(params, 48), render_scene(params, (90, 120))
    assert face.image.shape == (48, 48, 3)
    assert scene.image.shape == (90, 120, 3)
    assert face.image.dtype == scene.image.dtype == np.uint8


def test_prototypes_show_in_the_mean_over_many_samples():
    rng = np.random.default_rng(0)
    mean = {
        name: np.mean([sample_action_units(rng, name).left for _ in range(200)], axis=0) for name in ("happy", "sad")
    }
    order = [1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15]
    happy, sad = dict(zip(order, mean["happy"], strict=False)), dict(zip(order, mean["sad"], strict=False))
    assert happy[12] > 3 * sad[12]
    assert sad[15] > 3 * happy[15]


def test_neutral_is_not_always_at_rest_so_that_classes_overlap():
    rng = np.random.default_rng(0)
    assert max(max(sample_action_units(rng, "neutral").left) for _ in range(50)) > 0.1


def test_age_greys_and_wrinkles_the_same_person(person):
    young = render_face(replace(person, identity=person.identity.at_age(20)), 100, seed=0)
    old = render_face(replace(person, identity=person.identity.at_age(90)), 100, seed=0)
    assert np.abs(young.image.astype(int) - old.image).mean() > 2


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), expression=st.sampled_from(EXPRESSIONS), size=st.integers(24, 96))
def test_any_sampled_face_is_a_picture_with_its_landmarks_inside(seed, expression, size):
    face = render_face(sample_face(np.random.default_rng(seed), expression), size, seed=seed)
    assert face.image.shape == (size, size, 3)
    assert face.image.std() > 3
    assert np.isfinite(face.landmarks).all()
    assert face.landmarks[17:].min() > -1
    assert face.landmarks[17:].max() < size + 1


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), roll=st.floats(-180, 180))
def test_a_scene_holds_its_whole_face_at_any_roll(seed, roll):
    params = sample_face(np.random.default_rng(seed), "neutral", roll_degrees=roll)
    scene = render_scene(params, (160, 140), seed=seed)
    assert (scene.landmarks > 0).all()
    assert (scene.landmarks < (140, 160)).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sample_face(np.random.default_rng(0), "hapy"), "hapy"),
        (lambda: sample_face(np.random.default_rng(0), "happy", age=0.0), "age 0.0 lies outside 1 to 100"),
        (lambda: sample_face(np.random.default_rng(0), "happy", roll_degrees=400.0), "roll_degrees 400.0"),
        (lambda: render_face(sample_face(np.random.default_rng(0), "happy"), 8), "size 8"),
        (lambda: render_scene(sample_face(np.random.default_rng(0), "happy"), (100, 5000)), r"image_size\[1\] 5000"),
        (lambda: render_scene(sample_face(np.random.default_rng(0), "happy"), face_scale=0.95), "face_scale 0.95"),
        (lambda: render_scene(sample_face(np.random.default_rng(0), "happy"), centre=(1.5, 0.5)), "centre"),
        (lambda: ActionUnits.of({12: 1.2}), "1.2"),
        (lambda: ActionUnits.of({99: 0.5}), "99"),
        (lambda: ActionUnits(left=(0.0,)), "1 intensities for 18 action units"),
    ],
)
def test_a_mistake_is_reported_with_its_value(call, message):
    with pytest.raises(ValueError, match=message):
        call()
