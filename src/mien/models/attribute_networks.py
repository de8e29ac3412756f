"""Several networks for attributes of a face as one: each answers for itself, the answers stand in a row."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from mien.errors import MienError
from mien.layers.principal_components import PrincipalComponents

INPUTS = ("image", "pixels", "components")
"""What a member reads: the grey image (B, 1, H, H), its pixels (B, H * H), or their principal components (B, K)."""


class AttributeNetworks(nn.Module):
    """Members by name, and the principal components that some of them read.

    Args:
        members: By name: ``architecture`` and ``config`` of ``mien.models.create_model``, and ``reads``, one of
            ``INPUTS``.
        num_outputs: By name, how many outputs each member has.
        num_components: K; None for no principal components.
        image_size: Side of the images, in pixels.

    ``forward`` takes (B, C, image_size, image_size) in [0, 1], whose channels are averaged to grey, and gives the
    outputs of all members in their order, (B, sum of outputs).

    Raises:
        MienError: No member, or one that reads what there is not.
    """

    mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)  # pixels over 255, as in the paper

    def __init__(
        self,
        members: Mapping[str, Mapping[str, Any]],
        num_outputs: Mapping[str, int],
        num_components: int | None = None,
        image_size: int = 48,
    ) -> None:
        from mien.models import create_model

        super().__init__()
        if not members or members.keys() != num_outputs.keys():
            raise MienError(f"Members {list(members)} with outputs of {list(num_outputs)}: give both for each.")
        for name, member in members.items():
            known = INPUTS if num_components else INPUTS[:2]
            if member["reads"] not in known:
                raise MienError(f"Member {name} reads {member['reads']!r}. There are here: {', '.join(known)}.")
        self.image_size = image_size
        self.reads = {name: str(member["reads"]) for name, member in members.items()}
        self.num_outputs = dict(num_outputs)
        self.components = PrincipalComponents(image_size**2, num_components) if num_components else None
        built = {name: create_model(member["architecture"], **member["config"]) for name, member in members.items()}
        self.members = nn.ModuleDict(built)

    def forward(self, images: Tensor) -> Tensor:
        """Outputs of all members (B, M) of images (B, C, H, H)."""
        return torch.cat([member(self.inputs(images, name)) for name, member in self.members.items()], dim=1)

    def inputs(self, images: Tensor, name: str) -> Tensor:
        """What a member reads of images (B, C, H, H)."""
        grey = images.mean(dim=1, keepdim=True)
        if self.reads[name] == "image":
            return grey
        pixels = torch.flatten(grey, 1)
        if self.reads[name] == "pixels" or self.components is None:
            return pixels
        return self.components(pixels)

    def columns(self, name: str) -> slice:
        """Where a member's outputs stand among all."""
        before = list(self.num_outputs)[: list(self.num_outputs).index(name)]
        start = sum(self.num_outputs[each] for each in before)
        return slice(start, start + self.num_outputs[name])
