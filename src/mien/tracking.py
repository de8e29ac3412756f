"""MLflow tracking as Kedro hooks: one run per ``kedro run``.

The catalog says what is tracked: an entry with ``metadata: {tracking: <kind>}`` is logged when it is saved. The kinds
are ``metrics``, ``history``, ``children`` (a run per line of a table), ``plot`` (PNG), ``figures`` (several by name),
``table`` (its file), ``sheet`` (of faces), ``samples`` (digest) and ``network`` (the model). ``targets`` is logged when
it is read: the parameter ``training.targets`` says what a classifier was trained towards, as its rows say and not as
the dataset's parameters do, which may have changed since it was prepared.
"""

import atexit
import hashlib
import logging
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.framework.hooks import hook_impl

from mien import __version__
from mien.names import DEFAULT_PIPELINE

if TYPE_CHECKING:
    import numpy as np
    from kedro.framework.context import KedroContext
    from kedro.io import DataCatalog
    from kedro.pipeline import Pipeline
    from kedro.pipeline.node import Node

    from mien.io.run_records import RunRecord
    from mien.mlflow_run import MlflowRun

logger = logging.getLogger(__name__)

COMMIT = "mlflow.source.git.commit"
"""MLflow's own tag."""

CODE = ("src", "conf", "pyproject.toml")
"""What a run computes with. Metrics, which git tracks too, are what it writes and do not count as a change."""

SELECTION_METRICS = ("best/val/accuracy", "best/val/mae_years")
"""What the champion of a system is chosen by: the first of these that its metrics have."""


TARGETS_PARAMETER = "training.targets"
"""What a classifier was trained towards; no parameter of any file, but read off its samples."""


class TrackingHooks:
    """Opens a run before the first node, logs what the nodes save, closes it as FINISHED, FAILED or KILLED."""

    def __init__(self) -> None:
        self._run: MlflowRun | None = None

    @hook_impl
    def after_context_created(self, context: "KedroContext") -> None:
        """Remember where the project is and with which parameters it runs."""
        self._root = context.project_path
        self._env = context.env or context.config_loader.default_run_env
        project = context.config_loader["project"]
        self._experiment, self._system_metrics = project["experiment"], project["system_metrics"]
        self._parameters = context.config_loader["parameters"]
        self._variant = context.config_loader["globals"]["variant"]

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: "Pipeline", catalog: "DataCatalog") -> None:
        """Open the run; log its parameters."""
        from mien.mlflow_run import MlflowRun, connect, end_dead_runs, experiment_id

        self._close("KILLED")  # a run that was interrupted in this process, as in a notebook
        self._catalog = catalog
        named = list(run_params["pipeline_names"] or [DEFAULT_PIPELINE])
        whole = with_upstream(pipeline, named)
        datasets = _namespaces(whole, "_samples")
        trained = {*_namespaces(whole, ".network"), *_namespaces(whole, ".checkpoints")}
        here = sorted(trained & {entry.partition(".")[0] for entry in pipeline.all_outputs()})
        systems = [name for name in here if name in named] or here
        self._sources = trained - set(systems)
        self._tables = sorted(entry for entry in whole.datasets() if self._tracked_as(entry) == "samples")
        variant = str((run_params["runtime_params"] or {}).get("variant", self._variant))
        names = systems or named
        options = run_params["runtime_params"] or {}
        self._versions = _code_and_data_versions(self._root)
        typed = typed_command() or command(run_params)
        tags = {
            "system": ",".join(systems),
            "dataset": ",".join(datasets),
            "variant": variant,
            "env": self._env,
            "mien": __version__,
            "command": typed,
            "mlflow.source.name": typed,
            "mlflow.source.type": "PROJECT",
            "mlflow.note.content": self._description(names, variant, datasets),
            **self._versions,
            **({"mlflow.parentRunId": str(options["parent_run"])} if "parent_run" in options else {}),
        }
        client = connect(self._root)
        experiment = experiment_id(client, self._experiment, self._root)
        end_dead_runs(client, experiment)
        run = MlflowRun(client, experiment, f"{'+'.join(names)} {variant}", tags)
        self._systems, self._datasets = systems, datasets
        self._flat = run_parameters(self._parameters, systems, datasets)
        run.log_parameters(self._flat)
        if self._system_metrics:
            run.watch_system()
        self._run, self._run_params, self._variant_run = run, run_params, variant
        atexit.register(self._close, "KILLED")  # an interrupt reaches no hook of Kedro's

    def _description(self, names: Sequence[str], variant: str, datasets: Sequence[str]) -> str:
        """What a run is, in the words of MLflow's page."""
        kinds = {
            each: bool((self._parameters.get(each) or {}).get("synthetic", {}).get("generate")) for each in datasets
        }
        data = ", ".join(f"{each} (synthetic)" if synthetic else each for each, synthetic in kinds.items())
        return (
            f"**{', '.join(names)}**, variant {variant}, environment {self._env}"
            f"{f', on {data}' if data else ''}. Every score with its interval is in `scores.json`."
        )

    @hook_impl
    def before_node_run(self, node: "Node") -> None:
        """Track the epochs of the named system alone, not those of one that is trained on the way."""
        from mien.nodes.training import track_epochs_with

        tracked = self._run is not None and node.namespace not in self._sources
        track_epochs_with(self._log_epoch if tracked else None)

    def _log_epoch(self, record: dict[str, Any], pictures: Mapping[str, "np.ndarray"]) -> None:
        if self._run is not None:
            self._run.log_epoch(record)
            for name, picture in pictures.items():
                self._run.log_sheet(name, picture, int(record["epoch"]))

    def _tracked_as(self, name: str) -> str | None:
        """The kind that a catalog entry's metadata names; None where it is not logged.

        Those of another system, trained on the way because this one starts from its network, would share their names.
        """
        if name.startswith("params:") or name.partition(".")[0] in self._sources:
            return None
        return (getattr(self._catalog.get(name), "metadata", None) or {}).get("tracking")

    def _log_samples(self, name: str, samples: Any) -> None:
        """Log a table of samples as what the run saw, once, whether it made the table or found it there."""
        from mien.mlflow_run import samples_profile
        from mien.nodes.digest import table_digest

        if self._run is not None and name in self._tables:
            self._tables.remove(name)
            self._run.log_input(name, table_digest(samples), samples_profile(samples))

    @hook_impl
    def after_dataset_loaded(self, dataset_name: str, data: Any) -> None:
        """Log a table of samples that an earlier run has made, and what a training's rows are trained towards."""
        if self._run is None:
            return
        if dataset_name in self._tables:
            self._log_samples(dataset_name, data)
        if dataset_name.partition(".")[0] in self._systems and self._tracked_as(dataset_name) == "targets":
            self._log_targets(dataset_name.partition(".")[0], data)

    def _log_targets(self, system: str, samples: Any) -> None:
        from mien.nodes.training import training_target

        name = TARGETS_PARAMETER if len(self._systems) == 1 else f"{system}.{TARGETS_PARAMETER}"
        if name not in self._flat:
            self._flat[name] = training_target(samples)
            self._run.log_parameters({name: self._flat[name]})

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, data: Any) -> None:
        """Log a saved catalog entry by the kind that its metadata names."""
        if self._run is None:
            return
        kind = self._tracked_as(dataset_name)
        entry = self._catalog.get(dataset_name)
        name = dataset_name.rsplit(".", 1)[-1]
        if kind == "metrics":
            self._run.log_metrics(data)
        elif kind == "history":
            for record in data.to_dict("records"):
                self._run.log_epoch(record)
        elif kind == "children":
            self._run.log_children(data)
        elif kind in ("plot", "table"):
            self._run.log_file(name.removesuffix("_plot"), Path(entry._filepath))
        elif kind == "figures":
            for each, file in entry.files().items():
                if file.suffix == ".png":
                    self._run.log_file(each, file)
                else:
                    self._run.log_figure(each, data[each])
        elif kind == "sheet":
            self._run.log_sheet(name.removesuffix("_sheet"), data)
        elif kind == "samples":
            self._log_samples(dataset_name, data)
        elif kind == "network":
            self._run.log_network(data)

    @hook_impl(tryfirst=True)
    def after_pipeline_run(self, pipeline: "Pipeline") -> None:
        """Close the run as FINISHED; leave a record beside its metrics; let the best network be the champion."""
        if self._run is not None:
            self._log_unread_samples()
            for system in self._systems:
                self._settle(system, pipeline)
        self._close("FINISHED")

    def _log_unread_samples(self) -> None:
        """Log the samples that what this run read was made of, where it did not read them itself."""
        for name in list(self._tables):
            if self._catalog.exists(name):
                self._log_samples(name, self._catalog.load(name))
            else:
                logger.info("The run has no digest of %s: its file is not here", name)

    def _settle(self, system: str, pipeline: "Pipeline") -> None:
        """Record a finished system's run, and enter its network in the registry."""
        entry = f"{system}.metrics"
        if self._run is None or entry not in pipeline.all_outputs():
            return
        metrics = self._catalog.load(entry)
        self._record(system).write(Path(self._catalog.get(entry)._filepath).parent)
        score = next(((name, metrics[name]) for name in SELECTION_METRICS if metrics.get(name) is not None), None)
        if score is not None:
            self._run.register_network(f"{self._experiment}-{system}", *score)

    def _record(self, system: str) -> "RunRecord":
        from mien.io.run_records import RunRecord

        return RunRecord(
            system=system,
            variant=self._variant_run,
            env=self._env,
            dataset=",".join(self._datasets),
            command=command(self._run_params),
            machine=machine(),
            date=datetime.now(UTC).isoformat(timespec="seconds"),
            run_id=self._run.run_id if self._run is not None else "",
            commit=self._versions.get(COMMIT, ""),
            parameters=self._flat,
        )

    @hook_impl
    def on_pipeline_error(self, error: Exception) -> None:
        """Close the run as FAILED, with the error in a tag."""
        if self._run is not None:
            self._run.log_tag("error", f"{type(error).__name__}: {error}")
        self._close("FAILED")

    def _close(self, status: str) -> None:
        from mien.nodes.training import track_epochs_with

        if self._run is not None:
            track_epochs_with(None)
            self._run.end(status)
            if self._run.not_sent:
                logger.warning(
                    "MLflow did not take %d items of run %s; the files of the run are whole. Not sent: %s",
                    len(self._run.not_sent),
                    self._run.run_id,
                    ", ".join(dict.fromkeys(self._run.not_sent)),
                )
            self._run = None
            atexit.unregister(self._close)


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


def command(run_params: dict[str, Any]) -> str:
    """The command line that repeats a run.

    Example:
        >>> command({"pipeline_names": ["sae"], "env": "paper", "runtime_params": {"sae": {"seed": 1}}})
        'kedro run --pipelines=sae --env=paper --params=sae.seed=1'
    """
    from mien.io.run_records import params_option
    from mien.nodes.params import flatten

    options = {name: value for name, value in (run_params.get("runtime_params") or {}).items() if name != "parent_run"}
    words = ["kedro run", f"--pipelines={','.join(run_params.get('pipeline_names') or [DEFAULT_PIPELINE])}"]
    words += [f"--env={run_params['env']}"] if run_params.get("env") else []
    words += [f"--namespaces={','.join(run_params['namespaces'])}"] if run_params.get("namespaces") else []
    return " ".join([*words, *([params_option(flatten(options))] if options else [])])


def typed_command() -> str:
    """The command that started this process, as it was typed; empty where it was not Kedro's, as in a notebook."""
    program, *words = sys.argv or [""]
    kedro = Path(program).name in ("kedro", "mien") or Path(program).parent.name in ("kedro", "mien")
    return shlex.join(["kedro", *words]) if kedro else ""


def machine() -> str:
    """Processor, cores, GPU and torch's version, as a table's footnote names them."""
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return f"{platform.machine()}, {os.cpu_count()} cores, {gpu}, torch {torch.__version__.split('+')[0]}"


def _namespaces(pipeline: "Pipeline", ending: str) -> list[str]:
    return sorted(entry.removesuffix(ending) for entry in pipeline.datasets() if entry.endswith(ending))


def with_upstream(pipeline: "Pipeline", names: Sequence[str]) -> "Pipeline":
    """What runs, and what made the entries that it finds there.

    Args:
        pipeline: The part that runs, as ``--from-nodes`` or ``--namespaces`` leave it.
        names: Of the registered pipelines that it is a part of.
    """
    from kedro.framework.project import pipelines
    from kedro.pipeline import Pipeline

    registered = sum((pipelines[name] for name in names if name in pipelines), Pipeline([]))
    found = pipeline.inputs() & registered.all_outputs()
    return pipeline + registered.to_outputs(*found) if found else pipeline


def project_commit(root: Path) -> str:
    """The commit of the project's own repository; "+" at its end says that code or configuration had changed since.

    Args:
        root: The project's folder. Where it lies inside another repository, that one's commit says nothing about it.

    Returns:
        "" where git is missing, or the folder is no repository, or no commit is there yet; a log line says which.
    """
    try:
        found = _git(root, "rev-parse", "--show-toplevel", "HEAD")
        if found.returncode:
            reason = found.stderr.strip().partition("\n")[0]
        elif not root.samefile((lines := found.stdout.splitlines())[0]):
            reason = f"{root} is a copy inside the repository {lines[0]}, whose commit is not the project's"
        else:
            return lines[1] + ("+" if _git(root, "status", "--porcelain", "--", *CODE).stdout.strip() else "")
    except OSError as error:
        reason = f"git cannot be started: {error}"
    logger.info("The run has no commit: %s", reason)
    return ""


def _git(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Ask git about a folder, whatever repository's hook this process was started from."""
    of_a_hook = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"}
    env = {name: value for name, value in os.environ.items() if name not in of_a_hook}
    return subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=False, env=env)


def _code_and_data_versions(root: Path) -> dict[str, str]:
    """Tags that say which code and which data a run saw, where git, if there is one, and DVC know."""
    tags = {}
    if commit := project_commit(root):
        tags[COMMIT] = commit
    lock = root / "dvc.lock"
    if lock.is_file():
        tags["dvc_lock"] = hashlib.md5(lock.read_bytes(), usedforsecurity=False).hexdigest()
    if "DVC_EXP_NAME" in os.environ:
        tags["dvc_experiment"] = os.environ["DVC_EXP_NAME"]
    return tags
