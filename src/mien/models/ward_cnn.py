"""The network of the thesis' author, which differs from the one that the thesis describes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from mien.errors import MienError


class WardCNN(nn.Module):
    """Ten 3x3 convolutions in five groups, each with batch normalisation, for grey faces of 50 px.

    Args:
        num_classes: M.
        image_size: Side of the images, in pixels.
        widths: Channels of the first convolution, of the other two of its group, of the second group, of the rest.
        drop_rate: Dropout before the output.
        mean: Mean per channel of an RGB image, of values in [0, 1]; what images are normalised by.
        std: Standard deviation per channel, likewise.

    ``forward`` takes (B, 3, S, S) and gives logits (B, M); the mean of the channels is the grey face.

    Raises:
        MienError: Fewer than two classes, a side below 20 px, or not four widths.

    Source: AaronWard/model-training-tensorflow@bfef835, train.py: 32, 64, 64, pool 3/1, 96, 96, pool 2/2, 128, 128,
        pool 2/2, 128, 128, pool 2/2, 128, pool 2/1, 0.8 kept, one linear layer. Weights start normal with deviation
        0.01.

    Example:
        >>> WardCNN(num_classes=6, widths=(4, 4, 4, 4))(torch.zeros(2, 3, 50, 50)).shape
        torch.Size([2, 6])
    """

    def __init__(
        self,
        num_classes: int,
        image_size: int = 50,
        widths: Sequence[int] = (32, 64, 96, 128),
        drop_rate: float = 0.2,
        mean: Sequence[float] = (0.5, 0.5, 0.5),
        std: Sequence[float] = (0.25, 0.25, 0.25),
    ) -> None:
        super().__init__()
        if num_classes < 2 or image_size < 20 or len(widths) != 4:
            raise MienError(
                f"WardCNN(num_classes={num_classes}, image_size={image_size}, widths={tuple(widths)}): give at least "
                "two classes, 20 pixels and four widths."
            )
        self.image_size, self.mean, self.std = image_size, tuple(mean), tuple(std)
        first, second, third, rest = widths
        self.conv = nn.Sequential(
            *_convolutions(1, first, second, second),
            nn.MaxPool2d(3, 1),
            *_convolutions(second, third, third),
            nn.MaxPool2d(2),
            *_convolutions(third, rest, rest),
            nn.MaxPool2d(2),
            *_convolutions(rest, rest, rest),
            nn.MaxPool2d(2),
            *_convolutions(rest, rest),
            nn.MaxPool2d(2, 1),
        )
        side = (image_size - 2) // 8 - 1
        self.dropout = nn.Dropout(drop_rate)
        self.classify = nn.Linear(rest * side * side, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.01, a=-0.02, b=0.02)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, M) of images (B, 3, S, S)."""
        return self.classify(self.dropout(self.features(images)))

    def features(self, images: Tensor) -> Tensor:
        """The vector that is classified."""
        return torch.flatten(self.conv(images.mean(dim=1, keepdim=True)), 1)


def _convolutions(*widths: int) -> list[nn.Module]:
    """3x3 convolutions from each width to the next, normalised and rectified."""
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
    return layers
