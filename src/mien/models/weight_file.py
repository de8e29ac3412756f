"""Weights in one safetensors file that says of itself whether it is whole."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mien.errors import MienError

HEADER = "mien"
"""The header's only key: safetensors writes several in random order, so that equal networks would differ in bytes."""

_DIGEST = "digest"


def write_weights(weights: Mapping[str, Tensor], path: Path, header: Mapping[str, Any] | None = None) -> None:
    """Write tensors with a JSON header and their own digest; equal weights give equal bytes.

    Args:
        weights: By name.
        path: The file.
        header: What is kept beside them.
    """
    from safetensors.torch import save_file

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    content = {**(header or {}), _DIGEST: _digest(tensors)}
    save_file(tensors, path, metadata={HEADER: json.dumps(content)})


def read_header(path: Path) -> dict[str, Any]:
    """The JSON header of a file of ``write_weights``; empty for another safetensors file."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        return json.loads((file.metadata() or {}).get(HEADER, "{}"))


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read the tensors back and compare them with the digest, where the file has one.

    Raises:
        MienError: They are not what was written.
    """
    from safetensors.torch import load_file

    weights = load_file(path)
    written = read_header(path).get(_DIGEST)
    if written is not None and written != _digest(weights):
        raise MienError("its weights are not those that were written: their checksum differs")
    return weights


def _digest(weights: Mapping[str, Tensor]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in sorted(weights.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)};".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
