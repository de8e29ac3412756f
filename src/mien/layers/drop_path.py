"""Stochastic depth."""

from torch import Tensor, nn

from mien.errors import MienError


class DropPath(nn.Module):
    """In training, drop a residual branch for a whole sample and scale the survivors by 1 / (1 - rate).

    Args:
        rate: Probability in [0, 1) that a sample's branch is dropped.

    Raises:
        MienError: ``rate`` outside [0, 1).

    Source: Huang et al. 2016, "Deep networks with stochastic depth", in the rescaled form of timm's DropPath.
    """

    def __init__(self, rate: float = 0.0) -> None:
        super().__init__()
        if not 0.0 <= rate < 1.0:
            raise MienError(f"drop-path rate {rate} is outside [0, 1). Use a small rate such as 0.1, or 0 for none.")
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, ...) to (B, ...), a dropped sample to zeros."""
        if not self.training or self.rate == 0.0:
            return x
        keep = 1.0 - self.rate
        mask = x.new_empty((x.shape[0],) + (1,) * (x.ndim - 1)).bernoulli_(keep)  # (B, 1, ..., 1)
        return x * mask / keep

    def extra_repr(self) -> str:
        """Show the rate in ``repr``."""
        return f"rate={self.rate:g}"


def drop_path_rates(rate: float, depth: int) -> list[float]:
    """Rates that grow linearly from 0 in the first block to ``rate`` in the last.

    Example:
        >>> drop_path_rates(0.2, 3)
        [0.0, 0.1, 0.2]
    """
    return [rate * block / (depth - 1) if depth > 1 else 0.0 for block in range(depth)]
