"""Short digests that say whether two runs saw the same data."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from torch import Tensor

    from mien.models.network import Network
    from mien.nodes.params import Params

CHUNK_BYTES = 1 << 24


def table_digest(table: pd.DataFrame) -> str:
    """Digest of a table's columns and rows, independent of its index."""
    from pandas.util import hash_pandas_object

    digest = hashlib.blake2b(json.dumps([str(name) for name in table.columns]).encode(), digest_size=16)
    digest.update(hash_pandas_object(table, index=False).to_numpy().tobytes())
    return digest.hexdigest()


def array_digest(array: np.ndarray) -> str:
    """Digest of an array's shape, type and values, read in chunks so that a memory-mapped one is never loaded whole."""
    digest = hashlib.blake2b(f"{array.shape}{array.dtype}".encode(), digest_size=16)
    rows = max(1, CHUNK_BYTES // max(1, array[:1].nbytes))
    for start in range(0, len(array), rows):
        digest.update(np.ascontiguousarray(array[start : start + rows]))
    return digest.hexdigest()


def weights_digest(weights: "Mapping[str, Tensor]") -> str:
    """Digest of a state dict's names, shapes and values."""
    arrays = {name: array_digest(tensor.cpu().numpy().reshape(-1)) for name, tensor in weights.items()}
    return settings_digest({name: [arrays[name], list(tensor.shape)] for name, tensor in weights.items()})


def settings_digest(*parts: Any) -> str:
    """Digest of JSON-ready values."""
    return hashlib.blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=16).hexdigest()


def training_fingerprint(start: "Network", training: "Params", fabric: "Fabric", seen: Sequence[str]) -> str:
    """Digest of everything that a training's numbers depend on: only a run with the same one goes on from its state.

    Of the recipe's device section it holds what changes numbers (see ``numeric_settings``). It leaves out workers,
    which change nothing, and threads, memory layout and torch's version, which change rounding alone: a long run
    outlives an update.

    Args:
        start: What training starts from.
        training: The recipe.
        fabric: Where it computes, built from the recipe's device section.
        seen: Digests of the data.
    """
    from mien.engine.device import numeric_settings

    recipe = training.model_dump(exclude={"device": True})
    weights = weights_digest(start.model.state_dict())
    return settings_digest(start.architecture, start.config, weights, recipe, numeric_settings(fabric), *seen)
