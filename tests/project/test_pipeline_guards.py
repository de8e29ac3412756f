"""Every guard on the pipelines finds the project without fault, and finds a fault that is planted."""

from graphlib import TopologicalSorter
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline, node
from tests.project.pipeline_guards import (
    SELECTORS,
    entry_faults,
    node_faults,
    parameter_faults,
    parameter_type_faults,
    training_input_faults,
    variant_faults,
)
from tests.project.project_config import environments, load_catalog, load_config

from mien.nodes.params import Params
from mien.pipeline_registry import is_system, register_pipelines

CONF = Path(__file__).resolve().parents[2] / "conf"
each_env = pytest.mark.parametrize("env", environments(CONF))


@pytest.fixture(scope="module")
def pipelines() -> dict[str, Pipeline]:
    return register_pipelines()


@pytest.fixture(scope="module")
def systems(pipelines) -> dict[str, Pipeline]:
    return {name: each for name, each in pipelines.items() if is_system(name, each)}


def one_node(function, inputs, outputs, **options) -> dict[str, Pipeline]:
    return {"planted": Pipeline([node(function, inputs, outputs, **options)])}


def six(a, b, c, d, e, f):
    return a


def only(fault: list[str], *words: str) -> None:
    assert len(fault) == 1, fault
    for word in words:
        assert word in fault[0]


def test_every_node_can_be_read_off_the_lineage(pipelines):
    assert node_faults(pipelines) == []


def test_the_node_guard_finds_six_inputs_a_missing_name_and_a_missing_output():
    only(node_faults(one_node(six, list("abcdef"), "out", name="wide")), "wide", "6 inputs", "split")
    only(node_faults(one_node(lambda a: None, "a", None, name="silent")), "silent", "no output")
    only(node_faults(one_node(abs, "a", "b")), "abs", "no name")


@each_env
def test_every_entry_resolves_in_every_environment(pipelines, env):
    assert entry_faults(pipelines, load_catalog(CONF, env), env) == []


def test_the_entry_guard_finds_an_entry_without_pattern_one_of_no_class_and_two_in_one_file():
    planted = one_node(abs, "a_table", "b_table", name="planted")
    table = {"type": "mien.io.tables.CsvTable", "filepath": "one.csv"}
    only(entry_faults(planted, DataCatalog.from_config({"a_table": table}), "demo"), "b_table", "memory only")
    broken = DataCatalog.from_config({"a_table": table, "b_table": {"type": "mien.io.tables.NoTable"}})
    only(entry_faults(planted, broken, "demo"), "b_table", "cannot be made")
    only(entry_faults(planted, DataCatalog.from_config({"{any}": table}), "demo"), "a_table and b_table", "one.csv")


@each_env
def test_variants_of_a_system_never_share_a_file(systems, env):
    one, other = (load_catalog(CONF, env, variant=variant) for variant in ("keep_0.1", "keep_0.2"))
    assert variant_faults(systems, one, other) == []


@pytest.mark.filterwarnings("ignore:One or more dataset names contain")
def test_the_variant_guard_finds_an_entry_without_the_variant_in_its_path():
    planted = one_node(abs, "s.a", "s.b", name="planted")
    catalogs = [
        DataCatalog.from_config({"s.{x}": {"type": "mien.io.tables.CsvTable", "filepath": path}})
        for path in ("one/{x}.csv", "two/{x}.csv")
    ]
    assert variant_faults({"s": planted["planted"]}, *catalogs) == []
    assert len(variant_faults({"s": planted["planted"]}, catalogs[0], catalogs[0])) == 2


@each_env
def test_every_parameter_is_used_and_valid_in_every_environment(pipelines, env):
    parameters = load_config(CONF, env)["parameters"]
    assert parameter_faults(pipelines, parameters, env) == []


def test_every_section_of_parameters_is_typed_and_frozen(pipelines):
    assert parameter_type_faults(pipelines) == []


class Loose(Params, extra="allow"):
    """A section that lets unknown keys pass."""


class Whole(Params):
    """A section."""

    known: int


def use_loose(section: Loose) -> int:
    return 1


def use_whole(section: Whole) -> int:
    return section.known


def use_bare(section: dict) -> int:
    return 1


def test_the_parameter_guard_finds_an_unused_a_missing_and_an_unknown_key():
    used = one_node(use_whole, "params:s.whole", "out", name="planted")
    assert parameter_faults(used, {"s": {"whole": {"known": 1}}}, "demo") == []
    only(parameter_faults(used, {"s": {"whole": {"known": 1}, "idle": {"x": 1}}}, "demo"), "s.idle.x", "no node")
    only(parameter_faults(used, {"s": {"whole": {"known": 1, "new": 2}}}, "demo"), "do not validate", "new")
    only(parameter_faults(used, {}, "demo"), "params:s.whole", "parameters_s.yml")


def test_the_type_guard_finds_a_bare_dictionary_and_a_model_that_lets_keys_pass():
    only(parameter_type_faults(one_node(use_bare, "params:s", "out", name="planted")), "params:s", "Annotate")
    only(parameter_type_faults(one_node(use_loose, "params:s", "out", name="planted")), "Loose", "unknown keys")


def test_only_tables_without_test_rows_reach_a_train_node(systems):
    assert training_input_faults(systems) == []


def test_the_training_guard_finds_a_train_node_that_reads_all_samples():
    def train(table, faces, checkpoints):
        return table

    def choose(table):
        return table

    def system(*steps) -> dict[str, Pipeline]:
        return {"s": Pipeline([node(*step[:3], name=step[3]) for step in steps])}

    given_to_train = ["raf_db_faces_112", "s.checkpoints"]
    whole = system((train, ["samples", *given_to_train], "s.network", "s.train"))
    only(training_input_faults(whole), "s.train", "samples from outside", "select_train_and_val")
    trained = (train, ["chosen", *given_to_train], "s.network", "s.fit")
    other = system((choose, "samples", "chosen", "s.choose"), trained)
    only(training_input_faults(other), "s.fit", "chosen from node s.choose")
    only(training_input_faults({"s": Pipeline([])}), "no node that trains")
    assert training_input_faults(system((SELECTORS[0], "samples", "chosen", "s.choose"), trained)) == []


@pytest.mark.parametrize("selector", SELECTORS)
@given(st.lists(st.tuples(st.sampled_from(["train", "val", "test"]), st.integers(-1, 5)), max_size=12))
def test_no_selector_lets_a_test_row_pass_or_loses_another_with_a_face(selector, rows):
    table = pd.DataFrame([("train", 0), ("val", 1), ("test", 2), *rows], columns=["split", "face_index"])
    chosen = selector(table.assign(sample_id=[str(i) for i in range(len(table))]))
    wanted = table[(table["split"] != "test") & (table["face_index"] >= 0)]
    assert chosen["sample_id"].tolist() == [str(i) for i in wanted.index]


def test_layers_of_the_lineage_follow_each_other_without_a_circle(pipelines):
    """With a circle kedro-viz shows no layer at all."""
    catalog = load_catalog(CONF, "demo")

    def layer(entry: str) -> str:
        known = entry in catalog and not entry.startswith("params:")
        metadata = (catalog.get(entry).metadata if known else None) or {}
        return metadata.get("kedro-viz", {}).get("layer", "")

    later: dict[str, set[str]] = {}
    for step in (step for pipeline in pipelines.values() for step in pipeline.nodes):
        for one in {layer(entry) for entry in step.inputs} - {""}:
            later.setdefault(one, set()).update({layer(entry) for entry in step.outputs} - {"", one})
    assert set(TopologicalSorter(later).static_order()) >= {"raw", "primary", "feature", "models", "reporting"}
