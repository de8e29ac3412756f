"""Pipelines are found by their existing, and a system's pipeline goes the whole way from the raw files."""

import sys
from pathlib import Path

import pytest

from mien import pipelines
from mien.names import DEFAULT_PIPELINE
from mien.pipeline_registry import is_dataset, register_pipelines

FOLDERS = sorted(path.parent.name for path in Path(pipelines.__path__[0]).glob("*/pipeline.py"))


@pytest.fixture
def new_folder(tmp_path, monkeypatch):
    """A function that adds a folder to ``mien.pipelines``."""

    def add(name: str, code: str) -> None:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "__init__.py").write_text(code)
        monkeypatch.setattr(pipelines, "__path__", [*pipelines.__path__, str(tmp_path)])
        monkeypatch.delitem(sys.modules, f"mien.pipelines.{name}", raising=False)

    yield add
    for name in [name for name in sys.modules if name.startswith("mien.pipelines.planted")]:
        del sys.modules[name]


def names(pipeline) -> set[str]:
    return {step.name for step in pipeline.nodes}


def test_every_folder_is_a_pipeline_and_the_default_is_one_of_them():
    registered = register_pipelines()
    made = set(registered) - {"__default__"}
    assert set(FOLDERS) <= made
    assert all(any(name == folder or name.startswith(f"{folder}_") for folder in FOLDERS) for name in made)
    assert registered["__default__"] is registered[DEFAULT_PIPELINE]


def test_the_default_is_so_small_that_kedro_viz_draws_it():
    default = register_pipelines()["__default__"]
    assert len(default.nodes) + len(default.datasets()) < 390


def test_a_system_holds_the_nodes_of_the_datasets_it_reads():
    registered = register_pipelines()
    assert names(registered["data_raf_db"]) < names(registered["sae"])
    assert not any(name.startswith("sae.") for name in names(registered["data_raf_db"]))


@pytest.mark.parametrize("system", [name for name in FOLDERS if not is_dataset(name)])
def test_a_system_asks_for_nothing_but_parameters_and_what_an_earlier_run_left(system):
    registered = register_pipelines()
    free = {entry for entry in registered[system].inputs() if not entry.startswith("params:")}
    unfinished = {entry for entry in free if entry.endswith(".unfinished")}
    resumed = {entry for entry in free if entry.endswith(".checkpoints")}
    assert free - unfinished - resumed <= {f"{system}.runs", f"{system}.sweeps"}
    assert {entry.split(".")[0] for entry in resumed} <= {entry.split(".")[0] for entry in names(registered[system])}
    assert {entry.split(".")[0] for entry in unfinished} <= {entry.split(".")[0] for entry in names(registered[system])}


def test_a_new_folder_is_found_without_being_registered_anywhere(new_folder):
    new_folder(
        "planted_system",
        "from kedro.pipeline import Pipeline, node\n"
        "def create_pipeline():\n"
        "    return Pipeline([node(len, 'raf_db_samples', 'planted_system.metrics', name='count')])\n",
    )
    registered = register_pipelines()
    assert names(registered["planted_system"]) == {"count"} | names(registered["data_raf_db"])


def test_a_folder_may_make_one_pipeline_per_dataset_and_they_are_joined_with_their_own(new_folder):
    new_folder(
        "planted_pair",
        "from kedro.pipeline import Pipeline, node\n"
        "def create_pipelines():\n"
        "    sources = {'planted_pair': 'raf_db', 'planted_pair_ferplus': 'ferplus'}\n"
        "    return {name: Pipeline([node(len, f'{data}_samples', f'{name}.metrics', name=name)])\n"
        "            for name, data in sources.items()}\n",
    )
    registered = register_pipelines()
    assert names(registered["planted_pair_ferplus"]) == {"planted_pair_ferplus"} | names(registered["data_ferplus"])
    assert names(registered["planted_pair"]) == {"planted_pair"} | names(registered["data_raf_db"])


def test_a_pipeline_is_joined_with_one_that_trains_what_it_starts_from_and_that_ones_dataset(new_folder):
    new_folder(
        "planted_heir",
        "from kedro.pipeline import Pipeline, node\n"
        "def create_pipeline():\n"
        "    return Pipeline([node(len, 'sae.network', 'planted_heir.metrics', name='inherit')])\n",
    )
    registered = register_pipelines()
    assert names(registered["planted_heir"]) == {"inherit"} | names(registered["sae"])


def test_two_folders_that_make_the_same_pipeline_are_refused(new_folder):
    new_folder("planted_twice", "def create_pipelines():\n    return {'sae': None}\n")
    with pytest.raises(ValueError, match="sae, which another folder makes too"):
        register_pipelines()


def test_a_folder_without_create_pipeline_is_refused_by_name(new_folder):
    new_folder("planted_empty", "")
    with pytest.raises(
        ValueError, match=r"No function create_pipeline in src/mien/pipelines/planted_empty/__init__\.py"
    ):
        register_pipelines()
