"""Node functions of ``sae``."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mien.models.network import Network
from mien.nodes.params import TrainingParams
from mien.nodes.training import train_classifier
from mien.pipelines.sae.params import SAEModelParams

if TYPE_CHECKING:
    from torch import nn

logger = logging.getLogger(__name__)


def train(
    samples: pd.DataFrame, faces: np.ndarray, checkpoints: Path, model: SAEModelParams, training: TrainingParams
) -> tuple[Network, pd.DataFrame]:
    """Train SAE on the train rows and choose the best epoch on the val rows.

    Args:
        samples: Rows of split train and val.
        faces: Packed faces (n, 112, 112, 3) uint8.
        checkpoints: Folder to resume from.
        model: The architecture, and weights for its backbones.
        training: The recipe.

    Returns:
        The trained network and the history, one row per epoch.
    """
    return train_classifier(
        samples,
        faces,
        checkpoints,
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
