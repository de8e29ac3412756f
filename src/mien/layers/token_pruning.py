"""Keeping the tokens that the class token attends to, and fusing the rest into one.

A sequence is [CLS, tokens in raster order, fused token once there is one]. Every count is a Python integer that is
known before any image is seen, so shapes are static and compilers can follow.

Source: EViT (Liang et al. 2022) and SAE, equations 5 to 10.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from mien.errors import MienError


@dataclass(frozen=True)
class PruningStage:
    """What one pruning block does to the tokens that follow CLS.

    Attributes:
        num_candidates: How many of them, counted from the first, compete to be kept. A token after them is an earlier
            fused token, which goes into the new one.
        num_kept: K, how many stay. Where K equals ``num_candidates`` nothing is dropped and no token is fused.
    """

    num_candidates: int
    num_kept: int

    @property
    def drops(self) -> bool:
        """Whether the block removes any token."""
        return self.num_kept < self.num_candidates

    def choose(self, scores: Tensor) -> Tensor:
        """Indices (B, K), ascending, of the tokens after CLS that stay, by their scores (B, N)."""
        return top_k_ascending(scores[:, : self.num_candidates], self.num_kept)


def pruning_stages(num_tokens: int, keep_rate: float, num_stages: int) -> tuple[PruningStage, ...]:
    """Plan how many of ``num_tokens`` tokens each of ``num_stages`` pruning blocks keeps.

    The keep rate is the fraction alive after the last stage: stage s of S keeps
    ceil(num_tokens · keep_rate^(s/S)). A product that is whole but for rounding, such as 100 · 0.07, is taken as whole;
    EViT's literal ceil keeps one token more there: in 54 of the 39,500 cases of 1 to 395 tokens at rates of 0.01 to
    1.00.

    Args:
        num_tokens: Tokens before the first stage, without CLS.
        keep_rate: In (0, 1]. 1 keeps everything.
        num_stages: S, the number of pruning blocks.

    Raises:
        MienError: ``keep_rate`` outside (0, 1].

    Example:
        >>> [stage.num_kept for stage in pruning_stages(49, 0.6, num_stages=3)]
        [42, 35, 30]
    """
    if not 0.0 < keep_rate <= 1.0:
        raise MienError(
            f"keep_rate {keep_rate} is outside (0, 1]. It is the fraction of tokens that stay; 1 switches pruning off."
        )
    stages: list[PruningStage] = []
    alive = num_tokens
    for number in range(1, num_stages + 1):
        share = num_tokens * keep_rate ** (number / num_stages)
        # a product that is whole but for rounding, such as 100 * 0.07, must not gain a token
        stages.append(PruningStage(alive, alive if keep_rate == 1.0 else max(1, math.ceil(share - 1e-9))))
        alive = stages[-1].num_kept
    return tuple(stages)


def warmed_up_keep_rate(keep_rate: float, epoch: int, start_epoch: int, epochs: int) -> float:
    """Keep rate of an epoch whose training begins with all tokens.

    It is 1 for ``start_epoch`` epochs and falls to ``keep_rate`` by half a cosine over the next ``epochs``.

    Args:
        keep_rate: Where it ends, in (0, 1].
        epoch: Counted from 0.
        start_epoch: Epochs without pruning.
        epochs: Epochs of the fall; with 0 the rate is ``keep_rate`` from ``start_epoch`` on.

    Raises:
        MienError: A negative number of epochs.

    Source: EViT's training from scratch, with 10 and 100 of 300 epochs. It sets the rate anew at every step; here an
        epoch has one, so that shapes change, and compilers start again, once per epoch at most.

    Example:
        >>> [round(warmed_up_keep_rate(0.5, epoch, start_epoch=1, epochs=4), 3) for epoch in range(7)]
        [1.0, 1.0, 0.927, 0.75, 0.573, 0.5, 0.5]
    """
    if start_epoch < 0 or epochs < 0:
        raise MienError(
            f"the keep rate's warm-up got {start_epoch} epochs without pruning and {epochs} of falling. "
            "Neither may be negative; 0 and 0 is none."
        )
    if epoch < start_epoch:
        return 1.0
    if epoch >= start_epoch + epochs:
        return keep_rate
    return keep_rate + (1 - keep_rate) * (1 + math.cos(math.pi * (epoch - start_epoch) / epochs)) / 2


def top_k_ascending(scores: Tensor, k: int) -> Tensor:
    """Indices (B, K) of the ``k`` highest of ``scores`` (B, N), ascending; among equals the lower index wins.

    Source: ours, because ascending order keeps raster order and EViT's order by score says nothing more to attention.
    """
    ranked = torch.sort(scores, dim=1, descending=True, stable=True).indices
    return ranked[:, :k].sort(dim=1).values


def gather_tokens(tokens: Tensor, index: Tensor) -> Tensor:
    """Pick the tokens ``index`` (B, K) of ``tokens`` (B, N, D): (B, K, D)."""
    return tokens.gather(1, index.unsqueeze(-1).expand(-1, -1, tokens.shape[-1]))


def fuse_dropped(tokens: Tensor, scores: Tensor, kept: Tensor) -> Tensor:
    """Sum the tokens that are not kept, each weighted by its score, into one token (B, 1, D).

    Args:
        tokens: Tokens after CLS, (B, N, D).
        scores: Their importance, (B, N). The only way by which a gradient reaches the scores.
        kept: Indices (B, K) of the tokens that stay.

    Source: SAE, equation 9; the weights are not renormalised, as in EViT.
    """
    weights = scores.scatter(1, kept, 0.0)  # (B, N)
    return weights.unsqueeze(1) @ tokens


def prune_tokens(sequence: Tensor, scores: Tensor, kept: Tensor) -> Tensor:
    """Reduce a sequence (B, 1 + N, D) to [CLS, kept tokens, fused token], (B, 1 + K + 1, D).

    Args:
        sequence: CLS and N tokens.
        scores: Importance of the N tokens, (B, N).
        kept: Indices (B, K) into the N tokens.

    Source: SAE, equation 10.
    """
    cls, tokens = sequence[:, :1], sequence[:, 1:]
    return torch.cat([cls, gather_tokens(tokens, kept), fuse_dropped(tokens, scores, kept)], dim=1)
