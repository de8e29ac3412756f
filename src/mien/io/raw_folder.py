"""A dataset's folder in its published layout: generated for the demo, the user's own otherwise."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError


class RawFolder(AbstractDataset[Callable[[Path], None], Path]):
    """The folder of raw files. Saving hands its path to a function that fills or checks it; loading gives the path.

    The function, not the catalog entry, decides what to do, so that the demo's synthetic folder and the user's licensed
    one are the same entry and everything after it is the same.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    @property
    def path(self) -> Path:
        """Where the folder is, or is expected."""
        return self._filepath

    def load(self) -> Path:
        """The folder's path."""
        return self._filepath

    def save(self, data: Callable[[Path], None]) -> None:
        """Call ``data`` with the folder's path."""
        data(self._filepath)

    def _exists(self) -> bool:
        return self._filepath.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


class CheckpointFolder(AbstractDataset[None, Path]):
    """The folder in which a long step, training or the search for faces, keeps what it resumes from.

    It is read and written by that node alone and belongs to no DVC stage: DVC deletes a stage's outputs before it runs.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> Path:
        """The folder's path, made if it does not exist."""
        self._filepath.mkdir(parents=True, exist_ok=True)
        return self._filepath

    def save(self, data: None) -> None:
        """Refuse: only the engine writes checkpoints."""
        raise DatasetError("What a step resumes from is written while it runs, not as a node's output.")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
