"""Fully connected networks for one attribute of a face, on pixels or principal components."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mien.layers.dense_stack import Activation, DenseStack, ScaledOutput, Start, start_weights


class AttributeDNN(nn.Module):
    """Fully connected layers with dropout; without hidden layers, linear or softmax regression.

    Args:
        num_inputs: D, pixels or principal components.
        num_outputs: M, 1 for a number.
        hidden: Widths of the layers before the output.
        dropout: Share of values dropped after each hidden layer, in order.
        activation: ``relu`` or ``elu``.
        batch_norm: Whether every layer's values before its activation are normalised.
        normalise_inputs: Whether the inputs are too: pixels, whose spreads are alike, but not principal components,
            whose last ones are mostly noise.
        start: How weights are drawn, as in ``start_weights``.

    ``forward`` takes (B, D) and gives (B, M).

    Source: "Age, Gender and Ethnicity Recognition" (Wang, Wang and Salwathura Acharige), Tables I to III; batch
    normalisation and He's start are ours.

    Example:
        >>> AttributeDNN(num_inputs=500, num_outputs=2, hidden=(8, 4))(torch.zeros(3, 500)).shape
        torch.Size([3, 2])
    """

    def __init__(
        self,
        num_inputs: int,
        num_outputs: int,
        hidden: Sequence[int] = (),
        dropout: Sequence[float] = (),
        activation: Activation = "elu",
        batch_norm: bool = False,
        normalise_inputs: bool = False,
        start: Start = "glorot",
    ) -> None:
        super().__init__()
        self.normalise = nn.BatchNorm1d(num_inputs, affine=False) if normalise_inputs else nn.Identity()
        self.hidden = DenseStack(num_inputs, hidden, dropout, activation, batch_norm)
        self.output = nn.Linear([num_inputs, *hidden][-1], num_outputs)
        self.scaled = ScaledOutput() if num_outputs == 1 else nn.Identity()
        start_weights(self, start)

    def forward(self, vectors: Tensor) -> Tensor:
        """Outputs (B, M) of vectors (B, D)."""
        return self.scaled(self.output(self.features(vectors)))

    def features(self, vectors: Tensor) -> Tensor:
        """The vector before the output, (B, D')."""
        return self.hidden(self.normalise(torch.flatten(vectors, 1)))
