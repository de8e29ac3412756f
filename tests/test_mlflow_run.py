"""One run in a real store: what is logged can be read back, and a store that fails costs a warning and not the run."""

import json
import logging
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from tests.pipelines.tiny_systems import TINY_SAE

from mien.engine.seed import seed_everything
from mien.mlflow_run import (
    LOCAL_ARTIFACTS,
    MAX_PARAMETER,
    MlflowRun,
    connect,
    end_dead_runs,
    experiment_id,
    input_shape,
    samples_profile,
    tracking_uri,
)
from mien.models import create_model
from mien.models.network import Network


@pytest.fixture
def root(tmp_path, mlflow_store) -> Path:
    shutil.copy(mlflow_store, tmp_path)
    return tmp_path


@pytest.fixture
def client(root) -> Any:
    return connect(root)


@pytest.fixture
def run(root, client) -> MlflowRun:
    return MlflowRun(client, experiment_id(client, "mien-test", root), "sae paper", {"system": "sae"})


def artifacts(client: Any, run: MlflowRun) -> list[str]:
    return sorted(file.path for file in client.list_artifacts(run.run_id))


def test_the_store_lies_in_the_project_unless_the_environment_names_another(tmp_path, monkeypatch):
    assert tracking_uri(tmp_path) == f"sqlite:///{tmp_path}/mlflow.db"
    assert tracking_uri(tmp_path).startswith("sqlite:////"), "a relative path would follow the working directory"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking:5000")
    assert tracking_uri(tmp_path) == "http://tracking:5000"


@pytest.mark.parametrize("uri", ["./mlruns", "file:///mlruns", "nosuch://host"])
def test_a_store_that_mlflow_does_not_take_is_reported_with_one_that_it_does(tmp_path, monkeypatch, uri):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(ValueError, match=f"MLflow cannot keep runs in {uri}") as refused:
        connect(tmp_path)
    assert "Name a database in MLFLOW_TRACKING_URI, as sqlite:///" in str(refused.value)


def test_an_experiment_is_made_once_with_its_artifacts_in_the_project(root, client):
    first = experiment_id(client, "mien-test", root)
    assert experiment_id(client, "mien-test", root) == first != experiment_id(client, "mien-other", root)
    assert client.get_experiment(first).artifact_location == (root / LOCAL_ARTIFACTS).as_uri()


def test_a_run_says_what_it_is_and_which_process_writes_it(client, run):
    tags = client.get_run(run.run_id).data.tags
    assert (tags["system"], tags["host"], tags["pid"]) == ("sae", socket.gethostname(), str(os.getpid()))
    assert client.get_run(run.run_id).info.run_name == "sae paper"


def test_more_parameters_than_one_batch_takes_are_all_logged_and_long_ones_cut(client, run):
    given = {f"p{number}": number for number in range(230)} | {"long": "x" * (MAX_PARAMETER + 1), "none": None}
    run.log_parameters(given)
    logged = client.get_run(run.run_id).data.params
    assert len(logged) == 232
    assert (logged["p229"], logged["none"], len(logged["long"])) == ("229", "None", MAX_PARAMETER)


def test_each_epoch_is_logged_once_under_its_step(client, run):
    run.log_epoch({"epoch": 1, "train/loss": 2.5, "val/accuracy": 0.25})
    run.log_epoch({"epoch": 2, "train/loss": 1.5, "val/accuracy": 0.5})
    run.log_epoch({"epoch": 2.0, "train/loss": 99.0, "val/accuracy": 0.99})  # again, from the history table
    history = client.get_metric_history(run.run_id, "train/loss")
    assert [(metric.step, metric.value) for metric in history] == [(1, 2.5), (2, 1.5)]
    assert "epoch" not in client.get_run(run.run_id).data.metrics


def test_epochs_of_several_models_in_one_run_have_the_models_name_before_theirs(client, run):
    run.log_epoch({"model": "age_cnn", "epoch": 1, "train/loss": 2.5, "val/loss": float("nan")})
    run.log_epoch({"model": "gender_cnn", "epoch": 1, "train/loss": 0.5, "val/loss": 0.75, "val/accuracy": 0.5})
    metrics = client.get_run(run.run_id).data.metrics
    assert metrics == {"age_cnn/train/loss": 2.5, "gender_cnn/train/loss": 0.5, "gender_cnn/val/loss": 0.75}


def test_what_a_member_lacks_that_trained_for_fewer_epochs_is_left_out(client, run):
    run.log_epoch({"epoch": 1, "val/face_accuracy": 0.25, "val/voice_accuracy": 0.75})
    run.log_epoch({"epoch": 2, "val/face_accuracy": 0.5, "val/voice_accuracy": float("nan")})
    assert client.get_run(run.run_id).data.metrics == {"val/face_accuracy": 0.5, "val/voice_accuracy": 0.75}


def test_whole_scores_are_metrics_and_all_with_their_intervals_are_a_table(client, run):
    whole = {"test/accuracy": 0.5, "best/val/accuracy": 0.25, "test/n": 7, "synthetic_share": 1.0}
    parts = {"test/accuracy_low": 0.4, "test/accuracy_high": 0.6, "test/recall/happy": 0.75, "test/auroc": None}
    run.log_metrics({**whole, **parts})
    assert client.get_run(run.run_id).data.metrics == whole
    table = json.loads(Path(client.download_artifacts(run.run_id, "scores.json")).read_text())
    assert table["columns"] == ["score", "value", "low", "high"]
    lines = {line[0]: line[1:] for line in table["data"]}
    assert lines["test/accuracy"] == [0.5, 0.4, 0.6]
    assert lines["test/recall/happy"] == [0.75, None, None]
    assert set(lines) == {*whole, "test/recall/happy"}


def test_an_experiment_opens_with_its_runs_and_their_scores(client, run):
    experiment = client.get_experiment(client.get_run(run.run_id).info.experiment_id)
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"


def test_figures_and_plots_lie_at_the_artifact_root_under_names_that_systems_share(client, run, tmp_path):
    import plotly.graph_objects as go

    run.log_figure("roc", go.Figure(go.Scatter(y=[1, 2])))
    (tmp_path / "paper_width.png").write_bytes(b"png")
    run.log_file("confusion_matrix", tmp_path / "paper_width.png")
    assert artifacts(client, run) == ["confusion_matrix.png", "roc.html"]
    local = client.download_artifacts(run.run_id, "confusion_matrix.png", str(tmp_path / ""))
    assert Path(local).read_bytes() == b"png"


def test_the_data_is_an_input_with_its_digest_and_its_rows_per_split(client, run):
    table = pd.DataFrame({"split": ["train", "train", "test"]})
    run.log_input("raf_db_samples", "d1gest", samples_profile(table))
    (logged,) = client.get_run(run.run_id).inputs.dataset_inputs
    assert (logged.dataset.name, logged.dataset.digest) == ("raf_db_samples", "d1gest")
    assert '"rows": 3, "train": 2, "test": 1' in logged.dataset.profile


def test_a_closed_run_stays_as_it_is(client, run):
    run.end("FAILED")
    run.end("FINISHED")
    assert client.get_run(run.run_id).info.status == "FAILED"


def dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_only_runs_of_dead_processes_of_this_machine_are_closed(root, client):
    experiment, here, dead = experiment_id(client, "mien-test", root), socket.gethostname(), str(dead_process())
    tags = {
        "killed": {"host": here, "pid": dead},
        "alive": {"host": here, "pid": str(os.getpid())},
        "elsewhere": {"host": "another", "pid": dead},
        "not ours": {},
    }
    runs = {name: client.create_run(experiment, tags=each).info.run_id for name, each in tags.items()}
    end_dead_runs(client, experiment)
    statuses = {name: client.get_run(run_id).info.status for name, run_id in runs.items()}
    assert statuses == {"killed": "KILLED", "alive": "RUNNING", "elsewhere": "RUNNING", "not ours": "RUNNING"}


class SilentStore:
    """A store that has stopped answering."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __getattr__(self, name: str) -> Any:
        def fail(*args: Any, **kwargs: Any) -> None:
            raise self.error

        return fail


def silent_errors() -> list[Exception]:
    from mlflow.exceptions import MlflowException

    return [MlflowException("connection refused"), ConnectionError("connection reset"), OSError(28, "disk full")]


@pytest.mark.parametrize("error", silent_errors(), ids=repr)
def test_a_store_that_stops_answering_costs_a_warning_each_and_never_the_run(run, tmp_path, caplog, error):
    run._client = SilentStore(error)
    (tmp_path / "plot.png").touch()
    network = Network("sae", {}, ("no", "yes"), create_model("sae", **TINY_SAE, num_classes=2))
    run.log_tag("error", "x")
    run.log_parameters({"lr": 0.1})
    run.log_epoch({"epoch": 1, "train/loss": 1.0})
    run.log_metrics({"test/accuracy": 0.5})
    run.log_figure("roc", None)
    run.log_file("plot", tmp_path / "plot.png")
    run.log_input("samples", "digest", {})
    run.log_network(network)
    run.end("FINISHED")
    reported = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    reported = [line for line in reported if line.startswith("Not tracked in MLflow")]
    assert len(reported) == 9
    assert "metrics" in reported[3]


def test_a_server_that_is_away_is_left_alone_for_a_while_and_everything_unsent_is_remembered(run, monkeypatch):
    from mlflow.exceptions import MlflowException

    requested = []

    class Away(SilentStore):
        def __getattr__(self, name: str) -> Any:
            requested.append(name)
            return super().__getattr__(name)

    run._client = Away(MlflowException("API request to http://gone:5000 failed with exception"))
    for epoch in (1, 2, 3):
        run.log_epoch({"epoch": epoch, "train/loss": 1.0})
    assert requested == ["log_batch"]
    assert len(run.not_sent) == 3
    assert "epoch" in run.not_sent[0]
    run.silent_until = 0.0
    run.log_metrics({"test/accuracy": 0.5})
    assert len(requested) == 2, "after the pause it is requested again"


def test_a_server_that_is_not_there_at_the_start_is_reported_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(ValueError, match=r"keep runs in http://127\.0\.0\.1:9: .*\nStart the server, or name another"):
        experiment_id(connect(tmp_path), "mien-test", tmp_path)


def model_version(client: Any, run: MlflowRun, name: str, metric: str, value: float) -> None:
    run._model_id = client.create_logged_model(run._experiment, name="model", source_run_id=run.run_id).model_id
    run.register_network(name, metric, value)


@pytest.mark.parametrize(
    ("metric", "values", "champion"),
    [("best/val/accuracy", (0.7, 0.9, 0.8), "2"), ("best/val/mae_years", (7.0, 9.0, 5.0), "3")],
)
def test_the_champion_is_the_best_on_validation_not_the_last(client, run, metric, values, champion):
    for value in values:
        model_version(client, run, "mien-sae", metric, value)
    assert client.get_model_version_by_alias("mien-sae", "champion").version == int(champion)
    assert len(client.search_model_versions("name='mien-sae'")) == 3


def test_a_run_without_a_logged_network_registers_none(client, run):
    run.register_network("mien-sae", "best/val/accuracy", 0.9)
    assert not client.search_registered_models()


def test_use_of_the_machine_is_logged_under_system(client, run, monkeypatch):
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.2")
    run.watch_system()
    for _ in range(50):
        time.sleep(0.2)
        if client.get_run(run.run_id).data.metrics:
            break
    run.end("FINISHED")
    logged = client.get_run(run.run_id).data.metrics
    assert {"system/cpu_utilization_percentage", "system/system_memory_usage_megabytes"} <= set(logged)


def test_a_sheet_is_logged_under_a_key_for_the_comparison_pages_grid(client, run):
    run.log_sheet("mistakes", np.zeros((8, 8, 3), np.uint8))
    assert any(file.startswith("images/mistakes+step+0") for file in images(client, run))


def images(client: Any, run: MlflowRun) -> list[str]:
    return [file.path for file in client.list_artifacts(run.run_id, "images")]


def test_a_fault_of_ours_is_not_taken_for_a_silent_store(run):
    with pytest.raises(KeyError):
        run.log_epoch({"train/loss": 1.0})


@pytest.mark.slow
def test_the_logged_model_computes_the_same_without_mien_and_for_any_batch_size(run, client, tmp_path):
    import mlflow

    seed_everything(2)
    model = create_model("sae", **TINY_SAE, num_classes=2).eval()
    run.log_network(Network("sae", {**TINY_SAE, "num_classes": 2}, ("no", "yes"), model))
    (logged,) = client.search_logged_models([run._experiment])
    assert logged.source_run_id == run.run_id
    assert Path(logged.artifact_location.removeprefix("file://")).is_relative_to(tmp_path / LOCAL_ARTIFACTS)
    loaded = mlflow.pyfunc.load_model(logged.artifact_location)
    assert loaded.metadata.metadata == {"class_names": ["no", "yes"], "architecture": "sae"}
    images = torch.randn(5, 3, 32, 32)
    with torch.no_grad():
        for n in (1, 2, 5):
            logits = loaded.predict(images[:n].numpy())
            np.testing.assert_allclose(logits, model(images[:n]).numpy(), atol=1e-5)


@pytest.mark.parametrize("before", [None, "sqlite:///elsewhere.db"])
def test_the_global_store_is_what_it_was_after_a_model_is_logged(monkeypatch, tmp_path, before):
    from mien.mlflow_run import _as_global_store

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    if before:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", before)
    with _as_global_store(f"sqlite:///{tmp_path}/here.db"):
        assert "here.db" in os.environ["MLFLOW_TRACKING_URI"]
    assert os.environ.get("MLFLOW_TRACKING_URI") == before


def test_every_line_of_a_table_is_a_finished_run_below_the_run(client, run):
    lines = [{"model": name, "fold": fold, "n": 8.0, "error_rate": 0.25} for name in ("a", "b") for fold in (0, 1)]
    run.log_children(pd.DataFrame(lines))
    run.end("FINISHED")
    below = client.search_runs(["1"], filter_string=f"tags.`mlflow.parentRunId` = '{run.run_id}'")
    assert {(child.data.tags["model"], child.data.tags["fold"]) for child in below} == {
        ("a", "0"),
        ("a", "1"),
        ("b", "0"),
        ("b", "1"),
    }
    assert {child.info.status for child in below} == {"FINISHED"}
    assert below[0].data.metrics == {"test/n": 8.0, "test/error_rate": 0.25}
    assert {child.info.run_name for child in below} >= {"a fold 0"}
    assert run.not_sent == []


def test_a_model_says_the_shape_of_its_input_unless_it_sees_a_colour_face():
    pair = create_model("comp_cnn", num_classes=2, num_frames=3)
    assert input_shape(Network("comp_cnn", {}, ("a", "b"), pair)) == (3, 44, 44)
    face = create_model("softmax_regression", num_classes=2, image_size=8)
    assert input_shape(Network("softmax_regression", {}, ("a", "b"), face)) == (3, 8, 8)
