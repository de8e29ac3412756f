"""Lopes et al.'s convolutional network for single faces of 32 px; with more input channels, for stacks of motion."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mien.errors import MienError


class LopesCNN(nn.Module):
    """Two convolutions with pooling, one hidden layer, one output per class.

    Args:
        num_classes: M.
        image_size: Side of the images, in pixels.
        in_channels: 1 for grey faces, the length of a stack of frame differences for motion.
        widths: Channels of the two convolutions.
        hidden: Width of the layer that is classified.
        drop_rate: Dropout of that layer.
        mean: Mean per channel of an RGB image, of values in [0, 1]; what images are normalised by.
        std: Standard deviation per channel, likewise.

    ``forward`` takes (B, in_channels, S, S), and for one channel also RGB (B, 3, S, S), whose mean is taken; it gives
    logits (B, M). 32 px become 28 by the 5x5 convolution, 14 by pooling, 8 by the 7x7 one and 4 by pooling.

    Raises:
        MienError: Fewer than two classes, a side below 20 px, or not two widths.

    Source: Lopes et al., Pattern Recognition 61, 2017, as METHODS recalls it; rectifiers, and dropout, are ours: the
        paper's text that was read does not name an activation.

    Example:
        >>> LopesCNN(num_classes=6)(torch.zeros(2, 1, 32, 32)).shape
        torch.Size([2, 6])
    """

    def __init__(
        self,
        num_classes: int,
        image_size: int = 32,
        in_channels: int = 1,
        widths: Sequence[int] = (32, 64),
        hidden: int = 256,
        drop_rate: float = 0.0,
        mean: Sequence[float] = (0.5, 0.5, 0.5),
        std: Sequence[float] = (0.25, 0.25, 0.25),
    ) -> None:
        super().__init__()
        if num_classes < 2 or image_size < 20 or len(widths) != 2:
            raise MienError(
                f"LopesCNN(num_classes={num_classes}, image_size={image_size}, widths={tuple(widths)}): give at least "
                "two classes, 20 pixels and two widths."
            )
        self.image_size, self.mean, self.std, self.in_channels = image_size, tuple(mean), tuple(std), in_channels
        first, second = widths
        self.conv = nn.Sequential(
            nn.Conv2d(in_channels, first, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(first, second, 7),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        side = ((image_size - 4) // 2 - 6) // 2
        self.hidden = nn.Linear(second * side * side, hidden)
        self.dropout = nn.Dropout(drop_rate)
        self.classify = nn.Linear(hidden, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, M) of images (B, C, S, S)."""
        return self.classify(self.dropout(self.features(images)))

    def features(self, images: Tensor) -> Tensor:
        """The vector (B, hidden) that is classified."""
        if self.in_channels == 1:
            images = images.mean(dim=1, keepdim=True)
        return torch.relu(self.hidden(torch.flatten(self.conv(images), 1)))
