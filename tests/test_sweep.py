"""Sweeps: which runs they consist of, and what is refused before the first one starts."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kedro.framework.session import KedroSession
from pydantic import ValidationError
from tests.io.test_schemas import samples as located_samples
from tests.pipelines.tiny_systems import TINY, TINY_SOURCES
from tests.project.project_config import environments, load_config

from mien.data.target_shares import add_target_shares
from mien.io.run_records import METRICS, RunRecord
from mien.mlflow_run import MlflowRun, connect
from mien.pipeline_registry import is_system, register_pipelines
from mien.sweep import Sweep, SweepRun, SweepRunner, merged, read_sweep, sweep_runs
from mien.tracking import TARGETS_PARAMETER, command, run_parameters

CONF = Path(__file__).resolve().parents[1] / "conf"
TWO = {
    "seeds": [3, 5],
    "members": [
        {"system": "softmax_regression", "variants": ["linear"]},
        {"system": "sae", "variants": ["keep"], "set": {"model.keep_rate": 0.1, "training.optimizer.lr": 0.2}},
    ],
}


def test_every_member_is_run_with_every_seed_in_folders_of_its_own():
    runs = list(sweep_runs(Sweep(**TWO)))
    assert [(run.system, run.variant) for run in runs] == [
        ("softmax_regression", "linear-seed_3"),
        ("sae", "keep-seed_3"),
        ("softmax_regression", "linear-seed_5"),
        ("sae", "keep-seed_5"),
    ]
    training = {"optimizer": {"lr": 0.2}, "seed": 5}
    assert runs[3].params == {"variant": "keep-seed_5", "sae": {"model": {"keep_rate": 0.1}, "training": training}}


def test_seeds_of_the_command_line_replace_the_sweeps_own():
    runs = sweep_runs(Sweep(**TWO), [7])
    assert [run.params[run.system]["training"]["seed"] for run in runs] == [7, 7]


def test_sections_are_merged_and_the_later_value_wins():
    one, other = {"a": {"b": 1, "c": {"d": 2}}, "e": 3}, {"a": {"c": {"d": 4}}, "e": {"f": 5}}
    assert merged(one, other) == {"a": {"b": 1, "c": {"d": 4}}, "e": {"f": 5}}
    assert one == {"a": {"b": 1, "c": {"d": 2}}, "e": 3}, "the arguments stay as they are"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seeds": []}, "at least 1"),
        ({"seeds": [1, 1]}, "twice"),
        ({"members": []}, "at least 1"),
        ({"members": [TWO["members"][0]] * 2}, "twice"),
        ({"members": [{**TWO["members"][1], "set": {"training.seed": 1}}]}, "Give the sweep seeds"),
        ({"members": [{**TWO["members"][1], "variants": ["keep/1"]}]}, "pattern"),
        ({"members": [{**TWO["members"][1], "settings": {}}]}, "Extra inputs"),
    ],
)
def test_a_sweep_that_would_overwrite_or_mean_nothing_is_refused(change, message):
    with pytest.raises(ValidationError, match=message):
        Sweep(**{**TWO, **change})


@pytest.mark.parametrize("env", environments(CONF))
def test_every_sweep_of_the_project_names_systems_and_parameters_that_exist(env):
    loader, pipelines = load_config(CONF, env), register_pipelines()
    sweeps, parameters = loader["sweeps"], loader["parameters"]
    assert sweeps
    for name in sweeps:
        for member in read_sweep(loader, name).members:
            assert is_system(member.system, pipelines[member.system])
            for path in member.set:
                value: Any = parameters[member.system]
                for key in path.split("."):
                    assert key in value, f"{name} sets {member.system}.{path}, which no parameters file has"
                    value = value[key]


@pytest.mark.parametrize("env", environments(CONF))
def test_what_a_variant_sets_stands_once(env):
    loader = load_config(CONF, env)
    papers = loader["parameters"]["report"]["tables"]["papers"]
    for system, paper in papers.items():
        settings: dict[str, Any] = {}
        for row in paper["rows"]:
            for variant in row["variants"]:
                assert settings.setdefault(variant, row.get("set", {})) == row.get("set", {}), (system, variant)
    for name, sweep in loader["sweeps"].items():
        for member in sweep["members"]:
            rows = papers[member["system"]]["rows"]
            listed = {variant for row in rows for variant in row["variants"]}
            assert set(member["variants"]) <= listed or "set" in member, name
            assert not (set(member["variants"]) & listed and "set" in member), name


def test_a_member_that_sets_what_the_report_says_is_refused(project):
    members = [{"system": "sae", "variants": ["keep_0.1"], "set": {"model.keep_rate": 0.2}}]
    (project / "conf/demo/sweeps.yml").write_text(json.dumps({"mine": {"seeds": [0], "members": members}}))
    with pytest.raises(ValueError, match=r"Sweep mine sets what keep_0\.1 of sae means"):
        read_sweep(load_config(project / "conf", "demo"), "mine")


def test_an_unknown_sweep_is_reported_with_those_that_are_known():
    with pytest.raises(ValueError, match=r"no sweep 'sea'.*sae_paper.*conf/base/sweeps\.yml"):
        read_sweep(load_config(CONF, "demo"), "sea")


SWEPT = ("sae", "softmax_regression")


@pytest.fixture
def tiny_project(project, monkeypatch) -> Path:
    """A project with a sweep over two systems that takes seconds."""
    sweeps = {"tiny": {"seeds": [0, 1], "members": [{"system": name, "variants": ["v"]} for name in SWEPT]}}
    sweeps["one"] = {"seeds": [0, 1], "members": [{"system": "softmax_regression", "variants": ["v"]}]}
    for name in ("sea", "data_raf_db"):
        sweeps[f"wrong_{name}"] = {"seeds": [0], "members": [{"system": name, "variants": ["v"]}]}
    (project / "conf/demo/sweeps.yml").write_text(json.dumps(sweeps))
    monkeypatch.setattr(MlflowRun, "log_network", lambda run, network: None)
    monkeypatch.setattr(MlflowRun, "watch_system", lambda run: None)
    return project


def runner(project: Path) -> SweepRunner:
    return SweepRunner(project, None, {**TINY, **TINY_SOURCES})


@pytest.mark.parametrize("name", ["sea", "data_raf_db"])
def test_a_system_that_is_none_is_reported_before_anything_runs(tiny_project, name):
    with pytest.raises(ValueError, match=rf"names {name}, no system\. Systems are: .*sae"):
        runner(tiny_project).run(f"wrong_{name}")
    assert not (tiny_project / "data").exists()


def test_a_finished_run_is_repeated_when_a_parameters_file_has_changed(tiny_project):
    run = SweepRun("softmax_regression", "v-seed_0", {"variant": "v-seed_0"})
    session = KedroSession.create(tiny_project, runtime_params=run.params)
    context = session.load_context()
    requested = {"pipeline_names": [run.system], "namespaces": [run.system], "runtime_params": run.params}
    parameters = run_parameters(context.config_loader["parameters"], [run.system], ["raf_db"])
    record = RunRecord(run.system, run.variant, "demo", "raf_db", command(requested), "", "", "", "", parameters)
    folder = Path(context.catalog.get(f"{run.system}.metrics")._filepath).parent
    sweep = SweepRunner(tiny_project, None, {})
    assert not sweep._is_done(session, run, run.params), "nothing has run"
    record.write(folder)
    (folder / METRICS).write_text("{}")
    assert sweep._is_done(session, run, run.params)
    replace(record, parameters={**parameters, "training.batch_size": 1}).write(folder)
    assert not sweep._is_done(session, run, run.params)


def test_a_sweep_of_ones_own_compares_its_members_and_its_runs_say_what_data_they_saw(tiny_project):
    members = [
        {"system": "softmax_regression", "variants": [f"rate_{lr}"], "set": {"training.optimizer.lr": lr}}
        for lr in (0.1, 1.0, 9.0)
    ]
    (tiny_project / "conf/base/sweeps_of_mine.yml").write_text(
        json.dumps({"rates": {"seeds": [4], "members": members}})
    )
    SweepRunner(tiny_project, None, {**TINY, **TINY_SOURCES}).run("rates")
    reported = tiny_project / "data/demo/08_reporting/report"
    table = pd.read_parquet(reported / "comparisons.parquet")
    pairs = [("rate_0.1", "rate_1.0"), ("rate_0.1", "rate_9.0"), ("rate_1.0", "rate_9.0")]
    assert list(zip(table["one"], table["other"], strict=True)) == [
        (f"softmax_regression/{one}-seed_4", f"softmax_regression/{other}-seed_4") for one, other in pairs
    ]
    assert (table["n"] == TINY_SOURCES["raf_db"]["synthetic"]["num_test"]).all()
    assert (table["p_holm"] >= table["p"]).all()
    assert "Sweep rates" in (reported / "report.md").read_text()
    client = connect(tiny_project)
    (experiment,) = (each for each in client.search_experiments() if each.name == "mien-demo")
    runs = client.search_runs([experiment.experiment_id], order_by=["attributes.start_time ASC"])
    (prepared,) = (run for run in runs if run.data.tags.get("dataset") == "raf_db" and not run.data.tags["system"])
    children = [
        run for run in runs if run.data.tags.get("system") == "softmax_regression" and "variant" in run.data.tags
    ]
    assert len(children) == 3
    for run in (prepared, *children):
        assert run.data.tags["dataset"] == "raf_db"
        ((name, digest),) = {(each.dataset.name, each.dataset.digest) for each in run.inputs.dataset_inputs}
        assert (name, digest) == ("raf_db_samples", prepared.inputs.dataset_inputs[0].dataset.digest)
    for run in children:
        curve = client.get_metric_history(run.info.run_id, "val/accuracy")
        assert [each.step for each in curve] == [1, 2]
        assert run.data.metrics["val/accuracy"] == curve[-1].value
        scores = {each.step: each.value for each in curve}
        best = run.data.metrics["best/epoch"]
        assert run.data.metrics["best/val/accuracy"] == pytest.approx(scores[best])
        assert scores[best] == max(scores.values())


def test_a_finished_run_is_repeated_when_the_prepared_table_has_other_targets(tiny_project):
    run = SweepRun("fer_former_ferplus", "v-seed_0", {"variant": "v-seed_0"})
    session = KedroSession.create(tiny_project, runtime_params=run.params)
    context = session.load_context()
    requested = {"pipeline_names": [run.system], "namespaces": [run.system], "runtime_params": run.params}
    parameters = run_parameters(context.config_loader["parameters"], [run.system], ["ferplus"])
    folder = Path(context.catalog.get(f"{run.system}.metrics")._filepath).parent
    trained = {**parameters, TARGETS_PARAMETER: "crossentropy"}
    RunRecord(run.system, run.variant, "demo", "ferplus", command(requested), "", "", "", "", trained).write(folder)
    (folder / METRICS).write_text("{}")
    table = Path(context.catalog.get("ferplus_samples")._filepath)
    table.parent.mkdir(parents=True)
    rows = located_samples()
    for mode, done in (("crossentropy", True), ("multi_target", False)):
        add_target_shares(
            rows, np.eye(2)[rows["label"]], ["surprise", "fear"], [mode, "majority", "majority"]
        ).to_parquet(table)
        assert SweepRunner(tiny_project, None, {})._is_done(session, run, run.params) == done


@pytest.mark.slow
def test_a_sweep_runs_each_member_once_reports_and_has_one_parent_run(tiny_project, caplog):
    caplog.set_level("INFO", "mien")
    runner(tiny_project).run("tiny")
    reported = tiny_project / "data/demo/08_reporting"
    variants = {path.parent.name for path in reported.glob("*/*/run.json")}
    assert variants == {"v-seed_0", "v-seed_1"}
    text = (reported / "report/report.md").read_text()
    assert "±" in text
    assert "synthetic faces" in text
    assert "sae/v against softmax_regression/v, 2 seeds" in text
    client = connect(tiny_project)
    runs = client.search_runs([each.experiment_id for each in client.search_experiments()])
    (parent,) = (run for run in runs if run.info.run_name == "sweep tiny")
    children = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert len(children) == 2 * len(SWEPT)
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert {file.path for file in client.list_artifacts(parent.info.run_id)} == {"report.html", "report.md"}
    before = {path: path.stat().st_mtime_ns for path in reported.glob("*/*/metrics.json")}
    runner(tiny_project).run("tiny")
    assert {path: path.stat().st_mtime_ns for path in before} == before, "a finished run was repeated"
    assert "is there already" in caplog.text


@pytest.mark.slow
def test_an_interrupted_sweep_is_marked_and_goes_on(tiny_project, monkeypatch):
    write, written = RunRecord.write, []

    def interrupted(record, folder):
        if len(written) == 1:
            raise KeyboardInterrupt
        written.append(folder)
        write(record, folder)

    with monkeypatch.context() as patch:
        patch.setattr(RunRecord, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            runner(tiny_project).run("one")
    client = connect(tiny_project)
    experiments = [each.experiment_id for each in client.search_experiments()]
    (parent,) = client.search_runs(experiments, "attributes.run_name = 'sweep one'")
    assert parent.info.status == "KILLED"
    kept = {folder: (folder / "metrics.json").stat().st_mtime_ns for folder in written}
    runner(tiny_project).run("one")
    assert {folder: (folder / "metrics.json").stat().st_mtime_ns for folder in kept} == kept
    assert len(list((tiny_project / "data/demo/08_reporting").glob("*/*/run.json"))) == 2
