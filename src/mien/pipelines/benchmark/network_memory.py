"""How much memory a network takes while it computes."""

import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from mien.pipelines.benchmark.params import NetworksBenchmark, NetworkWay

if TYPE_CHECKING:
    import torch

MEGABYTE = 1e6


def peak_memory(way: NetworkWay, networks: NetworksBenchmark, device: "torch.device") -> float:
    """Most memory above the weights while one batch passes through, in MB.

    On a GPU it is what torch's allocator held. On a CPU it is by how much the greatest size of a fresh process grew
    during its first pass, with all that this brings along, because memory that other networks gave back in this
    process would hide it.

    Args:
        way: The network.
        networks: Size of the batch, threads and memory layout.
        device: Where it computes.

    Returns:
        NaN where the operating system does not tell.

    Source: ours, because torch's profiler on a CPU misses what oneDNN allocates by itself.
    """
    if device.type == "cuda":
        return _peak_on_gpu(way, networks, device)
    if sys.platform == "win32":
        return float("nan")
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(_growth, way, networks).result()


def _peak_on_gpu(way: NetworkWay, networks: NetworksBenchmark, device: "torch.device") -> float:
    import torch

    from mien.pipelines.benchmark.network_parts import build, random_images

    model = build(way, networks, device)
    images = random_images(model, networks.memory_batch_size, networks, device)
    held = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    with torch.no_grad():
        model(images)
    return (torch.cuda.max_memory_allocated(device) - held) / MEGABYTE


def _growth(way: NetworkWay, networks: NetworksBenchmark) -> float:
    """Runs in a process of its own."""
    import torch

    from mien.pipelines.benchmark.network_parts import build, random_images

    torch.set_num_threads(min(networks.threads))
    model = build(way, networks, "cpu")
    images = random_images(model, networks.memory_batch_size, networks, "cpu")
    before = _greatest_size()
    with torch.no_grad():
        model(images)
    return (_greatest_size() - before) / MEGABYTE


def _greatest_size() -> int:
    """Bytes of memory that this process has held at the most."""
    status = Path("/proc/self/status")  # Linux, where rusage of a process begins with what its parent held
    if status.is_file():
        peak = next(line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith("VmHWM:"))
        return 1024 * int(peak.split()[1])
    import resource

    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else 1024 * size
