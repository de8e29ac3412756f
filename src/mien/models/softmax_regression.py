"""Softmax regression on grey pixels: what a score is worth without any depth."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mien.errors import MienError


class SoftmaxRegression(nn.Module):
    """One linear layer from the pixels of a grey face to the classes.

    Args:
        num_classes: M.
        image_size: side of the images, in pixels.
        mean: mean per channel, of values in [0, 1]; what the images are normalised by.
        std: standard deviation per channel, likewise.

    ``forward`` takes (B, 3, image_size, image_size) and gives logits (B, M). The loss is convex, so the start matters
    little.

    Source: ours, as the baseline that any deeper network must beat; the model is Cox's multinomial logit (1966).

    Example:
        >>> SoftmaxRegression(num_classes=7, image_size=48)(torch.zeros(2, 3, 48, 48)).shape
        torch.Size([2, 7])
    """

    def __init__(
        self,
        num_classes: int,
        image_size: int = 48,
        mean: Sequence[float] = (0.5, 0.5, 0.5),
        std: Sequence[float] = (0.25, 0.25, 0.25),
    ) -> None:
        super().__init__()
        if num_classes < 2 or image_size < 1:
            raise MienError(
                f"SoftmaxRegression(num_classes={num_classes}, image_size={image_size}): "
                "give at least two classes and one pixel."
            )
        self.image_size, self.mean, self.std = image_size, tuple(mean), tuple(std)
        self.classify = nn.Linear(image_size * image_size, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, M) of images (B, 3, H, W)."""
        return self.classify(self.features(images))

    def features(self, images: Tensor) -> Tensor:
        """The vector that is classified: grey pixels (B, H * W) of images (B, 3, H, W)."""
        return torch.flatten(images.mean(dim=1), 1)
