"""Node functions of ``softmax_regression``."""

import pandas as pd

from mien.models.network import Network
from mien.nodes.params import TrainingParams
from mien.nodes.training import initial_network
from mien.pipelines.softmax_regression.params import SoftmaxRegressionModelParams


def initialise(samples: pd.DataFrame, model: SoftmaxRegressionModelParams, training: TrainingParams) -> Network:
    """Make the linear layer for the dataset's classes.

    Args:
        samples: Rows of split train and val.
        model: Size and normalisation of the images.
        training: The recipe.
    """
    return initial_network(samples, training, architecture="softmax_regression", config=model.model_dump(mode="json"))
