"""Principal components as a layer: fitted once, then fixed."""

import torch
from torch import Tensor, nn

from mien.errors import MienError


class PrincipalComponents(nn.Module):
    """Project vectors onto the directions of most variance: (B, D) → (B, K).

    Args:
        num_inputs: D.
        num_components: K, at most D.

    Attributes:
        mean: (D,) what is subtracted.
        directions: (K, D) orthonormal rows, the direction of most variance first.
        explained: (K,) share of the whole variance along each.

    As built all are 0; ``fit`` fills them.

    Source: the decomposition is scikit-learn's ``PCA``.
    """

    mean: Tensor
    directions: Tensor
    explained: Tensor

    def __init__(self, num_inputs: int, num_components: int) -> None:
        super().__init__()
        if not 1 <= num_components <= num_inputs:
            raise MienError(
                f"{num_components} principal components of {num_inputs} inputs: give from 1 to as many as there are "
                "inputs."
            )
        self.register_buffer("mean", torch.zeros(num_inputs))
        self.register_buffer("directions", torch.zeros(num_components, num_inputs))
        self.register_buffer("explained", torch.zeros(num_components))

    def fit(self, vectors: Tensor, seed: int = 0) -> None:
        """Find the directions of the rows of ``vectors`` (n, D).

        Args:
            vectors: The training vectors and no others.
            seed: Of the solver.

        Raises:
            MienError: Fewer rows than components.
        """
        from sklearn.decomposition import PCA

        num_components = len(self.directions)
        if len(vectors) < num_components:
            raise MienError(
                f"{len(vectors)} training samples for {num_components} principal components: there are no more "
                "directions than samples. Set model.num_components lower, or give more training samples."
            )
        found = PCA(num_components, random_state=seed).fit(vectors.double().numpy())
        with torch.no_grad():
            self.mean.copy_(torch.from_numpy(found.mean_))
            self.directions.copy_(torch.from_numpy(found.components_))
            self.explained.copy_(torch.from_numpy(found.explained_variance_ratio_))

    def forward(self, vectors: Tensor) -> Tensor:
        """Coordinates (B, K) of vectors (B, D)."""
        return (vectors - self.mean) @ self.directions.T

    def restore(self, coordinates: Tensor) -> Tensor:
        """Vectors (B, D) that the first k of the coordinates, (B, k), describe."""
        return self.mean + coordinates @ self.directions[: coordinates.shape[1]]
