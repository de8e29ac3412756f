"""From listed images to faces: what becomes of each image, told in the table, and which crop it gives."""

import functools
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

from mien.data.alignment import align_face, centre_crop_face
from mien.data.synthetic import DrawnFace, draw_scene, sample_face
from mien.io.schemas import Samples
from mien.models import face_detector
from mien.models.face_detector import FaceDetections
from mien.nodes import alignment as node
from mien.nodes.alignment import BOX_COLUMNS, POINT_COLUMNS, crop_faces, locate_faces
from mien.nodes.params import AlignmentParams


@functools.cache
def scene(number: int) -> DrawnFace:
    """One of two drawn scenes, a face each, rolled either way."""
    rng = np.random.default_rng(number)
    return draw_scene(sample_face(rng, "happy", roll_degrees=(15.0, -15.0)[number]), (80, 96))


def box_of(points: np.ndarray) -> list[float]:
    (left, top), (right, bottom) = points.min(axis=0) - 10, points.max(axis=0) + 10
    return [left, top, right, bottom]


def no_faces() -> FaceDetections:
    return FaceDetections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 5, 2), np.float32))


class KnowingDetector:
    """Knows the drawn scenes: scene 0 has its face, scene 1 its face and a small one in the corner, others none."""

    made_with: dict[str, Any]

    def __init__(self, **options: Any) -> None:
        type(self).made_with = options

    def detect(self, images: list[np.ndarray]) -> list[FaceDetections]:
        return [self._faces(image) for image in images]

    def _faces(self, image: np.ndarray) -> FaceDetections:
        for number in range(2):
            if np.array_equal(image, scene(number).image):
                five_points = scene(number).five_points
                points = [five_points, five_points / 8][: number + 1][::-1]
                boxes = [box_of(five_points), [0, 0, 12, 12]][: number + 1][::-1]
                return FaceDetections(np.float32(boxes), np.float32([0.99, 0.9][: number + 1]), np.float32(points))
        return no_faces()


@pytest.fixture
def raw(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(face_detector, "FaceDetector", KnowingDetector)
    grey = np.arange(80 * 96 * 3, dtype=np.uint32).reshape(80, 96, 3).astype(np.uint8)
    for name, image in {"one.png": scene(0).image, "two.png": scene(1).image, "none.png": grey}.items():
        cv2.imwrite(str(tmp_path / name), image[..., ::-1])
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n cut off")
    return tmp_path


def listed(*images: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "sample_id": [f"s{number}" for number in range(len(images))],
            "image": images,
            "label": [0] * len(images),
            "expression": ["happy"] * len(images),
            "split": ["train"] * len(images),
            "subject": pd.Series([pd.NA] * len(images), dtype="string"),
            "drawn": [True] * len(images),
        },
        index=range(7, 7 + len(images)),
    )


def alignment(**changes: Any) -> AlignmentParams:
    settings = {"method": "mtcnn", "min_face_size": 20, "thresholds": (0.6, 0.7, 0.8), "batch_size": 2, "threads": 1}
    return AlignmentParams(**{**settings, "without_face": "centre_crop", **changes})


IMAGES = ("one.png", "broken.png", "none.png", "two.png", "one.png")


@pytest.mark.parametrize(
    ("policy", "crop", "rows"),
    [
        ("drop", "none", [0, -1, -1, 1, 2]),
        ("keep_original", "whole", [0, -1, 1, 2, 3]),
        ("centre_crop", "centre", [0, -1, 1, 2, 3]),
    ],
)
def test_every_image_gets_a_reason_a_crop_and_its_row(raw, policy, crop, rows):
    samples = locate_faces(listed(*IMAGES), raw, alignment(without_face=policy))
    assert samples["reason"].tolist() == ["aligned", "unreadable", "no_face", "several_faces", "aligned"]
    assert samples["crop"].tolist() == ["points", "none", crop, "points", "points"]
    assert samples["row"].tolist() == rows
    assert samples["sample_id"].tolist() == ["s0", "s1", "s2", "s3", "s4"]
    Samples.validate(samples)


def test_the_table_tells_where_the_face_is_and_how_it_is_turned(raw):
    samples = locate_faces(listed("one.png", "none.png"), raw, alignment())
    points = scene(0).five_points
    found = samples.iloc[0]
    np.testing.assert_allclose(found[POINT_COLUMNS].to_numpy(float), points.ravel(), rtol=1e-6)
    np.testing.assert_allclose(found[BOX_COLUMNS].to_numpy(float), box_of(points), rtol=1e-6)
    assert found["roll_degrees"] == pytest.approx(np.degrees(np.arctan2(*(points[1] - points[0])[::-1])), abs=1e-3)
    assert abs(found["roll_degrees"]) > 8
    assert (found["num_faces"], found["score"]) == (1, np.float32(0.99))
    nothing = samples.iloc[1]
    assert nothing["num_faces"] == 0
    assert nothing[[*POINT_COLUMNS, *BOX_COLUMNS, "score", "roll_degrees"]].isna().all()


def test_of_several_faces_the_large_central_one_is_taken_not_the_first(raw):
    found = locate_faces(listed("two.png"), raw, alignment()).iloc[0]
    np.testing.assert_allclose(found[POINT_COLUMNS].to_numpy(float), scene(1).five_points.ravel(), rtol=1e-6)
    assert found["num_faces"] == 2
    assert found["score"] == np.float32(0.9), "the chosen face's own score"


def test_an_unreadable_file_is_named_in_the_log_and_left_out_under_every_policy(raw, caplog):
    samples = locate_faces(listed("broken.png", "absent.png", "one.png"), raw, alignment(without_face="keep_original"))
    assert samples["crop"].tolist() == ["none", "none", "points"]
    assert "broken.png" in caplog.text
    assert "absent.png" in caplog.text
    assert "2 of 3 images give no face" in caplog.text


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_the_batch_size_changes_nothing(raw, batch_size):
    samples = locate_faces(listed(*IMAGES), raw, alignment(batch_size=batch_size))
    pd.testing.assert_frame_equal(samples, locate_faces(listed(*IMAGES), raw, alignment(batch_size=2)))


def test_the_detector_is_told_its_parameters(raw):
    locate_faces(listed("one.png"), raw, alignment(min_face_size=31))
    assert KnowingDetector.made_with == {"min_face_size": 31, "thresholds": (0.6, 0.7, 0.8)}


def test_given_alignment_takes_every_image_whole_and_looks_at_none(tmp_path):
    samples = locate_faces(listed("absent.jpg", "also_absent.jpg"), tmp_path, alignment(method="given"))
    assert samples["reason"].tolist() == ["already_aligned"] * 2
    assert samples["crop"].tolist() == ["whole"] * 2
    assert samples["row"].tolist() == [0, 1]
    assert samples[POINT_COLUMNS].isna().all(axis=None)
    Samples.validate(samples)


def test_each_kind_of_crop_becomes_a_face_in_its_row(raw):
    samples = pd.concat(
        [
            locate_faces(listed("one.png", "none.png"), raw, alignment()),
            locate_faces(listed("two.png"), raw, alignment(method="given")).assign(row=2),
        ]
    ).iloc[::-1]
    stream = crop_faces(samples, raw, 32)
    assert stream.shape == (3, 32, 32, 3)
    faces = np.concatenate(list(stream.batches))
    none = cv2.cvtColor(cv2.imread(str(raw / "none.png")), cv2.COLOR_BGR2RGB)
    np.testing.assert_array_equal(faces[0], align_face(scene(0).image, np.float32(scene(0).five_points), 32))
    np.testing.assert_array_equal(faces[1], centre_crop_face(none, 32))
    whole = cv2.resize(scene(1).image, (32, 32), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(faces[2], whole)


def test_faces_are_cropped_batch_by_batch_and_not_before_they_are_asked_for(raw, monkeypatch):
    monkeypatch.setattr(node, "CROP_BATCH", 2)
    samples = locate_faces(listed(*IMAGES, "absent.png"), raw, alignment())
    samples.loc[5, "row"] = 4  # a file that has gone since: found out only when its batch is cropped
    stream = crop_faces(samples, raw, 16)
    batches = iter(stream.batches)
    assert [len(next(batches)), len(next(batches))] == [2, 2]
    with pytest.raises(ValueError, match=r"absent\.png"):
        next(batches)


def test_a_rolled_face_comes_out_upright(raw):
    """A second detector's eye: the eye line of the aligned face, from the known points, is level."""
    samples = locate_faces(listed("one.png", "two.png"), raw, alignment())
    faces = np.concatenate(list(crop_faces(samples, raw, 112).batches))
    for face, drawn in zip(faces, (scene(0), scene(1)), strict=True):
        target = np.float32([[38.3, 51.7], [73.5, 51.5], [56.0, 71.7], [41.5, 92.4], [70.7, 92.2]])
        matrix, _ = cv2.estimateAffinePartial2D(drawn.five_points, target, ransacReprojThreshold=50)
        expected = cv2.warpAffine(drawn.image, matrix, (112, 112))
        assert np.abs(face.astype(int) - expected).mean() < 6
