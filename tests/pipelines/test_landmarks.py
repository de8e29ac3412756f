"""The landmark pipelines: a tiny run through Kedro, what its files hold, weak labels, and what is refused."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from kedro.io import MemoryDataset
from tests.pipelines.temporary_project import ROOT, copy_project, open_catalog, run_session
from tests.pipelines.tiny_systems import TINY_DATA, TINY_LANDMARKS, TINY_SAE, TINY_WEAK_LANDMARKS
from tests.project.project_config import data_entries, environments, load_config

from mien.data.landmark_faces import LandmarkCrops, draw_landmark_face, place_landmark_face
from mien.io.figures import PaperFigure
from mien.io.packed_faces import FaceStream
from mien.labels import NUM_LANDMARKS
from mien.mlflow_run import MlflowRun, connect
from mien.models import create_model
from mien.models.weights import load_network
from mien.nodes.alignment import POINT_COLUMNS
from mien.nodes.params import PredictionParams
from mien.pipeline_registry import register_pipelines
from mien.pipelines.landmarks.evaluation import evaluate
from mien.pipelines.landmarks.faces import list_faces, pack_faces
from mien.pipelines.landmarks.nodes import initialise, predict, predict_dataset, train
from mien.pipelines.landmarks.params import (
    LandmarkEvaluationParams,
    LandmarkModelParams,
    LandmarkTrainingParams,
    MovedPredictionParams,
    SyntheticFacesParams,
    WeakLabelParams,
)
from mien.pipelines.landmarks.tables import LANDMARK_COLUMNS, PREDICTED_COLUMNS, detected_points, points_of
from mien.pipelines.landmarks.weak import join_faces, pack_joined

DETECTED = {**TINY_DATA["raf_db"], "reader": {"source": "original"}, "alignment": {"method": "mtcnn", "workers": 1}}
PARAMS: dict[str, Any] = {"landmarks": TINY_LANDMARKS, "landmarks_raf_db": TINY_WEAK_LANDMARKS, "raf_db": DETECTED}


LOG_NETWORK = MlflowRun.log_network
TRAIN = ["landmarks.initialise", "landmarks.train"]


def section(name: str, of: str = "landmarks") -> dict[str, Any]:
    """One section of the parameters of the tiny run."""
    return load_config(ROOT / "conf", "demo", **PARAMS)["parameters"][of][name]


@pytest.fixture(scope="module")
def project(tmp_path_factory, mlflow_store):
    """A project in which both pipelines have run once, faces of RAF-DB found by MTCNN."""
    before = Path.cwd()
    with pytest.MonkeyPatch.context() as monkeypatch:
        # Exporting the model takes MLflow seconds: a slow test of its own does it.
        monkeypatch.setattr(MlflowRun, "log_network", lambda run, network: None)
        monkeypatch.delenv("KEDRO_ENV", raising=False)
        folder = copy_project(tmp_path_factory.mktemp("landmarks") / "project", mlflow_store)
        os.chdir(folder)
        try:
            run_session(folder, "landmarks_raf_db", params=PARAMS)
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
    entries = data_entries(register_pipelines()["landmarks_raf_db"])
    assert {"landmark_network", "landmarks.errors", "landmarks_raf_db.errors", "raf_db_samples"} <= entries
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
    assert "/landmarks_raf_db/demo/" in Path(requested.get("landmarks_raf_db.network")._filepath).as_posix()


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
        np.testing.assert_array_equal(faces[row["face_index"]], draw_landmark_face(face, crops.size))
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


def test_distances_to_mtcnn_are_those_of_its_points_in_the_aligned_face(catalog):
    errors, table = catalog.load("landmarks_raf_db.errors"), catalog.load("landmarks_raf_db.dataset_predictions")
    samples = catalog.load("raf_db_samples").query("split in ['val', 'test'] and crop == 'points'")
    still = table[table["weak_labels"] & ~table["moved"]]
    assert still["sample_id"].tolist() == samples["sample_id"].tolist()
    np.testing.assert_allclose(points_of(still, POINT_COLUMNS), detected_points(samples), atol=1e-6)
    for weak, before in ((True, ""), (False, "_before")):
        rows = table[(table["split"] == "test") & ~table["moved"] & (table["weak_labels"] == weak)]
        detected, predicted = points_of(rows, POINT_COLUMNS), points_of(rows, PREDICTED_COLUMNS)
        left, right = predicted[:, 36:42].mean(axis=1), predicted[:, 42:48].mean(axis=1)
        derived = np.stack([left, right, predicted[:, 30], predicted[:, 48], predicted[:, 54]], axis=1)
        distances = np.sqrt(((detected - derived) ** 2).sum(axis=2))
        eyes = np.sqrt(((detected[:, 0] - detected[:, 1]) ** 2).sum(axis=1))
        assert errors[f"test/mtcnn{before}/n"] == len(rows) > 10
        assert errors[f"test/mtcnn{before}/distance"] == pytest.approx((distances.mean(axis=1) / eyes).mean())
        assert errors[f"test/mtcnn{before}/distance/nose"] == pytest.approx((distances[:, 2] / eyes).mean())
    assert errors["mtcnn_synthetic_share"] == 1.0
    assert all(value is None or np.isfinite(value) for value in errors.values())


def test_moved_faces_are_the_same_for_both_networks_and_lie_elsewhere_than_the_still_ones(catalog):
    table = catalog.load("landmarks_raf_db.dataset_predictions")
    moved, still = (points_of(table[table["moved"] == each], POINT_COLUMNS) for each in (True, False))
    half = len(moved) // 2
    np.testing.assert_array_equal(moved[:half], moved[half:])
    assert np.abs(moved - still).mean(axis=(1, 2)).max() > 0.05
    assert moved.mean() == pytest.approx(still.mean(), abs=0.05)


def test_mtcnns_points_in_an_aligned_face_lie_near_the_template(catalog):
    points = detected_points(catalog.load("raf_db_samples").query("crop == 'points'"))
    template = np.array([[0.346, 0.466], [0.661, 0.464], [0.505, 0.645], [0.375, 0.829], [0.636, 0.828]])
    assert np.abs(points - template).max() < 0.08
    np.testing.assert_allclose(points.mean(axis=(0, 1)), template.mean(axis=0), atol=2e-3)


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


def test_training_with_weak_labels_starts_from_the_network_of_synthetic_faces(catalog):
    drawn, weak = (catalog.load(name).model.state_dict() for name in ("landmark_network", "landmarks_raf_db.network"))
    correlation = np.corrcoef(*(state["conv_6_sep.conv.weight"].flatten().numpy() for state in (drawn, weak)))[0, 1]
    assert 0.5 < correlation < 1, "trained further, and not anew"


@pytest.mark.slow
def test_the_same_run_again_gives_the_same_bytes(project, catalog):
    names = ("landmark_network", "landmarks.errors", "landmarks.faces", "landmarks_raf_db.network")
    before = {name: bytes_of(catalog, name) for name in names}
    run_session(project, "landmarks", params=PARAMS, to_nodes=["landmarks.evaluate"])
    run_session(project, "landmarks_raf_db", params=PARAMS, namespaces=["landmarks_raf_db"])
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
    for name in ("landmarks.points_sheet", "landmarks_raf_db.mtcnn_sheet"):
        sheet = catalog.load(name)
        assert sheet.shape[1] > 1000
        assert sheet.std() > 20
    figure = catalog.load("landmarks.cumulative_error_figure")
    assert [trace.name.split(",")[0] for trace in figure.data[:2]] == ["MobileFaceNet", "mean shape"]
    assert "synthetic faces" in figure.layout.title.subtitle.text


@pytest.mark.slow
def test_the_tracked_network_computes_what_the_saved_one_does(project, catalog):
    import mlflow

    network = catalog.load("landmarks_raf_db.network")
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


# ---- weak labels ---------------------------------------------------------------------------------------------------

FIVE = WeakLabelParams(most=5, seed=0)


def test_weak_labels_join_the_train_rows_alone_with_five_points_and_no_landmark(catalog):
    drawn, rows = catalog.load("landmarks.train_and_val"), catalog.load("landmarks_raf_db.dataset_rows")
    assert set(rows["split"]) == {"train", "val"}
    joined = join_faces(drawn, rows, FIVE)
    assert joined["face_index"].tolist() == list(range(55))
    np.testing.assert_array_equal(joined["source_face_index"][:50], drawn["face_index"])
    pd.testing.assert_frame_equal(joined.loc[:49, LANDMARK_COLUMNS], drawn[LANDMARK_COLUMNS])
    weak = joined.iloc[50:]
    assert set(weak["split"]) == {"train"}
    assert not weak[["person", "picture"]].ge(0).any(axis=None)
    assert weak[LANDMARK_COLUMNS].isna().all(axis=None)
    chosen = rows.set_index("sample_id").loc[weak["sample_id"].str.removeprefix("dataset/")]
    assert (chosen["split"] == "train").all()
    np.testing.assert_allclose(points_of(weak, POINT_COLUMNS), detected_points(chosen), atol=1e-6)
    everybody = join_faces(drawn, rows, WeakLabelParams(most=1000, seed=0))
    assert len(everybody) - 50 == ((rows["split"] == "train") & (rows["crop"] == "points")).sum()


def test_joined_faces_are_those_of_both_files_from_any_row_on(catalog):
    synthetic_faces, faces = catalog.load("landmarks.faces"), catalog.load("raf_db_faces_112")
    rows = catalog.load("landmarks_raf_db.dataset_rows")
    joined = join_faces(catalog.load("landmarks.train_and_val"), rows, FIVE)
    stream = pack_joined(joined, synthetic_faces, faces)
    whole = np.concatenate(list(stream.batches(0)))
    assert whole.shape == stream.shape == (55, 32, 32, 3)
    for place in (0, 49):
        np.testing.assert_array_equal(whole[place], synthetic_faces[joined["source_face_index"][place]])
    for place in (50, 54):
        source = faces[joined["source_face_index"][place]].astype(float)
        assert np.abs(whole[place].mean(axis=(0, 1)) - source.mean(axis=(0, 1))).max() < 1.5
    for start in (1, 49, 52):
        np.testing.assert_array_equal(np.concatenate(list(stream.batches(start))), whole[start:])


def test_weak_labels_change_what_is_trained_and_their_weight_counts(catalog, tmp_path):
    initial, options = catalog.load("landmark_network"), section("training")
    faces = catalog.load("landmarks_raf_db.faces")
    samples = catalog.load("landmarks_raf_db.train_and_val")
    trained = []
    for weak in (False, True):
        kept = samples[(samples["picture"] >= 0) | weak].reset_index(drop=True)
        for weight in (0.5, 5.0):
            loss = {**options["loss"], "weak_weight": weight}
            training = LandmarkTrainingParams(**{**options, "loss": loss})
            network, _ = train(kept, faces, tmp_path / f"{weak} {weight}", initial, training)
            trained.append(network.model.state_dict()["output_layer.linear.weight"])
    assert torch.equal(trained[0], trained[1]), "without weak labels their weight decides nothing"
    assert not torch.equal(trained[0], trained[2])
    assert not torch.equal(trained[2], trained[3])


def test_a_dataset_whose_faces_mtcnn_has_not_found_is_refused(catalog):
    rows = catalog.load("landmarks_raf_db.dataset_rows").assign(crop="whole")
    with pytest.raises(
        ValueError, match=r"None of the \d+ train and val rows .*Set the dataset's alignment.method to mtcnn"
    ):
        join_faces(catalog.load("landmarks.train_and_val"), rows, FIVE)
    prediction = MovedPredictionParams(**section("dataset_prediction", "landmarks_raf_db"))
    network = catalog.load("landmark_network")
    with pytest.raises(ValueError, match=r"None of the \d+ samples .*Set the dataset's alignment.method to mtcnn"):
        predict_dataset(
            catalog.load("raf_db_samples").assign(crop="whole"),
            catalog.load("raf_db_faces_112"),
            network,
            network,
            prediction,
        )


# ---- bad input -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [{"num_faces": 2}, {"faces_per_person": 30}, {"test_fraction": 0.001}])
def test_too_few_persons_for_three_splits_are_refused(change):
    drawing = SyntheticFacesParams(**section("synthetic_faces")).model_copy(update=change)
    with pytest.raises(ValueError, match=r"synthetic persons give .* Set landmarks.synthetic_faces.num_faces higher"):
        list_faces(drawing)


def test_a_network_without_train_faces_is_refused(catalog):
    samples = catalog.load("landmarks.train_and_val")
    model, training = LandmarkModelParams(**section("model")), LandmarkTrainingParams(**section("training"))
    with pytest.raises(ValueError, match=r"0 of 10 rows are train faces with landmarks.*Set landmarks"):
        initialise(samples[samples["split"] == "val"], model, training)


def test_a_network_starts_at_the_mean_and_spread_of_the_train_faces(catalog):
    samples = catalog.load("landmarks.train_and_val")
    model, training = LandmarkModelParams(**section("model")), LandmarkTrainingParams(**section("training"))
    head = initialise(samples, model, training).model.output_layer.bn
    known = samples.loc[samples["split"] == "train", LANDMARK_COLUMNS].to_numpy()
    np.testing.assert_allclose(head.bias.detach().numpy(), known.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(head.weight.detach().numpy(), known.std(axis=0), rtol=1e-4)


def test_prediction_and_judgement_without_a_held_out_face_are_refused(catalog):
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
