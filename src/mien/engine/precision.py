"""Gradients under mixed precision: scaled so that float16 holds them, unscaled before anybody looks at them."""

from typing import TYPE_CHECKING, Any

from torch.optim import Optimizer

from mien.errors import DivergedError

if TYPE_CHECKING:
    from lightning_fabric import Fabric

LEAST_SCALE = 1.0
"""Where a gradient overflows at this scale, float16 cannot hold it as it is: to halve the scale further mends nothing.

Source: torch.amp.GradScaler.update, which warns of a scale below 1.
"""


class GradientScaling:
    """The gradient scaler of a Fabric, which ``16-mixed`` has. Without one, gradients are never scaled.

    It keeps nothing of its own: the scale and its growth belong to the Fabric's precision plugin.

    Args:
        fabric: Whose backward pass scales the loss.

    Example:
        >>> from lightning_fabric import Fabric
        >>> GradientScaling(Fabric(accelerator="cpu", precision="bf16-mixed")).at_work
        False
    """

    def __init__(self, fabric: "Fabric") -> None:
        self._precision = fabric.strategy.precision
        scaler = getattr(self._precision, "scaler", None)  # an attribute of mixed precision alone
        self._scaler = scaler if scaler is not None and scaler.is_enabled() else None

    @property
    def at_work(self) -> bool:
        """Whether gradients come scaled from the backward pass."""
        return self._scaler is not None

    def unscale(self, optimizer: Optimizer) -> None:
        """Divide the gradients of an optimiser's parameters by the scale, once between two steps."""
        self._precision.unscale_gradients(optimizer)

    def step(self, stepper: Any, where: str) -> bool:
        """Let the optimiser step, unless the scaler finds that gradients have overflowed; it then lowers the scale.

        Args:
            stepper: The optimiser as Fabric gave it back.
            where: Named by an error.

        Returns:
            Whether the step was taken.

        Raises:
            DivergedError: Gradients overflow even at ``LEAST_SCALE``, after many skipped steps in a row.
        """
        if self._scaler is None:
            stepper.step()
            return True
        before = self._scaler.get_scale()
        stepper.step()
        taken = self._scaler.get_scale() >= before  # torch's own sign of a skipped step
        if not taken and before <= LEAST_SCALE:
            raise DivergedError(
                f"Gradients overflow float16 in {where}, though steps were skipped until the loss was scaled by no "
                f"more than {before:g}. Set training.device.precision to bf16-mixed or 32-true, or lower "
                "training.optimizer.lr."
            )
        return taken

    def state_dict(self) -> dict[str, Any]:
        """Scale and growth, for a checkpoint; empty without a scaler."""
        return self._precision.state_dict() if self.at_work else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what ``state_dict`` gave."""
        if self.at_work:
            self._precision.load_state_dict(state)
