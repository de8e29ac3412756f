"""The landmark pipeline: a tiny run through Kedro, what its files hold, and what is refused."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from kedro.io import MemoryDataset
from tests.pipelines.temporary_project import ROOT, copy_project, open_catalog, run_session
from tests.pipelines.tiny_systems import TINY_LANDMARKS, TINY_SAE
from tests.project.project_config import data_entries, environments, load_config

from mien.data.landmarks import LandmarkCrops, place_landmark_face, render_landmark_face
from mien.io.figures import PaperFigure
from mien.io.packed_faces import FaceStream
from mien.labels import NUM_LANDMARKS
from mien.mlflow_run import MlflowRun, connect
from mien.models import create_model
from mien.models.weights import load_network
from mien.nodes.params import PredictionParams
from mien.pipeline_registry import register_pipelines
from mien.pipelines.landmarks.evaluation import evaluate
from mien.pipelines.landmarks.nodes import (
    LANDMARK_COLUMNS,
    PREDICTED_COLUMNS,
    initialise,
    list_faces,
    pack_faces,
    points_of,
    predict,
)
from mien.pipelines.landmarks.params import (
    LandmarkEvaluationParams,
    LandmarkModelParams,
    LandmarkTrainingParams,
    SyntheticFacesParams,
)

PARAMS: dict[str, Any] = {"landmarks": TINY_LANDMARKS}

LOG_NETWORK = MlflowRun.log_network
TRAIN = ["landmarks.initialise", "landmarks.train"]


def section(name: str) -> dict[str, Any]:
    """One section of the parameters of the tiny run."""
    return load_config(ROOT / "conf", "demo", **PARAMS)["parameters"]["landmarks"][name]


@pytest.fixture(scope="module")
def project(tmp_path_factory, mlflow_store):
    """A project in which the pipeline has run once."""
    before = Path.cwd()
    with pytest.MonkeyPatch.context() as monkeypatch:
        # Exporting the model takes MLflow seconds: a slow test of its own does it.
        monkeypatch.setattr(MlflowRun, "log_network", lambda run, network: None)
        monkeypatch.delenv("KEDRO_ENV", raising=False)
        folder = copy_project(tmp_path_factory.mktemp("landmarks") / "project", mlflow_store)
        os.chdir(folder)
        try:
            run_session(folder, "landmarks", params=PARAMS)
            yield folder
        finally:
            os.chdir(before)


@pytest.fixture(scope="module")
def catalog(project):
    return open_catalog(project, params=PARAMS)


def bytes_of(catalog, name: str) -> bytes:
    return Path(catalog.get(name)._filepath).read_bytes()


# ---- the run -------------------------------------------------------------------------------------------------------


def test_every_entry_is_written_and_can_be_read_back_as_its_schema_says(catalog):
    entries = data_entries(register_pipelines()["landmarks"])
    assert {"landmark_network", "landmarks.errors", "landmarks.points_sheet"} <= entries
    for entry in entries:
        if isinstance(catalog.get(entry), MemoryDataset):
            continue
        assert catalog.exists(entry), entry
        if not isinstance(catalog.get(entry), PaperFigure):
            catalog.load(entry)


def test_the_network_that_systems_read_needs_no_dataset():
    pipeline = register_pipelines()["landmarks"]
    inputs = {entry for entry in pipeline.inputs() if not entry.startswith("params:")}
    assert inputs == {"landmarks.checkpoints"}
    assert "landmark_network" in pipeline.outputs() | pipeline.all_outputs()


def test_files_of_the_network_lie_in_the_environments_variant_whatever_the_runs_is(project):
    requested = open_catalog(project, params={**PARAMS, "variant": "keep_0.1"})
    for name in ("landmark_network", "landmarks.errors", "landmarks.faces", "landmarks.train_and_val"):
        assert "/landmarks/demo/" in Path(requested.get(name)._filepath).as_posix()


def test_persons_are_in_one_split_each_and_training_sees_no_test_face(catalog):
    samples, seen = catalog.load("landmarks.samples"), catalog.load("landmarks.train_and_val")
    assert (samples.groupby("subject")["split"].nunique() == 1).all()
    assert samples["split"].value_counts().to_dict() == {"train": 40, "val": 10, "test": 10}
    assert set(seen["split"]) == {"train", "val"}
    assert len(seen) == 50
    assert samples["face_index"].tolist() == list(range(60))
    assert samples["synthetic"].all()


def test_packed_faces_are_the_synthetic_ones_with_their_landmarks(catalog):
    samples, faces = catalog.load("landmarks.samples"), catalog.load("landmarks.faces")
    crops = LandmarkCrops(**section("synthetic_faces")["crops"])
    for number in (0, 31, 59):
        row = samples.iloc[number]
        face = place_landmark_face(crops, 0, int(row["person"]), int(row["picture"]))
        np.testing.assert_array_equal(faces[row["face_index"]], render_landmark_face(face, crops.size))
        np.testing.assert_allclose(points_of(samples.iloc[[number]], LANDMARK_COLUMNS)[0], face.landmarks, atol=1e-6)
        assert row["expression"] == face.expression


def test_errors_are_those_of_the_predictions(catalog):
    errors, predictions = catalog.load("landmarks.errors"), catalog.load("landmarks.predictions")
    assert set(predictions["split"]) == {"val", "test"}
    test = predictions[predictions["split"] == "test"]
    true, predicted = points_of(test, LANDMARK_COLUMNS), points_of(test, PREDICTED_COLUMNS)
    distances = np.sqrt(((true - predicted) ** 2).sum(axis=2)).mean(axis=1)
    between = np.sqrt(((true[:, 36] - true[:, 45]) ** 2).sum(axis=1))
    assert errors["test/n"] == 10
    assert errors["test/nme_interocular"] == pytest.approx((distances / between).mean())
    assert errors["test/nme_interocular_median"] == pytest.approx(np.median(distances / between))
    assert errors["test/failure_rate_0.08"] == pytest.approx((distances / between > 0.08).mean())
    spread = np.ptp(true, axis=1)
    assert errors["test/nme_box"] == pytest.approx((distances / np.sqrt(spread[:, 0] * spread[:, 1])).mean())
    mouth = np.sqrt(((true - predicted)[:, 48:] ** 2).sum(axis=2)).mean(axis=1)
    assert errors["test/nme_interocular/mouth"] == pytest.approx((mouth / between).mean())
    assert errors["synthetic_share"] == 1.0
    assert all(value is None or np.isfinite(value) for value in errors.values())


def test_the_network_is_read_by_sae_at_any_token_grid_and_its_outputs_are_named(catalog):
    network = catalog.load("landmark_network")
    assert network.architecture == "mobilefacenet"
    assert network.class_names == tuple(LANDMARK_COLUMNS)
    sae = create_model("sae", num_classes=7, **{**TINY_SAE, "embed_dim": 16})
    report = load_network(sae.landmark_backbone, network)
    assert report.missing == report.mismatched == ()
    with torch.no_grad():
        images = torch.rand(2, 3, 32, 32)
        expected = network.model.features(images)
        torch.testing.assert_close(sae.landmark_backbone.eval()(images), expected)


@pytest.mark.slow
def test_the_same_run_again_gives_the_same_bytes(project, catalog):
    names = ("landmark_network", "landmarks.errors", "landmarks.faces")
    before = {name: bytes_of(catalog, name) for name in names}
    run_session(project, "landmarks", params=PARAMS, to_nodes=["landmarks.evaluate"])
    for name, content in before.items():
        assert bytes_of(catalog, name) == content, name


@pytest.mark.slow
def test_no_test_face_changes_what_is_trained(project, catalog):
    samples, faces = catalog.load("landmarks.samples"), catalog.load("landmarks.faces").copy()
    trained = bytes_of(catalog, "landmark_network")
    noise = np.random.default_rng(0).integers(0, 256, faces.shape, dtype=np.uint8)
    try:
        for split, same in (("test", True), ("train", False)):
            noisy = faces.copy()
            rows = samples.loc[samples["split"] == split, "face_index"].to_numpy()
            noisy[rows] = noise[rows]
            catalog.get("landmarks.faces").save(
                FaceStream(noisy.shape, lambda start, kept=noisy: [kept[start:]], split)
            )
            run_session(project, "landmarks", params=PARAMS, node_names=TRAIN)
            assert (bytes_of(catalog, "landmark_network") == trained) == same
    finally:
        catalog.get("landmarks.faces").save(FaceStream(faces.shape, lambda start: [faces[start:]], "as before"))
        run_session(project, "landmarks", params=PARAMS, node_names=TRAIN)


def test_sheets_and_curves_are_not_empty(catalog):
    sheet = catalog.load("landmarks.points_sheet")
    assert sheet.shape[1] > 1000
    assert sheet.std() > 20
    assert set(catalog.load("landmarks.figures")) == {"cumulative_error", "training_curves"}


@pytest.mark.slow
def test_the_tracked_network_computes_what_the_saved_one_does(project, catalog):
    import mlflow

    network = catalog.load("landmark_network")
    client = connect(project)
    experiment = client.create_experiment("export", artifact_location=(project / "mlartifacts").as_uri())
    LOG_NETWORK(MlflowRun(client, experiment, "export", {}), network)
    (logged,) = client.search_logged_models([experiment])
    images = torch.rand(3, 3, 32, 32)
    with torch.no_grad():
        expected = network.model(images).numpy()
    found = mlflow.pyfunc.load_model(logged.artifact_location).predict(images.numpy())
    np.testing.assert_allclose(found, expected, atol=1e-5)


# ---- configuration -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("env", [*environments(ROOT / "conf"), "base"])
def test_the_network_has_the_sizes_of_saes_landmark_stream(env):
    parameters = load_config(ROOT / "conf", env)["parameters"]
    ours, sae = parameters["landmarks"]["model"], parameters["sae"]["model"]
    assert ours["widths"] == sae["landmark_widths"], "set both alike, or SAE cannot take the weights"
    assert ours["units"] == sae["landmark_units"]
    assert ours["image_size"] == sae["image_size"]
    assert parameters["landmarks"]["synthetic_faces"]["crops"]["size"] == ours["image_size"]


# ---- bad input -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [{"num_faces": 2}, {"faces_per_person": 30}, {"test_fraction": 0.001}])
def test_too_few_persons_for_three_splits_are_refused(change):
    drawing = SyntheticFacesParams(**section("synthetic_faces")).model_copy(update=change)
    with pytest.raises(ValueError, match=r"synthetic persons give .* Set landmarks.synthetic_faces.num_faces higher"):
        list_faces(drawing)


def test_a_network_without_train_faces_is_refused(catalog):
    samples = catalog.load("landmarks.train_and_val")
    model, training = LandmarkModelParams(**section("model")), LandmarkTrainingParams(**section("training"))
    with pytest.raises(ValueError, match=r"0 of 10 rows are train faces.*Set landmarks"):
        initialise(samples[samples["split"] == "val"], model, training)


def test_a_network_starts_at_the_mean_and_spread_of_the_train_faces(catalog):
    samples = catalog.load("landmarks.train_and_val")
    model, training = LandmarkModelParams(**section("model")), LandmarkTrainingParams(**section("training"))
    head = initialise(samples, model, training).model.output_layer.bn
    known = samples.loc[samples["split"] == "train", LANDMARK_COLUMNS].to_numpy()
    np.testing.assert_allclose(head.bias.detach().numpy(), known.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(head.weight.detach().numpy(), known.std(axis=0), rtol=1e-4)


def test_prediction_and_evaluation_without_a_held_out_face_are_refused(catalog):
    samples, network = catalog.load("landmarks.samples"), catalog.load("landmark_network")
    faces, prediction = catalog.load("landmarks.faces"), PredictionParams(**section("prediction"))
    with pytest.raises(ValueError, match=r"None of the 40 rows .* is of split val or test.*validation_fraction"):
        predict(samples[samples["split"] == "train"], faces, network, prediction)
    predictions, evaluation = catalog.load("landmarks.predictions"), LandmarkEvaluationParams(**section("evaluation"))
    with pytest.raises(ValueError, match=r"No synthetic face of split test was predicted.*Set landmarks"):
        evaluate(predictions[predictions["split"] == "val"], catalog.load("landmarks.train_and_val"), evaluation)


def test_the_number_of_processes_changes_no_face():
    drawing = SyntheticFacesParams(**section("synthetic_faces"))
    samples = list_faces(drawing)
    one, two = (pack_faces(samples, drawing.model_copy(update={"workers": workers})) for workers in (1, 2))
    assert one.key == two.key
    pd.testing.assert_frame_equal(list_faces(drawing.model_copy(update={"workers": 2})), samples)


def test_the_number_of_landmarks_is_the_schemes():
    assert len(LANDMARK_COLUMNS) == len(PREDICTED_COLUMNS) == 2 * NUM_LANDMARKS
    assert LANDMARK_COLUMNS[:3] == ["landmark_00_x", "landmark_00_y", "landmark_01_x"]
