"""Channel gate on a feature vector."""

from torch import Tensor, nn


class SqueezeExcitation(nn.Module):
    """Gate a feature vector by itself: x · sigmoid(W₂ ReLU(W₁ x)), (B, D) → (B, D).

    Args:
        dim: Width D.
        reduction: D over the hidden width; 1 keeps the full width.

    Source: Hu et al. 2018, equation 3, without the pooling, as the input has no spatial axes; POSTER uses reduction 1.
    """

    def __init__(self, dim: int, reduction: int = 1) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, dim // reduction)
        self.fc2 = nn.Linear(dim // reduction, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Gate features (B, D)."""
        return x * self.fc2(self.fc1(x).relu()).sigmoid()
