"""Named arrays in one file."""

from pathlib import Path
from typing import Any

import numpy as np
from kedro.io import AbstractDataset

from mien.errors import MienError
from mien.outputs import in_words, reading, replacing


class ArrayArchive(AbstractDataset[dict[str, np.ndarray], dict[str, np.ndarray]]):
    """Arrays by name in one ``.npz`` file, neither compressed nor pickled; equal arrays give equal bytes."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> dict[str, np.ndarray]:
        """Read all arrays into memory.

        Raises:
            FileError: The file is missing or damaged; each array has a checksum.
        """
        kind = "an archive of arrays"
        with reading(self._filepath, kind), np.load(self._filepath, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}

    def save(self, data: dict[str, np.ndarray]) -> None:
        """Write under a temporary name, then move the file to its own.

        Raises:
            MienError: An array holds objects, which only a pickle could keep.
            FileError: The disk does not take it.
        """
        if objects := [name for name, array in data.items() if array.dtype.hasobject]:
            raise MienError(f"Arrays {objects} for {self._filepath} hold objects: give numbers or strings.")
        with replacing(self._filepath) as part, in_words(self._filepath), part.open("wb") as file:
            np.savez(file, **data)  # type: ignore[arg-type]  # numpy's stub takes a name for allow_pickle

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
