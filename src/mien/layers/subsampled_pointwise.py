"""A 1x1 convolution with a stride."""

from torch import Tensor, nn
from torch.nn import functional


class SubsampledPointwise(nn.Conv2d):
    """A 1x1 convolution with a stride that takes every stride-th pixel first: equal, (B, C, H, W) → (B, C', H/s, W/s).

    Source: ours, because oneDNN's own strided one writes past its memory in the backward pass, with channels last and
    fewer channels than a vector has (uxlfoundation/oneDNN issue 6035).
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C', H/s, W/s)."""
        down, across = self.stride
        return functional.conv2d(x[:, :, ::down, ::across], self.weight, self.bias)
