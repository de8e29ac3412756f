"""Around a run: the environment is named, faults are found before the first node, the end says where to look."""

import logging
import shutil
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline, node

from mien import hooks
from mien.errors import MienError
from mien.hooks import ProjectHooks, check_disk, check_raw_folders, headlines, written_folders
from mien.io.raw_folder import RawFolder
from mien.io.tables import JsonDocument, TextDocument
from mien.nodes.params import SyntheticParams
from mien.outputs import part_path


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def open_context(project: Path, env: str | None) -> None:
    from kedro.framework.session import KedroSession

    with KedroSession.create(project, env=env) as session:
        session.load_context()


@pytest.mark.parametrize(("env", "near"), [("papr", "Did you mean paper? "), ("xyz", "")])
def test_an_unknown_environment_is_refused_with_the_known_ones(project, env, near):
    with pytest.raises(click.ClickException) as error:
        open_context(project, env)
    assert f"There is no environment '{env}'" in error.value.message
    assert f"{near}Environments are folders there: demo, paper, reduced." in error.value.message
    assert ("Did you mean" in error.value.message) == bool(near)


def test_base_is_not_an_environment_of_its_own(project):
    with pytest.raises(click.ClickException, match="no environment 'base'"):
        open_context(project, "base")


def test_the_first_line_names_the_environment_and_the_way_to_the_other(project, caplog):
    caplog.set_level(logging.INFO, "mien")
    open_context(project, None)
    assert "Environment demo" in caplog.text
    assert "--env=paper" in caplog.text
    caplog.clear()
    open_context(project, "paper")
    assert "Environment paper" in caplog.text
    assert "Without --env=paper the demo runs" in caplog.text


def test_an_environment_of_the_users_own_is_announced_by_its_name(project, caplog):
    caplog.set_level(logging.INFO, "mien")
    (project / "conf" / "cluster").mkdir()
    open_context(project, "cluster")
    assert "Environment cluster" in caplog.text


def test_a_missing_dataset_is_reported_before_anything_is_written(project, run_project):
    before = files(project)
    with pytest.raises(click.ClickException) as error:
        run_project("sae", env="paper")
    for part in ("RAF-DB's folder is missing", "data/01_raw/raf_db", "Ask the authors", "needs no download"):
        assert part in error.value.message
    assert files(project) == before


def provide(synthetic):
    def check(folder: Path) -> None:
        raise MienError(f"{folder.name} is not in the published layout")

    return check


def raw_pipeline(tmp_path: Path, draw: bool) -> tuple[Pipeline, DataCatalog]:
    synthetic = SyntheticParams(generate=draw, seed=0)
    entries = {"params:d.synthetic": MemoryDataset(synthetic), "d.raw": RawFolder(filepath=str(tmp_path / "d"))}
    return Pipeline([node(provide, "params:synthetic", "raw", name="provide")], namespace="d"), DataCatalog(entries)


def test_the_preflight_checks_the_users_folders_in_the_readers_words(tmp_path):
    with pytest.raises(click.ClickException, match="d is not in the published layout"):
        check_raw_folders(*raw_pipeline(tmp_path, draw=False))


def test_the_preflight_neither_draws_nor_checks_a_synthetic_folder(tmp_path):
    check_raw_folders(*raw_pipeline(tmp_path, draw=True))
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_reads_no_raw_folder_needs_none(tmp_path):
    pipeline, catalog = raw_pipeline(tmp_path, draw=False)
    check_raw_folders(pipeline.only_nodes(), catalog)


def test_what_killed_runs_left_of_a_runs_outputs_is_removed_before_its_first_node(tmp_path):
    catalog = DataCatalog({"d.folder": RawFolder(filepath=str(tmp_path / "01_raw" / "d"))})
    catalog["d.table"] = JsonDocument(filepath=str(tmp_path / "03_primary" / "d" / "table.json"))
    left = [part_path(tmp_path / "01_raw" / "d"), part_path(tmp_path / "03_primary" / "d" / "table.json")]
    for part in left:
        (part / "images").mkdir(parents=True)
    pipeline = Pipeline([node(lambda: (1, 2), None, ["folder", "table"], name="n")], namespace="d")
    hook = ProjectHooks()
    hook._root, hook._data, hook._project = tmp_path, "data", {"min_free_gb": 0}
    hook.before_pipeline_run({}, pipeline, catalog)
    assert not any(part.exists() for part in left)


def test_a_run_does_not_read_back_what_another_one_has_written_meanwhile(tmp_path):
    entry = JsonDocument(filepath=str(tmp_path / "table.json"))
    catalog = DataCatalog({"table": entry, "memory": MemoryDataset(1)})
    hook = ProjectHooks()
    hook._root, hook._data, hook._project = tmp_path, "data", {"min_free_gb": 0}
    hook.before_pipeline_run({}, Pipeline([]), catalog)
    for name in ("table", "memory"):
        catalog.save(name, {"a": 1})
        hook.after_dataset_saved(name)
        hook.before_dataset_loaded(name)
    entry.save({"a": 2})
    with pytest.raises(ValueError, match=r"table\.json was written by another run"):
        hook.before_dataset_loaded("table")


Usage = namedtuple("Usage", "total used free")


def test_a_full_disk_is_reported_in_gigabytes_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(100e9, 98.5e9, 1.5e9))
    check_disk(tmp_path, min_free_gb=1.5)
    with pytest.raises(click.ClickException) as error:
        check_disk(tmp_path, min_free_gb=8)
    for part in ("Only 1.5 GB are free", str(tmp_path), "needs 8 GB", "conf/<env>/globals.yml", "min_free_gb"):
        assert part in error.value.message


@pytest.mark.parametrize("full", ["big", "faces", "project"])
def test_the_disks_of_data_raw_and_project_are_each_looked_at(tmp_path, monkeypatch, full):
    roots = {name: tmp_path / name for name in ("big", "faces", "project")}
    for folder in roots.values():
        folder.mkdir()
    pipeline, catalog = raw_pipeline(roots["faces"] / "not" / "there", draw=True)
    folders = written_folders(roots["project"], str(roots["big"] / "data"), pipeline, catalog)
    assert folders == [roots["project"], roots["big"] / "data", roots["faces"] / "not" / "there" / "d"]
    free = {folder: 0.0 if name == full else 50e9 for name, folder in roots.items()}
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(100e9, 0.0, free[path]))

    def check_all() -> None:
        for folder in folders:
            check_disk(folder, min_free_gb=8)

    with pytest.raises(click.ClickException, match=f"free on the disk of {roots[full]}"):
        check_all()


def test_a_users_own_raw_folder_is_only_read_and_its_disk_may_be_full(tmp_path):
    pipeline, catalog = raw_pipeline(tmp_path / "faces", draw=False)
    assert written_folders(tmp_path, "data/demo", pipeline, catalog) == [tmp_path, tmp_path / "data" / "demo"]


def test_a_full_disk_stops_the_run_before_the_first_node(project, run_project, monkeypatch):
    monkeypatch.setattr(hooks.shutil, "disk_usage", lambda path: Usage(100e9, 100e9, 0.0))
    before = files(project)
    with pytest.raises(click.ClickException, match=r"Only 0\.0 GB are free"):
        run_project("data_raf_db")
    assert files(project) == before


METRICS = {
    "test/accuracy": 0.912,
    "test/accuracy_low": 0.9,
    "test/accuracy_high": 0.925,
    "test/n": 3068,
    "synthetic_share": 0.0,
}


def farewell(caplog, tmp_path, metrics, env=None, variant=None) -> str:
    pipeline = Pipeline([node(lambda x: x, "x", "sae.metrics", name="evaluate")])
    catalog = DataCatalog({"sae.metrics": JsonDocument(filepath=str(tmp_path / "metrics.json"))})
    catalog.save("sae.metrics", metrics)
    run = {"pipeline_names": ["sae"], "env": env, "runtime_params": {"variant": variant} if variant else None}
    with caplog.at_level(logging.INFO, "mien"):
        ProjectHooks().after_pipeline_run(run, pipeline, catalog)
    return caplog.text


@pytest.mark.filterwarnings("ignore:One or more dataset names contain")
def test_the_end_tells_the_score_with_its_interval_and_where_to_look(caplog, tmp_path):
    text = farewell(caplog, tmp_path, METRICS, env="paper")
    assert str(tmp_path) in text
    assert "sae: test accuracy 91.2 % (95 % interval 90.0 to 92.5, n = 3068)" in text
    assert "mlflow ui" in text
    assert "kedro viz run --pipeline=sae --env=paper" in text
    assert "kedro run --pipelines=report --env=paper" in text


@pytest.mark.filterwarnings("ignore:One or more dataset names contain")
def test_a_score_on_synthetic_faces_says_so(caplog, tmp_path):
    assert "n = 3068, on synthetic faces)" in farewell(caplog, tmp_path, {**METRICS, "synthetic_share": 1.0})


@pytest.mark.filterwarnings("ignore:One or more dataset names contain")
def test_the_end_of_a_variant_names_it_and_leads_to_its_own_figures(caplog, tmp_path):
    text = farewell(caplog, tmp_path, METRICS, variant="keep_0.1")
    assert "sae keep_0.1: test accuracy" in text
    assert "kedro viz run --pipeline=sae --params=variant=keep_0.1" in text


@pytest.mark.filterwarnings("ignore:One or more dataset names contain")
def test_the_end_of_a_report_names_its_page(caplog, tmp_path):
    page = tmp_path / "report.html"
    pipeline = Pipeline([node(lambda x: x, "x", "report.html", name="write")])
    catalog = DataCatalog({"report.html": TextDocument(filepath=str(page))})
    run = {"pipeline_names": ["report"], "env": None, "runtime_params": None}
    with caplog.at_level(logging.INFO, "mien"):
        ProjectHooks().after_pipeline_run(run, pipeline, catalog)
    assert f"Report, to be opened in a browser: {page}" in caplog.text


def test_a_run_without_metrics_ends_without_a_score(caplog):
    pipeline = Pipeline([node(lambda x: x, "x", "table", name="read")])
    with caplog.at_level(logging.INFO, "mien"):
        ProjectHooks().after_pipeline_run(
            {"pipeline_names": None, "env": None, "runtime_params": None}, pipeline, SimpleNamespace()
        )
    assert "accuracy" not in caplog.text
    assert "kedro viz run --pipeline=sae" in caplog.text


@pytest.mark.parametrize(
    ("given", "near"), [("sea", "Did you mean sae.model.keep_rate?"), ("varient", "Did you mean variant?")]
)
def test_a_mistyped_section_on_the_command_line_is_refused_with_the_near_one(run_project, given, near):
    with pytest.raises(
        click.ClickException, match=rf"--params names {given}\.model\.keep_rate, and there is no"
    ) as refused:
        run_project("sae", params={"variant": "keep_0.1", given: {"model": {"keep_rate": 0.1}}})
    assert near in refused.value.message


@pytest.mark.parametrize("variant", ["../../escape", "/escape", "", ".hidden", "a/b"])
def test_a_variant_that_is_a_path_is_refused_before_anything_is_written(project, run_project, variant):
    before = files(project.parent)
    with pytest.raises(click.ClickException, match=r"variant is .*, which is no name"):
        run_project("softmax_regression", params={"variant": variant})
    assert files(project.parent) == before


def test_a_run_that_lacks_an_input_is_reported_so_before_the_first_node(project, run_project):
    before = files(project)
    with pytest.raises(click.ClickException, match=r"Begin earlier: kedro run --pipelines=sae$"):
        run_project("sae", from_nodes=["sae.train"])
    assert files(project) == before


def test_the_end_tells_every_main_score_that_a_system_has_in_its_own_unit():
    ends = {"test/mae_years_low": 5.5, "test/mae_years_high": 6.5, "test/gender_accuracy_low": None}
    metrics = {"test/n": 40, "test/mae_years": 6.0, "test/gender_accuracy": 0.9, **ends, "synthetic_share": 1.0}
    assert headlines(metrics) == [
        "test mean absolute error 6.0 years (95 % interval 5.5 to 6.5, n = 40, on synthetic faces)",
        "test accuracy of gender 90.0 % (n = 40, on synthetic faces)",
    ]
