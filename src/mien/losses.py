"""Training losses."""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from mien.errors import MienError
from mien.labels import NUM_LANDMARKS

NOT_ACCEPTED = 0.001
"""Weight of a class without a share, beside 1 of one with a share, so that no logarithm is of 0.

Source: FER+'s ``src/ferplus.py``.
"""


def negative_log_likelihood(log_p: Tensor, target: Tensor, any_accepted: bool = False) -> Tensor:
    """Mean negative log likelihood of class ids, or what stands for it where a target is a share of each class.

    - Ids (B,): -log p of the class.
    - Shares (B, M): Σ_k t_k · -log p_k, the cross-entropy of the shares.
    - Shares and ``any_accepted``: -log max_k(w_k p_k), where w is 1 for classes with a share and 0.001 for the others.
      Where a class without a share is predicted a thousand times likelier than each with one, it is the maximum.

    The share 1 of a single class costs what its id does, by the last rule unless another class is that much likelier.

    Args:
        log_p: Logarithms (B, M) of the predicted probabilities.
        target: Ids (B,) int64 or shares (B, M), which add up to 1.
        any_accepted: Take all classes with a share for equally right.

    Raises:
        MienError: Shares are of another shape than the predictions.

    Source: FER+'s ``src/train.py`` and ``src/ferplus.py``; Barsoum et al. 2016, section 4.

    Example:
        >>> log_p = torch.log(torch.tensor([[0.5, 0.25, 0.25]]))
        >>> shares = torch.tensor([[0.0, 0.75, 0.25]])
        >>> [round(negative_log_likelihood(log_p, shares, each).item(), 4) for each in (False, True)]  # both log 4
        [1.3863, 1.3863]
    """
    if target.ndim == 1:
        return nn.functional.nll_loss(log_p, target)
    if target.shape != log_p.shape:
        raise MienError(
            f"shares of shape {tuple(target.shape)} do not fit predictions of shape {tuple(log_p.shape)}. Give each "
            "sample one share per class of the network, or its class id."
        )
    if any_accepted:
        weights = torch.where(target > 0, 1.0, NOT_ACCEPTED)
        return -(log_p + weights.log()).amax(dim=1).mean()
    return -(target * log_p).sum(dim=1).mean()


class ExpressionLoss(nn.Module):
    """Cross-entropy plus label-smoothed cross-entropy, averaged over the batch: logits (B, M), targets → scalar.

    The smoothed term is (1 - ε) · NLL + ε · mean over classes of -log p. ``smoothing_weight=0`` is plain cross-entropy.
    Targets are class ids (B,) or shares of the classes (B, M); in both terms NLL is ``negative_log_likelihood`` of
    them. For cross-entropy that is the usual smoothing, of the shares: (1 - ε) t + ε / M.

    Args:
        ce_weight: Weight of plain cross-entropy.
        smoothing_weight: Weight of the smoothed term.
        smoothing: ε in [0, 1).
        any_accepted: Take all classes with a share for equally right; class ids are not touched by it.

    Raises:
        MienError: ``smoothing`` outside [0, 1), a negative weight, or both weights zero.

    Source: POSTER ``train.py`` and ``utils.py``: 1 · CE + 2 · smoothed CE with ε = 0.2.

    Example:
        >>> round(ExpressionLoss()(torch.zeros(1, 7), torch.tensor([3])).item(), 4)  # 3 log 7
        5.8377
    """

    def __init__(
        self,
        ce_weight: float = 1.0,
        smoothing_weight: float = 2.0,
        smoothing: float = 0.2,
        any_accepted: bool = False,
    ) -> None:
        super().__init__()
        if not 0.0 <= smoothing < 1.0:
            raise MienError(f"smoothing {smoothing} is outside [0, 1). Use a small share such as 0.1 or 0.2.")
        if min(ce_weight, smoothing_weight) < 0 or ce_weight + smoothing_weight == 0:
            raise MienError(
                f"loss weights ce_weight {ce_weight} and smoothing_weight {smoothing_weight} must not be negative, "
                "nor both 0. Use 1 and 0 for plain cross-entropy, 1 and 2 for POSTER's loss."
            )
        self.ce_weight = ce_weight
        self.smoothing_weight = smoothing_weight
        self.smoothing = smoothing
        self.any_accepted = any_accepted

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Mean loss of ``logits`` (B, M) against class ids ``target`` (B,), int64, or shares (B, M)."""
        log_p = torch.log_softmax(logits, dim=1)
        nll = negative_log_likelihood(log_p, target, self.any_accepted)
        smoothed = (1 - self.smoothing) * nll - self.smoothing * log_p.mean()
        return self.ce_weight * nll + self.smoothing_weight * smoothed


class JointLoss(nn.Module):
    """Cross-entropies of FER-former's heads, added: outputs (B, H, M), targets → scalar.

    Targets are class ids (B,) or shares of the classes (B, M), the same for both heads: ``negative_log_likelihood``.

    Args:
        class_weight: Weight of the first head's, the paper's L_image.
        steering_weight: Weight of the second head's, L_text; unused where a model has no second head.
        any_accepted: Take all classes with a share for equally right; class ids are not touched by it.

    Raises:
        MienError: A negative weight, or both zero; outputs that are not of one or two heads.

    Source: FER-former, equations 3 and 4 and their sum.

    Example:
        >>> round(JointLoss()(torch.zeros(1, 2, 7), torch.tensor([3])).item(), 4)  # 2 log 7
        3.8918
    """

    def __init__(self, class_weight: float = 1.0, steering_weight: float = 1.0, any_accepted: bool = False) -> None:
        super().__init__()
        if min(class_weight, steering_weight) < 0 or class_weight + steering_weight == 0:
            raise MienError(
                f"loss weights class_weight {class_weight} and steering_weight {steering_weight} must not be negative, "
                "nor both 0. Use 1 and 1 for the paper's joint loss."
            )
        self.weights = class_weight, steering_weight
        self.any_accepted = any_accepted

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Mean loss of ``logits`` (B, H, M) against class ids ``target`` (B,), int64, or shares (B, M)."""
        if logits.ndim != 3 or not 1 <= logits.shape[1] <= 2:
            raise MienError(
                f"the joint loss got outputs of shape {tuple(logits.shape)}, but takes (B, H, M) of one or two heads. "
                "Train FER-former with it, and models of one output with ExpressionLoss."
            )
        costs = []
        for weight, head in zip(self.weights, logits.unbind(dim=1), strict=False):
            log_p = torch.log_softmax(head, dim=1)
            costs.append(weight * negative_log_likelihood(log_p, target, self.any_accepted))
        return torch.stack(costs).sum()


class LandmarkLoss(nn.Module):
    """Distance of predicted landmarks from known ones: outputs (B, 136), targets (B, 68, 2) → scalar.

    Wing loss is w ln(1 + |x| / ε) below w and goes on as |x|: its gradient grows as an error shrinks, which suits
    landmarks that are exact.

    Args:
        name: ``wing`` or ``l1``.
        width: w of the wing loss, in sides of the face crop.
        curvature: ε of the wing loss, likewise.

    Raises:
        MienError: An unknown name, or a number out of range.

    Source: Feng et al., "Wing Loss for Robust Facial Landmark Localisation with Convolutional Neural Networks", CVPR
        2018, equation 5.

    Example:
        >>> round(LandmarkLoss("l1")(torch.full((1, 136), 0.75), torch.full((1, 68, 2), 0.5)).item(), 4)
        0.25
    """

    def __init__(self, name: Literal["wing", "l1"] = "wing", width: float = 0.09, curvature: float = 0.018) -> None:
        super().__init__()
        if name not in ("wing", "l1") or min(width, curvature) <= 0:
            raise MienError(
                f"landmark loss got name {name!r}, width {width}, curvature {curvature}. "
                "Use wing or l1, and a width and a curvature above 0."
            )
        self.name, self.width, self.curvature = name, width, curvature
        # What continues the logarithm without a step
        self._offset = width - width * math.log(1 + width / curvature)

    def forward(self, outputs: Tensor, target: Tensor) -> Tensor:
        """Mean loss over all coordinates."""
        error = (outputs.view(len(outputs), NUM_LANDMARKS, 2) - target).abs()
        if self.name == "wing":
            inside = self.width * torch.log1p(error / self.curvature)
            error = torch.where(error < self.width, inside, error - self._offset)
        return error.sum() / error.numel()


class AttributeLoss(nn.Module):
    """Loss of predicted attributes: outputs (B, M), targets (B, T) whole numbers, or (B,) for one → scalar.

    A number costs its squared error over ``scale``², a class its cross-entropy; several add up.

    Args:
        outputs: How many outputs each of the T attributes has, 1 for a number.
        scale: By how much numbers spread.

    Source: mean squared error and cross-entropy are the paper's, "Age, Gender and Ethnicity Recognition"; adding them
    up is ours.

    Example:
        >>> loss = AttributeLoss(outputs=(1, 2), scale=10.0)
        >>> round(loss(torch.tensor([[30.0, 0.0, 0.0]]), torch.tensor([[20, 1]])).item(), 4)  # 1 + log 2
        1.6931
    """

    def __init__(self, outputs: Sequence[int], scale: float = 1.0) -> None:
        super().__init__()
        if not outputs or min(outputs) < 1 or scale <= 0:
            raise MienError(
                f"AttributeLoss of outputs {list(outputs)} with scale {scale}: give at least one output for each "
                "attribute, and a scale above 0."
            )
        self.outputs, self.scale = tuple(outputs), scale

    def forward(self, outputs: Tensor, target: Tensor) -> Tensor:
        """Mean loss of ``outputs`` (B, M) against ``target`` (B, T) or (B,)."""
        parts = outputs.split(self.outputs, dim=1)
        targets = target.reshape(len(outputs), -1).unbind(dim=1)
        return torch.stack([self._of(part, each) for part, each in zip(parts, targets, strict=True)]).sum()

    def _of(self, outputs: Tensor, target: Tensor) -> Tensor:
        if outputs.shape[1] == 1:
            return nn.functional.mse_loss(outputs[:, 0] / self.scale, target / self.scale)
        return nn.functional.cross_entropy(outputs, target)


def critic_loss(real: Tensor | None, made: Tensor, kind: Literal["bce", "hinge"]) -> Tensor:
    """What a critic minimises: real images are to score high, made ones low.

    Args:
        real: Logits of real images; None leaves them out.
        made: Logits of generated images, or of others to be rejected.
        kind: ``bce`` is binary cross-entropy (Goodfellow et al. 2014), ``hinge`` is Lim and Ye's (2017).

    Example:
        >>> critic_loss(torch.tensor([2.0]), torch.tensor([0.5]), "hinge").item()
        1.5
    """
    sides = [(made, 1.0)] if real is None else [(real, -1.0), (made, 1.0)]
    if kind == "hinge":
        return torch.stack([nn.functional.relu(1 + sign * logits).mean() for logits, sign in sides]).sum()
    return torch.stack([nn.functional.softplus(sign * logits).mean() for logits, sign in sides]).sum()


def generator_loss(made: Tensor, kind: Literal["bce", "hinge"]) -> Tensor:
    """What a generator minimises by the critic's logits of its images, of either kind of ``critic_loss``.

    Example:
        >>> round(generator_loss(torch.tensor([0.0]), "bce").item(), 4)  # log 2
        0.6931
    """
    return -made.mean() if kind == "hinge" else nn.functional.softplus(-made).mean()
