"""POSTER's pyramid of cross-attention blocks with its convolutions over a fixed number of tokens."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mien.layers.drop_path import drop_path_rates
from mien.layers.mlp import Activation
from mien.layers.token_pruning import PruningStage
from mien.layers.transformer_block import ResidualAttention, ResidualMlp
from mien.models.pyramid_fusion import check_pyramid
from mien.models.row_mixing import raise_levels, row_down_samplers, row_mixers


class PosterBlock(nn.Module):
    """Both streams at three levels: attend, feed forward, mix all tokens, carry every level up into the next.

    Tokens are the channels of the convolutions, so their number is part of the weights and none can be pruned.

    Args:
        num_rows: R, tokens of one stream with CLS.
        dims: Widths D, D/2, D/4 of the levels.
        num_heads: Heads at every level.
        mlp_ratio: Hidden width of an MLP over its level's width.
        mlp_act: Activation of the MLPs.
        drop_path_rate: Probability of dropping a residual branch in training.

    Source: POSTER (``hyp_crossvit.py``), block and pyramid block in one.
    """

    def __init__(
        self,
        num_rows: int,
        dims: Sequence[int],
        num_heads: int,
        mlp_ratio: float,
        mlp_act: Activation,
        drop_path_rate: float,
    ) -> None:
        super().__init__()
        self.image_attn, self.landmark_attn = (
            nn.ModuleList(ResidualAttention(dim, num_heads, drop_path_rate, query_proj=False) for dim in dims)
            for _ in range(2)
        )
        self.image_mlp, self.landmark_mlp = (
            nn.ModuleList(ResidualMlp(dim, mlp_ratio, mlp_act, drop_path_rate) for dim in dims) for _ in range(2)
        )
        self.mix, self.up = row_mixers(num_rows, dims)

    def forward(self, levels: Sequence[Tensor]) -> list[Tensor]:
        """Map the levels, (B, 2R, D), (B, 2R, D/2), (B, 2R, D/4) with image rows first, to their next state."""
        return raise_levels([self._level(number, x) for number, x in enumerate(levels)], self.up)

    def _level(self, number: int, x: Tensor) -> Tensor:
        image, landmark = x.chunk(2, dim=1)
        new_image, _ = self.image_attn[number](image, landmark)
        new_landmark, _ = self.landmark_attn[number](landmark, image)
        streams = self.image_mlp[number](new_image), self.landmark_mlp[number](new_landmark)
        return self.mix[number](torch.cat(streams, dim=1))


class PosterFusion(nn.Module):
    """Image tokens (B, N, D) and landmark tokens (B, N, D) → one vector (B, D).

    Args:
        num_tokens: N of either stream, without CLS.
        embed_dim: D; the levels have D, D/2 and D/4.
        depth: Number of pyramid blocks.
        num_heads: Heads at every level.
        mlp_ratio: Hidden width of an MLP over its level's width.
        mlp_act: Activation of the MLPs.
        drop_path_rate: Rate in the last block; it grows linearly from 0 in the first.
        unread: Build the class token that POSTER has and never reads, frozen.

    Attributes:
        dims: (D, D/2, D/4).
        num_tokens: As given; ``mlp_ratio`` likewise.
        stages: Plan of each pruning block, as in ``PyramidFusion``: there is none.

    Raises:
        ValueError: ``embed_dim`` is not divisible by 4 · ``num_heads``, or ``depth`` is below 1.

    Source: POSTER (``hyp_crossvit.py``): CLS of a stream is the mean of its tokens, the image stream alone has
        positions.
    """

    def __init__(
        self,
        num_tokens: int,
        embed_dim: int,
        depth: int,
        num_heads: int,
        mlp_ratio: float,
        mlp_act: Activation,
        drop_path_rate: float,
        unread: bool = False,
    ) -> None:
        super().__init__()
        check_pyramid(embed_dim, depth, num_heads)
        self.dims = (embed_dim, embed_dim // 2, embed_dim // 4)
        self.num_tokens, self.mlp_ratio = num_tokens, mlp_ratio
        self.stages: dict[int, PruningStage] = {}
        num_rows = 1 + num_tokens
        self.cls_token = nn.Parameter(torch.zeros(1, 1, embed_dim), requires_grad=False) if unread else None
        self.pos_embed = nn.Parameter(torch.zeros(1, num_rows, embed_dim))
        self.down = row_down_samplers(num_rows)
        self.blocks = nn.ModuleList(
            PosterBlock(num_rows, self.dims, num_heads, mlp_ratio, mlp_act, rate)
            for rate in drop_path_rates(drop_path_rate, depth)
        )
        self.norm = nn.LayerNorm(embed_dim, eps=1e-6)

    def forward(self, image: Tensor, landmark: Tensor) -> Tensor:
        """Fuse image and landmark tokens, (B, N, D) each, to a normalised CLS vector (B, D)."""
        image = torch.cat([image.mean(dim=1, keepdim=True), image], dim=1) + self.pos_embed  # (B, 1 + N, D)
        x = torch.cat([image, landmark.mean(dim=1, keepdim=True), landmark], dim=1)  # (B, 2 + 2N, D)
        levels = [x, *(down(x) for down in self.down)]
        for block in self.blocks:
            levels = block(levels)
        return self.norm(levels[0][:, 0])
