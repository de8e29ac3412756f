"""A trained network in one safetensors file."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset

from mien.models.network import Network
from mien.outputs import FileError, in_words, reading, replacing


class NetworkFile(AbstractDataset[Network, Network]):
    """Weights as safetensors, with architecture, configuration, class names and a digest in the file's header.

    Nothing is pickled: a network from elsewhere can be opened without running its author's code.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> Network:
        """Build the architecture that the header names and fill in the weights.

        Raises:
            FileError: The file is missing, damaged or not mien's.
        """
        from mien.models import create_model
        from mien.models.weight_file import read_header, read_weights

        with reading(self._filepath, "a network of mien"):
            header = read_header(self._filepath)
            if "architecture" not in header:
                raise FileError(
                    f"{self._filepath} names no architecture in its header: it was not written by mien. "
                    "Give a foreign checkpoint through the system's weights parameter instead."
                )
            weights = read_weights(self._filepath)
            model = create_model(header["architecture"], **header["config"])
            model.load_state_dict(weights)
            return Network(header["architecture"], header["config"], tuple(header["class_names"]), model.eval())

    def save(self, data: Network) -> None:
        """Write weights and header under a temporary name, then move the file to its own."""
        from mien.models.weight_file import write_weights

        header = {"architecture": data.architecture, "config": data.config, "class_names": data.class_names}
        with replacing(self._filepath) as part, in_words(self._filepath):
            write_weights(data.model.state_dict(), part, header)

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
