"""Outputs of a network for every sample of a loader."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@torch.no_grad()
def predict(
    fabric: "Fabric", network: nn.Module, loader: DataLoader, function: Callable[..., Tensor] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Run the network in eval mode over the loader.

    Args:
        fabric: Where to compute; it has set up both others.
        network: The model.
        loader: Batches of (inputs, target) in sample order.
        function: A method of the model to run in its place, such as its ``features``.

    Returns:
        Outputs (n, M) float32 and targets (n,), in the loader's order.
    """
    network.eval()
    run = network if function is None else function
    outputs, targets = [], []
    for inputs, target in loader:
        outputs.append(run(*inputs).float().cpu())
        targets.append(target.cpu())
    return torch.cat(outputs).numpy(), torch.cat(targets).numpy()
