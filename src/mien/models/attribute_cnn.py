"""Convolutional networks for one attribute of a face: its age, gender or ethnicity."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mien.errors import MienError
from mien.layers.dense_stack import (
    Activation,
    DenseStack,
    ScaledOutput,
    Start,
    activation_layer,
    check_dropout,
    start_weights,
)


class AttributeCNN(nn.Module):
    """Stages of convolution, activation, pooling and dropout, then fully connected layers.

    Args:
        num_outputs: M, 1 for a number.
        channels: Of each stage's 3 x 3 convolution, which keeps the size; 2 x 2 max pooling then halves it.
        hidden: Widths of the fully connected layers before the output.
        conv_dropout: Share of values dropped after each stage, in order.
        dropout: Likewise after each hidden layer.
        activation: ``relu`` or ``elu``.
        batch_norm: Whether every layer normalises its values before its activation.
        start: How weights are drawn, as in ``start_weights``.
        image_size: Side of the images, in pixels.

    ``forward`` takes (B, C, image_size, image_size), whose channels are averaged to grey, and gives (B, M).

    Raises:
        MienError: More stages than the size can be halved, or bad dropout shares.

    Source: "Age, Gender and Ethnicity Recognition" (Wang, Wang and Salwathura Acharige), Tables I to III. What they
    print as strides of 3 is the kernel's size: with such strides nothing would be left of 48 px after two stages.
    Weights start as Keras' do.

    Example:
        >>> AttributeCNN(num_outputs=2, channels=(4, 4), hidden=(8,), image_size=8)(torch.zeros(3, 1, 8, 8)).shape
        torch.Size([3, 2])
    """

    def __init__(
        self,
        num_outputs: int,
        channels: Sequence[int],
        hidden: Sequence[int],
        conv_dropout: Sequence[float] = (),
        dropout: Sequence[float] = (),
        activation: Activation = "relu",
        batch_norm: bool = False,
        start: Start = "glorot",
        image_size: int = 48,
    ) -> None:
        super().__init__()
        side = image_size // 2 ** len(channels)
        if not channels or side < 1:
            raise MienError(
                f"{len(channels)} stages on images of {image_size} px: each halves the size, and at least one pixel "
                "must be left of it. Give one stage at least, and fewer or larger images."
            )
        check_dropout(conv_dropout, len(channels), "stages")
        self.image_size = image_size
        stages = []
        for place, (before, width) in enumerate(zip([1, *channels], channels, strict=False)):
            layers = [nn.Conv2d(before, width, 3, padding=1), *([nn.BatchNorm2d(width)] if batch_norm else [])]
            layers += [activation_layer(activation), nn.MaxPool2d(2)]
            dropped = conv_dropout[place] if place < len(conv_dropout) else 0.0
            stages.append(nn.Sequential(*layers, *([nn.Dropout(dropped)] if dropped else [])))
        self.stages = nn.Sequential(*stages)
        num_inputs = channels[-1] * side * side
        self.hidden = DenseStack(num_inputs, hidden, dropout, activation, batch_norm)
        self.output = nn.Linear([num_inputs, *hidden][-1], num_outputs)
        self.scaled = ScaledOutput() if num_outputs == 1 else nn.Identity()
        start_weights(self, start)

    def forward(self, images: Tensor) -> Tensor:
        """Outputs (B, M) of images (B, C, H, W) in [0, 1]."""
        return self.scaled(self.output(self.features(images)))

    def features(self, images: Tensor) -> Tensor:
        """The vector before the output, (B, D)."""
        return self.hidden(torch.flatten(self.stages(images.mean(dim=1, keepdim=True)), 1))
