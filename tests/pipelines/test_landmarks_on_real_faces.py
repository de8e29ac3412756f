"""A landmark network that has seen synthetic faces alone, on photographs: nearer to MTCNN than any constant guess."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.pipelines.temporary_project import ROOT
from tests.project.project_config import load_config

from mien.data.alignment import TEMPLATE_SIZE, align_face, apply_transform, choose_face, template_transform
from mien.data.landmarks import LandmarkImages, Movement
from mien.data.synthetic import five_points
from mien.labels import NUM_LANDMARKS
from mien.metrics.landmarks import mean_shape
from mien.models.face_detector import FaceDetector
from mien.nodes.params import PredictionParams
from mien.nodes.prediction import apply_to_images
from mien.pipelines.landmarks.evaluation import evaluate
from mien.pipelines.landmarks.nodes import (
    LANDMARK_COLUMNS,
    initialise,
    list_faces,
    pack_faces,
    points_of,
    predict,
    train,
)
from mien.pipelines.landmarks.params import (
    LandmarkEvaluationParams,
    LandmarkModelParams,
    LandmarkTrainingParams,
    SyntheticFacesParams,
)

REAL = Path(os.environ.get("MIEN_TEST_DATA", ROOT.parent / "shared" / "data"))
CERTAIN = 0.95

pytestmark = [
    pytest.mark.data,
    pytest.mark.slow,
    pytest.mark.skipif(not (REAL / "portraits").is_dir(), reason=f"no development data in {REAL}"),
]


def photographs(folder: Path) -> list[np.ndarray]:
    """RGB pictures, the small ones enlarged so that the detector sees a face in them."""
    images = []
    for file in sorted(folder.iterdir()):
        image = cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB)
        factor = min(1.0, 1000 / max(image.shape[:2])) if image.shape[0] > 48 else 4.0
        images.append(cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA))
    return images


@pytest.fixture(scope="module")
def moved(tmp_path_factory) -> tuple[np.ndarray, np.ndarray]:
    """Aligned faces of the photographs in which MTCNN is certain of a face, moved, and MTCNN's five points in them.

    Where they were cut out they lie near the template, so that a constant guess is good there.
    """
    movement = Movement(flip=0.0, rotate_degrees=30.0, scale=0.15, stretch=0.0, shift=0.08)
    folder = tmp_path_factory.mktemp("ferplus")
    subprocess.run([sys.executable, REAL / "ferplus" / "unpack.py", folder, "--limit", "100"], check=True)
    detector = FaceDetector(min_face_size=40)
    points, faces = [], []
    for place in (REAL / "portraits", folder / "FER2013Test"):
        images = photographs(place) if place.name == "portraits" else photographs_of(place)
        for image, found in zip(images, detector.detect(images), strict=True):
            if not len(found) or found.scores.max() < CERTAIN:
                continue
            five = found.points[choose_face(found.boxes, image.shape[:2])]
            in_face = (apply_transform(five, template_transform(five)) + 0.5) / TEMPLATE_SIZE
            face, there = movement(align_face(image, five), in_face, len(faces))
            faces.append(face)
            points.append(there)
    return np.stack(faces), np.stack(points)


def photographs_of(folder: Path) -> list[np.ndarray]:
    pictures = folder.parent / "pictures"
    pictures.mkdir()
    for file in sorted(folder.glob("*.png")):
        file.rename(pictures / file.name)
    return photographs(pictures)


def distances(network, moved: tuple[np.ndarray, np.ndarray], prediction: PredictionParams) -> np.ndarray:
    """(n,) mean distance of the five points that follow from the landmarks from MTCNN's, over its eye distance."""
    faces, points = moved
    unknown = np.full((len(faces), NUM_LANDMARKS, 2), np.nan)
    images = LandmarkImages(faces, range(len(faces)), unknown, image_size=network.model.image_size)
    found = apply_to_images(images, network.model, prediction, network.model).reshape(unknown.shape)
    return from_points(five_points(found), points)


def from_points(found: np.ndarray, points: np.ndarray) -> np.ndarray:
    eyes = np.linalg.norm(points[:, 0] - points[:, 1], axis=-1)
    return np.linalg.norm(found - points, axis=-1).mean(axis=1) / eyes


def test_landmarks_trained_on_synthetic_faces_are_found_in_photographs(moved, tmp_path):
    own = load_config(ROOT / "conf", "demo")["parameters"]["landmarks"]
    drawing = SyntheticFacesParams(**own["synthetic_faces"])
    training, prediction = LandmarkTrainingParams(**own["training"]), PredictionParams(**own["prediction"])
    assert len(moved[0]) > 60
    samples = list_faces(drawing)
    packed = np.concatenate(list(pack_faces(samples, drawing).batches(0)))
    fit = samples[samples["split"] != "test"].reset_index(drop=True)
    initial = initialise(fit, LandmarkModelParams(**own["model"]), training)
    network, _ = train(fit, packed, tmp_path, initial, training)
    shape = mean_shape(points_of(fit[fit["split"] == "train"], LANDMARK_COLUMNS))
    guess = from_points(five_points(shape), moved[1]).mean()
    trained = distances(network, moved, prediction)
    assert np.median(trained) < 0.6 * guess
    assert trained.mean() < 0.7 * guess
    assert trained.mean() < 0.7 * distances(initial, moved, prediction).mean()
    errors = evaluate(predict(samples, packed, network, prediction), fit, LandmarkEvaluationParams(**own["evaluation"]))
    assert errors["test/nme_interocular"] < 0.5 * errors["test/nme_interocular_of_mean_shape"]
