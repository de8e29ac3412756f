"""Operations of any network on one image, counted by torch as it would run them."""

from typing import Any

import torch
from torch import Tensor, nn


def count_macs(model: nn.Module, *inputs: Tensor) -> dict[str, int]:
    """Multiply-accumulate operations of one pass, of the whole and of every module.

    Counted are matrix products, attention's among them, and convolutions; not element-wise operations, norms and
    activations. Nothing is computed where model and inputs live on the meta device. One MAC is two FLOPs: published
    "GFLOPs" may be either, so compare like with like.

    Args:
        model: In evaluation mode.
        *inputs: Its arguments, one sample each.

    Returns:
        By name of module, the empty name for the whole; modules that perform no such operation are left out.

    Example:
        >>> count_macs(nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2)), torch.zeros(1, 3))
        {'': 25, '0': 15, '2': 10}
    """
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    # Attention as two matrix products: the counter does not know every device's fused kernel.
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model(*inputs)
    root = f"{type(model).__name__}."
    by_module = {
        name.removeprefix(root): sum(counts.values()) // 2
        for name, counts in counter.get_flop_counts().items()
        if name.startswith(root)
    }
    return {"": counter.get_total_flops() // 2, **by_module}


def macs_of(architecture: str, config: dict[str, Any]) -> dict[str, int]:
    """``count_macs`` of one image through an architecture, which is built on the meta device.

    Args:
        architecture: Name in ``mien.models.list_models()``.
        config: Its keyword arguments, ``num_classes`` among them.

    Example:
        >>> macs_of("softmax_regression", {"num_classes": 7, "image_size": 48})[""]
        16128
    """
    from mien.models import create_model

    with torch.device("meta"):
        model = create_model(architecture, **config).eval()
        size = int(model.image_size)  # type: ignore[arg-type]  # every architecture of images has one
        return count_macs(model, torch.zeros(1, 3, size, size))
