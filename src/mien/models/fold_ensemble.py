"""All nets of a cross-validation in one module, which as a whole predicts by those of its best row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mien.errors import MienError
from mien.models.comp_cnn import CompCNN


class FoldEnsemble(nn.Module):
    """CompCNNs by trial, seed and name, and the support vector machines on top of some of them.

    Args:
        num_classes: M; 2 where there are stacks.
        networks: arguments of ``CompCNN`` by name of the net, without ``num_classes``.
        stacks: names of the nets whose features a linear support vector machine joins, by its name.
        trainings: (trial, seed) of every net that there is.
        primary: name of the net or stack that ``forward`` uses; its weights alone take gradients.
        voters: the trials whose nets ``forward`` averages over.
        crop_from: side in pixels to which images are resized before their middle is cut out.

    ``forward`` takes (B, K, H, H) and gives logits (B, M): the logarithm of the mean of the voters' probabilities.

    Raises:
        MienError: ``primary`` is neither net nor stack, or no training votes.

    Source: ours, so that a cross-validation is one network to the rest of the project.
    """

    def __init__(
        self,
        num_classes: int,
        networks: Mapping[str, Mapping[str, Any]],
        stacks: Mapping[str, Sequence[str]],
        trainings: Sequence[Sequence[Any]],
        primary: str,
        voters: Sequence[str],
        crop_from: int = 48,
    ) -> None:
        super().__init__()
        if primary not in networks and primary not in stacks:
            known = ", ".join([*networks, *stacks])
            raise MienError(f"FoldEnsemble has no net or stack {primary!r} to predict with. Choose from: {known}.")
        self.stacks = {name: tuple(of) for name, of in stacks.items()}
        self.trainings = [(str(trial), int(seed)) for trial, seed in trainings]
        self.primary, self.crop_from = primary, crop_from
        self.voters = [(trial, seed) for trial, seed in self.trainings if trial in voters]
        if not self.voters:
            raise MienError(f"None of the trainings {self.trainings} is of the trials {list(voters)}: name one.")
        self.nets = nn.ModuleDict()
        self.margins = nn.ModuleDict()
        for trial, seed in self.trainings:
            for name, config in networks.items():
                self.nets[member_key(trial, seed, name)] = CompCNN(num_classes, **config)
            for name, of in self.stacks.items():
                width = sum(self.net(trial, seed, each).head.in_features for each in of)
                self.margins[member_key(trial, seed, name)] = LinearMargin(width)
        used = {member_key(*voter, name) for voter in self.voters for name in self.stacks.get(primary, (primary,))}
        for key, net in self.nets.items():
            net.requires_grad_(key in used)
            if primary in self.stacks:
                net.head.requires_grad_(False)  # the margin takes its place
        first: Any = next(iter(self.nets.values()))
        self.input_shape, self.image_size = first.input_shape, first.image_size
        self.num_frames, self.mean, self.std = first.num_frames, first.mean, first.std

    def net(self, trial: str, seed: int, name: str) -> CompCNN:
        """One of the nets."""
        net: CompCNN = self.nets[member_key(trial, seed, name)]  # type: ignore[assignment]  # a dict of plain modules
        return net

    def margin(self, trial: str, seed: int, name: str) -> LinearMargin:
        """One of the support vector machines."""
        margin: LinearMargin = self.margins[member_key(trial, seed, name)]  # type: ignore[assignment]  # likewise
        return margin

    def forward(self, frames: Tensor) -> Tensor:
        """Logits (B, M) of sequences (B, K, H, H)."""
        votes = [torch.softmax(self._logits(*voter, frames), dim=1) for voter in self.voters]
        return torch.log(torch.stack(votes).mean(dim=0).clamp_min(1e-12))

    def _logits(self, trial: str, seed: int, frames: Tensor) -> Tensor:
        if self.primary not in self.stacks:
            return self.net(trial, seed, self.primary)(frames)
        features = [self.net(trial, seed, name).features(frames) for name in self.stacks[self.primary]]
        return self.margin(trial, seed, self.primary)(torch.cat(features, dim=1))


class LinearMargin(nn.Module):
    """A linear support vector machine on standardised features: (B, D) → logits (B, 2), minus and plus half the margin.

    Args:
        in_features: D.

    The larger logit is the side of the margin that a sample lies on; softmax makes of it the logistic function of the
    margin, which orders samples but is not calibrated. Before it is fitted everything lies on the margin.
    """

    mean: Tensor
    scale: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(self, in_features: int) -> None:
        super().__init__()
        for name in ("mean", "weight"):
            self.register_buffer(name, torch.zeros(in_features))
        self.register_buffer("scale", torch.ones(in_features))
        self.register_buffer("bias", torch.zeros(()))

    def forward(self, features: Tensor) -> Tensor:
        """Logits (B, 2) of features (B, D)."""
        margin = ((features - self.mean) / self.scale) @ self.weight + self.bias
        return torch.stack([-margin / 2, margin / 2], dim=1)


def member_key(trial: str, seed: int, name: str) -> str:
    """Name of one net in the module.

    Example:
        >>> member_key("fold_3", 0, "sub_1")
        'fold_3__seed_0__sub_1'
    """
    return f"{trial}__seed_{seed}__{name}"
