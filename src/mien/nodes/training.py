"""Training of a classifier of single faces: the network it starts from, and the train step that systems share."""

import logging
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mien.data.target_shares import target_mode, target_shares
from mien.labels import TargetMode
from mien.models.network import Network
from mien.nodes.digest import array_digest, table_digest, training_fingerprint
from mien.nodes.params import RecipeParams, TrainingParams
from mien.nodes.samples import class_names

if TYPE_CHECKING:
    from torch import nn

    from mien.engine.progress import OnEpochEnd

logger = logging.getLogger(__name__)

_TARGETS: dict[TargetMode, str] = {
    "majority": "the label",
    "probability": "a class drawn by the shares of its votes whenever the sample is seen",
    "crossentropy": "the shares of its votes",
    "multi_target": "any class that has a share of its votes",
}

_trackers: list["OnEpochEnd"] = []


def track_epochs_with(tracker: "OnEpochEnd | None") -> None:
    """Let a function have the record and the pictures of every epoch from now on, in the place of the one before.

    Args:
        tracker: The function; None for none.
    """
    _trackers[:] = [] if tracker is None else [tracker]


def initial_network(
    samples: pd.DataFrame,
    training: TrainingParams,
    *,
    architecture: str,
    config: dict[str, Any],
    load_weights: "Callable[[nn.Module], None] | None" = None,
) -> Network:
    """Build one architecture for the classes of a samples table, as ``training.seed`` draws it.

    Args:
        samples: Rows of split train and val, with ``label`` and ``expression``.
        training: The recipe; its seed decides every weight that is not loaded.
        architecture: Name in ``mien.models.list_models()``.
        config: The architecture's keyword arguments, without ``num_classes``.
        load_weights: Fills the new model with weights, and says in the log what starts at random.
    """
    from mien.engine.seed import seed_everything
    from mien.models import create_model

    names = class_names(samples)
    config = {**config, "num_classes": len(names)}
    seed_everything(training.seed, 0)
    model = create_model(architecture, **config)
    if load_weights is not None:
        load_weights(model)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    logger.info("%s: %.2f M parameters, %d classes", architecture, parameters / 1e6, len(names))
    return Network(architecture, config, names, model)


def report_epoch(record: dict[str, Any], pictures: Mapping[str, np.ndarray]) -> None:
    """Hand the record and the pictures of an epoch that has ended to who tracks the run, whatever is logged."""
    for tracker in _trackers:
        tracker(record, pictures)


def train_classifier(
    samples: pd.DataFrame, faces: np.ndarray, checkpoints: Path, initial_network: Network, training: TrainingParams
) -> tuple[Network, pd.DataFrame]:
    """Train a network on the rows of split train and choose the best epoch on those of split val.

    Args:
        samples: Rows of split train and val, with ``row`` and ``label``, and as in ``mien.data.target_shares`` what the
            train rows are trained towards.
        faces: Packed faces (n, H, W, 3) uint8.
        checkpoints: Folder to resume from and to save to.
        initial_network: What training starts from. It is copied, not changed.
        training: The recipe.

    Returns:
        The network with the best epoch's weights, and the history: one row per epoch.
    """
    from mien.losses import ExpressionLoss

    images = face_images(samples, faces, initial_network.model, training)
    task = classifier_task(samples, training, ExpressionLoss, validation_metrics)
    seen = table_digest(samples), array_digest(faces)
    return train_network(initial_network, images, task, checkpoints, training, seen)


def train_network(
    initial_network: Network,
    images: Sequence[Any],
    task: Any,
    checkpoints: Path,
    training: RecipeParams,
    seen: Sequence[str],
    build_optimizer: "Callable[[RecipeParams, nn.Module], Any] | None" = None,
    keep_finished: bool = False,
    on_epoch_end: "OnEpochEnd | None" = report_epoch,
) -> tuple[Network, pd.DataFrame]:
    """Train a network, or go on where the same training was cut off.

    Args:
        initial_network: What training starts from. It is copied, not changed.
        images: The train and the val set, as ``mien.engine.fit.fit`` takes them.
        task: Loss and metrics, a ``mien.engine.fit.Task``.
        checkpoints: Folder to resume from and to save to.
        training: The recipe.
        seen: Digests of the data: checkpoints of a training on other data are not resumed from.
        build_optimizer: Of the recipe and the model; None gives all parameters one learning rate.
        keep_finished: Do not repeat a training whose checkpoints say that it is finished.
        on_epoch_end: Called after each epoch with its record; None for a training that is one of many, whose means
            alone are tracked.

    Returns:
        The network with the best epoch's weights, and the history: one row per epoch.
    """
    from mien.engine.checkpoint import Checkpoints
    from mien.engine.device import make_fabric
    from mien.engine.fit import fit

    network, device = deepcopy(initial_network), training.device
    fabric = make_fabric(device.accelerator, device.devices, device.precision)
    history = fit(
        fabric,
        network.model,
        *images,
        task,
        _recipe(training, build_optimizer or _build_optimizer),
        Checkpoints(checkpoints, training_fingerprint(network, training, fabric, seen), keep_finished),
        on_epoch_end,
    )
    return network, pd.DataFrame(history)


def face_images(samples: pd.DataFrame, faces: np.ndarray, model: Any, training: TrainingParams) -> list[Any]:
    """The train set, augmented as the recipe says, and the val set, as ``train_network`` takes them.

    The train set's targets are what ``target_mode`` of the samples says, the val set's always the labels.

    Args:
        samples: Rows of split train and val, with ``row`` and ``label``.
        faces: Packed faces (n, H, W, 3) uint8.
        model: Says the size and the normalisation of its images.
        training: The recipe.
    """
    from mien.data.face_images import FaceImages
    from mien.data.transforms import ExpressionAugmentation

    fill = tuple(255 * mean for mean in model.mean)
    augment = ExpressionAugmentation(**training.augmentation.model_dump(), erase_fill=fill)
    mode = training_target(samples)
    images = []
    for split in ("train", "val"):
        rows = samples[samples["split"] == split]
        by_shares = split == "train" and mode != "majority"
        images.append(
            FaceImages(
                faces,
                rows["face_index"].to_numpy(),
                target_shares(rows, class_names(samples)) if by_shares else rows["label"].to_numpy(),
                image_size=model.image_size,
                mean=model.mean,
                std=model.std,
                augment=augment if split == "train" else None,
                seed=training.seed,
                draw=by_shares and mode == "probability",
            )
        )
    return images


def training_target(samples: pd.DataFrame) -> TargetMode:
    """What the rows of split train are trained towards, as the samples table says."""
    return target_mode(samples[samples["split"] == "train"])


def classifier_task(
    samples: pd.DataFrame,
    training: TrainingParams,
    loss: "Callable[..., nn.Module]",
    metrics: Callable[[np.ndarray, np.ndarray], dict[str, float]],
) -> Any:
    """Loss and metrics of a classifier of faces, by what its samples are trained towards.

    Args:
        samples: Rows of split train and val.
        training: The recipe.
        loss: A class of ``mien.losses`` that takes class ids and shares.
        metrics: Validation outputs and class ids → named numbers.
    """
    from mien.engine.fit import Task

    mode = training_target(samples)
    counts = samples["split"].value_counts()
    logger.info(
        "Targets of the %d training samples: %s, %s. The %d validation samples have their label",
        counts["train"],
        mode,
        _TARGETS[mode],
        counts["val"],
    )
    return Task(
        loss=loss(**training.loss.model_dump(), any_accepted=mode == "multi_target"),
        metrics=metrics,
        monitor=training.monitor,
        mode="min" if training.monitor.endswith("/loss") else "max",
    )


def validation_metrics(logits: np.ndarray, target: np.ndarray) -> dict[str, float]:
    """Accuracy over all samples, and the mean of the classes', by logits or scores (n, M) and class ids (n,)."""
    from mien.metrics import confusion_counts

    counts = confusion_counts(target, logits.argmax(axis=1), logits.shape[1])
    recalls = np.diag(counts) / np.maximum(counts.sum(axis=1), 1)
    present = counts.sum(axis=1) > 0
    return {
        "accuracy": float(np.trace(counts) / counts.sum()),
        "mean_class_accuracy": float(recalls[present].mean()),
    }


def _recipe(training: RecipeParams, build_optimizer: "Callable[[RecipeParams, nn.Module], Any]") -> Any:
    from mien.engine.fit import Recipe

    return Recipe(
        max_epochs=training.max_epochs,
        batch_size=training.batch_size,
        seed=training.seed,
        optimizer=partial(build_optimizer, training),
        scheduler=partial(_build_scheduler, training),
        num_workers=training.device.num_workers,
        channels_last=training.device.channels_last,
        threads=training.device.threads,
        patience=training.patience,
        drop_last=training.drop_last,
    )


def _build_optimizer(training: RecipeParams, model: "nn.Module") -> Any:
    from mien.optim import build_optimizer

    return build_optimizer(parameters=model.parameters(), **training.optimizer.arguments())


def _build_scheduler(training: RecipeParams, optimizer: Any) -> Any:
    from mien.optim import build_scheduler

    return build_scheduler(optimizer=optimizer, max_epochs=training.max_epochs, **training.scheduler.arguments())
