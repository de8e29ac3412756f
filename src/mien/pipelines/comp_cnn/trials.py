"""What is trained in one process: all nets of one trial with one seed, on pairs that are decoded once."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mien.models.network import Network
from mien.nodes.digest import array_digest, table_digest
from mien.nodes.params import PredictionParams
from mien.nodes.prediction import apply_to_images
from mien.nodes.training import train_network, validation_metrics
from mien.pipelines.comp_cnn.params import CompCNNTrainingParams

MEMBER = "comp_cnn"
"""The architecture of every net."""

Weights = dict[str, np.ndarray]
"""A state in numpy's arrays: handed from process to process without the files that torch keeps open for each tensor."""


@dataclass(frozen=True)
class TrialJob:
    """All that one process needs; its test pairs are not among it.

    Attributes:
        trial: Name of the trial.
        seed: Of order, augmentation and dropout; the nets' own start has been drawn with it.
        rows: The trial's rows of split train and val; ``row`` counts in ``pairs``.
        pairs: Their packed pairs (n, F, H, W, 1) uint8, in the order of the rows.
        class_names: Of the outputs.
        networks: Keyword arguments of each net, by name.
        start: What its training starts from, by name.
        stacks: Names of the nets that each support vector machine joins, by its name.
        crop_from: Side that pairs are resized to.
        checkpoints: Folder of this job alone.
        training: The recipe.
    """

    trial: str
    seed: int
    rows: pd.DataFrame
    pairs: np.ndarray
    class_names: tuple[str, ...]
    networks: dict[str, dict[str, Any]]
    start: dict[str, Weights]
    stacks: dict[str, tuple[str, ...]]
    crop_from: int
    checkpoints: Path
    training: CompCNNTrainingParams


@dataclass(frozen=True)
class TrialResult:
    """What comes back of a job.

    Attributes:
        trial: Name of the trial.
        seed: Of the job.
        weights: State of each net and each support vector machine, by name.
        val_accuracy: Of each net, in its best epoch, and each support vector machine.
        history: One row per net and epoch, with ``model``.
    """

    trial: str
    seed: int
    weights: dict[str, Weights]
    val_accuracy: dict[str, float]
    history: pd.DataFrame


def train_trial(job: TrialJob) -> TrialResult:
    """Train every net of a trial, then the support vector machines on their features."""
    from mien.data.face_images import PairImages, decode_sequences
    from mien.engine.fit import Task
    from mien.losses import ExpressionLoss

    training = job.training.model_copy(update={"seed": job.seed})
    networks = {name: _network(job, name) for name in job.networks}
    first: Any = next(iter(networks.values())).model
    parts, images = {}, {}
    for split in ("train", "val"):
        parts[split] = job.rows[job.rows["split"] == split]
        decoded = decode_sequences(
            job.pairs,
            parts[split]["face_index"].to_numpy(),
            num_frames=first.num_frames,
            size=job.crop_from,
            mean=first.mean,
            std=first.std,
        )
        moved: dict[str, Any] = training.augmentation.model_dump() if split == "train" else {}
        target = parts[split]["label"].to_numpy()
        images[split] = PairImages(decoded, target, image_size=first.image_size, seed=job.seed, **moved)
    task = Task(
        loss=ExpressionLoss(**training.loss.model_dump()),
        metrics=validation_metrics,
        monitor=training.monitor,
        mode="min" if training.monitor.endswith("/loss") else "max",
    )
    seen = table_digest(job.rows), array_digest(job.pairs)
    trained, histories = {}, []
    with quiet_engine():
        for name, network in networks.items():
            both = (images["train"], images["val"])
            folder = job.checkpoints / name
            trained[name], history = train_network(
                network, both, task, folder, training, seen, keep_finished=True, on_epoch_end=None
            )
            histories.append(history.assign(model=name))
    best = {name: best_accuracy(each, training.monitor) for name, each in zip(trained, histories, strict=True)}
    weights = {name: to_arrays(network.model) for name, network in trained.items()}
    for name, of in job.stacks.items():
        weights[name], best[name] = _stack(job, [trained[each] for each in of], parts, images)
    return TrialResult(job.trial, job.seed, weights, best, pd.concat(histories, ignore_index=True))


def best_accuracy(history: pd.DataFrame, monitor: str) -> float:
    """Validation accuracy of the epoch that the monitored quantity chooses, the first of equals."""
    column = history[monitor]
    place = column.idxmin() if monitor.endswith("/loss") else column.idxmax()
    return float(history["val/accuracy"].loc[place])


def _stack(
    job: TrialJob, networks: list[Network], parts: dict[str, pd.DataFrame], images: dict[str, Any]
) -> tuple[Weights, float]:
    """Fit a support vector machine on the train rows; its state, and its accuracy on the val rows."""
    from dataclasses import asdict

    from mien.engine.linear_svm import fit_linear_svm

    prediction = PredictionParams(batch_size=256, device=job.training.device)
    as_they_are = {split: _unmoved(images[split]) for split in images}
    features = {
        split: np.concatenate(
            [apply_to_images(each, network.model, prediction, network.model.features) for network in networks], axis=1
        )
        for split, each in as_they_are.items()
    }
    fitted = fit_linear_svm(
        features["train"],
        parts["train"]["label"].to_numpy(),
        parts["train"]["subject"].astype(str).to_numpy(),
        **job.training.svm.model_dump(),
        seed=job.seed,
    )
    state = {name: value for name, value in asdict(fitted).items() if name != "cost"}
    margin = ((features["val"] - fitted.mean) / fitted.scale) @ fitted.weight + fitted.bias
    return state, float(((margin > 0) == (parts["val"]["label"].to_numpy() == 1)).mean())


def _unmoved(images: Any) -> Any:
    from mien.data.face_images import PairImages

    return PairImages(images.sequences, images.targets.numpy(), image_size=images.image_size)


def _network(job: TrialJob, name: str) -> Network:
    from mien.models import create_model

    model = create_model(MEMBER, **job.networks[name])
    model.load_state_dict(from_arrays(job.start[name]))
    return Network(MEMBER, job.networks[name], job.class_names, model)


def from_arrays(weights: Weights) -> dict[str, Any]:
    """Weights as a state that a model loads."""
    import torch

    return {name: torch.tensor(array) for name, array in weights.items()}


def to_arrays(model: Any) -> Weights:
    """The state of a model."""
    return {name: tensor.detach().cpu().numpy().copy() for name, tensor in model.state_dict().items()}


@contextmanager
def quiet_engine() -> Iterator[None]:
    """No log line per epoch: a cross-validation has thousands."""
    engine = logging.getLogger("mien.engine")
    before = engine.level
    engine.setLevel(logging.WARNING)
    try:
        yield
    finally:
        engine.setLevel(before)
