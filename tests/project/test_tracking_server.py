"""Runs against an MLflow server on loopback, also one that goes away, and a tracked model behind a port of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.project.cloned_project import PREDICTIONS, run, sae

pytestmark = pytest.mark.slow

MLFLOW = [sys.executable, "-m", "mlflow"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return response.status == 200
    except OSError:
        return False


def wait_until(true: Callable[[], bool], seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain"
        time.sleep(0.1)


@contextmanager
def served(command: list[str], health: str, folder: Path) -> Iterator[subprocess.Popen]:
    """A server in a process group of its own, awaited, and killed at the end."""
    log = (folder / "server.log").open("w")
    process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_until(lambda: answers(health))
        yield process
    finally:
        kill(process)
        log.close()


def kill(process: subprocess.Popen) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def tracking_server(folder: Path) -> Iterator[tuple[str, subprocess.Popen]]:
    port = free_port()
    uri = f"http://127.0.0.1:{port}"
    store = [
        "--backend-store-uri",
        f"sqlite:///{folder}/server.db",
        "--artifacts-destination",
        str(folder / "artifacts"),
    ]
    command = [*MLFLOW, "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1", *store]
    with served(command, f"{uri}/health", folder) as process:
        yield uri, process


def test_a_server_named_in_the_environment_has_the_run_and_its_model_serves_predictions(clone, tmp_path, monkeypatch):
    import mlflow

    with tracking_server(tmp_path) as (uri, _):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        log = run(sae(1), clone)
        assert "Not tracked" not in log
        client = mlflow.MlflowClient(uri)
        (tracked,) = client.search_runs([each.experiment_id for each in client.search_experiments()])
        assert tracked.info.status == "FINISHED"
        saved = json.loads((clone / "data/demo/08_reporting/sae/demo/metrics.json").read_text())
        assert tracked.data.metrics["test/accuracy"] == saved["test/accuracy"]
        assert {"roc_thresholds.html", "confusion_matrix.png"} <= {
            file.path for file in client.list_artifacts(tracked.info.run_id)
        }
        (version,) = client.search_model_versions()
        assert client.get_model_version_by_alias(version.name, "champion").version == version.version
        port = free_port()
        model = f"models:/{version.name}@champion"
        serve = [*MLFLOW, "models", "serve", "-m", model, "--env-manager", "local", "--port", str(port)]
        with served(serve, f"http://127.0.0.1:{port}/ping", tmp_path):
            logits = scored(f"http://127.0.0.1:{port}/invocations", 32)
    assert [len(row) for row in logits] == [7]
    assert not (clone / "mlflow.db").exists(), "the server's runs are not the project's"


def scored(url: str, size: int) -> list[list[float]]:
    grey = [[[[0.0] * size] * size] * 3]
    request = urllib.request.Request(
        url, json.dumps({"inputs": grey}).encode(), headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.loads(response.read())["predictions"]


def test_a_server_that_goes_away_costs_its_copy_and_not_the_run(clone, tmp_path, monkeypatch):
    with tracking_server(tmp_path) as (uri, server):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        log = tmp_path / "log"
        with log.open("w") as file:
            process = subprocess.Popen([*sae(4), "--namespaces=sae"], cwd=clone, stdout=file, stderr=file)
            wait_until(lambda: "epoch 2/4" in log.read_text() or process.poll() is not None)
            kill(server)
            process.wait(300)
    reported = log.read_text()
    assert process.returncode == 0, reported
    assert "Not tracked in MLflow: " in reported
    assert "the files of the run are whole. Not sent: " in reported
    assert "sae: test accuracy" in reported
    assert (clone / PREDICTIONS).is_file()
    assert json.loads((clone / "data/demo/08_reporting/sae/demo/metrics.json").read_text())["test/n"] > 0


def test_a_server_that_is_not_there_stops_the_run_before_its_first_node(clone, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port()}")
    reported = run(sae(1), clone, fails=True)
    assert "MLflow cannot keep runs in" in reported
    assert "Start the server, or name another" in reported
    assert "Traceback" not in reported
    assert "Running node" not in reported
