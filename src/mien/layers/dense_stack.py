"""Fully connected layers with activation, normalisation and dropout, and how such layers start."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from mien.errors import MienError

Activation = Literal["relu", "elu"]
Start = Literal["glorot", "he"]

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "elu": nn.ELU}


class DenseStack(nn.Sequential):
    """Linear → batch normalisation → activation → dropout, once per width: (B, D) → (B, last width).

    Args:
        num_inputs: D.
        widths: Outputs of each linear layer; none leaves the inputs as they are.
        dropout: Share of values dropped after each layer, in order; layers beyond the last number drop none.
        activation: ``relu`` or ``elu``.
        batch_norm: Whether values are normalised between linear layer and activation.

    Raises:
        MienError: Unknown activation, or more dropout shares than layers, or one outside [0, 1).
    """

    def __init__(
        self,
        num_inputs: int,
        widths: Sequence[int],
        dropout: Sequence[float] = (),
        activation: Activation = "relu",
        batch_norm: bool = False,
    ) -> None:
        check_dropout(dropout, len(widths), "hidden layers")
        layers: list[nn.Module] = []
        for place, (before, width) in enumerate(zip([num_inputs, *widths], widths, strict=False)):
            layers.append(nn.Linear(before, width))
            layers += [nn.BatchNorm1d(width)] if batch_norm else []
            layers.append(activation_layer(activation))
            layers += [nn.Dropout(dropout[place])] if place < len(dropout) and dropout[place] else []
        super().__init__(*layers)


class ScaledOutput(nn.Module):
    """One number in the unit and spread of the targets: (B, 1) → (B, 1), offset + scale · x.

    As built it changes nothing; ``start_from`` lets a network whose outputs start near 0 start at the mean.
    """

    offset: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("offset", torch.zeros(1))
        self.register_buffer("scale", torch.ones(1))

    def start_from(self, mean: float, std: float) -> None:
        """Take mean and standard deviation of the training targets."""
        self.offset.fill_(mean)
        self.scale.fill_(std)

    def forward(self, x: Tensor) -> Tensor:
        """Scale (B, 1)."""
        return self.offset + self.scale * x


def activation_layer(name: str) -> nn.Module:
    """The activation of that name.

    Raises:
        MienError: It is unknown.
    """
    if name not in ACTIVATIONS:
        raise MienError(f"unknown activation {name!r}. Use one of {', '.join(sorted(ACTIVATIONS))}.")
    return ACTIVATIONS[name]()


def check_dropout(dropout: Sequence[float], num_layers: int, layers: str) -> None:
    """Check shares of dropped values.

    Raises:
        MienError: More shares than layers, or one outside [0, 1).
    """
    if len(dropout) > num_layers or not all(0 <= share < 1 for share in dropout):
        raise MienError(
            f"dropout {list(dropout)} for {num_layers} {layers}: give at most one share per layer, each at least 0 and "
            "below 1."
        )


def start_weights(module: nn.Module, start: Start) -> None:
    """Draw the weights of every linear and convolutional layer anew; biases become 0.

    Args:
        module: With its layers.
        start: ``glorot``, uniform, Keras' default; ``he``, normal by the number of inputs, for rectified layers.

    Raises:
        MienError: Unknown start.

    Source: Glorot and Bengio 2010, equation 16; He et al. 2015, equation 10.
    """
    if start not in ("glorot", "he"):
        raise MienError(f"unknown start of weights {start!r}. Use glorot or he.")
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            if start == "glorot":
                nn.init.xavier_uniform_(layer.weight)
            else:
                nn.init.kaiming_normal_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
