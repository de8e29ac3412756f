from pathlib import Path

import pytest

from mien.configuration import ConfigLoader, expanded, merged, with_home
from mien.errors import MienError
from mien.settings import CONFIG_LOADER_ARGS


def loader(conf: Path, **files: str) -> ConfigLoader:
    """A loader of environment demo over files by folder and name."""
    for name, text in files.items():
        folder, file = name.split("__")
        (conf / folder).mkdir(parents=True, exist_ok=True)
        (conf / folder / f"{file}.yml").write_text(text)
    return ConfigLoader(str(conf), env="demo", **CONFIG_LOADER_ARGS)


def test_an_environment_that_changes_a_section_changes_those_that_extend_it(tmp_path):
    read = loader(
        tmp_path,
        base__parameters="a: {model: {depth: 8, heads: 2}}\nb: {extends: a, model: {heads: 4}}",
        demo__parameters="a: {model: {depth: 1}}",
    )["parameters"]
    assert read == {"a": {"model": {"depth": 1, "heads": 2}}, "b": {"model": {"depth": 1, "heads": 4}}}


def test_the_command_line_changes_a_section_and_those_that_extend_it(tmp_path):
    made = loader(tmp_path, base__parameters="a: {depth: 8}\nb: {extends: a}", demo__parameters="a: {depth: 4}")
    made.runtime_params = {"a": {"depth": 2}}
    assert made["parameters"] == {"a": {"depth": 2}, "b": {"depth": 2}}


def test_the_users_own_settings_come_after_the_environments_and_before_the_command_line(tmp_path):
    files = {
        f"{folder}__parameters": f"a: {{depth: {n}, {folder}: 1}}" for n, folder in enumerate(("base", "demo", "local"))
    }
    made = loader(tmp_path, **files)
    assert made["parameters"] == {"a": {"depth": 2, "base": 1, "demo": 1, "local": 1}}
    again = ConfigLoader(str(tmp_path), env="demo", runtime_params={"a": {"depth": 3}}, **CONFIG_LOADER_ARGS)
    assert again["parameters"]["a"]["depth"] == 3


def test_the_users_folder_of_datasets_is_not_the_demos(tmp_path):
    made = loader(tmp_path, base__globals="raw: a", demo__globals="raw: demo", local__globals="raw: mine")
    (tmp_path / "paper").mkdir()
    assert made["globals"]["raw"] == "demo"
    assert ConfigLoader(str(tmp_path), env="paper", **CONFIG_LOADER_ARGS)["globals"]["raw"] == "mine"


def test_an_entry_of_the_catalog_is_replaced_and_not_mixed_with_the_one_before(tmp_path):
    entry = "{type: pandas.ParquetDataset, filepath: a, metadata: {tracking: table}}"
    made = loader(
        tmp_path, base__catalog=f"a: {entry}\nb: {entry}", local__catalog="a: {type: pandas.CSVDataset, filepath: c}"
    )
    assert made["catalog"]["a"] == {"type": "pandas.CSVDataset", "filepath": "c"}
    assert made["catalog"]["b"]["metadata"] == {"tracking": "table"}


def test_a_section_may_stand_in_two_files_of_one_folder_but_a_value_in_one_alone(tmp_path):
    parts = {"base__parameters_a": "a: {model: {depth: 1}}", "base__parameters_b": "a: {training: {epochs: 2}}"}
    assert loader(tmp_path, **parts, demo__globals="{}")["parameters"] == {
        "a": {"model": {"depth": 1}, "training": {"epochs": 2}}
    }
    with pytest.raises(ValueError, match="Duplicate keys"):
        _ = loader(tmp_path, base__parameters_c="a: {model: {depth: 3}}")["parameters"]


def test_a_section_of_globals_stands_once_for_all_that_extend_it(tmp_path):
    read = loader(
        tmp_path,
        base__globals="device: {threads: 0, precision: full}",
        base__parameters="a: {t: {extends: 'globals:device', threads: 2}}\nb: {device: {extends: 'globals:device'}}",
        demo__globals="device: {threads: 1}",
    )["parameters"]
    assert read["a"]["t"] == {"threads": 2, "precision": "full"}
    assert read["b"]["device"] == {"threads": 1, "precision": "full"}


@pytest.mark.parametrize(
    ("sections", "named"),
    [
        ({"a": {"extends": "c"}, "b": {}}, "a extends c, and there is no such section. There are: a, b."),
        ({"a": {"extends": "b"}, "b": {"extends": "a"}}, "extends it again"),
        ({"a": {"extends": "a"}}, "a extends a"),
        ({"a": {"m": {"extends": "globals:nothing"}}}, "a.m extends globals:nothing"),
        ({"a": {"extends": 3}}, "a extends 3"),
    ],
)
def test_a_section_that_cannot_be_extended_is_refused(sections, named):
    with pytest.raises(MienError, match=named.replace(".", r"\.")):
        expanded(sections, {})


def test_an_optimizer_of_another_name_keeps_nothing_of_the_first():
    base = {"optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.9}}
    assert merged(base, {"optimizer": {"lr": 0.2}}) == {"optimizer": {"name": "sgd", "lr": 0.2, "momentum": 0.9}}
    assert merged(base, {"optimizer": {"name": "adam", "lr": 1.0}}) == {"optimizer": {"name": "adam", "lr": 1.0}}
    assert merged(base, {"optimizer": {"name": "sgd"}}) == base


def test_parameters_are_read_once_and_every_user_has_a_copy(tmp_path):
    for env in ("base", "demo"):
        (tmp_path / env).mkdir()
    file = Path(tmp_path / "base" / "parameters.yml")
    file.write_text("sae: {model: {depth: 8}}")
    loader = ConfigLoader(str(tmp_path), **CONFIG_LOADER_ARGS)
    loader["parameters"]["sae"]["model"]["depth"] = 9
    file.write_text("sae: {model: {depth: 10}}")
    assert loader["parameters"] == {"sae": {"model": {"depth": 8}}}


@pytest.mark.parametrize("folder", ["a[1]", "[ab]", "a*b", "a b", "ä"])
def test_the_projects_path_may_have_brackets(tmp_path, folder):
    conf = tmp_path / folder / "conf"
    (conf / "demo").mkdir(parents=True)
    for file in ("parameters_sae.yml", "parameters/sae.yml", "deep/er/parameters_nvie.yml"):
        (conf / "base" / file).parent.mkdir(parents=True, exist_ok=True)
        (conf / "base" / file).write_text(f"{Path(file).parent.name or 'top'}: {{depth: 8}}")
    read = ConfigLoader(str(conf), **CONFIG_LOADER_ARGS)["parameters"]
    assert read == {"top": {"depth": 8}, "parameters": {"depth": 8}, "er": {"depth": 8}}


def test_a_tilde_is_the_users_home_in_parameters_globals_and_catalog(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/ann")
    for env in ("base", "demo"):
        (tmp_path / env).mkdir()
    (tmp_path / "base" / "globals.yml").write_text("data: ~/data\nraw: raw")
    (tmp_path / "base" / "catalog.yml").write_text(
        "r: {type: x, filepath: '${runtime_params:raw,${globals:raw}}/r'}\nd: {type: x, filepath: '${globals:data}/d'}"
    )
    (tmp_path / "base" / "parameters.yml").write_text("sae: {weights: [~/w.pth, a~b], depth: 8}")
    loader = ConfigLoader(str(tmp_path), runtime_params={"raw": "~/faces"}, **CONFIG_LOADER_ARGS)
    paths = {name: entry["filepath"] for name, entry in loader["catalog"].items()}
    assert paths == {"r": "/ann/faces/r", "d": "/ann/data/d"}
    assert loader["globals"]["data"] == "/ann/data"
    assert loader["parameters"]["sae"] == {"weights": ["/ann/w.pth", "a~b"], "depth": 8}


def test_a_text_that_begins_with_a_tilde_and_names_nobody_stays():
    assert with_home({"a": "~0.5", "b": None}) == {"a": "~0.5", "b": None}
