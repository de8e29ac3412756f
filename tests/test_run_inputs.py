"""What a run reads and does not make: reported before the first node, with the command that makes it.

For every system.
"""

from pathlib import Path

import pytest
from kedro.io import DataCatalog
from tests.project.project_config import load_catalog

from mien.pipeline_registry import is_system, register_pipelines
from mien.run_inputs import check_inputs

CONF = Path(__file__).resolve().parents[1] / "conf"
PIPELINES = register_pipelines()
SYSTEMS = [name for name, pipeline in PIPELINES.items() if name != "__default__" and is_system(name, pipeline)]


@pytest.fixture
def catalog(tmp_path, monkeypatch) -> DataCatalog:
    """The demo's, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return load_catalog(CONF, "demo")


def lay(catalog: DataCatalog, *entries: str) -> None:
    for entry in entries:
        file = Path(catalog.get(entry)._filepath)
        file.parent.mkdir(parents=True, exist_ok=True)
        if entry.endswith(".raw"):
            file.mkdir(exist_ok=True)
        else:
            file.touch()


def said(catalog: DataCatalog, name: str, **run) -> str:
    """What is said of a run of one pipeline from some nodes."""
    options = {"from_nodes": run.get("from_nodes"), "node_names": run.get("node_names")}
    pipeline = PIPELINES[name].filter(**options)
    with pytest.raises(ValueError, match="reads") as refused:
        check_inputs(pipeline, catalog, {"pipeline_names": [name], **run}, PIPELINES)
    return str(refused.value)


def prepare(catalog: DataCatalog, name: str) -> None:
    """Touch every file that the nodes of a pipeline make."""
    lay(catalog, *(entry for entry in PIPELINES[name].all_outputs() if hasattr(catalog.get(entry), "_filepath")))


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_whole_run_needs_nothing(catalog, name):
    check_inputs(PIPELINES[name], catalog, {"pipeline_names": [name]}, PIPELINES)


@pytest.mark.parametrize("name", [*SYSTEMS, "landmarks"])
def test_a_run_that_begins_after_something_in_memory_is_reported_where_to_begin(catalog, name):
    """At c9e5a3c: 78 lines of traceback."""
    prepare(catalog, name)
    lines = said(catalog, name, from_nodes=[f"{name}.train"]).splitlines()
    assert (
        f"{name}.train reads {name}.initial_network, which no file keeps: only the run that makes it has it." in lines
    )
    command = lines[-1].removeprefix("Begin earlier: ")
    begin = command.removeprefix(f"kedro run --pipelines={name} --from-nodes=").split(",")
    assert f"{name}.initialise" in begin
    check_inputs(PIPELINES[name].from_nodes(*begin), catalog, {"pipeline_names": [name]}, PIPELINES)


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_node_of_every_system_is_reported_where_to_begin_and_can_then_run(catalog, name):
    prepare(catalog, name)
    for step in PIPELINES[name].nodes:
        pipeline = PIPELINES[name].from_nodes(step.name)
        try:
            check_inputs(pipeline, catalog, {"pipeline_names": [name], "from_nodes": [step.name]}, PIPELINES)
        except ValueError as refused:
            begin = str(refused).partition("--from-nodes=")[2]
            advised = PIPELINES[name].from_nodes(*begin.split(",")) if begin else PIPELINES[name]
            check_inputs(advised, catalog, {"pipeline_names": [name]}, PIPELINES)
            assert set(pipeline.nodes) <= set(advised.nodes)


def test_prepared_data_that_is_missing_is_reported_with_the_command_that_makes_it(catalog):
    lay(catalog, "landmark_network")
    message = said(catalog, "sae", node_names=["sae.select_train_and_val"], env="paper")
    what, way = message.splitlines()
    assert what == (
        "sae.select_train_and_val reads raf_db_samples, and there is no data/demo/03_primary/raf_db/samples.parquet."
    )
    assert way == "Make it first: kedro run --pipelines=data_raf_db --env=paper"


def test_a_part_of_the_data_that_is_missing_is_made_from_the_rest(catalog):
    prepare(catalog, "sae")
    Path(catalog.get("raf_db_faces_112")._filepath).unlink()
    message = said(catalog, "sae", node_names=["sae.predict"])
    assert message.endswith(
        "kedro run --pipelines=data_raf_db --from-nodes=raf_db.crop_112 --to-outputs=raf_db_faces_112"
    )


def test_the_command_keeps_environment_variant_and_end_of_the_run(catalog):
    prepare(catalog, "sae")
    message = said(
        catalog,
        "sae",
        node_names=["sae.train"],
        env="paper",
        runtime_params={"variant": "a", "sae": {"model": {"depth": 1}}},
    )
    assert message.endswith(
        "kedro run --pipelines=sae --env=paper --from-nodes=sae.initialise --to-nodes=sae.train "
        "--params=variant=a,sae.model.depth=1"
    )


def test_what_no_node_makes_is_left_to_its_reader(catalog):
    check_inputs(PIPELINES["report"], catalog, {"pipeline_names": ["report"]}, PIPELINES)


def test_many_missing_inputs_are_counted(catalog):
    assert "And 1 more." in said(catalog, "sae", from_nodes=["sae.train"]).splitlines()
