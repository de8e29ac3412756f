"""POSTER's convolutions whose channels are the rows of both streams, so that their number is part of the weights."""

from collections.abc import Sequence

from torch import Tensor, nn


def row_down_samplers(num_rows: int) -> nn.ModuleList:
    """POSTER's convolutions over the rows of both streams, from the large level to the others."""
    return nn.ModuleList(nn.Conv1d(2 * num_rows, 2 * num_rows, step, stride=step) for step in (2, 4))


def row_mixers(num_rows: int, dims: Sequence[int]) -> tuple[nn.ModuleList, nn.ModuleList]:
    """POSTER's convolutions after a block: over the rows of both streams at each level, and from each level up."""
    rows = 2 * num_rows
    return (
        nn.ModuleList(nn.Conv1d(rows, rows, 1) for _ in dims),
        nn.ModuleList(nn.ConvTranspose1d(rows, rows, 2, stride=2) for _ in dims[1:]),
    )


def raise_levels(levels: Sequence[Tensor], up: nn.ModuleList) -> list[Tensor]:
    """Add to every level the one below it, small to large, through its up-sampler."""
    large, medium, small = levels
    medium = medium + up[1](small)
    return [large + up[0](medium), medium, small]
