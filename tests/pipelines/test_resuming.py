"""A killed training goes on only where all that changes its numbers is as it was, in every system that trains."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kedro.pipeline.node import Node
from tests.pipelines.temporary_project import copy_project, run_session
from tests.pipelines.test_all_systems import PIPELINES, SYSTEMS, on_another_dataset, sources_of
from tests.pipelines.tiny_systems import TINY, TINY_SOURCES
from tests.project.pipeline_guards import training_nodes

from mien.engine.checkpoint import Checkpoints

TRAINED = ["landmarks", *(system for system in SYSTEMS if not on_another_dataset(system))]


class KilledError(Exception):
    """As a process ends that the machine kills."""


class Training:
    """A project in which one system begins to train, is killed and begun again."""

    def __init__(self, system: str, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.system, self.project, self.monkeypatch = system, project, monkeypatch
        (self.step,) = (step for step in training_nodes(PIPELINES[system]) if step.namespace == system)
        self.inputs: dict[str, Any] = {}

    def run_until(self, method: str) -> Any:
        """Run all of the systems that is before the training too, in full precision, and keep what it is given."""
        run_node = Node.run

        def watched(node: Node, inputs: dict[str, Any]) -> dict[str, Any]:
            self.inputs = dict(inputs)  # in the end those of the last node, which is killed
            return run_node(node, inputs)

        self.monkeypatch.setattr(Node, "run", watched)
        params = {**TINY, **TINY_SOURCES}
        sources = {name.removeprefix("data_") for name in sources_of(self.system)}
        systems = sorted({step.namespace for step in PIPELINES[self.system].nodes} - sources)
        parts = {"namespaces": systems, "to_nodes": [self.step.name]}
        return self._until(method, run_session, self.project, self.system, params=params, **parts)

    def begin(self, precision: str) -> Any:
        """The state that training goes on from in a precision, None where it starts anew."""
        name = f"params:{self.system}.training"
        device = self.inputs[name].device.model_copy(update={"precision": precision})
        training = self.inputs[name].model_copy(update={"device": device})
        return self._until("begin", self.step.run, {**self.inputs, name: training})

    def _until(self, method: str, run: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Run to the end of a method of the system's own checkpoints, be killed there and tell what it gave."""
        given, original = [], getattr(Checkpoints, method)

        def killed(checkpoints: Checkpoints, *arguments: Any) -> Any:
            result = original(checkpoints, *arguments)
            if self.system not in checkpoints.folder.parts:  # of a network that it starts from, or is evaluated by
                return result
            given.append(result)
            raise KilledError

        with self.monkeypatch.context() as patched:
            patched.setattr(Checkpoints, method, killed)
            with pytest.raises(KilledError):
                run(*arguments, **options)
        return given[0]


@pytest.fixture(params=TRAINED)
def training(request, tmp_path, monkeypatch, mlflow_store, prepared_sources) -> Training:
    monkeypatch.delenv("KEDRO_ENV", raising=False)
    project = copy_project(tmp_path / "project", mlflow_store)
    prepared_sources.copy_to(project, sources_of(request.param))
    monkeypatch.chdir(project)
    return Training(request.param, project, monkeypatch)


def test_a_run_killed_in_full_precision_goes_on_so_and_starts_anew_in_another_saying_so(training):
    training.run_until("save")
    assert training.begin("32-true").epoch == 1
    warnings: list[str] = []
    handler = logging.Handler(logging.WARNING)  # Kedro takes the handlers of pytest's own away
    handler.emit = lambda record: warnings.append(record.getMessage())
    logger = logging.getLogger("mien.engine.checkpoint")
    logger.addHandler(handler)
    try:
        assert training.begin("bf16-mixed") is None
    finally:
        logger.removeHandler(handler)
    assert any("other parameters, data, devices or precision: it is discarded" in each for each in warnings)
