"""The machine that something is timed on."""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mien.pipelines.benchmark.words import counted


def machine(accelerator: str = "cpu") -> str:
    """Processor and cores, the GPU where one computes, and torch's version.

    Args:
        accelerator: Torch's type of the device that computes.
    """
    import torch

    info = Path("/proc/cpuinfo")  # Linux; elsewhere Python knows the name
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    name = names[0] if names else platform.processor() or platform.machine()
    gpu = f"{torch.cuda.get_device_name()}, " if accelerator == "cuda" else ""
    return f"{gpu}{name}, {counted(os.cpu_count() or 1, 'core')}, torch {torch.__version__.split('+')[0]}"


@contextmanager
def computing_on(threads: int) -> Iterator[None]:
    """Let torch and OpenCV compute on so many threads within the block."""
    import cv2

    from mien.engine.device import limited_threads

    before = cv2.getNumThreads()
    cv2.setNumThreads(threads)
    try:
        with limited_threads(threads):
            yield
    finally:
        cv2.setNumThreads(before)
