"""Node functions of ``softmax_regression``."""

from pathlib import Path

import numpy as np
import pandas as pd

from mien.models.network import Network
from mien.nodes.params import TrainingParams
from mien.nodes.training import train_classifier
from mien.pipelines.softmax_regression.params import SoftmaxRegressionModelParams


def train(
    samples: pd.DataFrame,
    faces: np.ndarray,
    checkpoints: Path,
    model: SoftmaxRegressionModelParams,
    training: TrainingParams,
) -> tuple[Network, pd.DataFrame]:
    """Fit the linear layer on the train rows and choose the best epoch on the val rows.

    Args:
        samples: Rows of split train and val.
        faces: Packed faces (n, 48, 48, 3) uint8.
        checkpoints: Folder to resume from.
        model: Size and normalisation of the images.
        training: The recipe.

    Returns:
        The trained network and the history, one row per epoch.
    """
    return train_classifier(
        samples,
        faces,
        checkpoints,
        training,
        architecture="softmax_regression",
        config=model.model_dump(mode="json"),
        load_weights=lambda network: None,
    )
