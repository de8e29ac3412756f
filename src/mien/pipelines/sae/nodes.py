"""Node functions of ``sae``."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from mien.models.network import Network
from mien.nodes.params import TrainingParams
from mien.nodes.training import initial_network
from mien.pipelines.sae.params import SAEModelParams

if TYPE_CHECKING:
    from torch import nn

logger = logging.getLogger(__name__)


def initialise(
    samples: pd.DataFrame, model: SAEModelParams, training: TrainingParams, landmark_network: Network
) -> Network:
    """Build SAE, or POSTER, for the dataset's classes and load the weights that there are.

    Args:
        samples: Rows of split train and val.
        model: The architecture, and weights for all of it or for its backbones.
        training: The recipe.
        landmark_network: Of the pipeline ``landmarks``: the landmark stream's start, unless ``model`` says another.
    """
    return initial_network(
        samples,
        training,
        architecture=model.architecture,
        config=model.config(),
        load_weights=lambda network: _load_weights(network, model, landmark_network),
    )


def _load_weights(network: Any, model: SAEModelParams, landmark_network: Network) -> None:
    from mien.models.weights import load_network, load_weights

    if model.weights is not None:
        _load_whole(network, model.weights, model.load_head)
        return
    parts = {"image_backbone": model.backbone_weights, "landmark_backbone": model.landmark_weights}
    for part, path in parts.items():
        if path is not None:
            logger.info("%s: %s", part, load_weights(getattr(network, part), path).summary())
        elif part == "landmark_backbone" and model.landmark_start == "synthetic":
            report = load_network(network.landmark_backbone, landmark_network)
            logger.info(
                "%s, of the network that pipeline landmarks trained on synthetic faces: %s", part, report.summary()
            )
        else:
            logger.info("%s starts at random: no weights file is given", part)


def _load_whole(network: "nn.Module", path: Path, load_head: bool) -> None:
    from mien.models.poster import Poster, load_poster
    from mien.models.weights import load_classifier

    if isinstance(network, Poster):
        report = load_poster(network, path, load_head=load_head)
        if network.seen != ("bgr", "poster"):
            logger.warning(
                "POSTER's own weights were trained on normalised BGR in both networks; this model has channel_order "
                "%s and landmark_input %s. If %s is theirs, set channel_order to bgr and landmark_input to poster",
                *network.seen,
                path.name,
            )
    else:
        report = load_classifier(network, path, load_head=load_head)
    at_random = [name for name in (*report.missing, *report.mismatched) if load_head or not name.startswith("head.")]
    logger.log(logging.WARNING if at_random else logging.INFO, "weights of the network: %s", report.summary())
