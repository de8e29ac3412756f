"""A trained network in one safetensors file."""

import json
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset

from mien.io.write_then_move import partial_path
from mien.models.network import Network

HEADER = "mien"
"""The header's only key: safetensors writes several in random order, so that equal networks would differ in bytes."""


class NetworkFile(AbstractDataset[Network, Network]):
    """Weights as safetensors, with architecture, configuration and class names in the file's header.

    Nothing is pickled: a network from elsewhere can be opened without running its author's code.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> Network:
        """Build the architecture that the header names and fill in the weights."""
        from safetensors import safe_open
        from safetensors.torch import load_file

        from mien.models import create_model

        with safe_open(self._filepath, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get(HEADER, "{}"))
        if "architecture" not in header:
            raise ValueError(
                f"{self._filepath} names no architecture in its header: it was not written by mien. "
                "Give a foreign checkpoint through the system's weights parameter instead."
            )
        model = create_model(header["architecture"], **header["config"])
        model.load_state_dict(load_file(self._filepath))
        return Network(header["architecture"], header["config"], tuple(header["class_names"]), model.eval())

    def save(self, data: Network) -> None:
        """Write weights and header under a temporary name, then move the file to its own."""
        from safetensors.torch import save_file

        self._filepath.parent.mkdir(parents=True, exist_ok=True)
        header = {"architecture": data.architecture, "config": data.config, "class_names": data.class_names}
        weights = {name: tensor.contiguous() for name, tensor in data.model.state_dict().items()}
        save_file(weights, partial_path(self._filepath), metadata={HEADER: json.dumps(header)})
        partial_path(self._filepath).replace(self._filepath)

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
