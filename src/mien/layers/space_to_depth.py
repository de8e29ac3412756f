"""From a feature map to patch tokens."""

from torch import Tensor, nn


class SpaceToDepth(nn.Module):
    """Stack every ``block`` x ``block`` patch of a map into one token: (B, C, H, W) → (B, H·W / block², C·block²).

    Tokens are in raster order: token ``i`` begins at row ``block * (i // (W // block))`` and column
    ``block * (i % (W // block))``. Within a token the order is channel, row, column.

    Args:
        block: Side of a patch; H and W must be divisible by it.

    Source: ours, because POSTER views its (C, H, W) memory as (49, 1024) and so mixes places: its tokens are runs of
        channels, which pruning by place cannot use. The shapes are POSTER's.
    """

    def __init__(self, block: int = 2) -> None:
        super().__init__()
        self.block = block

    def forward(self, x: Tensor) -> Tensor:
        """Turn a map (B, C, H, W) into tokens (B, N, D)."""
        return nn.functional.pixel_unshuffle(x, self.block).flatten(2).transpose(1, 2)
