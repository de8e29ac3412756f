"""The network that training starts from: built, seeded, filled with the weights that the user has."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pandas as pd

from mien.models.network import Network
from mien.nodes.params import TrainingParams
from mien.nodes.samples import class_names

if TYPE_CHECKING:
    from torch import nn

logger = logging.getLogger(__name__)


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
