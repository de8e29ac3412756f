"""The text side: features of a fixed list of prompts, by CLIP's text tower or by a table."""

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from mien.errors import MienError
from mien.layers.transformer_block import TransformerBlock


class TextEncoder(nn.Module):
    """What every text side does: called without an argument, it gives the features (M, E) of its M prompts.

    They depend on no image. Where no gradient can reach the weights, because it is switched off or they are frozen,
    the features are computed once and kept until a weight changes, whoever changes it.

    Args:
        embed_dim: E.

    Attributes:
        embed_dim: E.
    """

    def __init__(self, embed_dim: int) -> None:
        super().__init__()
        self.embed_dim = embed_dim
        self._kept: tuple[Any, Tensor] | None = None

    def encode(self) -> Tensor:
        """Compute the features (M, E)."""
        raise NotImplementedError

    def forward(self) -> Tensor:
        """Features (M, E) of the prompts, computed or as kept."""
        learning = torch.is_grad_enabled() and any(p.requires_grad for p in self.parameters())
        if learning or torch.compiler.is_compiling():
            return self.encode()
        state = self._state()
        if self._kept is None or self._kept[0] != state:
            with torch.inference_mode(False), torch.no_grad():  # a kept inference tensor could not serve training
                self._kept = state, self.encode()
        return self._kept[1]

    def _state(self) -> tuple[Any, ...]:
        """Changes whenever a weight is written to, replaced or moved."""
        weights = list(self.parameters())
        device = weights[0].device.type
        halved = torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)
        return halved, device, *((p.data_ptr(), p._version) for p in weights)


class PromptTable(TextEncoder):
    """A learned vector per prompt, whatever it says.

    Args:
        num_prompts: M.
        embed_dim: E.

    Source: ours, because the network must run without CLIP's weights; it steers by classes that are points of their
        own, without what words have in common.
    """

    def __init__(self, num_prompts: int, embed_dim: int) -> None:
        super().__init__(embed_dim)
        self.weight = nn.Parameter(torch.randn(num_prompts, embed_dim))

    def encode(self) -> Tensor:
        """The table (M, E)."""
        return self.weight


class TextTower(nn.Module):
    """CLIP's text transformer: token ids (P, T) → features (P, E).

    Causal self-attention over token and position embeddings; the feature is the normalised last token, projected. The
    defaults are those of ViT-B/32: 63.43 M parameters.

    Args:
        vocab_size: V.
        context_length: Most tokens of a text.
        width: Width of a token.
        depth: Number of blocks.
        num_heads: Heads; divides ``width``.
        embed_dim: E.

    Attributes:
        context_length: As given; ``embed_dim``, ``num_heads``, ``width`` likewise.

    Raises:
        MienError: A size below 1, or heads that do not divide the width.

    Source: Radford et al. 2021, ``clip/model.py`` of openai/CLIP, with its initialisation.
    """

    def __init__(
        self,
        vocab_size: int = 49_408,
        context_length: int = 77,
        width: int = 512,
        depth: int = 12,
        num_heads: int = 8,
        embed_dim: int = 512,
    ) -> None:
        super().__init__()
        sizes = {"vocab_size": vocab_size, "context_length": context_length, "width": width, "depth": depth}
        sizes |= {"num_heads": num_heads, "embed_dim": embed_dim}
        if min(sizes.values()) < 1:
            raise MienError(f"text tower got {sizes}, and none of them may be below 1. CLIP ViT-B/32 has 512 wide, 12.")
        self.context_length, self.width, self.embed_dim, self.num_heads = context_length, width, embed_dim, num_heads
        self.token_embedding = nn.Embedding(vocab_size, width)
        self.position_embedding = nn.Parameter(torch.empty(context_length, width))
        blocks = [TransformerBlock(width, num_heads, mlp_act="quick_gelu") for _ in range(depth)]
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.LayerNorm(width)
        self.proj = nn.Linear(width, embed_dim, bias=False)
        self._initialise(blocks)

    def _initialise(self, blocks: Sequence[TransformerBlock]) -> None:
        width, depth = self.width, len(blocks)
        nn.init.normal_(self.token_embedding.weight, std=0.02)
        nn.init.normal_(self.position_embedding, std=0.01)
        nn.init.normal_(self.proj.weight, std=width**-0.5)
        for block in blocks:
            attention, mlp = block.attn.attn, block.mlp.mlp
            for linear in (attention.q, attention.kv, attention.proj, mlp.fc1, mlp.fc2):
                nn.init.zeros_(cast(nn.Linear, linear).bias)
            for linear in (attention.q, attention.kv):
                nn.init.normal_(cast(nn.Linear, linear).weight, std=width**-0.5)
            for linear in (attention.proj, mlp.fc2):
                nn.init.normal_(linear.weight, std=(2 * depth * width) ** -0.5)
            nn.init.normal_(mlp.fc1.weight, std=(2 * width) ** -0.5)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map token ids (P, T), each text ending in its highest id, to features (P, E); what follows is not read."""
        x = self.token_embedding(tokens) + self.position_embedding[: tokens.shape[1]]  # (P, T, width)
        for block in self.blocks:
            x = block(x, is_causal=True)
        ends = x[torch.arange(x.shape[0], device=x.device), tokens.argmax(dim=1)]
        return self.proj(self.norm(ends))


class PromptTower(TextEncoder):
    """Features of prompts by a text tower.

    Args:
        tower: The tower.
        tokens: Token ids per prompt, from its start to its end; the end has the highest id. Causality makes what
            follows an end worthless, so that no text is padded beyond the longest.

    Raises:
        MienError: A prompt is longer than the tower's context, has an id outside its vocabulary, or does not end in
            its highest id.
    """

    tokens: Tensor

    def __init__(self, tower: TextTower, tokens: Sequence[Sequence[int]]) -> None:
        super().__init__(tower.embed_dim)
        _check_tokens(tokens, tower.context_length, tower.token_embedding.num_embeddings)
        self.tower = tower
        longest = max(len(ids) for ids in tokens)
        padded = [[*ids, *[ids[-1]] * (longest - len(ids))] for ids in tokens]
        self.register_buffer("tokens", torch.tensor(padded), persistent=False)

    def encode(self) -> Tensor:
        """Features (M, E) of the prompts."""
        return self.tower(self.tokens)


def _check_tokens(tokens: Sequence[Sequence[int]], context_length: int, vocab_size: int) -> None:
    for number, ids in enumerate(tokens):
        if not 2 <= len(ids) <= context_length:
            raise MienError(
                f"prompt {number} has {len(ids)} tokens with start and end, and the text tower's context is "
                f"{context_length}. Shorten the prompt, or set text_context_length."
            )
        if min(ids) < 0 or max(ids) >= vocab_size:
            raise MienError(
                f"prompt {number} has token ids {min(ids)} to {max(ids)}, outside 0 to {vocab_size - 1} of the text "
                "tower's vocabulary. Set text_vocab_size to the tokenizer's."
            )
        if ids.index(max(ids)) != len(ids) - 1:
            raise MienError(
                f"prompt {number} with tokens {list(ids)} does not end in its highest id, by which the tower finds the "
                "end. Use CLIP's tokenizer, whose end of text is its last id."
            )
