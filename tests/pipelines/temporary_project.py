"""A copy of the project in a folder of its own, and sessions that run in it, in this process."""

import os
import shutil
from collections.abc import Callable, Iterable
from contextlib import chdir
from pathlib import Path
from typing import Any

from filelock import FileLock
from kedro.framework.project import configure_project
from kedro.io import DataCatalog

ROOT = Path(__file__).resolve().parents[2]


def copy_project(folder: Path, mlflow_store: Path) -> Path:
    """Copy configuration and an empty tracking store to ``folder``; no data, and the package is the installed one."""
    shutil.copytree(ROOT / "conf", folder / "conf")
    shutil.copy(ROOT / "pyproject.toml", folder)
    shutil.copy(mlflow_store, folder / "mlflow.db")
    (folder / "src").mkdir()  # Kedro asks for it
    os.environ.pop("MLFLOW_TRACKING_URI", None)  # MLflow sets it to the store used last
    configure_project("mien")
    return folder


def run_session(
    project: Path, *pipelines: str, env: str | None = None, params: dict[str, Any] | None = None, **options: Any
) -> dict[str, Any]:
    """Run pipelines as ``kedro run`` does and return what Kedro returns."""
    from kedro.framework.session import KedroSession
    from kedro.runner import SequentialRunner

    with KedroSession.create(project, env=env, runtime_params=params) as session:
        return session.run(pipeline_names=list(pipelines), runner=SequentialRunner(), **options)


def open_catalog(project: Path, env: str | None = None, params: dict[str, Any] | None = None) -> DataCatalog:
    """The catalog that a run with these arguments has, its files in the project's folder."""
    from kedro.framework.session import KedroSession

    with KedroSession.create(project, env=env, runtime_params=params) as session:
        return session.load_context().catalog


class PreparedSources:
    """What systems read, prepared once per test session, by whichever process needs it first.

    Args:
        folder: Where the projects lie in which it is prepared; all processes of the session share it.
        copy: Makes a project in a folder.
        params: Runtime parameters of the runs that prepare.
    """

    def __init__(self, folder: Path, copy: Callable[[Path], Path], params: dict[str, Any]) -> None:
        self.folder, self.copy, self.params = folder, copy, params

    def project(self, pipeline: str) -> Path:
        """A project in which a pipeline has run once, such as ``data_raf_db``; nobody may write to it."""
        project, ready = self.folder / pipeline, self.folder / f"{pipeline}.ready"
        with FileLock(self.folder / f"{pipeline}.lock"):
            if not ready.exists():
                shutil.rmtree(project, ignore_errors=True)
                with chdir(self.copy(project)):
                    run_session(project, pipeline, params=self.params)
                ready.touch()
        return project

    def copy_to(self, project: Path, pipelines: Iterable[str]) -> None:
        """Lay what the pipelines wrote into a project, as if they had run there."""
        for pipeline in pipelines:
            shutil.copytree(self.project(pipeline) / "data", project / "data", dirs_exist_ok=True)
