"""A landmark network that has seen synthetic faces alone, on photographs: nearer to MTCNN than any constant guess."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from tests.pipelines.temporary_project import ROOT
from tests.project.project_config import load_config

from mien.data.alignment import align_face, choose_face
from mien.models.face_detector import FaceDetector
from mien.nodes.alignment import POINT_COLUMNS
from mien.nodes.params import PredictionParams
from mien.pipelines.landmarks.evaluation import evaluate_with_dataset
from mien.pipelines.landmarks.faces import list_faces, pack_faces
from mien.pipelines.landmarks.nodes import initialise, predict, predict_dataset, train
from mien.pipelines.landmarks.params import (
    LandmarkEvaluationParams,
    LandmarkModelParams,
    LandmarkTrainingParams,
    MovedPredictionParams,
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
def dataset(tmp_path_factory) -> tuple[pd.DataFrame, np.ndarray]:
    """Samples table and aligned faces of the photographs in which MTCNN is certain of a face."""
    folder = tmp_path_factory.mktemp("ferplus")
    subprocess.run([sys.executable, REAL / "ferplus" / "unpack.py", folder, "--limit", "100"], check=True)
    detector = FaceDetector(min_face_size=40)
    rows, faces = [], []
    for place in (REAL / "portraits", folder / "FER2013Test"):
        images = photographs(place) if place.name == "portraits" else photographs_of(place)
        for image, found in zip(images, detector.detect(images), strict=True):
            if not len(found) or found.scores.max() < CERTAIN:
                continue
            points = found.points[choose_face(found.boxes, image.shape[:2])]
            faces.append(align_face(image, points))
            rows.append([f"{place.name}/{len(rows)}", *points.ravel()])
    table = pd.DataFrame(rows, columns=["sample_id", *POINT_COLUMNS])
    return table.assign(
        split="test", subject=None, synthetic=False, crop="points", face_index=range(len(rows))
    ), np.stack(faces)


def photographs_of(folder: Path) -> list[np.ndarray]:
    pictures = folder.parent / "pictures"
    pictures.mkdir()
    for file in sorted(folder.glob("*.png")):
        file.rename(pictures / file.name)
    return photographs(pictures)


def test_landmarks_trained_on_synthetic_faces_are_found_in_photographs(dataset, tmp_path):
    parameters = load_config(ROOT / "conf", "demo")["parameters"]
    own, of_dataset = parameters["landmarks"], parameters["landmarks_raf_db"]
    drawing = SyntheticFacesParams(**own["synthetic_faces"])
    training = LandmarkTrainingParams(**own["training"])
    table, faces = dataset
    assert len(table) > 60
    samples = list_faces(drawing)
    packed = np.concatenate(list(pack_faces(samples, drawing).batches(0)))
    fit = samples[samples["split"] != "test"].reset_index(drop=True)
    initial = initialise(fit, LandmarkModelParams(**own["model"]), training)
    network, _ = train(fit, packed, tmp_path, initial, training)
    errors = evaluate_with_dataset(
        predict(samples, packed, network, PredictionParams(**own["prediction"])),
        predict_dataset(table, faces, initial, network, MovedPredictionParams(**of_dataset["dataset_prediction"])),
        fit,
        LandmarkEvaluationParams(**own["evaluation"]),
    )
    assert errors["mtcnn_synthetic_share"] == 0
    assert errors["test/mtcnn/n"] == len(table)
    # The photographs' faces were aligned by the very points, so that only moved ones tell who sees them
    guess = errors["test/mtcnn_moved/distance_of_mean_shape"]
    assert errors["test/mtcnn_moved/distance_median"] < 0.6 * guess
    assert errors["test/mtcnn_moved/distance"] < 0.7 * guess
    assert errors["test/mtcnn_moved/distance"] < 0.7 * errors["test/mtcnn_moved_before/distance"]
    assert errors["test/nme_interocular"] < 0.5 * errors["test/nme_interocular_of_mean_shape"]
