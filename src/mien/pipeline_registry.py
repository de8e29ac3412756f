"""Finds the project's pipelines by their existing: every folder of ``mien.pipelines`` with a ``create_pipeline``."""

import importlib
import pkgutil

from kedro.pipeline import Pipeline

from mien import pipelines


def register_pipelines() -> dict[str, Pipeline]:
    """Build every pipeline of the project.

    A folder ``data_<dataset>`` prepares a dataset from its published files. A system's pipeline is joined with the
    dataset pipelines that produce what it reads, so that ``kedro run --pipelines=sae`` goes the whole way from the raw
    files and its lineage is complete in kedro-viz. Any other folder, such as ``benchmark``, runs when it is named.

    Returns:
        Pipelines by name; ``__default__`` is all datasets and systems together.

    Raises:
        ValueError: A folder has no ``create_pipeline``.
    """
    found = {module.name: _create(module.name) for module in pkgutil.iter_modules(pipelines.__path__) if module.ispkg}
    data = {name: pipeline for name, pipeline in found.items() if is_dataset(name)}
    registered = {name: pipeline if name in data else _with_data(pipeline, data) for name, pipeline in found.items()}
    by_default = [pipeline for name, pipeline in registered.items() if name in data or is_system(name, pipeline)]
    registered["__default__"] = sum(by_default, Pipeline([]))
    return registered


def is_dataset(name: str) -> bool:
    """Whether a pipeline of this name prepares a dataset."""
    return name.startswith("data_")


def is_system(name: str, pipeline: Pipeline) -> bool:
    """Whether a pipeline is a system: it ends in metrics of its own."""
    return f"{name}.metrics" in pipeline.all_outputs()


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
