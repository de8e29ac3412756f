import shutil
from pathlib import Path

import pytest

from mien import settings
from mien.settings import CONFIG_LOADER_ARGS, ConfigLoader, log_as_the_project, overlay, with_home


def test_an_overlay_changes_the_named_values_and_leaves_the_section_itself():
    section = {"model": {"depth": 16, "prompt": "phrase"}, "training": {"lr": 1e-4}}
    changed = overlay(section, {"model": {"prompt": "active"}})
    assert changed == {"model": {"depth": 16, "prompt": "active"}, "training": {"lr": 1e-4}}
    assert section["model"]["prompt"] == "phrase"


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


ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(("found", "chosen", "applied"), [(None, False, 1), ("here", False, 0), (None, True, 0)])
def test_from_another_folder_the_log_is_the_projects_unless_the_user_chose_one(
    tmp_path, monkeypatch, found, chosen, applied
):
    (tmp_path / "conf").mkdir()
    shutil.copy(ROOT / "conf" / "logging.yml", tmp_path / "conf")
    configured: list[dict] = []
    monkeypatch.setattr(settings.LOGGING, "configure", configured.append)
    monkeypatch.setattr(settings, "find_config_file", lambda name: found)
    monkeypatch.delenv("KEDRO_LOGGING_CONFIG", raising=False)
    if chosen:
        monkeypatch.setenv("KEDRO_LOGGING_CONFIG", "mine.yml")
    log_as_the_project(tmp_path)
    assert [each["loggers"]["mien"]["level"] for each in configured] == ["INFO"] * applied
    log_as_the_project(tmp_path / "elsewhere")
    assert len(configured) == applied
