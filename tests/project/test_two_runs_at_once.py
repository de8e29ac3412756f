"""Two runs that are started at once in a fresh clone: both end well, and leave what one alone leaves."""

import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
from tests.project.cloned_project import KEDRO, PREDICTIONS, make_clone, run, sae

pytestmark = pytest.mark.slow

RESULTS = (
    PREDICTIONS,
    "data/demo/03_primary/raf_db/samples.parquet",
    "data/demo/06_models/sae/demo/network.safetensors",
)


def content(clone: Path) -> dict[str, bytes]:
    found = {name: (clone / name).read_bytes() for name in RESULTS}
    return found | {file.name: file.read_bytes() for file in (clone / "data/demo/04_feature/raf_db").glob("*.npy")}


def left_over(clone: Path) -> list[str]:
    endings = (".part", ".lock", ".begun", ".old")
    return [str(path) for path in clone.rglob(".*") if path.name.endswith(endings) and ".git" not in path.parts]


def start(clone: Path) -> subprocess.Popen:
    return subprocess.Popen(sae(2), cwd=clone, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def statuses(clone: Path) -> list[str]:
    from mien.mlflow_run import connect

    client = connect(clone)
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    return sorted(found.info.status for found in client.search_runs(experiments))


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> dict[str, bytes]:
    clone = make_clone(tmp_path_factory.mktemp("alone"))
    run(sae(2), clone)
    return content(clone)


@pytest.mark.parametrize("trial", range(3))
def test_two_runs_at_once_in_a_fresh_clone_both_end_with_what_one_alone_makes(tmp_path, alone, trial):
    clone = make_clone(tmp_path)
    first = start(clone)
    time.sleep(random.Random(trial).uniform(0, 8) if trial else 0)
    second = start(clone)
    logs = [process.communicate(timeout=1200)[0] for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0), logs
    assert all("sae: test accuracy" in log for log in logs)
    assert "Traceback" not in "".join(logs)
    assert content(clone) == alone
    assert statuses(clone) == ["FINISHED", "FINISHED"]
    assert left_over(clone) == []


@pytest.mark.parametrize("trial", range(2))
def test_ctrl_c_pressed_twice_ends_clean_and_marks_the_run(tmp_path, trial):
    clone = make_clone(tmp_path)
    run([*KEDRO, "run", "--pipelines=data_raf_db"], clone)
    process = start(clone)
    while "RUNNING" not in (statuses(clone) if (clone / "mlflow.db").is_file() else []):
        time.sleep(0.2)
    time.sleep(random.Random(trial).uniform(0, 10))
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
    log, _ = process.communicate(timeout=300)
    assert "Traceback" not in log, log
    if process.returncode != 0:  # else it had ended before
        assert process.returncode == 130
        assert "Stopped. Training goes on" in log
        assert statuses(clone) == ["FINISHED", "KILLED"]
