from pathlib import Path

from mien.settings import CONFIG_LOADER_ARGS, ConfigLoader, overlay


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
