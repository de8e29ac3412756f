"""Networks of ``benchmark`` and their parts: built, fed alone, and their operations counted."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from mien.errors import MienError
from mien.pipelines.benchmark.params import WHOLE, NetworksBenchmark, NetworkWay

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


class Part(NamedTuple):
    """A module, and what it is given where the network runs.

    Attributes:
        module: The part, or all of the network.
        inputs: Its arguments.
    """

    module: "nn.Module"
    inputs: "tuple[Tensor, ...]"


class Cost(NamedTuple):
    """What one image costs.

    Attributes:
        parameters: Numbers that are trained or frozen.
        macs: Multiply-accumulate operations (``mien.models.cost``).
    """

    parameters: int
    macs: int


def build(way: NetworkWay, networks: NetworksBenchmark, device: "torch.device | str") -> "nn.Module":
    """Build a network in evaluation mode, on a device; the meta device takes no memory."""
    import torch

    from mien.models import create_model

    with torch.device("meta" if str(device) == "meta" else "cpu"):
        model = create_model(way.architecture, **{"num_classes": networks.num_classes, **way.config})
    layout = torch.channels_last if networks.channels_last else torch.contiguous_format
    return model.eval() if str(device) == "meta" else model.eval().to(device, memory_format=layout)


def random_images(
    model: "nn.Module", batch_size: int, networks: NetworksBenchmark, device: "torch.device | str"
) -> "Tensor":
    """Random images (B, 3, H, H) of the size that a network takes."""
    import torch

    size = (batch_size, 3, model.image_size, model.image_size)
    if str(device) == "meta":
        return torch.empty(size, device=device)
    layout = torch.channels_last if networks.channels_last else torch.contiguous_format
    images = torch.randn(size, generator=torch.Generator().manual_seed(networks.seed))
    return images.to(device, memory_format=layout)


def parts_of(model: "nn.Module", images: "Tensor", paths: Mapping[str, str]) -> dict[str, Part]:
    """Run a network once and keep what each of its parts is given.

    Args:
        model: The network.
        images: What it is given, (B, 3, H, H).
        paths: Name and attribute of each part.

    Returns:
        The parts by name, and ``whole``.

    Raises:
        MienError: The network has no such attribute.
    """
    import torch

    modules = dict(model.named_modules())
    given: dict[str, tuple[Any, ...]] = {}
    handles = []
    for name, path in paths.items():
        if path not in modules:
            raise MienError(
                f"{type(model).__name__} has no module {path!r}, which benchmark.networks.parts gives as {name}. "
                f"Choose among {', '.join(name for name, _ in model.named_children())}."
            )
        handles.append(modules[path].register_forward_pre_hook(lambda _, x, name=name: given.setdefault(name, x)))
    try:
        with torch.no_grad():
            model(images)
    finally:
        for handle in handles:
            handle.remove()
    parts = {name: Part(modules[path], given[name]) for name, path in paths.items()}
    return {WHOLE: Part(model, (images,)), **parts}


def costs(way: NetworkWay, networks: NetworksBenchmark) -> dict[str, Cost]:
    """Count the parameters and operations of a network and of its parts, for one image, without computing.

    Args:
        way: The network.
        networks: Whose parts are counted too.
    """
    from mien.models.cost import count_macs

    model = build(way, networks, "meta")
    macs = count_macs(model, random_images(model, 1, networks, "meta"))
    paths = {WHOLE: "", **networks.parts.get(way.architecture, {})}
    return {
        name: Cost(sum(p.numel() for p in model.get_submodule(path).parameters()), macs.get(path, 0))
        for name, path in paths.items()
    }
