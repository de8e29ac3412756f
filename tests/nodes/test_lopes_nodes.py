"""Lopes et al.'s preparation of a samples table: which faces come out, in which order, by which steps."""

from typing import Any

import cv2
import numpy as np
import pytest
from tests.nodes.located import alignment, listed_pairs, located, scene

from mien.data import lopes as steps
from mien.io.packed_faces import FaceStream
from mien.nodes import cropping
from mien.nodes import lopes as node
from mien.nodes.alignment import locate_faces
from mien.nodes.lopes import LopesParams, normalise_faces, prepare_in_several_ways, synthesise_faces

IMAGES = ("one.png", "broken.png", "none.png", "two.png", "one.png")  # rows 0, none, 1, 2, 3


def params(**changes: Any) -> LopesParams:
    settings = {"size": 32, "rotate": True, "crop": True, "above": 1.3, "below": 3.2, "beside": 2.4, "normalise": True}
    jitter = {"num_synthetic": 3, "jitter_sigma": 3.0, "jitter_eye_distance": 90.0, "seed": 0}
    return LopesParams(**{**settings, "window": 7, **jitter, "workers": 1, **changes})


def faces(stream: FaceStream, start: int = 0) -> np.ndarray:
    return np.concatenate(list(stream.batches(start)))


def grey(number: int) -> np.ndarray:
    return cv2.cvtColor(scene(number).image, cv2.COLOR_RGB2GRAY)


def by_hand(number: int, *, normalise: bool = True) -> np.ndarray:
    """A scene's face from its known eyes, step by step."""
    eyes = np.float64(np.float32(scene(number).five_points[:2]))
    crop = steps.box_to_square(steps.face_box(eyes, steps.CropGeometry(1.3, 3.2, 2.4)), 32)
    face = steps.resample(grey(number), steps.compose(crop, steps.level_eyes(eyes)), 32)
    return steps.contrast_as_grey(steps.normalise_contrast(face)) if normalise else face


def test_faces_come_in_the_order_of_their_rows_each_through_all_steps(raw):
    samples = located(raw, *IMAGES).iloc[::-1]
    stream = normalise_faces(samples, raw, params())
    assert stream.shape == (4, 32, 32, 1)
    packed = faces(stream)
    assert packed.shape == stream.shape
    assert packed.dtype == np.uint8
    for row, number in ((0, 0), (2, 1), (3, 0)):
        np.testing.assert_array_equal(packed[row, ..., 0], by_hand(number))


def test_an_image_without_a_face_is_shrunk_as_it_is(raw):
    none = cv2.cvtColor(cv2.cvtColor(cv2.imread(str(raw / "none.png")), cv2.COLOR_BGR2RGB), cv2.COLOR_RGB2GRAY)
    for policy, seen in (("centre_crop", none[:, 8:88]), ("keep_original", none)):
        samples = located(raw, "none.png", without_face=policy)
        shrunk = faces(normalise_faces(samples, raw, params(normalise=False, size=16)))[0, ..., 0]
        expected = cv2.resize(seen, (16, 16), interpolation=cv2.INTER_AREA)
        assert np.abs(shrunk.astype(int) - expected).max() <= 1


def test_each_step_can_be_switched_off(raw):
    samples = located(raw, "one.png")
    eyes = np.float64(np.float32(scene(0).five_points[:2]))
    box = steps.face_box(eyes, steps.CropGeometry())
    whole = steps.image_box(grey(0).shape)
    turn = steps.level_eyes(eyes)
    expected = {
        "crop": steps.compose(steps.box_to_square(whole), turn),
        "rotate": steps.box_to_square(box),
    }
    for step, matrix in expected.items():
        face = faces(normalise_faces(samples, raw, params(normalise=False, **{step: False})))[0, ..., 0]
        np.testing.assert_array_equal(face, steps.resample(grey(0), matrix))
    plain = faces(normalise_faces(samples, raw, params(normalise=False, crop=False, rotate=False)))[0, ..., 0]
    np.testing.assert_array_equal(plain, steps.resample(grey(0), steps.box_to_square(whole)))
    unnormalised = faces(normalise_faces(samples, raw, params(normalise=False)))[0, ..., 0]
    np.testing.assert_array_equal(unnormalised, by_hand(0, normalise=False))
    assert faces(synthesise_faces(samples, raw, params(num_synthetic=0))).shape == (1, 1, 32, 32, 1)


def test_a_training_face_is_followed_by_its_neighbours_which_differ_a_little(raw):
    samples = located(raw, *IMAGES)
    stream = synthesise_faces(samples, raw, params(num_synthetic=20, normalise=False))
    assert stream.shape == (4, 21, 32, 32, 1)
    packed = faces(stream)
    np.testing.assert_array_equal(packed[:, 0], faces(normalise_faces(samples, raw, params(normalise=False))))
    for family in packed[[0, 2]].astype(float):  # the two scenes
        differences = [np.abs(neighbour - family[0]).mean() for neighbour in family[1:]]
        assert 1 < min(differences) < max(differences) < 60
        assert len({neighbour.tobytes() for neighbour in family}) == 21


def test_a_jittered_eye_lands_where_the_deviation_says(raw):
    """3 px at 90 px between the eyes: relative to the eye distance each coordinate moves by a thirtieth."""
    samples = located(raw, "one.png")
    points = samples[["left_eye_x", "left_eye_y", "right_eye_x", "right_eye_y"]].to_numpy(float).reshape(2, 2)
    matrices = node._transforms(
        "points", np.vstack([points, np.zeros((3, 2))]), (80, 96), params(), 2000, np.random.default_rng(0)
    )
    scale = 32 / 4.8 * 2  # pixels of the face per eye distance, along the line of the eyes
    placed = np.array([matrix[:, :2] @ points.mean(axis=0) + matrix[:, 2] for matrix in matrices])
    # The point between the eyes moves by the mean of two independent jitters.
    assert placed[1:, 0].std() / scale == pytest.approx(1 / 30 / np.sqrt(2), rel=0.06)


def test_neighbours_depend_on_the_seed_and_the_image_alone(raw):
    alone = faces(synthesise_faces(located(raw, "two.png"), raw, params()))[0]
    among = faces(synthesise_faces(located(raw, *IMAGES), raw, params()))[2]
    np.testing.assert_array_equal(alone, among)
    other = faces(synthesise_faces(located(raw, "two.png"), raw, params(seed=1)))[0]
    np.testing.assert_array_equal(other[0], alone[0])
    assert not np.array_equal(other[1], alone[1])


def test_only_rows_that_can_be_trained_on_get_neighbours(raw):
    samples = located(raw, *IMAGES)
    samples["split"] = ["val", "train", "test", "train", "folds"]
    stream = synthesise_faces(samples, raw, params())
    assert stream.shape[0] == 2  # the broken one has no face
    packed = faces(stream)
    np.testing.assert_array_equal(packed[0, 0, ..., 0], by_hand(1))
    np.testing.assert_array_equal(packed[1, 0, ..., 0], by_hand(0))


def test_no_row_to_learn_from_is_reported(raw):
    samples = located(raw, "one.png").assign(split="test")
    with pytest.raises(ValueError, match=r"none of the 1 samples.*Look at the columns split and reason"):
        synthesise_faces(samples, raw, params())


@pytest.mark.parametrize("step", [normalise_faces, synthesise_faces])
def test_a_stream_goes_on_from_any_row_with_the_same_bytes(raw, step, monkeypatch):
    monkeypatch.setattr(cropping, "CROP_BATCH", 2)
    stream = step(located(raw, *IMAGES), raw, params())
    whole = faces(stream)
    for start in range(4):
        np.testing.assert_array_equal(faces(stream, start), whole[start:])


def test_several_processes_give_the_same_bytes(raw, monkeypatch):
    monkeypatch.setattr(cropping, "CROP_BATCH", 1)
    samples = located(raw, *IMAGES)
    one, two = (faces(synthesise_faces(samples, raw, params(workers=workers))) for workers in (1, 2))
    np.testing.assert_array_equal(one, two)


def test_the_key_tells_apart_what_gives_other_bytes(raw):
    samples = located(raw, *IMAGES)
    key = normalise_faces(samples, raw, params()).key
    assert normalise_faces(samples, raw, params(workers=2)).key == key
    for changes in ({"rotate": False}, {"window": 5}, {"beside": 2.5}, {"size": 31}):
        assert normalise_faces(samples, raw, params(**changes)).key != key
    assert normalise_faces(samples.head(1), raw, params()).key != key
    assert synthesise_faces(samples, raw, params()).key != key


def test_both_images_of_a_pair_are_prepared_by_the_same_eyes(raw):
    later = cv2.convertScaleAbs(cv2.imread(str(raw / "one.png")), alpha=0.5)
    cv2.imwrite(str(raw / "later.png"), later)
    pairs = locate_faces(listed_pairs(("one.png", "later.png")), raw, raw / "unfinished", alignment())
    plain = params(normalise=False, num_synthetic=2)
    onset, apex = faces(normalise_faces(pairs, raw, plain))[0, ..., 0]
    np.testing.assert_array_equal(onset, by_hand(0, normalise=False))
    assert np.abs(apex * 2.0 - onset).max() <= 4
    stream = synthesise_faces(pairs, raw, plain)
    assert stream.shape == (1, 3, 2, 32, 32, 1)
    for onset, apex in faces(stream)[0, ..., 0]:
        assert np.abs(apex * 2.0 - onset).max() <= 4


def test_a_window_without_a_middle_is_refused():
    with pytest.raises(ValueError, match="window is 6 px and has no middle pixel: give an odd number"):
        params(window=6)


def test_the_published_settings_are_the_steps_defaults():
    geometry, published = steps.CropGeometry(), params(num_synthetic=steps.NUM_SYNTHETIC)
    assert (published.above, published.below, published.beside) == (geometry.above, geometry.below, geometry.beside)
    assert (published.size, published.window, published.num_synthetic) == (steps.FACE_SIZE, steps.WINDOW, 70)
    assert published.jitter_sigma == steps.JITTER_SIGMA


def test_several_ways_side_by_side_are_each_way_alone(raw):
    samples = located(raw, *IMAGES)
    ways = [params(rotate=False), params(normalise=False), params()]
    plain, synthetic = prepare_in_several_ways(samples, raw, ways)
    assert plain.shape == (4, 3, 32, 32, 1)
    assert synthetic.shape == (4, 3, 4, 32, 32, 1)
    for number, way in enumerate(ways):
        np.testing.assert_array_equal(faces(plain)[:, number], faces(normalise_faces(samples, raw, way)))
        np.testing.assert_array_equal(faces(synthetic)[:, number], faces(synthesise_faces(samples, raw, way)))


def test_ways_of_different_sizes_do_not_stand_side_by_side(raw):
    with pytest.raises(ValueError, match="give one size and one num_synthetic for all"):
        prepare_in_several_ways(located(raw, "one.png"), raw, [params(), params(size=16)])
