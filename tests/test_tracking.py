"""One MLflow run per pipeline run: what the hooks log, and how a run ends that finishes, fails or is interrupted."""

import functools
import hashlib
import logging
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline, node
from kedro.runner import SequentialRunner
from tests.pipelines.tiny_systems import TINY_DATA
from tests.project.project_config import load_config

from mien.io.run_records import read_record
from mien.mlflow_run import connect
from mien.nodes.digest import table_digest
from mien.nodes.training import report_epoch
from mien.tracking import TrackingHooks, _code_and_data_versions, project_commit, run_parameters

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
    history = pd.DataFrame(
        {"epoch": [1, 2, 3], "train/loss": [2.0 * scale, 1.0, 0.5], "val/accuracy": [0.5, 0.75, 0.25]}
    )
    return samples, history, {"test/accuracy": 0.5, "test/auroc": None, "best/val/accuracy": 0.75}


def draw(history: pd.DataFrame) -> tuple[dict[str, Any], Any]:
    import plotly.graph_objects as go
    from matplotlib.figure import Figure

    points = go.Figure(go.Scatter(y=history["train/loss"].tolist()))
    return {"roc_thresholds": points, "curves": Figure()}, Figure()


@functools.cache
def steps() -> Pipeline:
    return Pipeline(
        [
            node(make, "scale", ["d_samples", "s.history", "s.metrics"], name="make"),
            node(draw, "s.history", ["s.figures", "s.roc_plot"], name="draw"),
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
            "s.figures": entry("figures.FigureFolder", "figures", "figures"),
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

    def start(self, part: Pipeline | None = None) -> None:
        self.hooks.before_pipeline_run(self.run_params, part or steps(), self.catalog)

    def run(self, part: Pipeline | None = None, **options: Any) -> None:
        from kedro.framework.hooks.manager import _create_hook_manager

        manager = _create_hook_manager()
        manager.register(self.hooks)
        self.start(part)
        SequentialRunner().run(part or steps(), self.catalog, manager, **options)

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
    of_epochs = {"train/loss": 0.5, "val/accuracy": 0.25}
    assert run.data.metrics == {**of_epochs, "best/val/accuracy": 0.75, "test/accuracy": 0.5}
    for name in of_epochs:
        assert [each.step for each in client.get_metric_history(run.info.run_id, name)] == [1, 2, 3], name
    assert sorted(file.path for file in client.list_artifacts(run.info.run_id)) == [
        "curves.png",
        "roc.png",
        "roc_thresholds.html",
        "scores.json",
    ]
    (data,) = run.inputs.dataset_inputs
    assert (data.dataset.name, data.dataset.digest) == ("d_samples", table_digest(catalog.load("d_samples")))
    assert tracked.networks == ["weights"]


def described(run: Any) -> tuple[Any, ...]:
    inputs = [(each.dataset.name, each.dataset.digest, each.dataset.profile) for each in run.inputs.dataset_inputs]
    return inputs, run.data.tags["dataset"], run.data.tags["system"], run.data.params


@pytest.mark.parametrize(
    ("part", "options"),
    [
        (lambda whole: whole.from_nodes("estimator"), {}),  # reads what was made of the samples, not the samples
        (lambda whole: whole.from_nodes("train"), {}),
        (lambda whole: whole.to_nodes("train"), {}),
        (lambda whole: whole, {"only_missing_outputs": True}),
    ],
    ids=["from evaluate", "from train", "to train", "only missing outputs"],
)
def test_a_run_that_finds_its_samples_there_has_the_dataset_and_digest_of_the_one_that_made_them(
    tracked, monkeypatch, part, options
):
    samples, history, metrics = make(1)
    whole = Pipeline(
        [
            node(lambda scale: samples, "scale", "d_samples", name="prepare"),
            node(lambda samples: ("weights", history), "d_samples", ["s.network", "s.history"], name="train"),
            node(lambda history: metrics, "s.history", "s.metrics", name="estimator"),
        ]
    )
    monkeypatch.setattr("kedro.framework.project.pipelines", {"s": whole})
    for run, its_options in ((whole, {}), (part(whole), options)):
        tracked.run(run, **its_options)
        tracked.hooks.after_pipeline_run(run)
    first, second = tracked.runs()
    assert described(first)[:3] == (
        [("d_samples", table_digest(samples), '{"rows": 3, "train": 2, "test": 1}')],
        "d",
        "s",
    )
    assert described(second) == described(first)


def test_samples_that_are_not_there_any_more_are_reported_and_nothing_is_made_up(tracked, monkeypatch, catalog, caplog):
    caplog.set_level(logging.INFO, "mien")
    tracked.run()
    tracked.hooks.after_pipeline_run(steps())
    monkeypatch.setattr("kedro.framework.project.pipelines", {"s": steps()})
    Path(catalog.get("d_samples")._filepath).unlink()
    drawing = steps().from_nodes("draw")
    tracked.run(drawing)
    tracked.hooks.after_pipeline_run(drawing)
    assert not tracked.runs()[1].inputs.dataset_inputs
    assert "no digest of d_samples: its file is not here" in caplog.text


def test_the_champion_is_chosen_by_the_best_epochs_validation_score(tracked, monkeypatch):
    chosen = []
    monkeypatch.setattr(
        "mien.mlflow_run.MlflowRun.register_network", lambda run, *reported: chosen.append(reported[1:])
    )
    tracked.run()
    tracked.hooks.after_pipeline_run(steps())
    assert chosen == [("best/val/accuracy", 0.75)]


def git(folder: Path, *words: str) -> str:
    name = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.org")
    done = subprocess.run(["git", *name, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path) -> Path:
    """A repository of its own with one commit."""
    folder = tmp_path / "repository"
    (folder / "conf").mkdir(parents=True)
    (folder / "conf/globals.yml").write_text("a: 1\n")
    (folder / "metrics.json").write_text("{}\n")
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "All")
    return folder


def test_the_commit_is_the_projects_and_says_whether_code_or_configuration_has_changed(repository):
    commit = git(repository, "rev-parse", "HEAD")
    assert project_commit(repository) == commit
    (repository / "metrics.json").write_text("[]\n")
    assert project_commit(repository) == commit, "a run's own metrics are no change of the code"
    (repository / "conf/globals.yml").write_text("a: 2\n")
    assert project_commit(repository) == f"{commit}+"


def test_a_copy_inside_another_repository_has_not_that_ones_commit(repository, caplog):
    caplog.set_level(logging.INFO, "mien")
    for copy in ("copy", "conf/vendored"):
        (repository / copy).mkdir()
        assert project_commit(repository / copy) == ""
    git(repository, "add", "--force", ".")
    assert project_commit(repository / "copy") == ""
    assert caplog.text.count("a copy inside the repository") == 3


def test_a_hook_of_another_repository_does_not_lend_its_commit(repository, tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_DIR", str(repository / ".git"))
    (tmp_path / "elsewhere").mkdir()
    assert project_commit(tmp_path / "elsewhere") == ""


def test_without_repository_commit_or_git_there_is_no_commit_and_the_log_says_why(tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.INFO, "mien")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert project_commit(tmp_path) == ""
    assert "The run has no commit: fatal: not a git repository" in caplog.text
    git(tmp_path, "init", "--quiet")
    assert project_commit(tmp_path) == ""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert project_commit(tmp_path) == ""
    assert "The run has no commit: git cannot be started" in caplog.text


@pytest.mark.parametrize("path", [None, ""])
def test_a_run_has_its_projects_commit_or_none_in_its_tags_and_its_record(tracked, monkeypatch, path):
    if path is not None:
        monkeypatch.setenv("PATH", path)
    else:
        git(tracked.project, "init", "--quiet")
        git(tracked.project, "add", "conf")
        git(tracked.project, "commit", "--quiet", "--message", "All")
    tracked.run()
    tracked.hooks.after_pipeline_run(steps())
    commit = "" if path is not None else f"{git(tracked.project, 'rev-parse', 'HEAD')}+"  # pyproject.toml is new
    (run,) = tracked.runs()
    assert run.data.tags.get("mlflow.source.git.commit", "") == commit
    assert read_record(Path(tracked.catalog.get("s.metrics")._filepath).parent).commit == commit


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


def test_epochs_are_tracked_as_they_end_not_when_the_history_is_saved_however_little_is_logged(tracked, caplog):
    caplog.set_level(logging.WARNING, "mien")
    tracked.start()
    tracked.hooks.before_node_run(node(len, "s.x", "s.y"))
    record = {"epoch": 1, "train/loss": 2.0}
    report_epoch(record, {})
    assert tracked.runs()[0].data.metrics == {"train/loss": 2.0}
    tracked.hooks.after_pipeline_run(Pipeline([]))
    report_epoch({**record, "epoch": 2, "train/loss": 1.0}, {})
    assert tracked.runs()[0].data.metrics == {"train/loss": 2.0}, "a closed run is still reported to"


def test_a_run_that_fails_says_so_and_why(tracked):
    tracked.start()
    tracked.hooks.on_pipeline_error(ValueError("No face is left"))
    (run,) = tracked.runs()
    assert (run.info.status, run.data.tags["error"]) == ("FAILED", "ValueError: No face is left")


def test_an_interrupted_run_of_the_same_process_is_closed_and_gets_nothing_of_the_next(tracked):
    tracked.start()
    tracked.start()
    tracked.hooks.before_node_run(node(len, "s.x", "s.y"))
    report_epoch({"epoch": 1, "train/loss": 2.0}, {})
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


def test_the_rows_that_are_trained_on_say_the_targets_in_mlflow_and_in_the_record(tracked, catalog):
    rows = pd.DataFrame({"split": ["train", "val"], "target_mode": ["multi_target", "majority"]})
    catalog["s.train_and_val"] = MemoryDataset(rows, metadata={"tracking": "targets"})
    tracked.start()
    for _ in range(2):  # one node after another reads them
        tracked.hooks.after_dataset_loaded("s.train_and_val", rows)
    tracked.hooks.after_dataset_loaded("s.history", pd.DataFrame())
    assert tracked.runs()[0].data.params["training.targets"] == "multi_target"
    assert tracked.hooks._record("s").parameters["training.targets"] == "multi_target"
    assert not tracked.hooks._run.not_sent


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
    assert run.data.params["data.synthetic.num_train"] == str(TINY_DATA["raf_db"]["synthetic"]["num_train"])
    assert (folder / "holiday.jpg").exists()


def test_a_run_on_a_machine_without_git_has_no_commit_and_no_fault(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "mlflow.source.git.commit" not in _code_and_data_versions(tmp_path)
