"""The batched cascade on synthetic faces, whose place is known, and its independence of how images are grouped."""

import re
from contextlib import nullcontext

import cv2
import numpy as np
import pytest

import mien.models.face_detector as module
from mien.data.synthetic import render_scene, sample_face
from mien.models.face_detector import STAGES, FaceDetections, FaceDetector

EXPRESSIONS = ("happy", "neutral", "surprise", "angry")


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector()


@pytest.fixture(scope="module")
def drawn():
    return [render_scene(sample_face(np.random.default_rng(s), EXPRESSIONS[s % 4]), (150, 170)) for s in range(9)]


@pytest.fixture(scope="module")
def images(drawn) -> np.ndarray:
    return np.stack([face.image for face in drawn])


def assert_same(a: list[FaceDetections], b: list[FaceDetections]) -> None:
    assert len(a) == len(b)
    for one, other in zip(a, b, strict=True):
        np.testing.assert_array_equal(one.boxes, other.boxes)
        np.testing.assert_array_equal(one.scores, other.scores)
        np.testing.assert_array_equal(one.points, other.points)


def test_a_synthetic_face_is_found_with_its_points_where_they_were_drawn(detector, drawn, images):
    errors = []
    for truth, faces in zip(drawn, detector.detect(images), strict=True):
        iod = np.linalg.norm(truth.five_points[1] - truth.five_points[0])
        assert len(faces) == 1
        left, top, right, bottom = faces.boxes[0]
        assert ((truth.five_points > [left, top]) & (truth.five_points < [right, bottom])).all()
        assert 1.5 * iod < right - left < 3.5 * iod
        errors.append(np.linalg.norm(faces.points[0] - truth.five_points, axis=1) / iod)
    assert np.max(errors) < 0.5  # two points exchanged would be about one interocular distance off
    assert (np.median(errors, axis=0) < 0.1).all()


def test_points_are_neither_left_nor_right_of_the_truth_on_average(detector):
    faces = [render_scene(sample_face(np.random.default_rng(s), EXPRESSIONS[s % 4]), (180, 180)) for s in range(40)]
    images = np.stack([face.image for face in faces])  # a single face is off by a pixel either way
    found = detector.detect(np.concatenate([images, images[:, :, ::-1]]))
    W = images.shape[2]
    shifts = []
    for direct, mirrored in zip(found[: len(images)], found[len(images) :], strict=True):
        back = mirrored.points[0][[1, 0, 2, 4, 3]]
        back[:, 0] = W - 1 - back[:, 0]
        shifts.append((back - direct.points[0])[:, 0])
    assert abs(np.median(shifts)) < 0.5  # edges taken for centres would give 1 px


def test_results_are_sorted_float32_arrays_of_one_row_per_face(detector, images):
    four = np.block([[[images[0]], [images[1]]], [[images[2]], [images[3]]]])
    (faces,) = detector.detect([four])
    assert len(faces) == 4
    assert (faces.boxes.shape, faces.scores.shape, faces.points.shape) == ((4, 4), (4,), (4, 5, 2))
    assert faces.boxes.dtype == faces.scores.dtype == faces.points.dtype == np.float32
    assert (np.diff(faces.scores) <= 0).all()
    assert ((faces.scores > 0.7) & (faces.scores <= 1)).all()


def test_an_image_is_found_the_same_alone_and_in_any_company(detector, images):
    alone = [detector.detect([image])[0] for image in images]
    assert_same(detector.detect(images), alone)
    assert_same(detector.detect(images[::-1]), alone[::-1])
    assert_same(detector.detect(images[2:5]), alone[2:5])


def test_the_size_of_blocks_does_not_show(detector, images, monkeypatch):
    expected = detector.detect(images)
    monkeypatch.setattr(module, "PIXELS_PER_BLOCK", 2 * images[0, ..., 0].size)
    assert_same(detector.detect(images), expected)


def test_the_stopwatch_is_called_for_each_stage(images):
    detector, stages = FaceDetector(), []
    detector.stopwatch = lambda stage: stages.append(stage) or nullcontext()
    detector.detect(images[:2])
    assert stages == ["pyramid", "pnet", "nms", "rnet", "nms", "onet", "nms"]
    assert set(stages) == set(STAGES)


def test_mixed_sizes_come_back_in_the_order_given(detector, images):
    mixed = [
        images[0],
        images[1][:140],
        np.zeros((15, 400, 3), np.uint8),
        images[2],
        images[3][:140],
        images[4][:, :160],
    ]
    assert_same(detector.detect(mixed), [detector.detect([image])[0] for image in mixed])


def test_a_transposed_batch_and_a_memory_order_make_no_difference(detector, images):
    views = [np.asfortranarray(image) for image in images[:3]]
    assert_same(detector.detect(views), detector.detect(images[:3]))


def test_detecting_twice_gives_the_same(detector, images):
    assert_same(detector.detect(images[:4]), FaceDetector().detect(images[:4]))


def test_no_images_give_no_results(detector):
    assert detector.detect([]) == []
    assert detector.detect(np.zeros((0, 50, 50, 3), np.uint8)) == []


@pytest.mark.parametrize("shape", [(90, 110, 3), (20, 20, 3), (19, 300, 3), (1, 1, 3)])
def test_an_image_without_a_face_gives_an_empty_result_of_the_right_shape(detector, shape):
    (faces,) = detector.detect([np.full(shape, 90, np.uint8)])
    assert len(faces) == 0
    assert (faces.boxes.shape, faces.scores.shape, faces.points.shape) == ((0, 4), (0,), (0, 5, 2))


@pytest.mark.parametrize("side", [47, 94])  # 12 / 47 * 47 is less than 12 to a computer
def test_an_image_of_just_the_smallest_face_is_searched(side):
    (faces,) = FaceDetector(min_face_size=side).detect([np.full((side, side, 3), 90, np.uint8)])
    assert len(faces) == 0


def test_the_smallest_face_can_be_p_nets_square(images):
    small = cv2.resize(images[0], (85, 75), interpolation=cv2.INTER_AREA)
    (finest,), (usual,) = FaceDetector(min_face_size=12).detect([small]), FaceDetector().detect([small])
    assert len(finest) == len(usual) == 1
    np.testing.assert_allclose(finest.points, usual.points, atol=2)


def test_noise_holds_no_face(detector):
    noise = np.random.default_rng(0).integers(0, 256, (2, 200, 200, 3), dtype=np.uint8)
    assert [len(faces) for faces in detector.detect(noise)] == [0, 0]


def test_faces_much_smaller_than_requested_are_not_looked_for(detector, images):
    canvas = np.full((200, 200, 3), 128, np.uint8)
    canvas[70:120, 60:117] = cv2.resize(images[0], (57, 50), interpolation=cv2.INTER_AREA)
    assert len(detector.detect([canvas])[0]) == 1
    assert len(FaceDetector(min_face_size=100).detect([canvas])[0]) == 0


def test_a_large_face_is_found_when_only_large_faces_are_looked_for(images):
    large = cv2.resize(images[1], (850, 750), interpolation=cv2.INTER_CUBIC)
    (coarse,), (fine,) = FaceDetector(min_face_size=150).detect([large]), FaceDetector().detect([large])
    assert len(coarse) == 1
    np.testing.assert_allclose(coarse.points[0], fine.points[0], atol=0.02 * 750)


def test_a_stricter_threshold_leaves_fewer_faces(detector, images):
    strict = FaceDetector(thresholds=(0.6, 0.7, 0.9999))
    kept = [len(faces) for faces in strict.detect(images)]
    certain = [int((faces.scores > 0.9999).sum()) for faces in detector.detect(images)]
    assert kept == certain
    assert sum(kept) < len(images)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([np.zeros((50, 50), np.uint8)], r"image 0 is an array of shape \(50, 50\), not \(H, W, 3\).*GRAY2RGB"),
        (np.zeros((50, 50, 3), np.uint8), r"image 0 .*shape \(50, 3\).*pass one image as \[image\]"),
        ([np.zeros((50, 50, 3), np.uint8), np.zeros((50, 50, 4), np.uint8)], r"image 1 .*\(50, 50, 4\)"),
        ([np.zeros((50, 0, 3), np.uint8)], r"image 0 .*\(50, 0, 3\)"),
        ([np.zeros((50, 50, 3), np.float32)], r"image 0 has dtype float32, not uint8\. Scale"),
        (["face.png"], "image 0 is a str"),
    ],
)
def test_what_is_not_an_rgb_image_of_bytes_is_refused_with_its_position(detector, images, message):
    with pytest.raises(ValueError, match=message):
        detector.detect(images)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"min_face_size": 11}, "no face below 12 px"),
        ({"min_face_size": float("nan")}, "no face below 12 px"),
        ({"scale_factor": 1.0}, "outside (0, 1)"),
        ({"scale_factor": 0.0}, "outside (0, 1)"),
        ({"thresholds": (0.6, 0.7)}, "give three"),
        ({"thresholds": (0.6, 0.7, 1.0)}, "give three"),
        ({"nms_thresholds": (0.5, 0.7, 0.7)}, "give four"),
        ({"nms_thresholds": (0.5, 0.7, 0.7, 0.0)}, "give four"),
    ],
)
def test_arguments_outside_their_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        FaceDetector(**arguments)


@pytest.mark.gpu
def test_a_gpu_finds_the_same_faces(detector, images):
    for gpu, cpu in zip(FaceDetector(device="cuda").detect(images), detector.detect(images), strict=True):
        np.testing.assert_allclose(gpu.boxes, cpu.boxes, atol=0.5)
        np.testing.assert_allclose(gpu.points, cpu.points, atol=0.5)
