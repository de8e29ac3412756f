"""Loading a user's checkpoint into a module whose names may differ from it by a prefix."""

import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mien.errors import MienError
from mien.models.network import Network

CONTAINERS = ("state_dict", "model_state_dict", "model")
"""Keys under which training scripts keep a state dict within a checkpoint."""

_NESTED_UNIT = re.compile(r"\bbody\.?(\d+)\.(\d+)\.")


@dataclass(frozen=True)
class WeightsReport:
    """What came of loading a checkpoint, by the names of the module's tensors.

    Attributes:
        matched: Loaded.
        missing: In the module, not in the file.
        unexpected: In the file, not in the module.
        mismatched: In both, of different shape; not loaded.
    """

    matched: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    mismatched: tuple[str, ...]

    def summary(self) -> str:
        """Say it in one line, such as ``loaded 292 of 292 tensors; missing 0; unexpected 64 (body.21 …)``."""
        parts = [
            f"loaded {len(self.matched)} of {len(self.matched) + len(self.missing) + len(self.mismatched)} tensors"
        ]
        for word in ("missing", "unexpected", "mismatched"):
            names = getattr(self, word)
            parts.append(f"{word} {len(names)}" + (f" ({names[0]}{' …' if len(names) > 1 else ''})" if names else ""))
        return "; ".join(parts)


def load_weights(module: nn.Module, path: str | Path) -> WeightsReport:
    """Load a checkpoint file into ``module`` by name and shape.

    The file is a state dict, or a checkpoint that holds one under ``state_dict``, ``model_state_dict`` or ``model``,
    written by torch or as safetensors; no code in it is run. Prefixes such as ``module.`` are stripped: that one is
    taken under which most names fit. Units numbered per stage (``body1.0``, ``body2.0`` …) are renumbered through.

    Args:
        module: Where the weights go, on any device.
        path: The file.

    Returns:
        What matched and what did not. A partial match is loaded; the caller evaluates whether it is enough.

    Raises:
        MienError: No such file, not a checkpoint, no tensor of it fits, or one that does is refused by
            ``check_values``. Then nothing is loaded.
    """
    source, target = _renumber_units(read_tensors(Path(path))), module.state_dict()
    weights, report = _match(source, target)
    if not weights:
        raise _nothing_fits(path, source, module, report)
    check_values(weights, path, target)
    module.load_state_dict(weights, strict=False)
    return report


def load_network(module: nn.Module, network: Network) -> WeightsReport:
    """Fill all of ``module`` with the weights of a trained network that contains it, by name and shape.

    Args:
        module: Where the weights go: the same architecture, or a part of it such as one without the head.
        network: Where they come from; it is not changed.

    Returns:
        What matched; what the network has beyond the module is unexpected.

    Raises:
        MienError: A tensor of the module is not in the network, has another shape there, or is refused by
            ``check_values``. Then nothing is loaded.

    Example:
        >>> from mien.models.mobilefacenet import MobileFaceNet
        >>> sizes = {"widths": (4, 4, 4, 8), "units": (1, 1, 1), "image_size": 32}
        >>> network = Network("mobilefacenet", {}, (), MobileFaceNet(**sizes))
        >>> load_network(MobileFaceNet(**sizes, num_outputs=None), network).missing
        ()
    """
    source, target = network.model.state_dict(), module.state_dict()
    weights, report = _match(source, target)
    if report.missing or report.mismatched:
        differing = (*report.mismatched, *report.missing)
        there = tuple(source[differing[0]].shape) if report.mismatched else "nothing"
        raise MienError(
            f"the trained {network.architecture} does not fill {type(module).__name__}: {len(differing)} of "
            f"{len(target)} tensors differ, the first is {differing[0]}, of shape {tuple(target[differing[0]].shape)} "
            f"here and {there} there. Set widths, units and image size of both to the same values, and train the "
            "network that is read again."
        )
    check_values(weights, f"the trained {network.architecture}", target)
    module.load_state_dict(weights)
    return report


def load_classifier(
    model: nn.Module, path: str | Path, *, load_head: bool = True, rename: Callable[[str], str] = str
) -> WeightsReport:
    """Load a checkpoint of a whole classifier, whose last layer is ``model.head``, by name and shape.

    Args:
        model: Where the weights go, on any device.
        path: The file, as for ``load_weights``.
        load_head: False leaves the head as it is, to start from a network that reported other classes apart.
        rename: From a name in the file to the model's.

    Returns:
        What matched and what did not; with ``load_head`` False the head is missing here and unexpected there.

    Raises:
        MienError: No such file, not a checkpoint, no tensor of it fits, one that does is refused by ``check_values``,
            or its head has another number of classes. Then nothing is loaded.
    """
    source = {rename(name): tensor for name, tensor in _renumber_units(read_tensors(Path(path))).items()}
    target = model.state_dict()
    weights, report = _match(source, target, without=() if load_head else ("head.weight", "head.bias"))
    if not weights:
        raise _nothing_fits(path, source, model, report)
    if load_head and "head.weight" in report.mismatched:
        theirs = next(tensor for name, tensor in source.items() if re.search(r"(^|\.)head\.weight$", name))
        if len(theirs) != len(target["head.weight"]):
            raise MienError(
                f"the checkpoint {path} tells {len(theirs)} classes apart, the model {len(target['head.weight'])}. "
                "Give a checkpoint that was trained on the same classes, or set load_head to false to keep all of it "
                "but the last layer."
            )
    check_values(weights, path, target)
    model.load_state_dict(weights, strict=False)
    return report


def _match(
    source: Mapping[str, Tensor], target: Mapping[str, Tensor], without: Collection[str] = ()
) -> tuple[dict[str, Tensor], WeightsReport]:
    """Tensors of ``source`` that fit ``target`` by name and shape, by target's names, and what does not."""
    prefix = _best_prefix(source, target)
    inside = {name.removeprefix(prefix): tensor for name, tensor in source.items() if name.startswith(prefix)}
    shared = [name for name in target if name in inside and name not in without]
    matched = tuple(name for name in shared if inside[name].shape == target[name].shape)
    outside = (name for name in source if not name.startswith(prefix))
    report = WeightsReport(
        matched=matched,
        missing=tuple(name for name in target if name not in inside or name in without),
        unexpected=(*(name for name in inside if name not in target or name in without), *outside),
        mismatched=tuple(name for name in shared if inside[name].shape != target[name].shape),
    )
    return {name: inside[name] for name in matched}, report


def check_values(weights: Mapping[str, Tensor], where: str | Path, target: Mapping[str, Tensor] | None = None) -> None:
    """Check that tensors hold plain finite numbers, which a module computes with.

    Torch would copy others without a word: of complex numbers the real part, whole numbers of a quantised network as
    they stand, and NaN, from which every score is NaN.

    Args:
        weights: By name.
        where: They come from, for the message.
        target: The module's tensors, whose kind of number counts where it is not floating.

    Raises:
        MienError: A tensor is sparse, quantised, complex, without values, or of whole numbers where the module has
            others; or a number is NaN or infinite.

    Example:
        >>> check_values({"head.weight": torch.ones(2)}, "network.pth")
    """
    for name, tensor in weights.items():
        whole = target is not None and not target[name].is_floating_point()
        if what := _not_plain(tensor, whole):
            raise MienError(
                f"{where} cannot be loaded: its tensor {name} {what}. Save plain weights with the code that trained "
                "them: torch.save(model.float().state_dict(), path)."
            )
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor.float()).all()):
            bad = int((~torch.isfinite(tensor.float())).sum())
            raise MienError(
                f"{where} cannot be loaded: its tensor {name} has {bad} of {tensor.numel()} values that are NaN or "
                "infinite, and so would every score be. Its training diverged or the file is damaged: give another "
                "checkpoint."
            )


def _not_plain(tensor: Tensor, whole: bool) -> str:
    """Why a tensor cannot be computed with; empty if it can."""
    if tensor.is_meta:
        return "has a shape but no values (it was saved from the meta device)"
    if tensor.layout != torch.strided:
        return f"is not dense ({tensor.layout})"
    if tensor.is_quantized:
        return f"is quantised ({tensor.dtype})"
    if tensor.is_complex():
        return f"is complex ({tensor.dtype})"
    if not tensor.is_floating_point() and not whole:
        return f"holds whole numbers ({tensor.dtype}), not the floating ones of a trained network"
    return ""


def _nothing_fits(
    path: str | Path, source: Mapping[str, Tensor], module: nn.Module, report: WeightsReport
) -> MienError:
    return MienError(
        f"none of the {len(source)} tensors in {path} fits {type(module).__name__}: the file has "
        f"{next(iter(source))} …, the module wants {next(iter(module.state_dict()))} …, {len(report.mismatched)} agree "
        "in name only. Give a checkpoint of this architecture, or set the model's sizes to the checkpoint's."
    )


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Named tensors of a checkpoint file, as ``load_weights`` takes it.

    Raises:
        MienError: No such file, one that does not agree with its checksums, or not a checkpoint of plain tensors.
    """
    if not path.is_file():
        raise MienError(f"no weights file at {path}. Give the path of a checkpoint, or none to start at random.")
    _check_sums(path)
    try:
        content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    except Exception as error:  # the readers raise whatever the bytes lead them to
        raise MienError(
            f"{path} is not a checkpoint of plain tensors ({type(error).__name__} while reading it). If you trust it, "
            "load it with the code that wrote it and save it anew: torch.save(model.state_dict(), path)."
        ) from error
    for key in CONTAINERS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    items = content.items() if isinstance(content, Mapping) else ()
    tensors = {str(name): tensor for name, tensor in items if isinstance(tensor, Tensor)}
    if not tensors:
        raise MienError(
            f"{path} holds no named tensors, neither at its top nor under {', '.join(CONTAINERS)}. "
            "Save a plain state dict: torch.save(model.state_dict(), path)."
        )
    if nested := [name for name, tensor in tensors.items() if tensor.is_nested]:
        raise MienError(
            f"{path} cannot be loaded: its tensor {nested[0]} is nested, of several shapes. Save a plain state dict: "
            "torch.save(model.state_dict(), path)."
        )
    return tensors


def _check_sums(path: Path) -> None:
    """Refuse an archive, as torch writes since 1.6, with a part that is not what it was: torch takes flipped bits."""
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except (OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error):  # torch's reader gives the reason
        return
    if damaged is not None:
        raise MienError(
            f"{path} is damaged: its part {damaged} does not agree with its checksum. Copy it again; if it was saved "
            "without checksums, load it with the code that wrote it and save it anew."
        )


def _read_torch(path: Path) -> Any:
    return torch.load(path, map_location="cpu", weights_only=True)


def _read_safetensors(path: Path) -> Any:
    from safetensors.torch import load_file

    return load_file(path)


def _renumber_units(source: dict[str, Tensor]) -> dict[str, Tensor]:
    """Number units through where a checkpoint counts them per stage: ``body2.0.`` becomes ``body.3.`` after three."""
    nested = {name: match for name in source if (match := _NESTED_UNIT.search(name))}
    units = sorted({(int(match[1]), int(match[2])) for match in nested.values()})
    number = {unit: position for position, unit in enumerate(units)}
    renamed = {
        name: f"{name[: match.start()]}body.{number[int(match[1]), int(match[2])]}.{name[match.end() :]}"
        for name, match in nested.items()
    }
    return {renamed.get(name, name): tensor for name, tensor in source.items()}


def _best_prefix(source: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> str:
    """The prefix under which most names of ``source`` are names of ``target``; the shortest among equals."""
    starts = ((name, cut) for name in source for cut in (0, *(dot.end() for dot in re.finditer(r"\.", name))))
    votes = Counter(name[:cut] for name, cut in starts if name[cut:] in target)
    return min(votes, key=lambda prefix: (-votes[prefix], len(prefix)), default="")
