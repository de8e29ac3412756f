"""Guards on the pipelines: nodes that can be read off the lineage, entries with files, parameters in use, training.

Each takes what it inspects and returns one sentence per fault: what is wrong, where, what to do.
"""

from collections.abc import Mapping
from typing import Any, get_type_hints

from kedro.io import DataCatalog, DatasetError
from kedro.pipeline import Pipeline
from kedro.validation import ParameterValidationError, ParameterValidator, TypeExtractor
from pydantic import BaseModel
from tests.project.project_config import data_entries, file_path

from mien.nodes.samples import select_train_and_val

MAX_INPUTS = 5
SELECTORS = (select_train_and_val,)
"""Node functions that give the train and val rows of a samples table; each has its own test that no test row passes."""


def node_faults(pipelines: Mapping[str, Pipeline]) -> list[str]:
    """Nodes with more than five inputs, and nodes that the lineage hides: unnamed or without an output."""
    faults = []
    for step in _distinct_nodes(pipelines):
        if step._name is None:
            faults.append(f"A node of {step.func.__name__} has no name: give it one, node(..., name=...).")
        if len(step.inputs) > MAX_INPUTS:
            faults.append(
                f"Node {step.name} has {len(step.inputs)} inputs, more than {MAX_INPUTS}: {', '.join(step.inputs)}. "
                "Join parameters in one section, or split the node."
            )
        if not step.outputs:
            faults.append(
                f"Node {step.name} has no output, so no lineage shows what it does. Return what it makes as an entry."
            )
    return faults


def _distinct_nodes(pipelines: Mapping[str, Pipeline]) -> list[Any]:
    return sorted({step for pipeline in pipelines.values() for step in pipeline.nodes}, key=lambda step: step.name)


def entry_faults(pipelines: Mapping[str, Pipeline], catalog: DataCatalog, env: str) -> list[str]:
    """Entries that no catalog entry or pattern covers, or that cannot be made, or that share a file with another."""
    faults = []
    owners: dict[str, str] = {}
    for entry in sorted(set().union(*map(data_entries, pipelines.values()))):
        if entry not in catalog:
            faults.append(
                f"Entry {entry} is not in the catalog of environment {env} and would live in memory only. "
                "Add it, or a pattern that it matches, to conf/base/catalog_*.yml."
            )
            continue
        try:
            catalog.get(entry)
        except DatasetError as error:
            faults.append(
                f"Entry {entry} of environment {env} cannot be made: {error} Mend it in conf/*/catalog_*.yml."
            )
            continue
        path = file_path(catalog, entry)
        if path in owners:
            faults.append(
                f"Entries {owners[path]} and {entry} of environment {env} share {path}: one would overwrite the other. "
                "Give each a path of its own."
            )
        elif path is not None:
            owners[path] = entry
    return faults


def variant_faults(systems: Mapping[str, Pipeline], one: DataCatalog, other: DataCatalog) -> list[str]:
    """Entries of a system that two variants (two catalogs) would write to the same file."""
    return [
        f"Entry {entry} lies at {file_path(one, entry)} whatever the variant: variants would overwrite each other. "
        "Put ${runtime_params:variant,${globals:variant}} into its path in conf/base/catalog_systems.yml."
        for name, pipeline in sorted(systems.items())
        for entry in sorted(data_entries(pipeline))
        if entry.startswith(f"{name}.") and file_path(one, entry) == file_path(other, entry) is not None
    ]


def parameter_faults(pipelines: Mapping[str, Pipeline], parameters: dict[str, Any], env: str) -> list[str]:
    """Parameters that no node reads, sections that nodes read but no file has, and sections that do not validate."""
    read = {entry.removeprefix("params:") for entry in _read_parameters(pipelines)}
    faults = [
        f"Parameter {leaf} of environment {env} is read by no node. Delete it, or read it in a node."
        for leaf in _leaves(parameters)
        if not any(leaf == section or leaf.startswith(f"{section}.") for section in read)
    ]
    for section in sorted(read):
        value: Any = parameters
        for key in section.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if value is None:
            faults.append(
                f"A node reads params:{section}, which no parameters file of environment {env} has. "
                f"Add the section to conf/base/parameters_{section.split('.')[0]}.yml."
            )
    try:
        ParameterValidator(dict(pipelines)).validate_raw_params(parameters)
    except ParameterValidationError as error:
        faults.append(f"Parameters of environment {env} do not validate: {error}")
    return faults


def parameter_type_faults(pipelines: Mapping[str, Pipeline]) -> list[str]:
    """Sections that reach a node as bare dictionaries, or as a model that lets unknown keys or changes pass."""
    types = TypeExtractor(dict(pipelines)).extract_types_from_pipelines()
    faults = []
    for section in sorted(entry.removeprefix("params:") for entry in _read_parameters(pipelines)):
        model = types.get(section)
        if _is_a_number(pipelines, f"params:{section}"):
            continue
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            faults.append(
                f"params:{section} reaches its node as {model}: its keys are not checked. Annotate the node function's "
                "argument with a model that derives from mien.nodes.params.Params."
            )
        elif model.model_config.get("extra") != "forbid" or not model.model_config.get("frozen"):
            faults.append(
                f"{model.__name__} of params:{section} accepts unknown keys or changes during a run. "
                "Derive it from mien.nodes.params.Params."
            )
    return faults


def _is_a_number(pipelines: Mapping[str, Pipeline], entry: str) -> bool:
    """Whether every node that reads an entry takes one number, which has no keys."""
    readers = [step for pipeline in pipelines.values() for step in pipeline.nodes if entry in step.inputs]
    taken = [list(get_type_hints(step.func).values())[step.inputs.index(entry)] for step in readers]
    return all(kind in (int, float) for kind in taken)


def _read_parameters(pipelines: Mapping[str, Pipeline]) -> set[str]:
    entries = set().union(*(pipeline.inputs() for pipeline in pipelines.values()))
    return {entry for entry in entries if entry == "parameters" or entry.startswith("params:")}


def _leaves(parameters: Mapping[str, Any], prefix: str = "") -> list[str]:
    leaves = []
    for key, value in parameters.items():
        leaves += _leaves(value, f"{prefix}{key}.") if isinstance(value, dict) else [f"{prefix}{key}"]
    return leaves


def training_nodes(system: Pipeline) -> list[Any]:
    """Nodes that fit something: named train, or with checkpoints to read or a network to write."""
    return [
        step
        for step in system.nodes
        if step.name.rsplit(".", 1)[-1].startswith("train")
        or any(entry.endswith(".checkpoints") for entry in step.inputs)
        or any(entry.endswith(".network") for entry in step.outputs)
    ]


def _without_test_rows(entry: str, makers: Mapping[str, Any]) -> bool:
    """Whether an entry holds no row of a dataset, is made of such entries alone, or has left its test rows behind."""
    if entry.startswith("params:") or entry.endswith(".checkpoints") or "_faces_" in entry:
        return True
    maker = makers.get(entry)
    if maker is None:
        return False
    return maker.func in SELECTORS or all(_without_test_rows(each, makers) for each in maker.inputs)


def training_input_faults(systems: Mapping[str, Pipeline]) -> list[str]:
    """Tables that reach a train node by another way than through a function that drops the test rows.

    Packed faces hold every split; that only the rows which the table names are read is for a run to show.
    """
    faults = []
    for name, pipeline in sorted(systems.items()):
        makers = {entry: step for step in pipeline.nodes for entry in step.outputs}
        trained = training_nodes(pipeline)
        if not trained:
            faults.append(f"System {name} has no node that trains, so nothing shows what training sees. Name it train.")
        for step in trained:
            for entry in step.inputs:
                if not _without_test_rows(entry, makers):
                    source = f"node {makers[entry].name}" if entry in makers else "outside the pipeline"
                    faults.append(
                        f"Node {step.name} reads {entry} from {source}: test rows could reach training. "
                        f"Read a table made by {' or '.join(function.__name__ for function in SELECTORS)}."
                    )
    return faults
