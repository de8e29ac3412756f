"""A linear classifier of feature vectors, with the standardisation that it was fitted behind."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn


class StandardisedLinear(nn.Module):
    """Logits or margins (B, M) of features (B, D): one linear layer on standardised features.

    Args:
        num_classes: M.
        num_features: D.

    Source: ours: what scikit-learn fits (a support vector machine, a logistic regression) is stored, applied and
        exported as any other network, without a pickle.

    Example:
        >>> StandardisedLinear(num_classes=7, num_features=12)(torch.zeros(2, 12)).shape
        torch.Size([2, 7])
    """

    mean: Tensor
    std: Tensor

    def __init__(self, num_classes: int, num_features: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(num_features))
        self.register_buffer("std", torch.ones(num_features))
        self.classify = nn.Linear(num_features, num_classes)

    def take(self, mean: np.ndarray, std: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> None:
        """Take what was fitted: mean and std (D,), weight (M, D), bias (M,)."""
        own = (self.mean, self.std, self.classify.weight, self.classify.bias)
        with torch.no_grad():
            for tensor, array in zip(own, (mean, std, weight, bias), strict=True):
                tensor.copy_(torch.from_numpy(np.asarray(array, np.float64)))

    def forward(self, features: Tensor) -> Tensor:
        """Logits (B, M) of features (B, D)."""
        return self.classify((features - self.mean) / self.std)
