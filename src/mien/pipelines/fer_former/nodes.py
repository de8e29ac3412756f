"""Node functions of ``fer_former``, on each of its datasets."""

import logging
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mien.errors import MienError
from mien.models.network import Network
from mien.nodes.digest import array_digest, table_digest
from mien.nodes.params import PredictionParams
from mien.nodes.prediction import PREDICTED, apply_network, described, score_columns, unseen_samples
from mien.nodes.samples import class_names
from mien.nodes.training import classifier_task, face_images, initial_network, train_network
from mien.pipelines.fer_former.evaluation import head_metrics, head_scores, primary_head
from mien.pipelines.fer_former.params import FERFormerModelParams, FERFormerTrainingParams

if TYPE_CHECKING:
    from torch import nn

logger = logging.getLogger(__name__)

BY_CLASS = ("head.weight", "head.bias", "text_encoder.weight")
"""Tensors with a row per class; the last is the table's."""


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
        MienError: The source does not know one of the classes, or has other sizes or prompts.
    """
    from mien.pipelines.fer_former.nodes import class_rows, source_tokens, transfer_weights

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
    return build_optimizer(
        parameters=groups,
        **{name: value for name, value in training.optimizer.arguments().items() if name != "text_lr"},
    )


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


def class_rows(known: tuple[str, ...], wanted: tuple[str, ...]) -> list[int]:
    """Place of each wanted class among the known ones.

    Raises:
        MienError: A class is not known.

    Example:
        >>> class_rows(("fear", "happy", "sad"), ("sad", "fear"))
        [2, 0]
    """
    if unknown := [name for name in wanted if name not in known]:
        raise MienError(
            f"the network to start from does not know {', '.join(unknown)}: it tells {', '.join(known)} apart. "
            "Start from a network that was trained on a dataset with these classes, or map them in mien.labels."
        )
    return [known.index(name) for name in wanted]


def source_tokens(source: Network, config: dict[str, Any], rows: list[int]) -> dict[str, Any]:
    """The token ids by which the source's tower knows the prompts, as an argument of the new model.

    Only needed where there is no tokenizer: then words are numbered by the source's prompts.

    Args:
        source: The network to start from.
        config: Arguments of the new model.
        rows: Place of each new class among the source's.

    Raises:
        MienError: The prompts differ from the source's.
    """
    if config["text_encoder"] != "tower" or "prompt_tokens" in config:
        return {}
    theirs = [source.config.get("prompts", [])[row] for row in rows] if source.config.get("prompts") else []
    if theirs != config["prompts"]:
        raise MienError(
            f"prompts {config['prompts'][:1]} … differ from {theirs[:1]} … of the network to start from, which trained "
            "its own words alone. Set the same model.prompt and text_encoder in both, or give both a clip_folder."
        )
    tokens = source.model.text_encoder.tokens.tolist()
    return {"prompt_tokens": [_up_to_the_end(tokens[row]) for row in rows]}


def _up_to_the_end(ids: list[int]) -> list[int]:
    return ids[: ids.index(max(ids)) + 1]


def transfer_weights(model: "nn.Module", source: Network, rows: list[int]) -> None:
    """Fill a model with the source's weights, those of its classes in their new order.

    Args:
        model: A FER-former for the new classes.
        source: The network to start from.
        rows: Place of each new class among the source's.

    Raises:
        MienError: The models differ in more than the classes.
    """
    target, weights = model.state_dict(), source.model.state_dict()
    weights = {name: tensor[rows] if name in BY_CLASS else tensor for name, tensor in weights.items()}
    differing = sorted(target.keys() ^ weights.keys())
    differing += [name for name in target.keys() & weights.keys() if target[name].shape != weights[name].shape]
    if differing:
        raise MienError(
            f"the network to start from has another architecture: {len(differing)} tensors differ, such as "
            f"{differing[0]}. Give both systems the same model parameters."
        )
    model.load_state_dict(weights)
    logger.info("All %d tensors are taken from a network that knows %s", len(weights), ", ".join(source.class_names))
