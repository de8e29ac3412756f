"""From a feature map to tokens of several patch sizes, and where such tokens lie."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from mien.errors import MienError
from mien.layers.space_to_depth import SpaceToDepth

DIVISIONS = (2, 3, 4, 6, 12)
"""Sides of a patch that FER-former's Table VI knows; each divides the map's 12."""

PatchProjection = Literal["linear", "low_rank", "pooled"]


class MultiGranularityEmbedding(nn.Module):
    """Cut a square map into patches of several sizes and project each size by its own layer: (B, C, S, S) → (B, N, D).

    The map is pooled to ``map_size`` first. Tokens come size by size in the order of ``divisions``, in raster order
    within a size. At 12x12 the sides (2, 4, 6, 12) give 36 + 9 + 4 + 1 tokens.

    Args:
        in_channels: C.
        embed_dim: D.
        divisions: Sides of the patches, ascending, each dividing ``map_size``; one alone is a single division.
        map_size: Side of the pooled map.
        projection: ``linear``: one matrix per size, C·p² by D, 9.4 M weights at p = 12. ``low_rank``: that matrix as
            a product of two of rank ``rank``. ``pooled``: patches of even side are averaged down to 2x2 before it, so
            that each size costs what the smallest does.
        rank: Of ``low_rank``; unused otherwise.

    Attributes:
        divisions: As given; ``map_size``, ``rank`` likewise.
        grid_sizes: Side of each size's token grid, ``map_size`` / p.
        num_tokens: N.

    Raises:
        MienError: No division, sides that do not ascend or divide the map, an unknown projection, or a rank below 1.

    Source: FER-former, section III-B and Table VI. ``low_rank`` and ``pooled`` are ours, because the matrix of the
        single 12x12 patch is a fifth of the whole network. The order within a patch is ours: channel, row, column; the
        released code's is row, column, channel, which is the same layer with its inputs renumbered.

    Example:
        >>> MultiGranularityEmbedding(8, 16)(torch.zeros(1, 8, 14, 14)).shape
        torch.Size([1, 50, 16])
    """

    def __init__(
        self,
        in_channels: int,
        embed_dim: int,
        divisions: Sequence[int] = (2, 4, 6, 12),
        map_size: int = 12,
        projection: PatchProjection = "linear",
        rank: int = 64,
    ) -> None:
        super().__init__()
        _check_divisions(divisions, map_size)
        if projection not in ("linear", "low_rank", "pooled"):
            raise MienError(f"unknown patch projection {projection!r}. Use 'linear', 'low_rank' or 'pooled'.")
        if rank < 1:
            raise MienError(f"rank {rank} of the patch projection leaves nothing. Use 1 or more, such as 64.")
        self.divisions, self.map_size, self.rank = tuple(divisions), map_size, rank
        self.grid_sizes = tuple(map_size // side for side in divisions)
        self.num_tokens = sum(grid**2 for grid in self.grid_sizes)
        self.pool = nn.AdaptiveAvgPool2d(map_size)
        self.embeddings = nn.ModuleList()
        for side in divisions:
            shrink = side // 2 if projection == "pooled" and side % 2 == 0 else 1
            width = in_channels * (side // shrink) ** 2
            layers: list[nn.Module] = [nn.AvgPool2d(shrink)] if shrink > 1 else []
            layers.append(SpaceToDepth(side // shrink))
            if projection == "low_rank":
                layers.append(nn.Linear(width, rank, bias=False))
                width = rank
            self.embeddings.append(nn.Sequential(*layers, nn.Linear(width, embed_dim)))

    def forward(self, x: Tensor) -> Tensor:
        """Turn a map (B, C, S, S) into tokens (B, N, D)."""
        x = self.pool(x)
        return torch.cat([embed(x) for embed in self.embeddings], dim=1)


class ConvPositionEncoding(nn.Module):
    """Tell tokens where they lie by their neighbours: a depthwise 3x3 convolution on each size's grid, added to it.

    Args:
        dim: D.
        grid_sizes: Side of each grid; its tokens are in raster order, the grids one after the other.

    Source: Chu et al. 2021, "Conditional positional encodings". FER-former's Fig. 1 mentions convolutional position
        encodings without drawing them, and its released code has none: one convolution per size is ours.
    """

    def __init__(self, dim: int, grid_sizes: Sequence[int]) -> None:
        super().__init__()
        self.grid_sizes = tuple(grid_sizes)
        self.convs = nn.ModuleList(nn.Conv2d(dim, dim, 3, padding=1, groups=dim) for _ in grid_sizes)

    def forward(self, x: Tensor) -> Tensor:
        """Add to tokens (B, N, D) what their neighbours say."""
        grids = x.split([size**2 for size in self.grid_sizes], dim=1)
        maps = [
            grid.transpose(1, 2).unflatten(2, (size, size)) for grid, size in zip(grids, self.grid_sizes, strict=True)
        ]
        encoded = [conv(each).flatten(2).transpose(1, 2) for conv, each in zip(self.convs, maps, strict=True)]
        return x + torch.cat(encoded, dim=1)


def _check_divisions(divisions: Sequence[int], map_size: int) -> None:
    if not divisions or list(divisions) != sorted(set(divisions)):
        raise MienError(
            f"divisions {tuple(divisions)} must name at least one patch side, ascending without repetition, "
            "such as (2, 4, 6, 12)."
        )
    misfits = [side for side in divisions if side < 1 or map_size % side]
    if misfits:
        raise MienError(
            f"patch sides {misfits} of divisions do not divide the map's side {map_size}. "
            f"Choose among {', '.join(str(side) for side in DIVISIONS if map_size % side == 0) or 'its divisors'}."
        )
