"""Node functions of ``fer_former``, on each of its datasets."""

import logging
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mien.models.network import Network
from mien.nodes.digest import array_digest, table_digest
from mien.nodes.evaluation import METRIC_PREFIX, evaluate_classes
from mien.nodes.initial import initial_network
from mien.nodes.params import EvaluationParams, PredictionParams
from mien.nodes.prediction import PREDICTED, SCORE_PREFIX, apply_network, described, score_columns, unseen_samples
from mien.nodes.samples import class_names
from mien.nodes.training import classifier_task, face_images, train_network
from mien.pipelines.fer_former.heads import HEAD_NAMES, MEAN, head_accuracies, head_metrics, head_scores, primary_head
from mien.pipelines.fer_former.params import FERFormerModelParams, FERFormerTrainingParams

if TYPE_CHECKING:
    from torch import nn

logger = logging.getLogger(__name__)


def initialise(samples: pd.DataFrame, model: FERFormerModelParams, training: FERFormerTrainingParams) -> Network:
    """Build FER-former for the dataset's classes and load the user's own weights of IR-50 and CLIP.

    Args:
        samples: Rows of split train and val.
        model: The architecture, its prompts and weights.
        training: The recipe.
    """
    return initial_network(
        samples,
        training,
        architecture="fer_former",
        config=model.config(class_names(samples)),
        load_weights=partial(_load_weights, model=model, training=training),
    )


def initialise_from(
    samples: pd.DataFrame, model: FERFormerModelParams, training: FERFormerTrainingParams, source: Network
) -> Network:
    """Build FER-former for the dataset's classes and take every weight from one trained on another dataset.

    Args:
        samples: Rows of split train and val.
        model: The architecture and prompts, of the source's sizes.
        training: The recipe.
        source: The network trained on the other dataset; classes are matched by name.

    Raises:
        ValueError: The source does not know one of the classes, or has other sizes or prompts.
    """
    from mien.pipelines.fer_former.transfer import class_rows, source_tokens, transfer_weights

    names = class_names(samples)
    rows = class_rows(source.class_names, names)
    config = model.config(names) | source_tokens(source, model.config(names), rows)
    return initial_network(
        samples,
        training,
        architecture="fer_former",
        config=config,
        load_weights=lambda network: transfer_weights(network, source, rows),
    )


def _load_weights(network: "nn.Module", model: FERFormerModelParams, training: FERFormerTrainingParams) -> None:
    from mien.models.clip_folder import load_clip_text
    from mien.models.weights import load_weights

    if model.backbone_weights is None:
        logger.info("image_backbone starts at random: no weights file is given")
    else:
        logger.info("image_backbone: %s", load_weights(network.image_backbone, model.backbone_weights).summary())
    if network.text_encoder is None:
        logger.info("text side: none, and no steering head")
    elif model.text_encoder == "table":
        logger.info("text side: a learned vector per prompt, whatever it says")
    elif model.clip_folder is not None:
        logger.info("text side: %s", load_clip_text(network.text_encoder.tower, model.clip_folder))
    else:
        logger.info(
            "text side: CLIP's architecture %d wide with %d blocks starts at random, with the prompts' own words: no "
            "CLIP folder is given",
            model.text_width,
            model.text_depth,
        )
        if model.freeze_text or training.optimizer.text_lr < training.optimizer.lr:
            logger.warning(
                "A text side at random that is frozen, or learns at text_lr %g below lr %g, hardly leaves its start. "
                "Give model.clip_folder, or set freeze_text to false and text_lr to lr.",
                training.optimizer.text_lr,
                training.optimizer.lr,
            )


def train(
    samples: pd.DataFrame,
    faces: np.ndarray,
    checkpoints: Path,
    initial_network: Network,
    training: FERFormerTrainingParams,
) -> tuple[Network, pd.DataFrame]:
    """Train FER-former on the rows of split train and choose the best epoch on those of split val.

    Args:
        samples: Rows of split train and val, with ``row`` and ``label``, and as in ``mien.data.target_shares`` what the
            train rows are trained towards.
        faces: Packed faces (n, H, W, 3) uint8.
        checkpoints: Folder to resume from and to save to.
        initial_network: What training starts from. It is copied, not changed.
        training: The recipe.

    Returns:
        The network with the best epoch's weights, and the history: one row per epoch. ``val/accuracy`` is that of the
        epoch's best head.
    """
    from mien.losses import JointLoss

    images = face_images(samples, faces, initial_network.model, training)
    task = classifier_task(samples, training, JointLoss, head_metrics)
    seen = table_digest(samples), array_digest(faces)
    return train_network(initial_network, images, task, checkpoints, training, seen, build_text_optimizer)


def build_text_optimizer(training: FERFormerTrainingParams, model: "nn.Module") -> Any:
    """An optimiser with the text encoder in a group of its own, after the rest."""
    from mien.optim import build_optimizer

    text = model.text_parameters()
    of_text = {id(parameter) for parameter in text}
    rest = [parameter for parameter in model.parameters() if id(parameter) not in of_text]
    groups: list[dict[str, Any]] = [{"params": rest}]
    if text:
        groups.append({"params": text, "lr": training.optimizer.text_lr})
    return build_optimizer(parameters=groups, **training.optimizer.model_dump(exclude={"text_lr"}))


def predict(samples: pd.DataFrame, faces: np.ndarray, network: Network, prediction: PredictionParams) -> pd.DataFrame:
    """Class scores of both heads and of their mean for the val, test and unlabelled samples.

    Args:
        samples: The samples table; rows of other splits and rows without a face are passed over.
        faces: Packed faces (n, H, W, 3) uint8.
        network: The trained network.
        prediction: Batch size and device.

    Returns:
        The table of ``mien.nodes.prediction.predict_classes``, whose ``score/<class>`` are those of the primary head,
        the best on split val. With text also ``head``, that head's name, and ``class_head/<class>``,
        ``steering_head/<class>`` and ``mean_of_heads/<class>``.
    """
    unseen = unseen_samples(samples, PREDICTED)
    scores = head_scores(apply_network(unseen, faces, network, prediction, network.model))
    val = (unseen["split"] == "val").to_numpy()
    primary = primary_head({name: each[val] for name, each in scores.items()}, unseen.loc[val, "label"].to_numpy())
    tables = [described(unseen), score_columns(scores[primary], network.class_names)]
    if len(scores) > 1:
        logger.info("Scores are those of the %s, the best on the validation split", primary.replace("_", " "))
        tables[0] = tables[0].assign(head=primary)
        tables += [score_columns(each, network.class_names, f"{name}/") for name, each in scores.items()]
    return pd.concat(tables, axis=1)


def evaluate(predictions: pd.DataFrame, evaluation: EvaluationParams) -> tuple[dict[str, float | None], pd.DataFrame]:
    """Metrics of the primary head, as of any classifier, and the accuracy of each head beside them.

    Args:
        predictions: The table of ``predict``.
        evaluation: Resamples and seed of the bootstrap intervals; attributes to group by.

    Returns:
        As ``mien.nodes.evaluation.evaluate_classes``, with ``class_head_accuracy``, ``steering_head_accuracy`` and
        ``mean_of_heads_accuracy`` of either split where there are two heads.
    """
    metrics, subgroups = evaluate_classes(predictions, evaluation)
    names = [column.removeprefix(SCORE_PREFIX) for column in predictions if column.startswith(SCORE_PREFIX)]
    heads = [head for head in (*HEAD_NAMES, MEAN) if f"{head}/{names[0]}" in predictions]
    for split in ("test", "val"):
        rows = predictions[predictions["split"] == split]
        scores = {head: rows[[f"{head}/{name}" for name in names]].to_numpy() for head in heads}
        if scores:
            accuracies = head_accuracies(scores, rows["target"].to_numpy())
            metrics |= {f"{METRIC_PREFIX[split]}/{name}": value for name, value in accuracies.items()}
    return metrics, subgroups
