"""What every test runs under: no tool phones home, one thread a process, a project of its own where one is run."""

import logging
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.pipelines.temporary_project import (
    PreparedSources,
    copy_project,
    run_session,
)  # Kedro takes the root logger's handlers away

QUIET = {
    "DO_NOT_TRACK": "true",
    "DVC_NO_ANALYTICS": "1",
    "KEDRO_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "NO_ALBUMENTATIONS_UPDATE": "1",
    "OMP_NUM_THREADS": "1",  # tiny networks: threads cost more than they bring
}
for name, value in QUIET.items():
    os.environ.setdefault(name, value)


@pytest.fixture(autouse=True)
def nothing_left_over() -> None:
    """Undo what an earlier test left in this process, so that none depends on which ran before it.

    Kedro's logging file sets the package's level. MLflow's ``set_tracking_uri`` sets the variable that outranks a
    project's own store, as a developer's own would.
    """
    logging.getLogger("mien").setLevel(logging.NOTSET)
    os.environ.pop("MLFLOW_TRACKING_URI", None)


@pytest.fixture(scope="session")
def mlflow_store(tmp_path_factory) -> Path:
    """An empty tracking store, made once because its migrations take seconds. Copy it."""
    from mien.mlflow_run import connect

    os.environ.pop("MLFLOW_TRACKING_URI", None)
    folder = tmp_path_factory.mktemp("store")
    connect(folder).search_experiments()
    return folder / "mlflow.db"


@pytest.fixture
def project(tmp_path, monkeypatch, mlflow_store) -> Path:
    """A copy of the project, without data, in which a session can run; it is the working directory."""
    folder = copy_project(tmp_path / "project", mlflow_store)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("KEDRO_ENV", raising=False)
    return folder


@pytest.fixture
def run_project(project) -> Callable[..., dict[str, Any]]:
    """Run pipelines of the copied project in this process: ``run_project("sae", env="paper", params={...})``."""
    return partial(run_session, project)


@pytest.fixture(scope="session")
def prepared_sources(tmp_path_factory, mlflow_store) -> PreparedSources:
    """Tiny datasets and the landmark network, made once and copied."""
    from tests.pipelines.tiny_systems import TINY_SOURCES

    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # whose folders lie side by side
        folder = folder.parent
    folder = folder / "prepared"
    folder.mkdir(exist_ok=True)
    os.environ.pop("KEDRO_ENV", None)
    return PreparedSources(folder, partial(copy_project, mlflow_store=mlflow_store), TINY_SOURCES)
