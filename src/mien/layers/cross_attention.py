"""Multi-head attention of one token sequence to another."""

import torch
from torch import Tensor, nn

from mien.errors import MienError


class CrossAttention(nn.Module):
    """Queries from one sequence, keys and values from another, one output token per query.

    The full attention matrix is never built. Where scores are requested, only the first query's attention is computed
    beside the fused kernel: it is all that token pruning reads.

    Args:
        dim: Width D of both sequences.
        num_heads: Number of heads; divides D.
        query_proj: Project the queries by W_Q. Without it they are used as they come.
        qkv_bias: Whether the projections of queries, keys and values have a bias.

    Raises:
        MienError: ``dim`` is not divisible by ``num_heads``.

    Source: SAE, equations 11 to 14; POSTER (``hyp_crossvit.py``) is ``query_proj=False``.
    """

    def __init__(self, dim: int, num_heads: int, query_proj: bool = True, qkv_bias: bool = True) -> None:
        super().__init__()
        if dim % num_heads:
            raise MienError(f"dim {dim} is not divisible by num_heads {num_heads}. Choose a multiple of the heads.")
        self.num_heads = num_heads
        self.scale = (dim // num_heads) ** -0.5
        self.q = nn.Linear(dim, dim, bias=qkv_bias) if query_proj else nn.Identity()
        self.kv = nn.Linear(dim, 2 * dim, bias=qkv_bias)
        self.proj = nn.Linear(dim, dim)

    def forward(
        self, query: Tensor, context: Tensor, score_first: bool = False, is_causal: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """Attend from ``query`` (B, Q, D) to ``context`` (B, N, D).

        Args:
            query: Tokens that the queries are made of.
            context: Tokens that the keys and values are made of.
            score_first: Also return how the first query spreads its attention; ``is_causal`` does not limit that.
            is_causal: Query i attends to tokens 0 to i alone.

        Returns:
            The attended tokens (B, Q, D), and the first query's attention to the N tokens averaged over heads, (B, N),
            which sums to one; None unless requested.
        """
        q = self._split_heads(self.q(query))  # (B, heads, Q, D/heads)
        k, v = (self._split_heads(part) for part in self.kv(context).chunk(2, dim=-1))
        out = nn.functional.scaled_dot_product_attention(q, k, v, scale=self.scale, is_causal=is_causal)
        out = self.proj(out.transpose(1, 2).flatten(2))
        if not score_first:
            return out, None
        scores = torch.softmax(q[:, :, :1] * self.scale @ k.transpose(-2, -1), dim=-1)  # (B, heads, 1, N)
        return out, scores.mean(dim=1).squeeze(1)

    def _split_heads(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
