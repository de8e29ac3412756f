"""Files that are never half-written: saved under a temporary name, then moved, while no other run may write them."""

from pathlib import Path, PurePosixPath
from typing import Any

from mien.outputs import in_words, reading, replacing


class WriteThenMove:
    """Makes a file dataset of kedro-datasets atomic: an interruption leaves the old file or none, never a part.

    Two runs that save one file do it one after the other. What cannot be read or written becomes a plain message.

    Source: ours, because kedro-datasets open the final path for writing.
    """

    KIND = "a file of its kind"
    _part: Path | None = None

    def _get_save_path(self) -> PurePosixPath:
        base: Any = super()  # a class of kedro-datasets, beside which this one is named first
        return base._get_save_path() if self._part is None else PurePosixPath(self._part)

    def load(self) -> Any:
        """Load the file.

        Raises:
            FileError: It is missing or damaged.
        """
        base: Any = super()
        path = Path(base._get_load_path())
        with reading(path, self.KIND):
            return base.load()

    def save(self, data: Any) -> None:
        """Save ``data`` under a temporary name, then move it to its own.

        Raises:
            FileError: The disk does not take it.
        """
        base: Any = super()
        final = Path(base._get_save_path())
        with replacing(final) as part, in_words(final):
            self._part = part
            try:
                base.save(data)
            finally:
                self._part = None
