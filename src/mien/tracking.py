"""MLflow tracking as Kedro hooks: one run per ``kedro run``.

The catalog says what is tracked: an entry with ``metadata: {tracking: <kind>}`` is logged when it is saved. The kinds
are ``metrics``, ``history``, ``figure`` (interactive), ``plot`` (PNG), ``samples`` (digest) and ``network`` (the
model).
"""

import atexit
import hashlib
import logging
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.framework.hooks import hook_impl

from mien import __version__

if TYPE_CHECKING:
    from kedro.framework.context import KedroContext
    from kedro.io import DataCatalog
    from kedro.pipeline import Pipeline

    from mien.mlflow_run import MlflowRun

ENGINE_LOGGER = "mien.engine"


class TrackingHooks:
    """Opens a run before the first node, logs what the nodes save, closes it as FINISHED, FAILED or KILLED."""

    def __init__(self) -> None:
        self._run: MlflowRun | None = None

    @hook_impl
    def after_context_created(self, context: "KedroContext") -> None:
        """Remember where the project is and with which parameters it runs."""
        self._root = context.project_path
        self._env = context.env or context.config_loader.default_run_env
        self._experiment = context.config_loader["project"]["experiment"]
        self._parameters = context.config_loader["parameters"]
        self._variant = context.config_loader["globals"]["variant"]

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: "Pipeline", catalog: "DataCatalog") -> None:
        """Open the run; log its parameters; listen to the engine's epochs."""
        from mien.mlflow_run import MlflowRun, connect, end_dead_runs, experiment_id

        self._close("KILLED")  # a run that was interrupted in this process, as in a notebook
        self._catalog = catalog
        systems, datasets = _namespaces(pipeline, ".network"), _namespaces(pipeline, "_samples")
        variant = str((run_params["runtime_params"] or {}).get("variant", self._variant))
        names = systems or list(run_params["pipeline_names"] or ["__default__"])
        tags = {
            "system": ",".join(systems),
            "dataset": ",".join(datasets),
            "variant": variant,
            "env": self._env,
            "mien": __version__,
            **_code_and_data_versions(self._root),
        }
        client = connect(self._root)
        experiment = experiment_id(client, self._experiment, self._root)
        end_dead_runs(client, experiment)
        run = MlflowRun(client, experiment, f"{'+'.join(names)} {variant}", tags)
        run.log_parameters(run_parameters(self._parameters, systems, datasets))
        self._run = run
        self._listener = _EpochListener(run)
        logging.getLogger(ENGINE_LOGGER).addHandler(self._listener)
        atexit.register(self._close, "KILLED")  # an interrupt reaches no hook of Kedro's

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, data: Any) -> None:
        """Log a saved catalog entry by the kind that its metadata names."""
        if self._run is None:
            return
        entry = self._catalog.get(dataset_name)
        kind = (getattr(entry, "metadata", None) or {}).get("tracking")
        name = dataset_name.rsplit(".", 1)[-1]
        if kind == "metrics":
            self._run.log_metrics(data)
        elif kind == "history":
            for record in data.to_dict("records"):
                self._run.log_epoch(record)
        elif kind == "figure":
            self._run.log_figure(name.removesuffix("_figure"), data)
        elif kind == "plot":
            self._run.log_file(name.removesuffix("_plot"), Path(entry._filepath))
        elif kind == "samples":
            from mien.mlflow_run import samples_profile
            from mien.nodes.digest import table_digest

            self._run.log_input(dataset_name, table_digest(data), samples_profile(data))
        elif kind == "network":
            self._run.log_network(data)

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Close the run as FINISHED."""
        self._close("FINISHED")

    @hook_impl
    def on_pipeline_error(self, error: Exception) -> None:
        """Close the run as FAILED, with the error in a tag."""
        if self._run is not None:
            self._run.log_tag("error", f"{type(error).__name__}: {error}")
        self._close("FAILED")

    def _close(self, status: str) -> None:
        if self._run is not None:
            logging.getLogger(ENGINE_LOGGER).removeHandler(self._listener)
            self._run.end(status)
            self._run = None
            atexit.unregister(self._close)


class _EpochListener(logging.Handler):
    """Logs each epoch to MLflow as it ends, from the record that the engine attaches to its log line."""

    def __init__(self, run: "MlflowRun") -> None:
        super().__init__(logging.INFO)
        self._run = run

    def emit(self, record: logging.LogRecord) -> None:
        metrics = getattr(record, "metrics", None)
        if metrics is not None:
            self._run.log_epoch(metrics)


def run_parameters(parameters: dict[str, Any], systems: list[str], datasets: list[str]) -> dict[str, Any]:
    """The parameters of a run under names that other systems' runs share.

    A single system's own come without its prefix, a single dataset's under ``data.``, so that runs of different systems
    and datasets line up in MLflow's comparison.

    Example:
        >>> run_parameters({"sae": {"model": {"keep_rate": 0.6}}, "raf_db": {"seed": 0}}, ["sae"], ["raf_db"])
        {'model.keep_rate': 0.6, 'data.seed': 0}
    """
    from mien.nodes.params import flatten

    flat: dict[str, Any] = {}
    for group, prefix in ((systems, ""), (datasets, "data.")):
        for name in group:
            flat |= flatten(parameters.get(name, {}), prefix if len(group) == 1 else f"{prefix}{name}.")
    return flat


def _namespaces(pipeline: "Pipeline", ending: str) -> list[str]:
    return sorted(entry.removesuffix(ending) for entry in pipeline.datasets() if entry.endswith(ending))


def _code_and_data_versions(root: Path) -> dict[str, str]:
    """Tags that say which code and which data a run saw, where git and DVC know."""
    tags = {}
    git = subprocess.run(["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    if git.returncode == 0:
        tags["mlflow.source.git.commit"] = git.stdout.strip()
    lock = root / "dvc.lock"
    if lock.is_file():
        tags["dvc_lock"] = hashlib.md5(lock.read_bytes(), usedforsecurity=False).hexdigest()
    if "DVC_EXP_NAME" in os.environ:
        tags["dvc_experiment"] = os.environ["DVC_EXP_NAME"]
    return tags
