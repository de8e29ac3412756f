"""Node functions of ``sae``."""

import logging
from typing import TYPE_CHECKING

import pandas as pd

from mien.models.network import Network
from mien.nodes.initial import initial_network
from mien.nodes.params import TrainingParams
from mien.pipelines.sae.params import SAEModelParams

if TYPE_CHECKING:
    from torch import nn

logger = logging.getLogger(__name__)


def initialise(samples: pd.DataFrame, model: SAEModelParams, training: TrainingParams) -> Network:
    """Build SAE for the dataset's classes and load the weights of its backbones.

    Args:
        samples: Rows of split train and val.
        model: The architecture, and weights for its backbones.
        training: The recipe.
    """
    return initial_network(
        samples,
        training,
        architecture="sae",
        config=model.config(),
        load_weights=lambda network: _load_backbones(network, model),
    )


def _load_backbones(network: "nn.Module", model: SAEModelParams) -> None:
    from mien.models.weights import load_weights

    parts = {"image_backbone": model.backbone_weights, "landmark_backbone": model.landmark_weights}
    for part, path in parts.items():
        if path is None:
            logger.info("%s starts at random: no weights file is given", part)
        else:
            logger.info("%s: %s", part, load_weights(getattr(network, part), path).summary())
