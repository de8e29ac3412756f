"""Networks of ``benchmark`` and their parts: built, fed alone, and their operations counted."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

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


@dataclass(frozen=True)
class Operations:
    """What one image costs.

    Attributes:
        parameters: Numbers that are trained or frozen.
        macs: Multiply-accumulate operations by our own formula; half of torch's count where there is none.
        counted_flops: What torch's counter finds: multiplications and additions of products and convolutions.
    """

    parameters: int
    macs: int
    counted_flops: int


def build(way: NetworkWay, networks: NetworksBenchmark, device: "torch.device | str") -> "nn.Module":
    """Build a network in evaluation mode, on a device; the meta device takes no memory."""
    import torch

    from mien.models import create_model

    with torch.device("meta" if str(device) == "meta" else "cpu"):
        model = create_model(way.architecture, **{"num_classes": networks.num_classes, **way.config})
    layout = torch.channels_last if networks.channels_last else torch.contiguous_format
    return model.eval() if str(device) == "meta" else model.eval().to(device, memory_format=layout)


def draw_images(
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
        paths: Name and attribute of each part. One that the network calls in another way than by ``part(...)``, as
            POSTER its landmark network, gets the images.

    Returns:
        The parts by name, and ``whole``.

    Raises:
        ValueError: The network has no such attribute.
    """
    import torch

    modules = dict(model.named_modules())
    given: dict[str, tuple[Any, ...]] = {}
    handles = []
    for name, path in paths.items():
        if path not in modules:
            raise ValueError(
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
    parts = {name: Part(modules[path], given.get(name, (images,))) for name, path in paths.items()}
    return {WHOLE: Part(model, (images,)), **parts}


def operations(way: NetworkWay, networks: NetworksBenchmark) -> dict[str, Operations]:
    """Count the parameters and operations of a network and of its parts, for one image, without computing.

    Args:
        way: The network.
        networks: Whose parts are counted too.
    """
    paths = networks.parts.get(way.architecture, {})
    model = build(way, networks, "meta")
    images = draw_images(model, 1, networks, "meta")
    formula, by_module = _macs_by_formula(way.architecture, model), _counted_flops(model, images)
    counted: dict[str, Operations] = {}
    for name, path in {WHOLE: "", **paths}.items():
        module = model.get_submodule(path)
        flops = by_module[path] if path in by_module else _counted_flops(module, images)[""]
        macs = getattr(formula, path or "total", flops // 2)
        counted[name] = Operations(sum(p.numel() for p in module.parameters()), macs, flops)
    return counted


def _counted_flops(model: "nn.Module", images: "Tensor") -> dict[str, int]:
    """Torch's count for a network, under the empty name, and for each of its modules that it calls as such."""
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    # the plain kernel of attention: of a fused one the counter sees nothing on the meta device
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model(images)
    by_module = {
        name.partition(".")[2]: sum(counts.values())
        for name, counts in counter.get_flop_counts().items()
        if name.startswith(f"{type(model).__name__}.")
    }
    return {"": counter.get_total_flops(), **by_module}


def _macs_by_formula(architecture: str, model: Any) -> Any:
    """The counts of the architectures that have a formula, each part under its module's name."""
    if architecture == "sae":
        from mien.models.sae_macs import sae_macs

        return sae_macs(model)
    if architecture == "poster":
        from mien.models.sae_macs import poster_macs

        return poster_macs(model)
    if architecture == "fer_former":
        from mien.models.fer_former_macs import fer_former_macs

        return fer_former_macs(model)
    return None
