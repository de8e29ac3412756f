"""Every guard on the configuration finds the project without fault, and finds a fault that is planted."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.project.config_guards import origin_faults, override_faults
from tests.project.project_config import environments, load_config

from mien.pipeline_registry import is_system, register_pipelines

CONF = Path(__file__).resolve().parents[2] / "conf"
PARAMETERS = sorted(CONF.glob("*/parameters*.yml"))


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path = path.with_name(f"{path.name}.yml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_environments_override_only_what_base_has():
    assert override_faults(CONF) == []


@pytest.mark.parametrize(
    ("file", "text", "named"),
    [
        ("demo__parameters_sae", "sae: {model: {keep_rat: 0.1}}", "sae.model.keep_rat,"),
        ("paper__parameters_sae", "sae: {modle: {keep_rate: 0.1}}", "sae.modle,"),
        ("paper__parameters_sae", "sae: {model: 3}", "sae.model to 3"),
        ("demo__catalog", "extra: {type: pandas.CSVDataset}", "extra,"),
        ("demo__globals", "dta: here", "dta,"),
        ("demo__project", "min_free: 3", "min_free,"),
        ("demo__credentials", "key: 3", "conf/demo/credentials*.yml has no counterpart"),
    ],
)
def test_the_override_guard_finds_a_key_that_base_does_not_have(tmp_path, file, text, named):
    write(
        tmp_path,
        base__parameters_sae="sae: {model: {keep_rate: 0.6}}",
        base__parameters_raf_db="raf_db: {reader: {seed: 0}}",
        base__catalog_systems="'{name}': {type: pandas.CSVDataset}",
        base__globals="data: data",
        base__project="min_free_gb: 8",
        demo__parameters_raf_db="raf_db: {reader: {seed: 1}}",
        paper__globals="data: other",
    )
    assert override_faults(tmp_path) == []
    write(tmp_path, **{file: text})
    (fault,) = override_faults(tmp_path)
    assert named in fault


@pytest.mark.parametrize("file", PARAMETERS, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_every_number_says_where_it_comes_from(file):
    assert origin_faults(file) == []


@pytest.mark.parametrize(
    "line", ["lr: 4.0e-5", "depth: 8", "widths: [64, 128]", "nested: {gamma: 0.98, name: step}", "rate: 1e-3", "x: -.5"]
)
def test_the_origin_guard_finds_a_number_without_a_comment_on_its_line(tmp_path, line):
    write(tmp_path, parameters=f"# a comment above is not on the line\nsae:\n  {line}\n  name: sgd2\n  on: true\n")
    (fault,) = origin_faults(tmp_path / "parameters.yml")
    assert "line 3" in fault
    write(tmp_path, parameters=f"sae:\n  {line}   # paper, Table 1\n  name: sgd2\n  on: true\n")
    assert origin_faults(tmp_path / "parameters.yml") == []


@pytest.mark.parametrize("env", ["demo", "reduced"])
def test_an_environment_that_announces_small_networks_makes_every_system_small(env, systems):
    small, published = (load_config(CONF, name)["parameters"] for name in (env, "paper"))
    for name in systems:
        assert small[name]["training"]["max_epochs"] < published[name]["training"]["max_epochs"] or env == "demo", name
        if name != "softmax_regression":  # a linear model has no smaller size
            assert small[name]["model"] != published[name]["model"], f"{env} leaves {name} at its published size"


@pytest.mark.parametrize("env", environments(CONF))
def test_what_an_environment_changes_of_a_system_it_changes_of_those_that_extend_it(env):
    sections = {name: section for file in PARAMETERS for name, section in _sections(file, "base").items()}
    own = {name: section for file in PARAMETERS for name, section in _sections(file, env).items()}
    loaded = load_config(CONF, env)["parameters"]
    aliases = {name: section["extends"] for name, section in sections.items() if "extends" in (section or {})}
    assert len(aliases) >= 6
    for name, other in aliases.items():
        declared = {*_leaves(sections[name]), *_leaves(own.get(name, {}))}
        one, two = dict(_leaf_values(loaded[name])), dict(_leaf_values(loaded[other]))
        differing = {path for path in one.keys() | two.keys() if one.get(path) != two.get(path)}
        assert differing <= declared, f"{name} drifts from {other} in {env}"


def _sections(file: Path, env: str) -> dict[str, Any]:
    return (yaml.safe_load(file.read_text()) or {}) if file.parent.name == env else {}


def _leaf_values(section: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in section.items():
        if isinstance(value, dict):
            yield from _leaf_values(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _leaves(section: dict[str, Any]) -> list[str]:
    return [path for path, _ in _leaf_values(section)]


@pytest.fixture(scope="module")
def systems() -> list[str]:
    return [
        name for name, pipeline in register_pipelines().items() if is_system(name, pipeline) and name != "__default__"
    ]


def test_what_is_written_of_devices_stands_in_globals_alone():
    """But for what a network needs: its layout in memory, and trials that share the cores."""
    for env in environments(CONF):
        written = (CONF / env / "parameters.yml").read_text()
        assert "threads" not in written, env
        assert "num_workers" not in written, env
