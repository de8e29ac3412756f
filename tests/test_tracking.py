"""One MLflow run per pipeline run: what the hooks log, and how a run ends that finishes, fails or is interrupted."""

import functools
import hashlib
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline, node
from kedro.runner import SequentialRunner
from tests.pipelines.tiny_systems import TINY_DATA
from tests.project.project_config import load_config

from mien.mlflow_run import connect
from mien.nodes.digest import table_digest
from mien.tracking import ENGINE_LOGGER, TrackingHooks, _code_and_data_versions, run_parameters

pytestmark = pytest.mark.filterwarnings("ignore:One or more dataset names contain")

PARAMETERS = {"sae": {"model": {"keep_rate": 0.6}, "training": {"optimizer": {"lr": 0.1}}}, "raf_db": {"seed": 3}}


def test_a_single_systems_parameters_come_without_its_name_and_the_datasets_under_data():
    assert run_parameters(PARAMETERS, ["sae"], ["raf_db"]) == {
        "model.keep_rate": 0.6,
        "training.optimizer.lr": 0.1,
        "data.seed": 3,
    }


def test_several_systems_keep_their_names_so_that_none_hides_another():
    parameters = {"a": {"lr": 1}, "b": {"lr": 2}, "d": {"seed": 3}, "e": {"seed": 4}}
    flat = run_parameters(parameters, ["a", "b"], ["d", "e"])
    assert flat == {"a.lr": 1, "b.lr": 2, "data.d.seed": 3, "data.e.seed": 4}


def test_a_system_without_parameters_has_none():
    assert run_parameters({}, ["sae"], []) == {}


def context(project: Path, env: str | None = None, **runtime_params: Any) -> SimpleNamespace:
    return SimpleNamespace(
        project_path=project, env=env, config_loader=load_config(project / "conf", env or "demo", **runtime_params)
    )


def make(scale: int) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, float | None]]:
    samples = pd.DataFrame({"split": ["train", "train", "test"], "label": [0, 1, scale]})
    history = pd.DataFrame({"epoch": [1, 2], "train/loss": [2.0 * scale, 1.0], "val/accuracy": [0.5, 0.75]})
    return samples, history, {"test/accuracy": 0.5, "test/auroc": None}


def draw(history: pd.DataFrame) -> tuple[Any, Any]:
    import plotly.graph_objects as go
    from matplotlib.figure import Figure

    return go.Figure(go.Scatter(y=history["train/loss"].tolist())), Figure()


@functools.cache
def steps() -> Pipeline:
    return Pipeline(
        [
            node(make, "scale", ["d_samples", "s.history", "s.metrics"], name="make"),
            node(draw, "s.history", ["s.roc_figure", "s.roc_plot"], name="draw"),
            node(lambda history: "weights", "s.history", "s.network", name="save_network"),
        ]
    )


@pytest.fixture
def catalog(tmp_path) -> DataCatalog:
    def entry(kind: str, name: str, tracking: str) -> dict[str, Any]:
        return {"type": f"mien.io.{kind}", "filepath": str(tmp_path / name), "metadata": {"tracking": tracking}}

    return DataCatalog.from_config(
        {
            "scale": {"type": "MemoryDataset", "data": 1},
            "d_samples": entry("tables.ParquetTable", "samples.parquet", "samples"),
            "s.history": {**entry("tables.CsvTable", "history.csv", "history"), "save_args": {"index": False}},
            "s.metrics": entry("tables.JsonDocument", "metrics.json", "metrics"),
            "s.roc_figure": entry("figures.PlotlyFigure", "roc.json", "figure"),
            "s.roc_plot": entry("figures.PaperFigure", "roc.png", "plot"),
            "s.network": {"type": "MemoryDataset", "metadata": {"tracking": "network"}},
        }
    )


class Tracked:
    """A pipeline run with the tracking hooks alone, as a Kedro session calls them."""

    def __init__(self, project: Path, catalog: DataCatalog, monkeypatch, **runtime_params: Any) -> None:
        self.hooks, self.project, self.catalog = TrackingHooks(), project, catalog
        self.networks: list[Any] = []
        monkeypatch.setattr("mien.mlflow_run.MlflowRun.log_network", lambda run, network: self.networks.append(network))
        self.hooks.after_context_created(context(project, **runtime_params))
        self.run_params = {"runtime_params": runtime_params, "pipeline_names": ["s"]}

    def start(self) -> None:
        self.hooks.before_pipeline_run(self.run_params, steps(), self.catalog)

    def run(self) -> None:
        from kedro.framework.hooks.manager import _create_hook_manager

        manager = _create_hook_manager()
        manager.register(self.hooks)
        self.start()
        SequentialRunner().run(steps(), self.catalog, manager)

    def runs(self) -> list[Any]:
        client = connect(self.project)
        experiment = client.get_experiment_by_name(load_config(self.project / "conf", "demo")["project"]["experiment"])
        return client.search_runs([experiment.experiment_id], order_by=["attributes.start_time ASC"])


@pytest.fixture
def tracked(project, catalog, monkeypatch):
    tracked = Tracked(project, catalog, monkeypatch)
    yield tracked
    tracked.hooks._close("KILLED")


def test_a_run_that_finishes_leaves_one_finished_run_with_all_that_its_entries_name(tracked, catalog):
    tracked.run()
    tracked.hooks.after_pipeline_run(steps())
    (run,) = tracked.runs()
    client = connect(tracked.project)
    assert run.info.status == "FINISHED"
    assert run.data.metrics == {"train/loss": 1.0, "val/accuracy": 0.75, "test/accuracy": 0.5}
    assert [each.step for each in client.get_metric_history(run.info.run_id, "train/loss")] == [1, 2]
    assert sorted(file.path for file in client.list_artifacts(run.info.run_id)) == ["roc.html", "roc.png"]
    (data,) = run.inputs.dataset_inputs
    assert (data.dataset.name, data.dataset.digest) == ("d_samples", table_digest(catalog.load("d_samples")))
    assert tracked.networks == ["weights"]


def test_a_run_is_tagged_with_what_it_belongs_to(project, catalog, monkeypatch):
    tracked = Tracked(project, catalog, monkeypatch, variant="keep_0.1")
    (project / "dvc.lock").write_text("schema: '2.0'\n")
    tracked.start()
    tracked.hooks.after_pipeline_run(Pipeline([]))
    tags = tracked.runs()[0].data.tags
    assert (tags["system"], tags["dataset"], tags["variant"], tags["env"]) == ("s", "d", "keep_0.1", "demo")
    assert tags["mlflow.runName"] == "s keep_0.1"
    assert tags["dvc_lock"] == hashlib.md5(b"schema: '2.0'\n").hexdigest()


def test_without_a_variant_the_environments_own_is_named(tracked):
    tracked.start()
    assert tracked.runs()[0].data.tags["variant"] == load_config(tracked.project / "conf", "demo")["globals"]["variant"]


def test_epochs_are_logged_as_they_end_not_when_the_history_is_saved(tracked, caplog):
    caplog.set_level(logging.INFO, ENGINE_LOGGER)
    tracked.start()
    engine = logging.getLogger(f"{ENGINE_LOGGER}.fit")
    record = {"epoch": 1, "train/loss": 2.0}
    engine.info("epoch 1", extra={"metrics": record})
    assert tracked.runs()[0].data.metrics == {"train/loss": 2.0}
    tracked.hooks.after_pipeline_run(Pipeline([]))
    engine.info("epoch 2", extra={"metrics": {**record, "epoch": 2, "train/loss": 1.0}})
    assert tracked.runs()[0].data.metrics == {"train/loss": 2.0}, "a closed run still listens"


def test_a_run_that_fails_says_so_and_why(tracked):
    tracked.start()
    tracked.hooks.on_pipeline_error(ValueError("No face is left"))
    (run,) = tracked.runs()
    assert (run.info.status, run.data.tags["error"]) == ("FAILED", "ValueError: No face is left")


def test_an_interrupted_run_of_the_same_process_is_closed_and_hears_nothing_of_the_next(tracked, caplog):
    caplog.set_level(logging.INFO, ENGINE_LOGGER)
    tracked.start()
    tracked.start()
    logging.getLogger(f"{ENGINE_LOGGER}.fit").info("epoch 1", extra={"metrics": {"epoch": 1, "train/loss": 2.0}})
    first, second = tracked.runs()
    assert (first.info.status, second.info.status) == ("KILLED", "RUNNING")
    assert (first.data.metrics, second.data.metrics) == ({}, {"train/loss": 2.0})


def test_an_interrupt_closes_the_run_when_the_process_ends(tracked, monkeypatch):
    at_exit = []
    monkeypatch.setattr("atexit.register", lambda function, *args: at_exit.append((function, args)))
    tracked.start()
    ((function, args),) = at_exit
    function(*args)
    assert tracked.runs()[0].info.status == "KILLED"


def test_nothing_is_logged_outside_a_run(catalog):
    TrackingHooks().after_dataset_saved("s.metrics", {"test/accuracy": 0.5})


def test_a_failing_node_of_a_session_leaves_a_failed_run(project, run_project):
    """Through Kedro's own session: a folder that is not ours stands where faces are to be drawn."""
    folder = project / load_config(project / "conf", "demo")["globals"]["raw"] / "raf_db"
    folder.mkdir(parents=True)
    (folder / "holiday.jpg").touch()
    with pytest.raises(Exception, match="may be the real one"):
        run_project("data_raf_db", params=TINY_DATA)
    client = connect(project)
    experiment = load_config(project / "conf", "demo")["project"]["experiment"]
    (run,) = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
    assert run.info.status == "FAILED"
    assert "may be the real one" in run.data.tags["error"]
    assert run.data.tags["dataset"] == "raf_db"
    assert run.data.params["data.twin.num_train"] == str(TINY_DATA["raf_db"]["twin"]["num_train"])
    assert (folder / "holiday.jpg").exists()


def test_a_run_on_a_machine_without_git_has_no_commit_and_no_fault(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "mlflow.source.git.commit" not in _code_and_data_versions(tmp_path)
