"""Optimisers and learning-rate schedules by name, and sharpness-aware minimisation around any of them."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import ConstantLR, CosineAnnealingLR, ExponentialLR, LRScheduler, StepLR

from mien.errors import MienError

OPTIMIZERS: dict[str, type[Optimizer]] = {"adam": Adam, "adamw": AdamW, "sgd": SGD}
SCHEDULERS = ("constant", "cosine", "exponential", "step")


class SAM(Optimizer):
    """Sharpness-aware minimisation: descend by the gradient taken at the worst nearby weights.

    Weights move to w + rho · g / ‖g‖, with the norm over all parameters of all groups together, the gradient is taken
    again there, the weights return exactly, and the base optimiser steps with the second gradient. SAM keeps nothing
    between steps: parameter groups, state and ``state_dict`` are the base optimiser's own, so schedulers, checkpoints
    and Lightning Fabric treat it like any optimiser.

    Args:
        base: The optimiser that steps.
        rho: Radius, above 0.
        bn_both_passes: Whether the second forward pass updates running statistics of batch normalisation too, as in
            POSTER; whoever runs it reads this.

    Raises:
        MienError: ``rho`` is not positive, or ``perturbed`` is entered before any gradient was computed.

    Source: Foret et al. 2021, equation 2, algorithm 1; the non-adaptive form of davda54/sam.

    Example:
        >>> weight = nn.Parameter(torch.tensor([1.0]))
        >>> optimizer = SAM(SGD([weight], lr=0.1), rho=0.5)
        >>> (weight**2).sum().backward()  # gradient 2
        >>> with optimizer.perturbed():  # weight is 1.5 here
        ...     (weight**2).sum().backward()  # gradient 3
        >>> optimizer.step()
        >>> weight.data
        tensor([0.7000])
    """

    def __init__(self, base: Optimizer, rho: float = 0.05, bn_both_passes: bool = False) -> None:
        if not rho > 0:
            raise MienError(f"SAM's rho {rho} must be above 0, such as 0.05. Use the base optimiser alone for no SAM.")
        super().__init__(base.param_groups, base.defaults)
        self.rho = rho
        self.bn_both_passes = bn_both_passes
        self.base = base
        self._share()

    def _share(self) -> None:
        self.param_groups, self.state = self.base.param_groups, self.base.state

    @contextmanager
    def perturbed(self) -> Iterator[None]:
        """Hold the weights at w + rho · g / ‖g‖ with cleared gradients, and put w back at the end, whatever happens."""
        parameters = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        if not parameters:
            raise MienError("SAM.perturbed() found no gradient. Call backward() on the loss before entering it.")
        gradients: list[Tensor] = [p.grad for p in parameters]
        norms = torch.stack([torch.linalg.vector_norm(g, dtype=torch.float32) for g in gradients])
        scale = self.rho / (torch.linalg.vector_norm(norms) + 1e-12)
        originals = [p.detach().clone() for p in parameters]
        with torch.no_grad():
            for p, gradient in zip(parameters, gradients, strict=True):
                p.add_(gradient * scale.to(gradient))
        self.zero_grad()
        try:
            yield
        finally:
            with torch.no_grad():
                for p, original in zip(parameters, originals, strict=True):
                    p.copy_(original)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Let the base optimiser step with the gradients at hand."""
        return self.base.step(closure)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the base optimiser."""
        self.base.load_state_dict(state_dict)
        self._share()


@contextmanager
def frozen_batch_norm_statistics(model: nn.Module) -> Iterator[None]:
    """Let batch normalisation of ``model`` normalise as in its mode, but leave running statistics and counters alone.

    Source: davda54/sam advises it for SAM's second pass, whose weights are not the model's.
    """
    tracking = [module for module in model.modules() if isinstance(module, _BatchNorm) and module.track_running_stats]
    for module in tracking:
        module.track_running_stats = False
    try:
        yield
    finally:
        for module in tracking:
            module.track_running_stats = True


def build_optimizer(
    name: str,
    parameters: Iterable[Tensor] | Iterable[dict[str, Any]],
    lr: float,
    weight_decay: float = 0.0,
    momentum: float = 0.0,
    sam_rho: float = 0.0,
    bn_both_passes: bool = False,
) -> Optimizer:
    """Build an optimiser by name.

    Args:
        name: ``adam``, ``adamw`` or ``sgd``.
        parameters: Parameters, or groups of them that may have their own ``lr``.
        lr: Learning rate.
        weight_decay: L2 penalty; decoupled with ``adamw``.
        momentum: For ``sgd`` only.
        sam_rho: Radius of ``SAM`` around the optimiser; 0 for none.
        bn_both_passes: Of ``SAM``: whether its second pass updates running statistics of batch normalisation too.

    Raises:
        MienError: Unknown name, a negative number, momentum for an optimiser that has none, or ``bn_both_passes``
            without SAM.
    """
    if name not in OPTIMIZERS:
        raise MienError(f"unknown optimizer {name!r}. Use one of {', '.join(OPTIMIZERS)}.")
    if min(lr, weight_decay, momentum, sam_rho) < 0:
        raise MienError(
            f"optimizer {name} got lr {lr}, weight_decay {weight_decay}, momentum {momentum}, sam_rho {sam_rho}. "
            "None of them may be negative."
        )
    if momentum and name != "sgd":
        raise MienError(f"optimizer {name} has no momentum, but got {momentum}. Set momentum 0 or optimizer sgd.")
    if bn_both_passes and not sam_rho:
        raise MienError(
            f"optimizer {name} got bn_both_passes, but sam_rho 0 leaves it one pass. Set sam_rho above 0, such as "
            "0.05, or bn_both_passes to false."
        )
    options = {"momentum": momentum} if name == "sgd" else {}
    base = OPTIMIZERS[name](parameters, lr=lr, weight_decay=weight_decay, **options)  # type: ignore[call-arg, arg-type]
    return SAM(base, sam_rho, bn_both_passes) if sam_rho else base


def build_scheduler(
    name: str,
    optimizer: Optimizer,
    *,
    max_epochs: int,
    gamma: float = 0.1,
    step_size: int = 30,
) -> LRScheduler:
    """Build a learning-rate schedule by name; call its ``step`` once after every epoch.

    Args:
        name: ``exponential``: times ``gamma`` every epoch. ``step``: times ``gamma`` every ``step_size`` epochs.
            ``cosine``: half a cosine down to 0 over ``max_epochs``. ``constant``.
        optimizer: Whose groups it acts on.
        max_epochs: Length of training.
        gamma: Factor in (0, 1].
        step_size: Epochs between two steps.

    Raises:
        MienError: Unknown name or a number out of range.
    """
    if name not in SCHEDULERS:
        raise MienError(f"unknown scheduler {name!r}. Use one of {', '.join(SCHEDULERS)}.")
    if not 0 < gamma <= 1 or step_size < 1 or max_epochs < 1:
        raise MienError(
            f"scheduler {name} got gamma {gamma}, step_size {step_size}, max_epochs {max_epochs}. "
            "gamma must lie in (0, 1], the other two must be 1 or more."
        )
    if name == "exponential":
        return ExponentialLR(optimizer, gamma)
    if name == "step":
        return StepLR(optimizer, step_size, gamma)
    if name == "cosine":
        return CosineAnnealingLR(optimizer, max_epochs)
    return ConstantLR(optimizer, factor=1.0)
