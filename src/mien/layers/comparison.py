"""What CompCNN does with the maps of two images: comparison operators, all starting as the plain difference."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mien.layers.cross_attention import CrossAttention


class Subtract(nn.Module):
    """x - y, maps (B, C, H, W): nothing to learn.

    Source: Xu et al., 2017, section 3.1, simple subtraction.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """The difference (B, C, H, W)."""
        return x - y


class Combine(nn.Module):
    """Each channel a learned linear combination of all channels of x and of y: 2 C^2 weights, no bias.

    Args:
        channels: C of both maps.

    Source: Xu et al., 2017, section 3.1, linear combination; its formula has lost the y of the second sum. Ours: it
        starts as the subtraction, which the paper calls its special case.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        one = torch.eye(channels).view(channels, channels, 1, 1)
        self.weight = nn.Parameter(torch.cat([one, -one], dim=1))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """The combination (B, C, H, W)."""
        return nn.functional.conv2d(torch.cat([x, y], dim=1), self.weight)


class ComparisonMLP(nn.Module):
    """x - y plus what a small multilayer perceptron makes of both channels at each place.

    Args:
        channels: C of both maps, and of the hidden layer.

    Source: ours, as the nonlinear comparison that Xu et al., 2017, name as later work. Its last layer starts at 0.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mix, self.out = nn.Conv2d(2 * channels, channels, 1), nn.Conv2d(channels, channels, 1)
        for parameter in self.out.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """The comparison (B, C, H, W)."""
        return x - y + self.out(torch.relu(self.mix(torch.cat([x, y], dim=1))))


class ComparisonAttention(nn.Module):
    """x - y plus what the places of x find in y by cross-attention, wherever a part of the face has moved to.

    Args:
        channels: C of both maps.

    Source: ours, as ``ComparisonMLP``. Its last layer starts at 0.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.attend = CrossAttention(channels, num_heads=1)
        for parameter in self.attend.proj.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """The comparison (B, C, H, W)."""
        found, _ = self.attend(x.flatten(2).transpose(1, 2), y.flatten(2).transpose(1, 2))  # (B, H * W, C)
        return x - y + found.transpose(1, 2).unflatten(2, x.shape[2:])


COMPARISONS: dict[str, type[nn.Module]] = {
    "subtract": Subtract,
    "combine": Combine,
    "mlp": ComparisonMLP,
    "attention": ComparisonAttention,
}


def build_comparison(name: str, channels: int) -> nn.Module:
    """The operator of a name, for maps of so many channels."""
    return COMPARISONS[name](channels)
