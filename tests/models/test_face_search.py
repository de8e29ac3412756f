"""Turned, small and tightly cut faces are found, and come back in pixels of the image as it was given."""

import math

import cv2
import numpy as np
import pytest

from mien.data.alignment import (
    FIVE_POINT_TEMPLATE,
    apply_transform,
    choose_face,
    roll_angle_degrees,
    similarity_transform,
)
from mien.data.synthetic import SyntheticFace, render_scene, sample_face
from mien.models.face_detector import FaceDetections, FaceDetector
from mien.models.face_search import (
    LARGEST_ENLARGED,
    MEAN_POINTS,
    FaceSearch,
    SearchedImage,
    _in_image,
    _Look,
    _upright_squares,
)

EXPRESSIONS = ("happy", "neutral", "surprise", "angry", "sad", "fear", "disgust")


class CountingDetector(FaceDetector):
    """A detector that counts the images it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[int, int]] = []

    def detect(self, images):
        self.seen += [image.shape[:2] for image in images]
        return super().detect(images)


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector()


@pytest.fixture(scope="module")
def search(detector) -> FaceSearch:
    return FaceSearch(detector)


def drawn(number: int, size=(150, 170), roll_degrees: float = 0.0, **arguments) -> SyntheticFace:
    face = sample_face(
        np.random.default_rng([number, round(roll_degrees) % 360]), EXPRESSIONS[number % 7], roll_degrees=roll_degrees
    )
    return render_scene(face, size, **arguments)


def quarter_turned(image: np.ndarray, points: np.ndarray, quarters: int) -> tuple[np.ndarray, np.ndarray]:
    """Turn an image clockwise, and the points on it."""
    for _ in range(quarters):
        points = np.stack([image.shape[0] - 1 - points[:, 1], points[:, 0]], axis=1)
        image = np.rot90(image, k=-1)
    return np.ascontiguousarray(image), points


def relative_error(found: SearchedImage, truth: np.ndarray, image: np.ndarray) -> float:
    """Mean distance of the main face's points from the truth, in interocular distances; infinite without a face."""
    if not len(found.faces):
        return math.inf
    points = found.faces.points[choose_face(found.faces.boxes, image.shape[:2])]
    return float(np.linalg.norm(points - truth, axis=1).mean() / np.linalg.norm(truth[1] - truth[0]))


def assert_same(one: SearchedImage, other: SearchedImage) -> None:
    assert (one.turned_degrees, one.enlarged) == (other.turned_degrees, other.enlarged)
    for name in ("boxes", "scores", "points"):
        np.testing.assert_array_equal(getattr(one.faces, name), getattr(other.faces, name))


# ---- what is found -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_a_face_turned_by_quarters_is_found_with_the_turn_that_makes_it_upright(search, quarters):
    turned = [quarter_turned(face.image, face.five_points, quarters) for face in map(drawn, range(6))]
    found = search.search([image for image, _ in turned])
    assert [each.turned_degrees for each in found] == [90 * quarters] * 6
    assert [each.enlarged for each in found] == [1.0] * 6
    assert max(relative_error(each, *pair[::-1]) for each, pair in zip(found, turned, strict=True)) < 0.2
    for each, (_, truth) in zip(found, turned, strict=True):
        box = each.faces.boxes[0]
        assert ((truth > box[:2] - 0.5) & (truth < box[2:] + 0.5)).all()


def test_a_sure_upright_face_is_what_the_detector_found_and_gets_no_other_look():
    counting = CountingDetector()
    images = [drawn(number).image for number in (0, 3, 7)]  # of score above SURE_SCORE
    found = FaceSearch(counting).search(images)
    assert counting.seen == [image.shape[:2] for image in images]
    for each, faces in zip(found, FaceDetector().detect(images), strict=True):
        assert_same(each, SearchedImage(faces, 0, 1.0))


def test_a_face_between_two_turns_gets_the_turn_that_leaves_it_less_rolled(search):
    for roll, turn in ((60.0, 90), (-60.0, 270), (110.0, 90), (160.0, 180)):
        face = drawn(2, (170, 170), roll)
        (found,) = search.search([face.image])
        assert relative_error(found, face.five_points, face.image) < 0.2
        assert found.turned_degrees == turn


def test_without_turns_only_the_upright_image_is_searched():
    counting = CountingDetector()
    upside_down = np.ascontiguousarray(drawn(0).image[::-1, ::-1])
    (found,) = FaceSearch(counting, turns=(), enlarge=1).search([upside_down])
    assert found.turned_degrees == 0
    assert set(counting.seen) <= {(150, 170), (225, 245)}  # as it is, and within a margin of a quarter


def test_a_face_smaller_than_looked_for_is_found_when_enlarged(detector):
    face = drawn(7, (150, 150))
    image = np.full((60, 60, 3), 128, np.uint8)
    image[15:40, 15:40] = cv2.resize(face.image, (25, 25), interpolation=cv2.INTER_AREA)
    truth = (face.five_points + 0.5) / 6 + 14.5
    (missed,) = FaceSearch(detector, enlarge=1).search([image])
    (found,) = FaceSearch(detector, enlarge=2).search([image])
    assert (len(missed.faces), missed.turned_degrees, missed.enlarged) == (0, 0, 1.0)
    assert (len(found.faces), found.turned_degrees, found.enlarged) == (1, 0, 2.0)
    assert relative_error(found, truth, image) < 0.3


def test_an_image_that_would_become_too_large_is_not_enlarged():
    counting = CountingDetector()
    H, W = 300, LARGEST_ENLARGED // 4 // 300 + 1
    (found,) = FaceSearch(counting, turns=(), enlarge=2).search([np.full((H, W, 3), 90, np.uint8)])
    assert len(found.faces) == 0
    assert (2 * H, 2 * W) not in counting.seen
    assert (H, W) in counting.seen


def test_a_face_that_fills_its_image_is_found(detector, search):
    cut = []
    for number in range(12):
        face = drawn(number, (160, 160), face_scale=0.8, centre=(0.5, 0.5))
        left, top = np.maximum(0, face.five_points.min(axis=0) - 22).astype(int)
        right, bottom = (face.five_points.max(axis=0) + 22).astype(int)
        cut.append(np.ascontiguousarray(face.image[top:bottom, left:right]))
    missed = [image for image, faces in zip(cut, detector.detect(cut), strict=True) if not len(faces)]
    assert missed
    found = search.search(missed)
    assert sum(len(each.faces) > 0 for each in found) >= len(missed) / 2


def test_of_several_faces_all_are_found_and_the_large_central_one_is_the_main_one(search):
    canvas = np.full((300, 420, 3), 120, np.uint8)
    main = drawn(0, (200, 200))
    canvas[50:250, 110:310] = main.image
    truth = main.five_points + np.array([110, 50])
    for number, left in ((1, 5), (3, 325)):
        canvas[100:190, left : left + 90] = drawn(number, (90, 90)).image
    (found,) = search.search([canvas])
    assert len(found.faces) == 3
    assert relative_error(found, truth, canvas) < 0.2
    turned, truth = quarter_turned(canvas, truth, 2)
    (found,) = search.search([turned])
    assert len(found.faces) == 3
    assert found.turned_degrees == 180
    assert relative_error(found, truth, turned) < 0.2


# ---- how images are grouped ----------------------------------------------------------------------------------------


def test_images_of_mixed_sizes_turns_and_contents_are_found_as_they_are_alone(search):
    images = [
        drawn(0).image,
        np.ascontiguousarray(np.rot90(drawn(1, (120, 100)).image)),
        np.full((60, 60, 3), 90, np.uint8),
        drawn(2, (170, 170), 45.0).image,
        np.zeros((1, 1, 3), np.uint8),
        np.ascontiguousarray(drawn(3).image[::-1, ::-1]),
        np.zeros((15, 400, 3), np.uint8),
    ]
    alone = [search.search([image])[0] for image in images]
    for each, expected in zip(search.search(images), alone, strict=True):
        assert_same(each, expected)
    for each, expected in zip(search.search(images[::-1]), alone[::-1], strict=True):
        assert_same(each, expected)
    assert [len(each.faces) for each in alone] == [1, 1, 0, 1, 0, 1, 0]


def test_no_images_give_no_results(search):
    assert search.search([]) == []


def test_an_image_without_a_face_gives_an_empty_result(search):
    (found,) = search.search([np.random.default_rng(0).integers(0, 256, (80, 90, 3), dtype=np.uint8)])
    assert (len(found.faces), found.turned_degrees, found.enlarged) == (0, 0, 1.0)
    assert (found.faces.boxes.shape, found.faces.points.shape) == ((0, 4), (0, 5, 2))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"turns": (45,)}, r"turns=\(45,\).*quarters of a circle"),
        ({"turns": (0, 90)}, "quarters of a circle"),
        ({"enlarge": 0.5}, r"enlarge=0\.5.*outside \[1, 8\]"),
        ({"enlarge": float("nan")}, r"outside \[1, 8\]"),
    ],
)
def test_arguments_outside_their_range_are_refused(detector, arguments, message):
    with pytest.raises(ValueError, match=message):
        FaceSearch(detector, **arguments)


# ---- how an image is seen ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_a_quarter_turned_look_has_exactly_the_pixels_of_the_image(quarters):
    image = np.random.default_rng(0).integers(0, 256, (13, 20, 3), dtype=np.uint8)
    view, _ = _Look(0, turn=90 * quarters).see(image)
    np.testing.assert_array_equal(view, np.rot90(image, k=quarters))


def test_a_margin_is_grey_and_a_mirrored_look_is_the_mirror_image():
    image = np.random.default_rng(0).integers(0, 100, (16, 24, 3), dtype=np.uint8)
    view, _ = _Look(0, margin=0.25, mirrored=True).see(image)
    assert view.shape == (24, 32, 3)
    np.testing.assert_array_equal(view[4:-4, 4:-4], image[:, ::-1])
    view[4:-4, 4:-4] = 128
    assert (view == 128).all()


@pytest.mark.parametrize("look", [_Look(0, 90, 2.0), _Look(0, 45), _Look(0, margin=0.25, mirrored=True), _Look(0, 225)])
def test_what_is_found_in_a_look_lies_where_it_is_in_the_image(look):
    image = np.full((61, 81, 3), 128, np.uint8)  # as grey as what lies outside
    image[18:23, 28:33] = 250  # about the pixel (30, 20)
    view, back = look.see(image)
    y, x = (np.average(axis, weights=view[..., 0] - 128.0) for axis in np.mgrid[: view.shape[0], : view.shape[1]])
    points = np.array([[[x, y], [x + 4, y], [x, y], [x, y + 4], [x, y]]])
    faces = FaceDetections(np.array([[x - 1.5, y - 1.5, x + 2.5, y + 2.5]]), np.ones(1, np.float32), points)
    found = _in_image(faces, back)
    np.testing.assert_allclose(found.points[0, 2], [30, 20], atol=0.1)
    box = found.boxes[0]
    np.testing.assert_allclose([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2], [30.5, 20.5], atol=0.1)
    # A mirrored face's image-left eye is the other one; it stays the fourfold distance of pixels away.
    other = found.points[0, 0 if look.mirrored else 1]
    assert np.linalg.norm(other - [30, 20]) == pytest.approx(4 / look.enlarged, abs=0.1)


@pytest.mark.parametrize(("degrees", "side"), [(0.0, 40.0), (90.0, 25.0), (-135.0, 60.0)])
def test_the_upright_square_of_points_that_fit_o_nets_mean_is_the_square_they_were_laid_in(degrees, side):
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    square = np.array([[side * cos, -side * sin, 7.0], [side * sin, side * cos, 9.0]])
    points = MEAN_POINTS @ square[:, :2].T + square[:, 2] - 0.5
    np.testing.assert_allclose(_upright_squares(points[None])[0], square, atol=1e-9)


# ---- every angle ---------------------------------------------------------------------------------------------------


def remaining_tilt(found: SearchedImage, truth: np.ndarray, image: np.ndarray) -> float:
    """Degrees of roll that the true points have once the image is aligned by the found ones."""
    points = found.faces.points[choose_face(found.faces.boxes, image.shape[:2])]
    return abs(roll_angle_degrees(apply_transform(truth, similarity_transform(points, FIVE_POINT_TEMPLATE))))


@pytest.mark.slow
def test_synthetic_faces_of_any_roll_are_found_and_stand_upright_once_aligned(search):
    recall, tilts = {}, {}
    for roll in range(-180, 181, 15):
        faces = [drawn(number, (160, 160), float(roll)) for number in range(24)]
        found = search.search([face.image for face in faces])
        pairs = [(each, face.five_points, face.image) for each, face in zip(found, faces, strict=True)]
        recall[roll] = np.mean([relative_error(*pair) < 0.2 for pair in pairs])
        tilts[roll] = [remaining_tilt(*pair) for pair in pairs if len(pair[0].faces)]
    assert np.mean(list(recall.values())) >= 0.95, recall
    assert min(recall.values()) >= 0.8, recall
    assert np.median(np.concatenate(list(tilts.values()))) <= 3
    assert max(np.median(of_roll) for of_roll in tilts.values()) <= 5
