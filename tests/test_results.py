"""The table of the last runs in a terminal."""

import re
import shutil
from pathlib import Path

import pytest

from mien.mlflow_run import CHILD, MlflowRun, connect, experiment_id
from mien.results import aligned, last_runs


@pytest.fixture
def root(tmp_path, mlflow_store) -> Path:
    shutil.copy(mlflow_store, tmp_path)
    return tmp_path


def add(root: Path, env: str, status: str, metrics: dict[str, float], **tags: str) -> None:
    client = connect(root)
    run = MlflowRun(client, experiment_id(client, f"mien-{env}", root), "name", {"env": env, **tags})
    run.log_metrics(metrics)
    if "drawn_share" in metrics:
        client.log_metric(run.run_id, "drawn_share", metrics["drawn_share"])
    run.end(status)


def test_without_a_run_it_says_how_to_start_one(root):
    assert last_runs(root) == "MLflow knows no run yet. Start one: kedro run --pipelines=sae"
    assert "of environment paper" in last_runs(root, env="paper")


@pytest.mark.parametrize("share", ["synthetic_share", "drawn_share"])  # the second is version 0.1's
def test_runs_are_listed_newest_first_with_their_scores_and_synthetic_ones_marked(share, root):
    add(root, "paper", "FINISHED", {"test/accuracy": 0.9, "test/n": 3068}, system="sae", variant="keep_0.1")
    add(root, "demo", "FAILED", {}, system="sae", variant="demo")
    scores = {"test/accuracy": 0.86, "test/auroc": 0.98, "test/n": 350, share: 1}
    add(root, "demo", "FINISHED", scores, system="s")
    header, *rows, note = last_runs(root).splitlines()
    assert header.split() == ["started", "status", "env", "system", "variant", "n", "acc", "%", "auroc"]
    assert [row.split()[2] for row in rows] == ["finished", "failed", "finished"]
    assert rows[0].split()[-3:] == ["350", "~86.00", "~0.980"]
    assert rows[2].split()[3:] == ["paper", "sae", "keep_0.1", "3068", "90.00"]
    assert note.startswith("~ measured on synthetic faces")


def test_one_environment_and_a_number_of_runs_can_be_requested(root):
    for variant in ("one", "two", "three"):
        add(root, "demo", "FINISHED", {"test/accuracy": 0.5}, system="sae", variant=variant)
    add(root, "paper", "FINISHED", {"test/accuracy": 0.5}, system="sae", variant="paper")
    assert len(last_runs(root, env="demo", last=2).splitlines()) == 3, (
        "a header, two runs, and no note on synthetic faces"
    )
    assert "paper" not in last_runs(root, env="demo")


def test_a_sweep_is_named_and_its_systems_are_not_taken_for_one(root):
    add(root, "demo", "FINISHED", {}, system="sae,softmax_regression", sweep="keep_rates")
    assert last_runs(root).splitlines()[1].split()[-3:] == ["demo", "sweep", "keep_rates"]


def test_parts_of_a_run_are_not_listed_and_do_not_crowd_out_others(root):
    add(root, "demo", "FINISHED", {"test/accuracy": 0.5}, system="sae", variant="older")
    add(root, "demo", "FINISHED", {"test/accuracy": 0.5}, system="comp_cnn", variant="parent")
    for fold in range(3):
        add(root, "demo", "FINISHED", {"test/accuracy": 0.5}, fold=str(fold), **{CHILD: "fold"})
    assert [line.split()[5] for line in last_runs(root, last=2).splitlines()[1:]] == ["parent", "older"]


def test_lines_fit_a_terminal_of_100_letters_with_all_scores_and_long_names():
    header = ["started", "status", "env", "system", "variant", "n", "acc %", "class %", "auroc"]
    numbers = ["30680", "~91.17", "~85.80", "~0.984"]
    rows = [
        header,
        ["26-01-31 12:00", "finished", "paper", "softmax_regression", "keep_0.6-seed_2", *numbers],
        ["26-01-31 12:00", "finished", "paper", "sae", "a_variant_of_a_very_long_name-seed_2", *numbers],
    ]
    lines = aligned(rows)
    assert max(map(len, lines)) == 100
    assert [line.index("~91.17") for line in lines[1:]] == [lines[0].index(" acc %")] * 2
    assert re.search(r"  softmax_\w*…\w*ion  ", lines[1])
    assert "keep_0.6-seed_2 " in lines[1]
    assert re.search(r"a_vari\w*…\w*-seed_2 ", lines[2]), "what is cut is the middle: the end has the seed"


def test_short_names_are_not_stretched():
    assert aligned([["a", "b", "c", "d", "e", "n"], ["1", "2", "3", "4", "5", "600"]]) == [
        "a  b  c  d  e    n",
        "1  2  3  4  5  600",
    ]
