"""Ways to run one module again and again on the same inputs."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from mien.errors import MienError

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

Mode = Literal["eager", "compiled", "graph"]
"""``eager``, ``compiled`` by ``torch.compile``, or ``graph``: the kernels recorded in a CUDA graph and replayed."""

BenchmarkPrecision = Literal["32-true", "bf16-mixed"]

WARM_UPS = 3
"""Passes before a graph is recorded, in which libraries choose their kernels; as many as torch's manual takes."""


def runner(
    module: "nn.Module",
    inputs: "tuple[Tensor, ...]",
    mode: Mode,
    precision: BenchmarkPrecision,
    device: "torch.device",
) -> Callable[[], Any]:
    """A function that passes the inputs through the module once, and gives what comes out.

    Args:
        module: In evaluation mode.
        inputs: Its arguments, on the device.
        mode: How it is run; ``graph`` on a GPU alone.
        precision: ``bf16-mixed`` multiplies matrices and convolves in bfloat16.
        device: Where it computes.

    Raises:
        MienError: A CUDA graph without a GPU.
    """
    import torch

    if mode == "graph" and device.type != "cuda":
        raise MienError(
            f"mode graph replays a CUDA graph, but benchmark.networks computes on {device.type}. "
            "Take graph out of benchmark.networks.modes, or run on a machine with a GPU."
        )
    run = torch.compile(module, fullgraph=True, dynamic=False) if mode == "compiled" else module

    def once() -> Any:
        # casts that are kept from one pass to the next would lie outside of a recorded graph
        with torch.autocast(device.type, torch.bfloat16, precision == "bf16-mixed", cache_enabled=mode != "graph"):
            return run(*inputs)

    return _recorded(once) if mode == "graph" else once


def _recorded(once: Callable[[], Any]) -> Callable[[], Any]:
    import torch

    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.no_grad(), torch.cuda.stream(side):
        for _ in range(WARM_UPS):
            once()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.no_grad(), torch.cuda.graph(graph):
        output = once()

    # a graph reads its inputs where they lay, and would read another's memory once nothing held them
    def replay(holds_the_inputs: Callable[[], Any] = once) -> Any:
        graph.replay()
        return output

    return replay
