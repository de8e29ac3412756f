"""POSTER's two-stream pyramid of cross-attention blocks with SAE's token pruning inside."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, cast

import torch
from torch import Tensor, nn

from mien.layers.drop_path import drop_path_rates
from mien.layers.mlp import Activation
from mien.layers.token_pruning import (
    KeepRateMode,
    PruningStage,
    compose_indices,
    prune_tokens,
    pruning_stages,
)
from mien.layers.transformer_block import ResidualAttention, ResidualMlp
from mien.models.row_mixing import raise_levels, row_down_samplers, row_mixers

Alignment = Literal["shared", "per_stream"]
ScoreLevels = Literal["all", "large"]
ClsToken = Literal["mean", "learned"]
RowMixing = Literal["none", "poster"]
Levels = Sequence[Tensor]
"""One stream at its three widths, large first: (B, N, D), (B, N, D/2), (B, N, D/4)."""


@dataclass(frozen=True)
class TokenPruning:
    """How and where tokens are pruned.

    Attributes:
        keep_rate: In (0, 1]; 1 switches pruning off.
        blocks: Blocks that prune, ascending, counted from 0.
        mode: ``final``: ``keep_rate`` is the fraction alive after the last pruning block. ``per_stage``: every pruning
            block keeps that fraction of what it finds.
        alignment: ``shared``: both streams keep the same places, by the mean of their scores. ``per_stream``: each
            keeps its own places, as many as the other.
        score_levels: Average the scores over ``all`` three levels, or read the ``large`` one only.
        renormalize: Scale the scores of the rows after CLS to sum to one.
        fused_competes: An earlier fused token competes with the real ones.

    Raises:
        ValueError: An unknown word, or blocks that do not ascend or are missing where the keep rate needs them.

    Source: SAE, section 3.2. ``shared``, because SAE's equations 15 and 16 add rows of the streams to each other, so
        that row i has to mean the same place in both; equation 17 taken literally is ``per_stream``.
    """

    keep_rate: float = 0.6
    blocks: tuple[int, ...] = (0, 2, 4)
    mode: KeepRateMode = "final"
    alignment: Alignment = "shared"
    score_levels: ScoreLevels = "all"
    renormalize: bool = False
    fused_competes: bool = False

    def __post_init__(self) -> None:
        if self.alignment not in ("shared", "per_stream"):
            raise ValueError(f"unknown alignment {self.alignment!r} of pruning. Use 'shared' or 'per_stream'.")
        if self.score_levels not in ("all", "large"):
            raise ValueError(f"unknown score_levels {self.score_levels!r} of pruning. Use 'all' or 'large'.")
        if list(self.blocks) != sorted(set(self.blocks)):
            raise ValueError(f"prune_blocks {self.blocks} must ascend without repetition, such as (0, 2, 4).")
        if self.keep_rate != 1.0 and not self.blocks:
            raise ValueError(
                f"keep_rate {self.keep_rate} needs prune_blocks, which is empty. Name blocks, or keep_rate 1."
            )

    def stages(self, num_tokens: int, depth: int) -> dict[int, PruningStage]:
        """Plan per pruning block, for ``num_tokens`` tokens and ``depth`` blocks.

        Raises:
            ValueError: A block beyond ``depth``, or a keep rate outside (0, 1].
        """
        if self.blocks and not 0 <= self.blocks[0] <= self.blocks[-1] < depth:
            raise ValueError(
                f"prune_blocks {self.blocks} name a block outside 0..{depth - 1} of depth {depth}. Choose among those."
            )
        plan = pruning_stages(num_tokens, self.keep_rate, len(self.blocks), self.mode, self.fused_competes)
        return dict(zip(self.blocks, plan, strict=True))

    def importance(self, rows: Levels) -> Tensor:
        """Scores (B, N) of the rows after CLS, from CLS's attention (B, 1 + N) at the three levels."""
        chosen = rows if self.score_levels == "all" else rows[:1]
        scores = torch.stack(list(chosen)).mean(dim=0)[:, 1:]
        return scores / scores.sum(dim=1, keepdim=True) if self.renormalize else scores


class PyramidBlock(nn.Module):
    """Both streams at three levels: attend, prune, feed forward, then carry every level up into the next larger one.

    Args:
        dims: Widths D, D/2, D/4 of the levels.
        num_heads: Heads at every level.
        mlp_ratio: Hidden width of an MLP over its level's width.
        mlp_act: Activation of the MLPs.
        drop_path_rate: Probability of dropping a residual branch in training.
        query_proj: Project the queries.
        pruning: How scores are made.
        stage: What this block prunes; None for nothing.
        mixed_rows: Rows of one stream that leave the block, for POSTER's convolutions over those of both; None for
            up-samplers that see one row at a time.

    Source: POSTER, with token-wise linear up-samplers that both streams share in place of its convolutions over a fixed
        number of tokens, for which any keep rate is another network.
    """

    def __init__(
        self,
        dims: Sequence[int],
        num_heads: int,
        mlp_ratio: float,
        mlp_act: Activation,
        drop_path_rate: float,
        query_proj: bool,
        pruning: TokenPruning,
        stage: PruningStage | None,
        mixed_rows: int | None = None,
    ) -> None:
        super().__init__()
        self.image_attn, self.landmark_attn = (
            nn.ModuleList(ResidualAttention(dim, num_heads, drop_path_rate, query_proj) for dim in dims)
            for _ in range(2)
        )
        self.image_mlp, self.landmark_mlp = (
            nn.ModuleList(ResidualMlp(dim, mlp_ratio, mlp_act, drop_path_rate) for dim in dims) for _ in range(2)
        )
        self.mix: nn.ModuleList | None = None
        if mixed_rows is None:
            self.up = nn.ModuleList(nn.Linear(small, large) for large, small in pairwise(dims))
        else:
            self.mix, self.up = row_mixers(mixed_rows, dims)
        self.pruning = pruning
        self.prune_as(stage)

    def prune_as(self, stage: PruningStage | None) -> None:
        """Prune by another plan from now on; None for nothing."""
        self.stage = stage if stage is not None and stage.drops else None

    def forward(
        self, image: Levels, landmark: Levels, cls_only: bool = False
    ) -> tuple[Levels, Levels, tuple[Tensor, Tensor] | None]:
        """Map both streams to their next state.

        Args:
            image: Image stream.
            landmark: Landmark stream.
            cls_only: Compute image CLS alone, which this block's pruning does not touch; landmarks stay as they are.

        Returns:
            Image and landmark levels, and the rows (B, K) after CLS that each stream kept; None where none was dropped.
        """
        if cls_only:
            image, _ = _attend(self.image_attn, image, [x[:, :1] for x in landmark])
            return self._raise(_feed_forward(self.image_mlp, image)), landmark, None
        kept = None
        new_image, image_rows = _attend(self.image_attn, image, landmark, self.stage is not None)
        new_landmark, landmark_rows = _attend(self.landmark_attn, landmark, image, self.stage is not None)
        if self.stage is not None:
            image_scores, landmark_scores = (self.pruning.importance(rows) for rows in (image_rows, landmark_rows))
            if self.pruning.alignment == "shared":
                image_scores = landmark_scores = (image_scores + landmark_scores) / 2
            kept = self.stage.choose(image_scores), self.stage.choose(landmark_scores)
            new_image = [prune_tokens(x, image_scores, kept[0]) for x in new_image]
            new_landmark = [prune_tokens(x, landmark_scores, kept[1]) for x in new_landmark]
        image = _feed_forward(self.image_mlp, new_image)
        landmark = _feed_forward(self.landmark_mlp, new_landmark)
        if self.mix is None:
            return self._raise(image), self._raise(landmark), kept
        both = [torch.cat(streams, dim=1) for streams in zip(image, landmark, strict=True)]  # (B, 2R, D) and narrower
        mixed = self._raise([mix(x) for mix, x in zip(self.mix, both, strict=True)])
        streams = [x.chunk(2, dim=1) for x in mixed]
        return [x for x, _ in streams], [x for _, x in streams], kept

    def _raise(self, levels: Levels) -> list[Tensor]:
        return raise_levels(levels, self.up)


def _feed_forward(mlps: nn.ModuleList, levels: Levels) -> list[Tensor]:
    return [mlp(x) for mlp, x in zip(mlps, levels, strict=True)]


def _attend(
    attention: nn.ModuleList, own: Levels, other: Levels, score_first: bool = False
) -> tuple[list[Tensor], list[Tensor]]:
    pairs = [attn(x, y, score_first) for attn, x, y in zip(attention, own, other, strict=True)]
    return [out for out, _ in pairs], [row for _, row in pairs]


class PyramidFusion(nn.Module):
    """Image tokens (B, N, D) and landmark tokens (B, N, D) → one vector (B, D).

    Args:
        num_tokens: N of either stream, without CLS.
        embed_dim: D; the levels have D, D/2 and D/4.
        depth: Number of pyramid blocks.
        num_heads: Heads at every level.
        mlp_ratio: Hidden width of an MLP over its level's width.
        mlp_act: Activation of the MLPs.
        drop_path_rate: Rate in the last block; it grows linearly from 0 in the first.
        pruning: How and where tokens are pruned.
        query_proj: Project the queries (SAE) or take them as they come (POSTER).
        cls: ``mean``: token 0 of a stream is the mean of its tokens. ``learned``: a parameter per stream.
        last_block_cls_only: Compute only what the output reads of the last block. Same output in evaluation. With
            ``row_mixing`` it reads all of it.
        row_mixing: ``none``: rows meet in attention alone. ``poster``: POSTER's convolutions over the rows of both
            streams, as many as there are left, on the way down to the smaller levels and after every block (ours). Rows
            are no places after the first, so that block 0 alone may prune; and their number cannot change while
            it trains.

    Attributes:
        dims: (D, D/2, D/4).
        num_tokens: As given; ``mlp_ratio``, ``query_proj``, ``last_block_cls_only`` and ``row_mixing`` likewise.
        pruning: As given.
        stages: Plan of each pruning block, by block number.
        training_stages: The plan by which it trains; another one after ``set_training_keep_rate``.
        tokens_per_block: Rows per stream that enter each block and that leave it, (before, after), in evaluation.

    Raises:
        ValueError: ``embed_dim`` is not divisible by 4 · ``num_heads``, or a word, block or rate of pruning is off.

    Source: SAE, section 3.3, on POSTER's ``hyp_crossvit.py``.
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
        pruning: TokenPruning,
        query_proj: bool = True,
        cls: ClsToken = "mean",
        last_block_cls_only: bool = False,
        row_mixing: RowMixing = "none",
    ) -> None:
        super().__init__()
        check_pyramid(embed_dim, depth, num_heads)
        if cls not in ("mean", "learned"):
            raise ValueError(f"unknown cls token {cls!r}. Use 'mean' or 'learned'.")
        dims = (embed_dim, embed_dim // 2, embed_dim // 4)
        self.dims, self.num_tokens, self.row_mixing = dims, num_tokens, row_mixing
        self.mlp_ratio, self.query_proj = mlp_ratio, query_proj
        mixes = row_mixing == "poster"
        self.last_block_cls_only = last_block_cls_only and not mixes
        self.pruning = pruning
        self.stages = self.training_stages = pruning.stages(num_tokens, depth)
        _check_row_mixing(row_mixing, self.stages)
        self.cls_tokens = nn.Parameter(0.02 * torch.randn(2, 1, embed_dim)) if cls == "learned" else None
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + num_tokens, embed_dim))
        if mixes:
            self.down = row_down_samplers(1 + num_tokens)
        else:
            self.down = nn.ModuleList(nn.Linear(embed_dim, dim) for dim in dims[1:])
        rows = [after if mixes else None for _, after in self._tokens_per_block(depth)]
        self.blocks = nn.ModuleList(
            PyramidBlock(
                dims, num_heads, mlp_ratio, mlp_act, rate, query_proj, pruning, self.stages.get(number), rows[number]
            )
            for number, rate in enumerate(drop_path_rates(drop_path_rate, depth))
        )
        self.norm = nn.LayerNorm(embed_dim, eps=1e-6)
        # Unless rows mix, nothing reads the last block's landmark half, so no gradient ever reaches it. Frozen, it
        # keeps the names of a checkpoint the same and distributed training does not wait for what never comes.
        if not mixes:
            last = self.blocks[-1]
            for unread in (last.landmark_attn, last.landmark_mlp):
                unread.requires_grad_(False)

    def set_training_keep_rate(self, keep_rate: float) -> None:
        """Prune at another rate while training. Evaluation, which chooses the best epoch, keeps the model's own.

        Raises:
            ValueError: ``keep_rate`` outside (0, 1], or another one than the model's where ``row_mixing`` fixes the
                number of rows.
        """
        if self.row_mixing == "poster" and keep_rate != self.pruning.keep_rate:
            raise ValueError(
                f"keep rate {keep_rate} in training of a pyramid that mixes the rows left at {self.pruning.keep_rate}: "
                "their number is part of its weights. Train without a warm-up of the keep rate, or set row_mixing none."
            )
        stages = replace(self.pruning, keep_rate=keep_rate).stages(self.num_tokens, len(self.blocks))
        if stages != self.training_stages:
            self.training_stages = stages
            self.train(self.training)

    def train(self, mode: bool = True) -> "PyramidFusion":
        """Set training or evaluation mode, each with its own plan of pruning."""
        super().train(mode)
        for number, block in enumerate(self.blocks):
            cast(PyramidBlock, block).prune_as((self.training_stages if mode else self.stages).get(number))
        return self

    @property
    def tokens_per_block(self) -> tuple[tuple[int, int], ...]:
        """Rows that enter and leave every block, CLS and fused token included."""
        return self._tokens_per_block(len(self.blocks))

    def _tokens_per_block(self, depth: int) -> tuple[tuple[int, int], ...]:
        rows, counts = 1 + self.num_tokens, []
        for number in range(depth):
            stage = self.stages.get(number)
            after = 1 + stage.num_kept + 1 if stage is not None and stage.drops else rows
            counts.append((rows, after))
            rows = after
        return tuple(counts)

    def forward(self, image: Tensor, landmark: Tensor) -> Tensor:
        """Fuse image and landmark tokens, (B, N, D) each, to a normalised CLS vector (B, D)."""
        image_levels, landmark_levels = self._embed(image, landmark)
        last = len(self.blocks) - 1
        for number, block in enumerate(self.blocks):
            cls_only = self.last_block_cls_only and number == last
            image_levels, landmark_levels, _ = block(image_levels, landmark_levels, cls_only)
        return self.norm(image_levels[0][:, 0])

    def kept_tokens(self, image: Tensor, landmark: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Which tokens are alive after each pruning block, as indices into the N tokens that came in.

        Call it in evaluation mode.

        Returns:
            Per pruning block the indices (B, K) of the image and of the landmark stream, ascending in raster order; -1
            stands for a fused token that won a place.
        """
        image_levels, landmark_levels = self._embed(image, landmark)
        origin = torch.arange(self.num_tokens, device=image.device).expand(image.shape[0], -1)
        origins, history = (origin, origin), []
        for number, block in enumerate(self.blocks):
            image_levels, landmark_levels, kept = block(image_levels, landmark_levels)
            if kept is not None:
                origins = compose_indices(origins[0], kept[0]), compose_indices(origins[1], kept[1])
            if number in self.stages:
                num_kept = self.stages[number].num_kept
                history.append((origins[0][:, :num_kept], origins[1][:, :num_kept]))
        return history

    def _embed(self, image: Tensor, landmark: Tensor) -> tuple[Levels, Levels]:
        if self.cls_tokens is None:
            heads = image.mean(dim=1, keepdim=True), landmark.mean(dim=1, keepdim=True)
        else:
            heads = self.cls_tokens[0].expand(image.shape[0], -1, -1), self.cls_tokens[1].expand(image.shape[0], -1, -1)
        image = torch.cat([heads[0], image], dim=1) + self.pos_embed  # (B, 1 + N, D)
        landmark = torch.cat([heads[1], landmark], dim=1)
        if self.row_mixing == "poster":
            both = torch.cat([image, landmark], dim=1)  # (B, 2 + 2N, D)
            levels = [x.chunk(2, dim=1) for x in (both, *(down(both) for down in self.down))]
            return [x for x, _ in levels], [x for _, x in levels]
        return [image, *(down(image) for down in self.down)], [landmark, *(down(landmark) for down in self.down)]


def _check_row_mixing(row_mixing: str, stages: dict[int, PruningStage]) -> None:
    if row_mixing not in ("none", "poster"):
        raise ValueError(f"unknown row_mixing {row_mixing!r} of the pyramid. Use 'none' or 'poster'.")
    late = [number for number, stage in stages.items() if number and stage.drops]
    if row_mixing == "poster" and late:
        raise ValueError(
            f"row_mixing poster and pruning in blocks {late}, whose rows are mixtures of all places, so that none can "
            "be chosen. Let block 0 alone prune (prune_blocks [0]), or use row_mixing none."
        )


def check_pyramid(embed_dim: int, depth: int, num_heads: int) -> None:
    """Check that three levels of halving width can be split among the heads.

    Raises:
        ValueError: ``embed_dim`` is not divisible by 4 · ``num_heads``, or ``depth`` is below 1.
    """
    if embed_dim % (4 * num_heads):
        raise ValueError(
            f"embed_dim {embed_dim} is not divisible by 4 * num_heads, though the smallest pyramid level splits a "
            f"quarter of it among {num_heads} heads. Use a multiple of {4 * num_heads}."
        )
    if depth < 1:
        raise ValueError(f"depth {depth} leaves the pyramid without a block. Use 1 or more; POSTER and SAE have 8.")
