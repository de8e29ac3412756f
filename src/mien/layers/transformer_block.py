"""Pre-normalised residual attention and MLP, the two halves of a transformer block."""

from torch import Tensor, nn

from mien.layers.cross_attention import CrossAttention
from mien.layers.drop_path import DropPath
from mien.layers.mlp import Activation, Mlp


class ResidualAttention(nn.Module):
    """Pre-normed residual attention of queries to a context; one norm serves both.

    Args:
        dim: Width D.
        num_heads: Attention heads.
        drop_path_rate: Probability of dropping the attention in training.
        query_proj: Project the queries.
        qkv_bias: Whether the projections of queries, keys and values have a bias.
        norm_eps: Added to the variance in the norm.

    Source: Vaswani et al. 2017, with the norm before as in ViT; between two streams, SAE, equations 11 to 16, and
        POSTER's ``hyp_crossvit.py``, where one norm serves both streams of an attention.
    """

    def __init__(
        self,
        dim: int,
        num_heads: int,
        drop_path_rate: float = 0.0,
        query_proj: bool = True,
        qkv_bias: bool = True,
        norm_eps: float = 1e-6,
    ) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim, eps=norm_eps)
        self.attn = CrossAttention(dim, num_heads, query_proj, qkv_bias)
        self.drop_path = DropPath(drop_path_rate)

    def forward(
        self, context: Tensor, query: Tensor, score_first: bool = False, is_causal: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """Add to the first Q tokens of ``context`` (B, N, D) what ``query`` (B, Q, D) attends to in all of it.

        Args:
            context: Tokens that the keys and values are made of, and that the residual carries on.
            query: Tokens that the queries are made of: another stream, or ``context`` or its first tokens for
                self-attention.
            score_first: Also return how the first query spreads its attention.
            is_causal: Query i attends to tokens 0 to i alone.

        Returns:
            The tokens (B, Q, D), and the first query's attention to the context, (B, N), where requested.
        """
        normed = self.norm(context)
        out, scores = self.attn(normed if query is context else self.norm(query), normed, score_first, is_causal)
        return context[:, : query.shape[1]] + self.drop_path(out), scores


class ResidualMlp(nn.Module):
    """Pre-normed residual MLP: (B, N, D) → (B, N, D).

    Args:
        dim: Width D.
        ratio: Hidden width over D.
        act: Activation.
        drop_path_rate: Probability of dropping the MLP in training.
        norm_eps: Added to the variance in the norm.

    Source: Vaswani et al. 2017, with the norm before as in ViT; SAE, equations 18 and 19.
    """

    def __init__(
        self, dim: int, ratio: float, act: Activation = "gelu", drop_path_rate: float = 0.0, norm_eps: float = 1e-6
    ) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim, eps=norm_eps)
        self.mlp = Mlp(dim, ratio, act)
        self.drop_path = DropPath(drop_path_rate)

    def forward(self, x: Tensor) -> Tensor:
        """Add to tokens (B, N, D) their MLP."""
        return x + self.drop_path(self.mlp(self.norm(x)))


class TransformerBlock(nn.Module):
    """Self-attention, then the MLP: (B, N, D) → (B, N, D), or (B, Q, D) for the first Q tokens alone.

    Args:
        dim: Width D.
        num_heads: Attention heads.
        mlp_ratio: Hidden width of the MLP over D.
        mlp_act: Its activation.
        drop_path_rate: Probability of dropping a residual branch in training.
        qkv_bias: Whether the projections of queries, keys and values have a bias.
        norm_eps: Added to the variance in the norms; 1e-5 is torch's own.

    Source: ViT (Dosovitskiy et al. 2021); FER-former's and CLIP's encoders are made of it.

    Example:
        >>> import torch
        >>> TransformerBlock(8, num_heads=2)(torch.zeros(1, 5, 8), num_queries=2).shape
        torch.Size([1, 2, 8])
    """

    def __init__(
        self,
        dim: int,
        num_heads: int,
        mlp_ratio: float = 4.0,
        mlp_act: Activation = "gelu",
        drop_path_rate: float = 0.0,
        qkv_bias: bool = True,
        norm_eps: float = 1e-5,
    ) -> None:
        super().__init__()
        self.attn = ResidualAttention(dim, num_heads, drop_path_rate, qkv_bias=qkv_bias, norm_eps=norm_eps)
        self.mlp = ResidualMlp(dim, mlp_ratio, mlp_act, drop_path_rate, norm_eps)

    def forward(self, x: Tensor, num_queries: int | None = None, is_causal: bool = False) -> Tensor:
        """Map tokens (B, N, D) to their next state.

        Args:
            x: Tokens.
            num_queries: Q, compute the first Q tokens alone, exactly as they are among all; None computes all.
            is_causal: A token attends to itself and those before it alone.
        """
        out, _ = self.attn(x, x if num_queries is None else x[:, :num_queries], is_causal=is_causal)
        return self.mlp(out)
