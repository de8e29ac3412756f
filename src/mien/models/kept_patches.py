"""Which patches of a face a token-pruning network keeps, as a network of its own."""

from typing import Literal

from torch import Tensor, nn

from mien.models.poster import Poster
from mien.models.sae import SAE

Stream = Literal["image", "landmark"]


class KeptPatches(nn.Module):
    """What is left of the grid after each pruning block: (B, 3, H, H) → (B, S, N), 1 for a patch that is alive, else 0.

    Patch i lies in row i // √N and column i % √N. A fused token that won a place is no patch, so a row may add up to
    one less than the tokens that were kept. Without a pruning block S is 0.

    Args:
        model: The network.
        stream: Whose tokens; the two differ only with ``alignment="per_stream"``.

    Attributes:
        image_size: The model's, ``mean`` and ``std`` likewise: faces are prepared as for the model.

    Source: ours, because what applies a network to faces wants one tensor of a fixed shape.

    Example:
        >>> import torch
        >>> small = SAE(7, image_size=64, embed_dim=64, depth=2, prune_blocks=(0, 1), keep_rate=0.25,
        ...             backbone_widths=(8, 16, 32), backbone_units=(1, 1, 1), landmark_widths=(8, 16, 16, 64),
        ...             landmark_units=(1, 1, 1))
        >>> KeptPatches(small).eval()(torch.zeros(2, 3, 64, 64)).sum(dim=2).tolist()
        [[8.0, 4.0], [8.0, 4.0]]
    """

    def __init__(self, model: SAE | Poster, stream: Stream = "image") -> None:
        super().__init__()
        self.model, self.stream = model, stream
        self.image_size, self.mean, self.std = model.image_size, model.mean, model.std

    def forward(self, x: Tensor) -> Tensor:
        """Mark the patches of normalised images (B, 3, H, H) that are alive, (B, S, N)."""
        stages = self.model.kept_tokens(x, self.stream)
        num_patches = self.model.fusion.num_tokens
        # the last column takes in what is no patch, -1
        alive = x.new_zeros(len(x), len(stages), num_patches + 1)
        for number, kept in enumerate(stages):
            alive[:, number].scatter_(1, kept % (num_patches + 1), 1.0)
        return alive[..., :num_patches]
