"""Several networks of face and voice in one, with what fuses their scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mien.errors import MienError

FACE = "face"
"""The member that every system has: it sees single frames."""


class FaceVoice(nn.Module):
    """Members by name, a temperature for each row of scores, weights of the weighted sums.

    Args:
        num_classes: M.
        members: Architecture and configuration of each member, without ``num_classes``; ``face`` must be one.
        rows: Names of the rows of scores that are made of the members' outputs; each has a temperature.
        fusions: Names of the rows that are weighted sums of two others.
        settings: How the members' outputs become a table, JSON-ready. The network itself does not read it; it is kept
            here so that weights and the way of using them are one file.

    ``forward`` takes images (B, 3, S, S) and gives the logits (B, M) of the member ``face``: the exported graph
    evaluates single faces. Fusing is arithmetic on scores, see the pipeline ``sentiment``.

    Raises:
        MienError: No member ``face``.

    Source: Ward's thesis plans a weighted sum of a face's and a voice's scores, after the two streams in Wu et al.
        2016; temperatures, Guo et al. 2017; the logistic fusion, ours for comparison.

    Example:
        >>> face = {"architecture": "lopes_cnn", "config": {}}
        >>> FaceVoice(num_classes=7, members={"face": face})(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 7])
    """

    def __init__(
        self,
        num_classes: int,
        members: Mapping[str, Mapping[str, Any]],
        rows: Sequence[str] = (),
        fusions: Sequence[str] = (),
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        from mien.models import create_model

        super().__init__()
        if FACE not in members:
            raise MienError(
                f"FaceVoice has the members {', '.join(members) or 'none'} and no {FACE}: single frames cannot be "
                "evaluated. Add it."
            )
        built = {
            name: create_model(each["architecture"], num_classes=num_classes, **each["config"])
            for name, each in members.items()
        }
        self.members = nn.ModuleDict(built)
        self.rows, self.fusions, self.settings = tuple(rows), tuple(fusions), dict(settings or {})
        self.register_buffer("temperatures", torch.ones(len(self.rows), dtype=torch.float64))
        self.register_buffer("weights", torch.full((len(self.fusions),), 0.5, dtype=torch.float64))
        self.register_buffer("fused_temperatures", torch.ones(len(self.fusions), dtype=torch.float64))
        self.register_buffer("learned_weight", torch.zeros(num_classes, 2 * num_classes, dtype=torch.float64))
        self.register_buffer("learned_bias", torch.zeros(num_classes, dtype=torch.float64))

    temperatures: Tensor
    weights: Tensor
    fused_temperatures: Tensor
    learned_weight: Tensor
    learned_bias: Tensor

    @property
    def image_size(self) -> int:
        """Side of the faces, in pixels."""
        return self.members[FACE].image_size  # type: ignore[return-value]

    @property
    def mean(self) -> tuple[float, ...]:
        """Mean per channel that images are normalised by."""
        return self.members[FACE].mean  # type: ignore[return-value]

    @property
    def std(self) -> tuple[float, ...]:
        """Standard deviation per channel, likewise."""
        return self.members[FACE].std  # type: ignore[return-value]

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, M) of single faces (B, 3, S, S)."""
        return self.members[FACE](images)

    def features(self, images: Tensor) -> Tensor:
        """The vector (B, D) that the member ``face`` classifies."""
        return self.members[FACE].features(images)  # type: ignore[operator]

    def temperature(self, row: str) -> float:
        """By which a row's log scores are divided before the softmax, those of a weighted sum after it is taken."""
        if row in self.fusions:
            return float(self.fused_temperatures[self.fusions.index(row)])
        return float(self.temperatures[self.rows.index(row)])

    def weight(self, fusion: str) -> float:
        """Of the first of the two scores that a fusion adds."""
        return float(self.weights[self.fusions.index(fusion)])
