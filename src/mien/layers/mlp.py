"""Token-wise feed-forward network."""

from typing import Literal

from torch import Tensor, nn

from mien.errors import MienError

Activation = Literal["gelu", "quick_gelu"]


class QuickGELU(nn.Module):
    """x · sigmoid(1.702 x), elementwise.

    Source: Hendrycks and Gimpel 2016, the sigmoid approximation of GELU, with which CLIP was trained.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map any shape to itself."""
        return x * (1.702 * x).sigmoid()


_ACTIVATIONS: dict[str, type[nn.Module]] = {"gelu": nn.GELU, "quick_gelu": QuickGELU}


class Mlp(nn.Module):
    """Linear, activation, linear on every token: (B, N, D) → (B, N, D).

    Args:
        dim: Width D of a token.
        ratio: Hidden width over D.
        act: Activation in between.

    Raises:
        MienError: Unknown activation.

    Source: Vaswani et al. 2017, section 3.3; ViT's with GELU.
    """

    def __init__(self, dim: int, ratio: float = 4.0, act: Activation = "gelu") -> None:
        super().__init__()
        if act not in _ACTIVATIONS:
            raise MienError(f"unknown MLP activation {act!r}. Use one of {', '.join(sorted(_ACTIVATIONS))}.")
        self.fc1 = nn.Linear(dim, int(dim * ratio))
        self.act = _ACTIVATIONS[act]()
        self.fc2 = nn.Linear(int(dim * ratio), dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (B, N, D) to (B, N, D)."""
        return self.fc2(self.act(self.fc1(x)))
