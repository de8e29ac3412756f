"""Finds the project's pipelines by their existing: every folder of ``mien.pipelines`` makes one or several."""

import importlib
import pkgutil

from kedro.pipeline import Pipeline

from mien import pipelines
from mien.errors import MienError
from mien.names import DEFAULT_PIPELINE


def register_pipelines() -> dict[str, Pipeline]:
    """Build every pipeline of the project.

    A folder ``data_<dataset>`` prepares a dataset from its published files. Every other pipeline is joined with those
    that make what it reads, so that ``kedro run --pipelines=sae`` goes the whole way from the raw files and its lineage
    is complete in kedro-viz.

    Returns:
        Pipelines by name; ``__default__`` is one of them, ``mien.names.DEFAULT_PIPELINE``. All together would be hours
        of training in one run of MLflow, and more than kedro-viz draws.

    Raises:
        MienError: A folder has neither ``create_pipeline`` nor ``create_pipelines``, or two make the same pipeline.
    """
    found: dict[str, Pipeline] = {}
    for module in pkgutil.iter_modules(pipelines.__path__):
        if not module.ispkg:
            continue
        created = _create(module.name)
        if twice := sorted(found.keys() & created.keys()):
            raise MienError(
                f"src/mien/pipelines/{module.name} makes {', '.join(twice)}, which another folder makes too. "
                "Give each pipeline one folder."
            )
        found |= created
    registered = {name: _with_sources(pipeline, found) for name, pipeline in found.items()}
    registered["__default__"] = registered[DEFAULT_PIPELINE]
    return registered


def is_dataset(name: str) -> bool:
    """Whether a pipeline of this name prepares a dataset."""
    return name.startswith("data_")


def is_system(name: str, pipeline: Pipeline) -> bool:
    """Whether a pipeline is a system: it ends in metrics of its own."""
    return f"{name}.metrics" in pipeline.all_outputs()


def _create(name: str) -> dict[str, Pipeline]:
    module = importlib.import_module(f"{pipelines.__name__}.{name}")
    if hasattr(module, "create_pipelines"):
        return module.create_pipelines()
    if not hasattr(module, "create_pipeline"):
        raise MienError(
            f"No function create_pipeline in src/mien/pipelines/{name}/__init__.py. "
            "Every folder of pipelines is one pipeline: export create_pipeline() there, or create_pipelines() for one "
            "method on several datasets, or move the folder elsewhere."
        )
    return {name: module.create_pipeline()}


def _with_sources(pipeline: Pipeline, found: dict[str, Pipeline]) -> Pipeline:
    """Join a pipeline with those that make what it reads, and these with theirs."""
    wanted = {entry for entry in pipeline.inputs() if not entry.startswith("params:")}
    sources = [other for other in found.values() if wanted & other.all_outputs()]
    joined = sum(sources, pipeline)
    return _with_sources(joined, found) if sources else joined
