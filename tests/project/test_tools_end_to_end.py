"""The project as people use it, in processes of its own: interrupted, shown, versioned. Minutes together, so slow."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.project.cloned_project import KEDRO, PREDICTIONS, ROOT, run, sae

from mien.mlflow_run import connect

pytestmark = pytest.mark.slow


def test_a_run_killed_in_training_goes_on_and_ends_with_the_same_predictions(ran, tmp_path):
    whole = (ran / PREDICTIONS).read_bytes()
    (ran / PREDICTIONS).unlink()
    log = tmp_path / "log"
    with log.open("w") as file:
        process = subprocess.Popen(sae(3), cwd=ran, stdout=file, stderr=file, start_new_session=True)
    deadline = time.monotonic() + 120
    while "epoch 1/3" not in log.read_text() and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (ran / PREDICTIONS).exists(), "the run ended before it could be killed"
    assert "Resuming after epoch" in run(sae(3), ran)
    assert (ran / PREDICTIONS).read_bytes() == whole


def test_the_lineage_site_holds_layers_tables_figures_and_faces(ran):
    run([*KEDRO, "viz", "build", "--include-previews"], ran)
    main = json.loads((ran / "build/api/main").read_text())
    assert {"raw", "primary", "feature", "models", "reporting"} <= set(main["layers"])
    ids = {node["name"]: node["id"] for node in main["nodes"]}
    previews = {
        name: json.loads((ran / "build/api/nodes" / ids[name]).read_text()).get("preview")
        for name in ("raf_db_samples", "raf_db_faces_112", "sae.metrics", "sae.figures", "sae.features_figures")
    }
    assert previews["raf_db_samples"]["columns"][:2] == ["sample_id", "image"]
    assert previews["raf_db_faces_112"].startswith("iVBOR")  # a PNG in base64
    assert "test/accuracy" in str(previews["sae.metrics"])
    assert previews["sae.figures"].startswith("iVBOR")
    assert previews["sae.features_figures"].startswith("iVBOR")


@pytest.fixture(scope="module")
def two_ran(ran) -> Path:
    """The clone after a second variant too."""
    variant = "--params=variant=second,sae.training.max_epochs=1,sae.model.keep_rate=0.25"
    run([*KEDRO, "run", "--pipelines=sae", "--namespaces=sae", variant], ran)
    return ran


@pytest.mark.parametrize("notebook", sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb")))
def test_notebooks_execute(two_ran, notebook):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    book = nbformat.read(two_ran / "notebooks" / notebook, as_version=4)
    nbclient.NotebookClient(book, timeout=120, resources={"metadata": {"path": str(two_ran / "notebooks")}}).execute()
    assert all(cell.get("execution_count") for cell in book.cells if cell.cell_type == "code")


def test_a_notebook_that_fails_is_noticed(ran):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    cell = nbformat.v4.new_code_cell('%load_ext kedro.ipython\ncatalog.load("raf_db_smaples")')
    broken = nbformat.v4.new_notebook(cells=[cell])
    client = nbclient.NotebookClient(broken, timeout=120, resources={"metadata": {"path": str(ran / "notebooks")}})
    with pytest.raises(nbclient.exceptions.CellExecutionError):
        client.execute()


def test_dvc_repeats_nothing_that_is_up_to_date_and_reads_metrics_and_plots(clone, monkeypatch):
    dvc = [sys.executable, "-m", "dvc"]
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")  # stages call kedro
    stage = "token_pruned@sae"
    assert f"Running stage '{stage}'" in run([*dvc, "repro", stage], clone)
    assert "Data and pipelines are up to date." in run([*dvc, "repro", stage], clone)
    assert "test/accuracy" in run([*dvc, "metrics", "show"], clone)
    run([*dvc, "plots", "show"], clone)
    html = (clone / "dvc_plots/index.html").read_text()
    assert "val/accuracy" in html
    assert "confusion_matrix.png" in html


def test_a_dvc_experiment_changes_one_parameter_and_its_effect_is_shown(clone, monkeypatch):
    dvc = [sys.executable, "-m", "dvc"]
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")  # stages call kedro
    run([*dvc, "repro", "token_pruned@sae"], clone)
    for command in ("add -A", "-c user.name=t -c user.email=t@t commit -qm repro"):
        subprocess.run(["git", *command.split()], cwd=clone, check=True)
    setting = "conf/demo/parameters.yml:sae.model.embed_dim=32"
    run([*dvc, "exp", "run", "--name", "wider", "-S", setting, "token_pruned@sae"], clone)
    shown = run([*dvc, "exp", "show", "--csv"], clone)
    header, *rows = [line for line in csv.reader(shown.splitlines()) if len(line) > 3]
    by_name = {row[header.index("Experiment")]: row for row in rows}
    column = next(number for number, name in enumerate(header) if name == setting.partition("=")[0])
    assert by_name["wider"][column] == "32"
    assert "test/log_loss" in run([*dvc, "metrics", "diff"], clone)
    run([*dvc, "plots", "diff", "--targets", "data/demo/08_reporting/sae/.*"], clone)
    client = connect(clone)
    tags = [each.data.tags for each in client.search_runs([e.experiment_id for e in client.search_experiments()])]
    assert [each["dvc_experiment"] for each in tags if "dvc_experiment" in each] == ["wider"]


def test_the_deprecated_spelling_of_the_option_runs_too(ran):
    command = [*KEDRO, "run", "--pipeline=sae", "--to-nodes=raf_db.read"]
    assert "Completed node: raf_db.read" in run(command, ran)


def test_help_is_quick_and_importing_the_package_loads_no_torch(clone):
    begun = time.perf_counter()
    run([*KEDRO, "--help"], clone)
    assert time.perf_counter() - begun < 10  # 0.5 s on a quiet machine; a wall clock on a busy one is no measure
    loaded = "import mien, sys; print(sorted({'torch', 'mlflow', 'albumentations', 'pandas'} & set(sys.modules)))"
    assert run([sys.executable, "-c", loaded], clone).strip() == "[]"
