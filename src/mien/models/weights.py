"""Loading a user's checkpoint into a module whose names may differ from it by a prefix."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

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
        What matched and what did not. A partial match is loaded; the caller judges whether it is enough.

    Raises:
        ValueError: No such file, not a checkpoint, or no tensor of it fits.
    """
    path = Path(path)
    target = module.state_dict()
    source = _renumber_units(read_tensors(path))
    prefix = _best_prefix(source, target)
    inside = {name.removeprefix(prefix): tensor for name, tensor in source.items() if name.startswith(prefix)}
    shared = [name for name in target if name in inside]
    matched = tuple(name for name in shared if inside[name].shape == target[name].shape)
    mismatched = tuple(name for name in shared if inside[name].shape != target[name].shape)
    if not matched:
        raise ValueError(
            f"none of the {len(source)} tensors in {path} fits {type(module).__name__}: the file has "
            f"{next(iter(source))} …, the module wants {next(iter(target))} …, {len(mismatched)} agree in name only. "
            "Give a checkpoint of this architecture, or set the model's sizes to the checkpoint's."
        )
    module.load_state_dict({name: inside[name] for name in matched}, strict=False)
    outside = (name for name in source if not name.startswith(prefix))
    return WeightsReport(
        matched=matched,
        missing=tuple(name for name in target if name not in inside),
        unexpected=(*(name for name in inside if name not in target), *outside),
        mismatched=mismatched,
    )


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Named tensors of a checkpoint file, as ``load_weights`` takes it.

    Raises:
        ValueError: No such file, or not a checkpoint of plain tensors.
    """
    if not path.is_file():
        raise ValueError(f"no weights file at {path}. Give the path of a checkpoint, or none to start at random.")
    try:
        content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    except Exception as error:  # the readers raise whatever the bytes lead them to
        raise ValueError(
            f"{path} is not a checkpoint of plain tensors ({type(error).__name__} while reading it). If you trust it, "
            "load it with the code that wrote it and save it anew: torch.save(model.state_dict(), path)."
        ) from error
    for key in CONTAINERS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    items = content.items() if isinstance(content, Mapping) else ()
    tensors = {str(name): tensor for name, tensor in items if isinstance(tensor, Tensor)}
    if not tensors:
        raise ValueError(
            f"{path} holds no named tensors, neither at its top nor under {', '.join(CONTAINERS)}. "
            "Save a plain state dict: torch.save(model.state_dict(), path)."
        )
    return tensors


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
