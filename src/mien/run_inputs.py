"""What a run reads that it does not make: looked for before the first node, with the command that makes it."""

import shlex
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from mien.errors import MienError
from mien.names import DEFAULT_PIPELINE

if TYPE_CHECKING:
    from kedro.io import DataCatalog
    from kedro.pipeline import Pipeline
    from kedro.pipeline.node import Node

MOST_REPORTED = 3
"""Inputs that one message names."""


def check_inputs(
    pipeline: "Pipeline", catalog: "DataCatalog", run_params: Mapping[str, Any], pipelines: Mapping[str, "Pipeline"]
) -> None:
    """Check that everything is there that a run reads and does not make.

    Args:
        pipeline: The nodes that are run, such as those after ``--from-nodes``.
        catalog: Of the run.
        run_params: Kedro's record of the command.
        pipelines: Those of the project, among which the makers of what is missing are.

    Raises:
        MienError: Something is missing; the message says from which node to begin, or which command makes it.
    """
    makers = {entry: step for each in pipelines.values() for step in each.nodes for entry in step.outputs}
    read = sorted(pipeline.inputs() & makers.keys())  # folders that no node makes are looked at by their readers
    missing = {entry: kept for entry in read if (kept := _kept(entry, catalog)) != ""}
    if not missing:
        return
    faults = [_fault(entry, missing[entry], pipeline) for entry in list(missing)[:MOST_REPORTED]]
    if len(missing) > MOST_REPORTED:
        faults.append(f"And {len(missing) - MOST_REPORTED} more.")
    if None in missing.values():
        steps = _makers_of(missing, catalog, makers)
        while more := _missing_after(steps, catalog, makers, run_params, pipelines):
            steps |= _makers_of(more, catalog, makers)
        command = _begin_earlier(pipeline, steps, run_params, pipelines)
        faults.append(f"Begin earlier: {command}")
    else:
        command = _make_first(list(missing), _makers_of(missing, catalog, makers), run_params, pipelines)
        faults.append(f"Make it first: {command}")
    raise MienError("\n".join(faults))


def _kept(entry: str, catalog: "DataCatalog") -> str | None:
    """Where an entry that is not there would lie; empty if it is there, None if no file keeps it."""
    from kedro.io import MemoryDataset

    dataset = catalog.get(entry) if entry in catalog else None
    if dataset is None or (isinstance(dataset, MemoryDataset) and not dataset.exists()):
        return None
    if dataset.exists():
        return ""
    return str(getattr(dataset, "_filepath", entry))


def _fault(entry: str, place: str | None, pipeline: "Pipeline") -> str:
    reader = next(step.name for step in pipeline.nodes if entry in step.inputs)
    if place is None:
        return f"{reader} reads {entry}, which no file keeps: only the run that makes it has it."
    return f"{reader} reads {entry}, and there is no {place}."


def _makers_of(missing: Iterable[str], catalog: "DataCatalog", makers: Mapping[str, "Node"]) -> dict[str, "Node"]:
    """The nodes that make what is missing, and what these read and is not there either, by the entries."""
    found: dict[str, Node] = {}
    wanted = list(missing)
    while wanted:
        entry = wanted.pop()
        if entry in found or entry not in makers:
            continue
        found[entry] = makers[entry]
        wanted += [other for other in makers[entry].inputs if ":" not in other and _kept(other, catalog) != ""]
    return found


def _begins(steps: Mapping[str, "Node"]) -> list[str]:
    """Names of the nodes that have all they read."""
    return sorted({step.name for step in steps.values() if not any(entry in steps for entry in step.inputs)})


def _missing_after(
    steps: Mapping[str, "Node"],
    catalog: "DataCatalog",
    makers: Mapping[str, "Node"],
    run_params: Mapping[str, Any],
    pipelines: Mapping[str, "Pipeline"],
) -> list[str]:
    """What a run that begins with ``steps`` reads besides, in other nodes that follow them, and does not find."""
    from kedro.pipeline import Pipeline

    names = run_params.get("pipeline_names") or [DEFAULT_PIPELINE]
    whole = sum((pipelines[name] for name in names), Pipeline([]))
    begins = [name for name in _begins(steps) if name in {step.name for step in whole.nodes}]
    read = whole.from_nodes(*begins).inputs() & makers.keys() if begins else set()
    return sorted(entry for entry in read - steps.keys() if _kept(entry, catalog) != "")


def _begin_earlier(
    pipeline: "Pipeline",
    steps: Mapping[str, "Node"],
    run_params: Mapping[str, Any],
    pipelines: Mapping[str, "Pipeline"],
) -> str:
    """The command that runs the same nodes, and before them those that make what is missing."""
    names = list(run_params.get("pipeline_names") or [DEFAULT_PIPELINE])
    here = {step.name for name in names for step in pipelines[name].nodes}
    names += [_smallest(entry, pipelines) for entry, step in steps.items() if step.name not in here]
    begins = _begins(steps)
    covered = _after(begins, names, pipelines)
    begins += sorted(step.name for step in pipeline.grouped_nodes[0] if step.name not in covered)
    options = _beginning(begins, names, pipelines)
    read = {entry for step in pipeline.nodes for entry in step.inputs}
    ends = sorted(step.name for step in pipeline.nodes if not read & set(step.outputs))
    if any(run_params.get(name) for name in ("node_names", "to_nodes", "to_outputs", "tags", "namespaces")):
        options.append(f"--to-nodes={','.join(ends)}")
    return _command(names, options, run_params)


def _after(begins: list[str], names: Iterable[str], pipelines: Mapping[str, "Pipeline"]) -> set[str]:
    """Names of the nodes that a run from these nodes has."""
    from kedro.pipeline import Pipeline

    whole = sum((pipelines[name] for name in names), Pipeline([]))
    return {step.name for step in whole.from_nodes(*begins).nodes}


def _make_first(
    missing: list[str], steps: Mapping[str, "Node"], run_params: Mapping[str, Any], pipelines: Mapping[str, "Pipeline"]
) -> str:
    """The command that makes what is missing."""
    from kedro.pipeline import Pipeline

    names = [_smallest(entry, pipelines) for entry in missing]
    options = _beginning(_begins(steps), names, pipelines)
    whole = sum((pipelines[name] for name in names), Pipeline([]))
    besides = set(whole.nodes) - set(whole.to_outputs(*missing).nodes)
    if options or any(step.name.endswith(".train") for step in besides):  # hours for what was not requested
        options.append(f"--to-outputs={','.join(missing)}")
    return _command(names, options, run_params)


def _smallest(entry: str, pipelines: Mapping[str, "Pipeline"]) -> str:
    """The shortest pipeline that makes an entry."""
    making = [name for name in pipelines if name != "__default__" and entry in pipelines[name].all_outputs()]
    return min(making, key=lambda name: len(pipelines[name].nodes))


def _beginning(begins: list[str], names: Iterable[str], pipelines: Mapping[str, "Pipeline"]) -> list[str]:
    """The option that begins there; none where that is the beginning of the pipelines."""
    roots = {step.name for name in names for step in pipelines[name].grouped_nodes[0]}
    return [] if roots <= set(begins) else [f"--from-nodes={','.join(begins)}"]


def _command(names: Iterable[str], options: list[str], run_params: Mapping[str, Any]) -> str:
    from mien.io.run_records import params_option
    from mien.nodes.params import flatten

    given = run_params.get("runtime_params") or {}
    words = ["kedro", "run", f"--pipelines={','.join(dict.fromkeys(names))}"]
    words += [f"--env={run_params['env']}"] if run_params.get("env") else []
    return " ".join([*words, *map(shlex.quote, options), *([params_option(flatten(given))] if given else [])])
