"""Synthetic scenes, a detector that knows them, and tables of them: what tests of the preparation's steps share."""

import functools
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from mien.data.synthetic import SyntheticFace, render_scene, sample_face
from mien.models.face_detector import FaceDetections
from mien.nodes.alignment import locate_faces
from mien.nodes.params import AlignmentParams


@functools.cache
def scene(number: int) -> SyntheticFace:
    """One of two synthetic scenes, a face each, rolled either way."""
    rng = np.random.default_rng(number)
    return render_scene(sample_face(rng, "happy", roll_degrees=(15.0, -15.0)[number]), (80, 96))


def box_of(points: np.ndarray) -> list[float]:
    (left, top), (right, bottom) = points.min(axis=0) - 10, points.max(axis=0) + 10
    return [left, top, right, bottom]


def no_faces() -> FaceDetections:
    return FaceDetections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 5, 2), np.float32))


class KnowingDetector:
    """Knows the synthetic scenes: scene 0 has its face, scene 1 its face and a small one in the corner, others none."""

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


def write_images(folder: Path) -> Path:
    """The two scenes, an image without a face, and one that is cut off."""
    grey = np.arange(80 * 96 * 3, dtype=np.uint32).reshape(80, 96, 3).astype(np.uint8)
    for name, image in {"one.png": scene(0).image, "two.png": scene(1).image, "none.png": grey}.items():
        cv2.imwrite(str(folder / name), image[..., ::-1])
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n cut off")
    return folder


def listed(*images: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "sample_id": [f"s{number}" for number in range(len(images))],
            "image": images,
            "label": [0] * len(images),
            "expression": ["happy"] * len(images),
            "split": ["train"] * len(images),
            "subject": pd.Series([pd.NA] * len(images), dtype="string"),
            "synthetic": [True] * len(images),
        },
        index=range(7, 7 + len(images)),
    )


def listed_pairs(*pairs: tuple[str, str]) -> pd.DataFrame:
    table = listed(*[f"s{number}" for number in range(len(pairs))]).drop(columns="image")
    onset, apex = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    return table.assign(onset=onset, apex=apex, kind="posed", subject="001", fold=0, split="folds")


def alignment(**changes: Any) -> AlignmentParams:
    settings = {"method": "mtcnn", "min_face_size": 20, "thresholds": (0.6, 0.7, 0.8), "batch_size": 2, "workers": 1}
    return AlignmentParams(
        **{**settings, "turns": (), "enlarge": 1, "without_face": "centre_crop", "resize": "direct", **changes}
    )


def located(raw: Path, *images: str, **changes: Any) -> pd.DataFrame:
    """The samples table of some images of a folder."""
    (raw / "unfinished").mkdir(exist_ok=True)
    return locate_faces(listed(*images), raw, raw / "unfinished", alignment(**changes))
