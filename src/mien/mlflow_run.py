"""One MLflow run, written through ``MlflowClient`` with its id: no global state decides where things go."""

import logging
import math
import os
import re
import socket
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mien.tracking_store import configured_store, database_file, prepare_database, store_lock

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient

    from mien.models.network import Network

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # seconds, not MLflow's four minutes, per item of a run
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")

logger = logging.getLogger(__name__)

MAX_PARAMETER = 6000
"""Longest parameter value that MLflow keeps, in characters."""

LOCAL_ARTIFACTS = "mlartifacts"

SCORES = "scores.json"
"""Artifact with every score of a run and its interval, which MLflow's page shows as a table."""

PAUSE = 60.0
"""Seconds for which a store that did not answer is not requested again."""

COMPARED = re.compile(
    r"synthetic_share|test/[a-z0-9_]+(?<!_low)(?<!_high)|best/val/(?:accuracy|mean_class_accuracy|log_loss|mae_years)"
)
"""Metrics by which runs are compared: whole scores. Intervals, classes, subgroups and members are in the tables."""

OF_A_MEMBER = re.compile(r"(?:train|val|best)/(?!critic)[a-z0-9_]+_(?:loss|grad_norm|skipped_steps|epoch)")
"""Numbers of an epoch that the history's table has and no curve shows: losses of ``sentiment``'s members, say."""

MEMBER_CURVES = ("train/loss", "val/loss")
"""Numbers of an epoch that are logged of each member, where a run trains several."""

KIND = {"mlflow.experimentKind": "custom_model_development"}
"""Lets MLflow's page open an experiment with its runs and their scores, not with traces of language models."""

CHILD = "child_of_run"
"""Tag of a run that is a part of another and not listed beside it."""

CHAMPION = "champion"
"""Alias of the registered network with the best validation score: ``models:/<name>@champion``."""


def tracking_uri(root: Path) -> str:
    """Where runs are tracked: ``MLFLOW_TRACKING_URI`` if set, else ``mlflow.db`` in the project, as ``mlflow ui`` has.

    The path is absolute, because a relative one is resolved against the working directory.
    """
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{root / 'mlflow.db'}"


def connect(root: Path) -> "MlflowClient":
    """A client of the project's tracking store, made on first use.

    Raises:
        MienError: The store is of a kind that MLflow does not take, as a folder of files, does not answer, or its
            database is damaged.
    """
    import mlflow

    for name in ("alembic", "mlflow.store.db.utils"):  # they report each migration of a new store
        logging.getLogger(name).setLevel(logging.WARNING)
    uri = tracking_uri(root)
    if (file := database_file(uri)) is not None:
        prepare_database(file)
    with configured_store(uri):
        return mlflow.MlflowClient(uri)


def experiment_id(client: "MlflowClient", name: str, root: Path) -> str:
    """Id of the experiment, made if it does not exist, with its artifacts inside the project if the store is.

    Raises:
        MienError: The store does not answer.
    """
    uri = tracking_uri(root)
    with configured_store(uri), store_lock(uri):  # of two first runs, the second finds the experiment of the first
        if (found := client.get_experiment_by_name(name)) is not None:
            return found.experiment_id
        folder = (root / LOCAL_ARTIFACTS).as_uri() if uri.startswith("sqlite:") else None
        return client.create_experiment(name, artifact_location=folder, tags=KIND)


def end_dead_runs(client: "MlflowClient", experiment: str) -> None:
    """Close runs of this machine whose process was killed before it could: a killed process closes nothing."""
    with configured_store(client.tracking_uri):
        running = client.search_runs([experiment], filter_string="attributes.status = 'RUNNING'")
    for run in running:
        tags = run.data.tags
        if tags.get("host") == socket.gethostname() and not _alive(int(tags.get("pid", 0))):
            client.set_terminated(run.info.run_id, "KILLED")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid > 0


def _warn_if_not_sent(log: Callable[..., None]) -> Callable[..., None]:
    """A store that does not answer costs the tracking of this item, never the run, and is left alone for a while."""

    @wraps(log)
    def wrapped(self: "MlflowRun", *args: Any) -> None:
        """Log, or note what was not sent."""
        from mlflow.exceptions import MlflowException

        item = " ".join([log.__name__.removeprefix("log_"), *(str(arg)[:60] for arg in args[:1])])
        if time.monotonic() < self.silent_until:
            self.not_sent.append(item)
            logger.warning("Not tracked in MLflow: %s (the store did not answer a moment ago)", item)
            return
        try:
            log(self, *args)
        except (MlflowException, OSError) as error:
            self.not_sent.append(item)
            if "API request to" in str(error):
                self.silent_until = time.monotonic() + PAUSE
            logger.warning("Not tracked in MLflow: %s (%s)", item, str(error)[:300])

    return wrapped


class MlflowRun:
    """An open run.

    Args:
        client: Client of the tracking store.
        experiment: Id of the experiment.
        name: Name of the run.
        tags: What the run belongs to.

    Attributes:
        run_id: MLflow's id of the run.
        not_sent: What the store did not take, in order.
        silent_until: Until when, by ``time.monotonic``, the store is not requested.
    """

    def __init__(self, client: "MlflowClient", experiment: str, name: str, tags: dict[str, str]) -> None:
        own = {"host": socket.gethostname(), "pid": str(os.getpid())}
        self.not_sent: list[str] = []
        self.silent_until = 0.0
        self._client, self._experiment = client, experiment
        with configured_store(client.tracking_uri):
            self.run_id: str = client.create_run(experiment, run_name=name, tags={**tags, **own}).info.run_id
        self._epochs: set[tuple[str, int]] = set()  # of each number, those that are logged
        self._open = True
        self._monitor: Any = None
        self._model_id: str | None = None

    @_warn_if_not_sent
    def watch_system(self) -> None:
        """Log use of processor, memory, disk and, where its library is installed, GPU, under ``system/``."""
        from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

        logging.getLogger("mlflow.system_metrics").setLevel(logging.WARNING)
        self._monitor = SystemMetricsMonitor(self.run_id, tracking_uri=self._client.tracking_uri)
        self._monitor.start()

    @_warn_if_not_sent
    def end(self, status: str) -> None:
        """Close the run as FINISHED, FAILED or KILLED; a closed one stays as it is."""
        if self._open:
            if self._monitor is not None:
                self._monitor.finish()
            self._client.set_terminated(self.run_id, status)
            self._open = False  # last, so that an interrupt on the way does not leave it running

    @_warn_if_not_sent
    def log_tag(self, name: str, value: str) -> None:
        """Log one tag."""
        self._client.set_tag(self.run_id, name, value[:500])

    @_warn_if_not_sent
    def log_parameters(self, parameters: dict[str, Any]) -> None:
        """Log flat parameters."""
        from mlflow.entities import Param

        named = [Param(name, str(value)[:MAX_PARAMETER]) for name, value in parameters.items()]
        for start in range(0, len(named), 100):  # MLflow's limit
            self._client.log_batch(self.run_id, params=named[start : start + 100])

    @_warn_if_not_sent
    def log_epoch(self, record: dict[str, Any]) -> None:
        """Log one epoch's numbers under its step; a number already logged for it is passed over.

        Where one run trains several models, ``model`` names one and leads the names of its losses; the history's table
        has its other numbers. What a model lacks, or one that trained for fewer epochs, is left out.
        """
        from mlflow.entities import Metric

        step, model = int(record["epoch"]), record.get("model", "")
        lead = f"{model}/" if model else ""
        shown = MEMBER_CURVES if model else [name for name in record if not OF_A_MEMBER.fullmatch(name)]
        numbers = {f"{lead}{name}": record[name] for name in shown if name in record and name != "epoch"}
        known = {name for name, value in numbers.items() if (name, step) not in self._epochs and not math.isnan(value)}
        self._epochs |= {(name, step) for name in known}
        now = int(time.time() * 1000)
        metrics = [Metric(name, float(value), now, step) for name, value in numbers.items() if name in known]
        if metrics:
            self._client.log_batch(self.run_id, metrics=metrics)

    @_warn_if_not_sent
    def log_metrics(self, metrics: dict[str, float | None]) -> None:
        """Log final metrics: the compared ones as such, all of them as a table; undefined ones are left out.

        None has the name of an epoch's number: a value at step 0 would begin its curve.
        """
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        known = {name: float(value) for name, value in metrics.items() if value is not None}
        compared = [Metric(name, value, now, 0) for name, value in known.items() if COMPARED.fullmatch(name)]
        self._client.log_batch(self.run_id, metrics=compared)
        names = [name for name in known if not name.endswith(("_low", "_high"))]
        ends = {"value": "", "low": "_low", "high": "_high"}
        columns = {column: [known.get(f"{name}{end}") for name in names] for column, end in ends.items()}
        self._client.log_table(self.run_id, {"score": names, **columns}, SCORES)

    @_warn_if_not_sent
    def log_children(self, table: "pd.DataFrame") -> None:
        """Log every line of a table as a finished run below this one: its words as tags, its numbers as metrics.

        Args:
            table: ``model`` and ``fold`` name a child; the other columns are test scores.
        """
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        for line in table.to_dict("records"):
            words = {name: str(line.pop(name)) for name in ("model", "fold")}
            tags = {**words, CHILD: "fold", "mlflow.parentRunId": self.run_id}
            name = f"{words['model']} fold {words['fold']}"
            child = self._client.create_run(self._experiment, run_name=name, start_time=now, tags=tags).info.run_id
            numbers = [Metric(f"test/{key}", float(value), now, 0) for key, value in line.items()]
            self._client.log_batch(child, metrics=numbers)
            self._client.set_terminated(child, "FINISHED")

    @_warn_if_not_sent
    def log_figure(self, name: str, figure: Any) -> None:
        """Log an interactive figure at the artifact root."""
        self._client.log_figure(self.run_id, figure, f"{name}.html")

    @_warn_if_not_sent
    def log_file(self, name: str, file: Path) -> None:
        """Log a file at the artifact root, under ``name`` and its own suffix."""
        with _renamed(file, f"{name}{file.suffix}") as renamed:
            self._client.log_artifact(self.run_id, str(renamed))

    @_warn_if_not_sent
    def log_sheet(self, name: str, sheet: Any, step: int = 0) -> None:
        """Log a picture (H, W, 3) uint8 under a key.

        The comparison page shows those of several runs as a grid, and those of several steps with a slider.
        """
        self._client.log_image(self.run_id, sheet, key=name, step=step)

    @_warn_if_not_sent
    def log_input(self, name: str, digest: str, profile: dict[str, Any]) -> None:
        """Log a table that the run read, by digest."""
        import json

        from mlflow.entities import Dataset, DatasetInput, InputTag

        dataset = Dataset(name, digest, source_type="local", source="{}", profile=json.dumps(profile))
        tags = [InputTag("mlflow.data.context", "training")]
        self._client.log_inputs(self.run_id, [DatasetInput(dataset, tags)])

    @_warn_if_not_sent
    def log_network(self, network: "Network") -> None:
        """Log the model as an exported graph, with signature and example: it is loaded without mien's code.

        Requirements are given, because finding them out takes MLflow eight seconds.
        """
        import mlflow.pytorch
        import numpy as np
        import torch
        from mlflow.models import Model, ModelSignature
        from mlflow.types import Schema, TensorSpec

        shape = input_shape(network)
        example = np.zeros((2, *shape), np.float32)  # a batch of one would be exported as a constant
        with torch.no_grad():
            outputs = network.model.eval()(torch.from_numpy(example))
        image = TensorSpec(np.dtype(np.float32), (-1, *shape))
        logits = TensorSpec(np.dtype(np.float32), (-1, *outputs.shape[1:]))  # of each head, where a model has several
        logger.info("Exporting the model for MLflow")
        # Made here and handed over, because Model.log would put it into the default experiment
        logged = self._client.create_logged_model(self._experiment, name="model", source_run_id=self.run_id)
        with _as_global_store(self._client.tracking_uri), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of weights on a GPU; these are on the CPU
            Model.log(
                artifact_path=None,
                flavor=mlflow.pytorch,
                run_id=self.run_id,
                model_id=logged.model_id,
                pytorch_model=network.model,
                signature=ModelSignature(Schema([image]), Schema([logits])),
                input_example=example,
                pip_requirements=[f"torch=={torch.__version__.split('+')[0]}", f"numpy=={np.__version__}"],
                metadata={"class_names": list(network.class_names), "architecture": network.architecture},
                serialization_format="pt2",
            )
        self._model_id = logged.model_id

    @_warn_if_not_sent
    def register_network(self, name: str, metric: str, value: float) -> None:
        """Enter the logged network in the registry; the best one so far has the alias ``champion``.

        Args:
            name: Of the registered model; networks are compared within it.
            metric: What ``value`` measures; accuracies compare upwards, errors and losses downwards.
            value: On the validation split, never on the test split.
        """
        if self._model_id is not None:
            with store_lock(self._client.tracking_uri):  # of two runs that end at once, the better is the champion
                self._register_network(name, metric, value)

    def _register_network(self, name: str, metric: str, value: float) -> None:
        if not self._client.search_registered_models(filter_string=f"name='{name}'"):
            self._client.create_registered_model(name)
        tags = {"metric": metric, "value": str(value)}
        model = self._model_id
        with _as_global_store(self._client.tracking_uri):  # where MLflow looks the model up, whatever the client
            version = self._client.create_model_version(
                name, f"models:/{model}", run_id=self.run_id, model_id=model, tags=tags
            )
        champion = self._champion(name)
        if champion is None or champion.tags.get("metric") != metric or _better(metric, value, champion.tags["value"]):
            self._client.set_registered_model_alias(name, CHAMPION, version.version)
            logger.info("Best %s so far: version %s of %s is the registry's champion", metric, version.version, name)

    def _champion(self, name: str) -> Any:
        if CHAMPION not in self._client.get_registered_model(name).aliases:
            return None
        return self._client.get_model_version_by_alias(name, CHAMPION)


def _better(metric: str, value: float, champions: str) -> bool:
    return value > float(champions) if metric.endswith("accuracy") else value < float(champions)


def input_shape(network: "Network") -> tuple[int, ...]:
    """Shape of one input: (3, H, H) of a colour face, unless the model says another."""
    model: Any = network.model
    return getattr(model, "input_shape", None) or (3, model.image_size, model.image_size)


def samples_profile(samples: "pd.DataFrame") -> dict[str, Any]:
    """Rows per split, for the run's page."""
    return {"rows": len(samples), **samples["split"].value_counts().to_dict()}


@contextmanager
def _as_global_store(uri: str) -> Iterator[None]:
    """Let ``Model.log``, which takes no client, write to ``uri``; MLflow keeps that choice in the environment."""
    import mlflow

    before = os.environ.get("MLFLOW_TRACKING_URI")
    mlflow.set_tracking_uri(uri)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(before)  # None takes the choice back


@contextmanager
def _renamed(file: Path, name: str) -> Iterator[Path]:
    """A link to ``file`` under another name: MLflow names an artifact as its file."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / name
        link.symlink_to(file.resolve())
        yield link
