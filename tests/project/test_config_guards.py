"""Every guard on the configuration finds the project without fault, and finds a fault that is planted."""

from pathlib import Path

import pytest
from tests.project.config_guards import origin_faults, override_faults

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
