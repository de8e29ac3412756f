"""Devices, precision and processes, all through Lightning Fabric."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import torch

from mien.errors import MienError

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]


def make_fabric(accelerator: str = "auto", devices: int = 1, precision: Precision = "32-true") -> "Fabric":
    """Build the Fabric that places models and batches and runs the backward pass.

    Args:
        accelerator: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        devices: Processes, one per device. More than one are spawned from inside the call to ``Fabric.launch``, so that
            a Kedro session stays one process.
        precision: Fabric's word: ``32-true``, ``bf16-mixed`` or ``16-mixed``.

    Raises:
        MienError: The accelerator, that number of devices or that precision is not there.
    """
    from lightning_fabric import Fabric

    for name in ("lightning_fabric", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    if accelerator == "cuda" and torch.cuda.device_count() < devices:
        raise MienError(
            f"{devices} CUDA device(s) requested, {torch.cuda.device_count()} found on this machine. "
            "Set <system>.training.device.accelerator, or prediction's likewise, to cpu or auto, "
            "<system>.training.device.devices to what there is, or install torch's CUDA build."
        )
    options: dict[str, Any] = {"strategy": "ddp_spawn"} if devices > 1 else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Fabric advises on cluster settings that are the caller's choice
        fabric = Fabric(accelerator=accelerator, devices=devices, precision=precision, **options)
    if fabric.strategy.precision.precision != precision:  # Fabric takes bf16-mixed for 16-mixed on a CPU
        raise MienError(
            f"Precision {precision} is not to be had on this machine's {fabric.device.type}. "
            "Set <system>.training.device.precision, or prediction's likewise, to bf16-mixed or 32-true."
        )
    return fabric


def numeric_settings(fabric: "Fabric") -> dict[str, Any]:
    """What of a Fabric changes the numbers that training gives by more than rounding.

    The kind of device has random numbers of its own, the processes share the batches and have seeds and batch
    statistics of their own, precision rounds to another number of bits.

    Example:
        >>> numeric_settings(make_fabric("cpu"))
        {'device': 'cpu', 'processes': 1, 'precision': '32-true'}
    """
    precision = fabric.strategy.precision.precision
    return {"device": fabric.device.type, "processes": fabric.world_size, "precision": precision}


@contextmanager
def limited_threads(threads: int) -> Iterator[None]:
    """Let torch compute on at most so many threads within the block; 0 leaves its own choice.

    Small convolutions gain little from a second thread, and lose most of their speed where another program holds its
    core, because OpenMP's threads wait for each other at every operation.

    Example:
        >>> with limited_threads(1):
        ...     torch.get_num_threads()
        1
    """
    before = torch.get_num_threads()
    if threads:
        torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
