"""What a network does to normalised pixels before its first convolution."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mien.errors import MienError

IMAGENET_MEAN = (0.485, 0.456, 0.406)
"""Channel means of ImageNet, RGB in [0, 1]."""
IMAGENET_STD = (0.229, 0.224, 0.225)
"""Channel deviations of ImageNet, likewise."""


class PixelsBGR(nn.Module):
    """Undo the normalisation of RGB images and turn them to BGR in [0, 1]: (B, 3, H, W) → (B, 3, H, W).

    Args:
        mean: Channel means that were subtracted, RGB.
        std: Channel deviations that were divided by, RGB.

    Source: cunjian/pytorch_face_landmark's own inference, which feeds OpenCV pixels over 255; POSTER feeds the
        normalised image to the same weights.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Turn normalised RGB (B, 3, H, W) to BGR in [0, 1]."""
        return (x * self.std + self.mean).flip(1)


class NormalizedBGR(PixelsBGR):
    """Turn normalised RGB images to BGR, normalised by the same statistics in their RGB order: (B, 3, H, W) → the same.

    Args:
        mean: Channel means that were subtracted, RGB.
        std: Channel deviations that were divided by, RGB.

    Source: POSTER's loaders read by OpenCV, which gives BGR, and normalise by ImageNet's statistics in RGB order; its
        released weights have seen nothing else.

    Example:
        >>> pixels = NormalizedBGR((0.5, 0.0, 0.0), (1.0, 1.0, 1.0))
        >>> pixels(torch.tensor([0.5, 0.2, 0.3]).view(1, 3, 1, 1)).flatten()  # RGB 1.0, 0.2, 0.3
        tensor([-0.2000,  0.2000,  1.0000])
    """

    def forward(self, x: Tensor) -> Tensor:
        """Turn normalised RGB (B, 3, H, W) to normalised BGR."""
        return (super().forward(x) - self.mean) / self.std


def check_statistics(mean: Sequence[float], std: Sequence[float]) -> None:
    """Check channel statistics.

    Raises:
        MienError: Not one value per channel, or a deviation that is not positive.
    """
    if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
        raise MienError(
            f"mean {tuple(mean)} and std {tuple(std)} must hold one value per RGB channel, std above 0. "
            f"Give three each, such as ImageNet's {IMAGENET_MEAN} and {IMAGENET_STD}."
        )
