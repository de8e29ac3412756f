"""Operations of any network on one image, counted by torch as it would run them."""

from typing import Any

import torch


def counted_macs(architecture: str, config: dict[str, Any]) -> int:
    """Multiply-accumulate operations of one image, half of what torch's counter of FLOPs finds; nothing is computed.

    Args:
        architecture: Name in ``mien.models.list_models()``.
        config: Its keyword arguments, ``num_classes`` among them.

    Source: ours, because one counter for all networks can be held against each network's own; it counts matrix products
        and convolutions only, as those do.

    Example:
        >>> counted_macs("softmax_regression", {"num_classes": 7, "image_size": 48})
        16128
    """
    from torch.utils.flop_counter import FlopCounterMode

    from mien.models import create_model

    with torch.device("meta"):
        model = create_model(architecture, **config).eval()
        size = int(model.image_size)  # type: ignore[arg-type]  # every architecture has one
        images = torch.zeros(1, 3, size, size)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(images)
    return counter.get_total_flops() // 2
