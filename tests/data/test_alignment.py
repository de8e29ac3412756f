"""Similarity transforms, roll, aligned crops and the choice of a face against closed forms and OpenCV."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mien.data.alignment import (
    FIVE_POINT_TEMPLATE,
    align_face,
    apply_transform,
    centre_crop_face,
    choose_face,
    roll_angle_degrees,
    similarity_transform,
)

coordinate = st.floats(-200, 200).map(lambda value: round(value, 2))
points = st.lists(st.tuples(coordinate, coordinate), min_size=2, max_size=8, unique=True).map(np.array)


def similarity(scale: float, degrees: float, shift: tuple[float, float]) -> np.ndarray:
    a, b = scale * math.cos(math.radians(degrees)), scale * math.sin(math.radians(degrees))
    return np.array([[a, -b, shift[0]], [b, a, shift[1]]])


def turned(degrees: float, scale: float = 1.0, centre: tuple[float, float] = (150.0, 140.0)) -> np.ndarray:
    """Five points of a face turned about a place in the image."""
    upright = FIVE_POINT_TEMPLATE - FIVE_POINT_TEMPLATE.mean(axis=0)
    return apply_transform(upright, similarity(scale, degrees, centre))


def face_picture(five_points: np.ndarray, size: tuple[int, int] = (300, 300), spread: float = 4.0) -> np.ndarray:
    """Black, with a bright smooth spot of its own colour on each of the first three points."""
    y, x = np.mgrid[: size[0], : size[1]]
    spots = [np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * spread**2)) for px, py in five_points[:3]]
    return (255 * np.stack(spots, axis=2)).round().astype(np.uint8)


def spot_centres(image: np.ndarray) -> np.ndarray:
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    weights = image.astype(float).transpose(2, 0, 1)
    return np.array([[(w * x).sum() / w.sum(), (w * y).sum() / w.sum()] for w in weights])


def test_the_template_is_the_published_one_moved_8_px_to_the_right():
    published = [(30.2946, 51.6963), (65.5318, 51.5014), (48.0252, 71.7366), (33.5493, 92.3655), (62.7299, 92.2041)]
    np.testing.assert_allclose(FIVE_POINT_TEMPLATE - [8, 0], published)


@given(points, st.floats(0.05, 20), st.floats(-180, 180), st.tuples(coordinate, coordinate))
def test_a_similarity_is_recovered_from_the_points_it_moved(source, scale, degrees, shift):
    assume(np.ptp(source, axis=0).max() > 0.1)
    truth = similarity(scale, degrees, shift)
    np.testing.assert_allclose(
        similarity_transform(source, apply_transform(source, truth)), truth, atol=1e-6 * scale + 1e-7
    )


@pytest.mark.parametrize(("scale", "degrees"), [(1.0, 0.0), (0.37, 25.0), (2.4, -160.0)])
def test_noiseless_points_give_the_matrix_of_opencv(scale, degrees):
    target = apply_transform(FIVE_POINT_TEMPLATE, similarity(scale, degrees, (11.0, -7.0)))
    expected, _ = cv2.estimateAffinePartial2D(FIVE_POINT_TEMPLATE, target)
    np.testing.assert_allclose(
        similarity_transform(FIVE_POINT_TEMPLATE, target), expected, atol=1e-4
    )  # OpenCV refines in single precision


@given(st.integers(0, 10_000))
def test_the_fit_solves_the_linear_least_squares_problem(seed):
    source, target = np.random.default_rng(seed).normal(0, 50, (2, 6, 2))
    x, y = source.T
    one, zero = np.ones(6), np.zeros(6)
    design = np.concatenate([np.stack([x, -y, one, zero], 1), np.stack([y, x, zero, one], 1)])
    (a, b, tx, ty), *_ = np.linalg.lstsq(design, target.T.reshape(-1), rcond=None)
    np.testing.assert_allclose(similarity_transform(source, target), [[a, -b, tx], [b, a, ty]], atol=1e-8)


def test_a_mirrored_face_is_not_mirrored_back():
    mirrored = FIVE_POINT_TEMPLATE * [-1, 1]
    assert np.linalg.det(similarity_transform(mirrored, FIVE_POINT_TEMPLATE)[:, :2]) >= 0


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        (np.zeros((5, 2)), np.zeros((4, 2)), "one target point for each"),
        (np.zeros((1, 2)), np.zeros((1, 2)), "n at least 2"),
        (np.zeros((5, 3)), np.zeros((5, 3)), "shapes"),
        (np.full((5, 2), 7e3), FIVE_POINT_TEMPLATE, "all source points lie at"),
        (FIVE_POINT_TEMPLATE * np.nan, FIVE_POINT_TEMPLATE, "not finite"),
    ],
)
def test_points_that_fix_no_transform_are_refused(source, target, message):
    with pytest.raises(ValueError, match=message):
        similarity_transform(source, target)


@given(st.floats(-179.9, 179.9))
def test_roll_is_the_angle_by_which_a_face_was_turned(degrees):
    eye_line = math.degrees(math.atan2(51.5014 - 51.6963, 73.5318 - 38.2946))  # the template's eyes are not quite level
    difference = roll_angle_degrees(turned(degrees)) - (degrees + eye_line)
    assert math.isclose(math.remainder(difference, 360), 0, abs_tol=1e-9)


@pytest.mark.parametrize(
    ("right_eye", "degrees"),
    [((5, 0), 0.0), ((5, 5), 45.0), ((0, 3), 90.0), ((0, -3), -90.0), ((-2, 0), 180.0), ((-2, -0.0), 180.0)],
)
def test_roll_is_positive_where_the_image_right_eye_is_lower(right_eye, degrees):
    assert roll_angle_degrees(np.array([(0, 0), right_eye, (1, 9), (0, 15), (3, 15)])) == pytest.approx(degrees)


def test_eyes_in_one_place_have_no_roll():
    with pytest.raises(ValueError, match="no eye line"):
        roll_angle_degrees(np.array([(3, 4), (3, 4), (1, 9), (0, 15), (3, 15)]))


@pytest.mark.parametrize("size", [112, 48])
@pytest.mark.parametrize(("degrees", "scale"), [(0, 1.0), (28, 1.0), (-75, 0.8), (170, 1.9), (12, 2.6)])
def test_the_points_of_an_aligned_face_lie_on_the_template(size, degrees, scale):
    points = turned(degrees, scale)
    aligned = align_face(face_picture(points, spread=4 * scale), points, size)
    assert aligned.shape == (size, size, 3)
    assert aligned.dtype == np.uint8
    expected = (FIVE_POINT_TEMPLATE[:3] + 0.5) * size / 112 - 0.5
    np.testing.assert_allclose(spot_centres(aligned), expected, atol=0.12)


def test_a_small_aligned_face_is_the_large_one_shrunk():
    picture = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8), (0, 0), 5)
    points = turned(-17, 1.3)
    small, large = align_face(picture, points, 56), align_face(picture, points, 112)
    shrunk = cv2.resize(large, (56, 56), interpolation=cv2.INTER_AREA)
    assert np.abs(small.astype(int) - shrunk).mean() < 1


def test_a_shrunk_face_averages_its_pixels():
    y, x = np.mgrid[:900, :900]
    checkered = np.repeat((255 * ((x + y) % 2))[..., None], 3, axis=2).astype(np.uint8)
    aligned = align_face(checkered, turned(3, 6.0, (450, 450)), 48)[8:-8, 8:-8]
    assert np.abs(aligned.astype(int) - 127.5).max() < 12


def test_outside_of_the_image_an_aligned_face_is_black():
    aligned = align_face(np.full((60, 60, 3), 200, np.uint8), FIVE_POINT_TEMPLATE, 112)
    assert (aligned[:59, :59] == 200).all()
    assert (aligned[61:] == 0).all()


def test_aligning_refuses_what_is_no_face_of_the_image():
    image = np.zeros((100, 100, 3), np.uint8)
    with pytest.raises(ValueError, match="more than four times the image"):
        align_face(image, FIVE_POINT_TEMPLATE * 40)
    with pytest.raises(ValueError, match=r"finite \(5, 2\)"):
        align_face(image, FIVE_POINT_TEMPLATE[:4])
    with pytest.raises(ValueError, match="all source points"):
        align_face(image, np.ones((5, 2)))


@pytest.mark.parametrize("crop", [lambda image, size: align_face(image, FIVE_POINT_TEMPLATE, size), centre_crop_face])
@pytest.mark.parametrize(
    "image", [np.zeros((40, 40), np.uint8), np.zeros((40, 40, 3), np.float32), np.zeros((0, 40, 3), np.uint8)]
)
def test_images_that_are_not_rgb_bytes_are_refused(crop, image):
    with pytest.raises(ValueError, match=r"not uint8 \(H, W, 3\)"):
        crop(image, 48)


@pytest.mark.parametrize("crop", [lambda image, size: align_face(image, FIVE_POINT_TEMPLATE, size), centre_crop_face])
def test_a_size_of_nothing_is_refused(crop):
    with pytest.raises(ValueError, match="size is 0"):
        crop(np.zeros((40, 40, 3), np.uint8), 0)


@pytest.mark.parametrize("shape", [(40, 60), (61, 40), (40, 40)])
def test_the_centre_crop_is_the_largest_centred_square(shape):
    image = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    top, left = (shape[0] - 40) // 2, (shape[1] - 40) // 2
    square = image[top : top + 40, left : left + 40]
    np.testing.assert_array_equal(centre_crop_face(image, 40), square)
    blocks = square.reshape(10, 4, 10, 4, 3).mean(axis=(1, 3))
    assert np.abs(centre_crop_face(image, 10) - blocks).max() <= 0.5


def test_a_small_image_grows_by_linear_interpolation():
    image = np.repeat(np.array([[0, 100]], np.uint8).repeat(2, axis=0)[..., None], 3, axis=2)
    # Centres of the four new pixels lie at -0.25, 0.25, 0.75 and 1.25 of the old; beyond the ends nothing changes.
    np.testing.assert_array_equal(centre_crop_face(image, 4)[0, :, 0], [0, 25, 75, 100])


def test_the_larger_of_two_equally_central_faces_is_chosen():
    boxes = np.array([[10, 40, 30, 60], [160, 30, 200, 70]])
    assert choose_face(boxes, (100, 210)) == 1


def test_a_central_face_is_chosen_over_one_of_nearly_twice_its_area_halfway_to_the_corner():
    central, corner = [40, 40, 60, 60], [25 - 14, 25 - 14, 25 + 14, 25 + 14]  # areas 400 and 784
    assert choose_face(np.array([corner, central]), (100, 100)) == 1
    larger = [25 - 15, 25 - 15, 25 + 15, 25 + 15]  # area 900
    assert choose_face(np.array([larger, central]), (100, 100)) == 0


def test_only_the_part_of_a_box_inside_the_image_counts():
    # Weights: 9600 (1 - 100 / 111.8) = 1013, but 507 for the half inside; 2000 (1 - 80 / 111.8) = 569.
    boxes = np.array([[-60, 10, 60, 90], [160, 25, 200, 75]])
    assert choose_face(boxes, (100, 200)) == 1


def test_of_equal_faces_the_first_is_chosen():
    boxes = np.array([[10, 10, 20, 20], [80, 80, 90, 90], [10, 80, 20, 90]])
    assert choose_face(boxes, (100, 100)) == 0


def test_choosing_among_no_faces_is_refused():
    with pytest.raises(ValueError, match="Detect first"):
        choose_face(np.zeros((0, 4)), (100, 100))
