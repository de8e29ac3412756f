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


class ChannelRuns(nn.Module):
    """Cut a map, read channel after channel, into runs of equal length: (B, C, H, W) → (B, H·W / block², C·block²).

    A token is no place of the image: of POSTER's 256 channels of 14x14 each holds 5.2 in a row.

    Args:
        block: H · W over the number of tokens is its square.

    Source: POSTER (``ir50.py``) views its map's memory so; needed for weights that were trained on such tokens.
    """

    def __init__(self, block: int = 2) -> None:
        super().__init__()
        self.block = block

    def forward(self, x: Tensor) -> Tensor:
        """Turn a map (B, C, H, W) into tokens (B, N, D)."""
        return x.flatten(1).unflatten(1, (-1, x.shape[1] * self.block**2))
