"""A trained network with everything that rebuilds it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Network:
    """A model, the configuration that builds it anew, and the names of its outputs.

    Attributes:
        architecture: Name in ``mien.models.list_models()``.
        config: Keyword arguments of ``mien.models.create_model``; JSON-ready.
        class_names: Names of the M classes, in the order of the outputs.
        model: The module itself, on the CPU.
    """

    architecture: str
    config: dict[str, Any]
    class_names: tuple[str, ...]
    model: "nn.Module"
