"""A Fabric that computes in float16 with a gradient scaler on the CPU, where ``make_fabric`` gives none."""

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision


def scaled_fabric(init_scale: float = 2.0**16) -> Fabric:
    """As ``16-mixed`` is on a GPU, starting with a scale of one's own."""
    scaler = torch.amp.GradScaler("cpu", init_scale=init_scale)
    return Fabric(accelerator="cpu", devices=1, plugins=MixedPrecision("16-mixed", "cpu", scaler=scaler))


def scale_of(fabric: Fabric) -> float:
    """By what the fabric scales the next loss."""
    return fabric.strategy.precision.scaler.get_scale()
