"""The table of the last runs in a terminal."""

import shutil
from pathlib import Path

import pytest

from mien.mlflow_run import MlflowRun, connect, experiment_id
from mien.results import last_runs


@pytest.fixture
def root(tmp_path, mlflow_store) -> Path:
    shutil.copy(mlflow_store, tmp_path)
    return tmp_path


def add(root: Path, env: str, status: str, metrics: dict[str, float], **tags: str) -> None:
    client = connect(root)
    run = MlflowRun(client, experiment_id(client, f"mien-{env}", root), "name", {"env": env, **tags})
    run.log_metrics(metrics)
    run.end(status)


def test_without_a_run_it_says_how_to_start_one(root):
    assert last_runs(root) == "MLflow knows no run yet. Start one: kedro run --pipelines=sae"
    assert "of environment paper" in last_runs(root, env="paper")


def test_runs_are_listed_newest_first_with_their_scores_and_drawn_ones_marked(root):
    add(root, "paper", "FINISHED", {"test/accuracy": 0.9, "test/n": 3068}, system="sae", variant="keep_0.1")
    add(root, "demo", "FAILED", {}, system="sae", variant="demo")
    drawn = {"test/accuracy": 0.86, "test/auroc": 0.98, "test/n": 350, "drawn_share": 1}
    add(root, "demo", "FINISHED", drawn, system="s")
    header, *rows = last_runs(root).splitlines()
    assert header.split() == ["started", "status", "env", "system", "variant", "n", "accuracy", "auroc"]
    assert [row.split()[2] for row in rows] == ["FINISHED", "FAILED", "FINISHED"]
    assert rows[0].split()[-3:] == ["350", "~0.8600", "~0.9800"]
    assert rows[2].split()[3:] == ["paper", "sae", "keep_0.1", "3068", "0.9000"]


def test_one_environment_and_a_number_of_runs_can_be_asked_for(root):
    for variant in ("one", "two", "three"):
        add(root, "demo", "FINISHED", {"test/accuracy": 0.5}, system="sae", variant=variant)
    add(root, "paper", "FINISHED", {"test/accuracy": 0.5}, system="sae", variant="paper")
    assert len(last_runs(root, env="demo", last=2).splitlines()) == 3
    assert "paper" not in last_runs(root, env="demo")
