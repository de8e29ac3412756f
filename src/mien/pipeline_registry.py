"""Finds the project's pipelines by their existing: every folder of ``mien.pipelines`` with a ``create_pipeline``."""

import importlib
import pkgutil

from kedro.pipeline import Pipeline

from mien import pipelines


def register_pipelines() -> dict[str, Pipeline]:
    """Build every pipeline of the project.

    A folder ``data_<dataset>`` prepares a dataset from its published files. Every other folder is a system; its
    pipeline is joined with the dataset pipelines that produce what it reads, so that ``kedro run --pipelines=sae`` goes
    the whole way from the raw files and its lineage is complete in kedro-viz.

    Returns:
        Pipelines by name; ``__default__`` is all of them together.

    Raises:
        ValueError: A folder has no ``create_pipeline``.
    """
    found = {module.name: _create(module.name) for module in pkgutil.iter_modules(pipelines.__path__) if module.ispkg}
    data = {name: pipeline for name, pipeline in found.items() if name.startswith("data_")}
    registered = {name: pipeline if name in data else _with_data(pipeline, data) for name, pipeline in found.items()}
    registered["__default__"] = sum(registered.values(), Pipeline([]))
    return registered


def _create(name: str) -> Pipeline:
    module = importlib.import_module(f"{pipelines.__name__}.{name}")
    if not hasattr(module, "create_pipeline"):
        raise ValueError(
            f"No function create_pipeline in src/mien/pipelines/{name}/__init__.py. "
            "Every folder of pipelines is one pipeline: export create_pipeline() there, or move the folder elsewhere."
        )
    return module.create_pipeline()


def _with_data(system: Pipeline, data: dict[str, Pipeline]) -> Pipeline:
    wanted = {entry for entry in system.inputs() if not entry.startswith("params:")}
    for pipeline in data.values():
        if wanted & pipeline.all_outputs():
            system = pipeline + system
    return system
