"""Files that are never half-written: saved under a temporary name, then moved."""

from pathlib import Path, PurePosixPath
from typing import Any


def partial_path(final: Path) -> Path:
    """The temporary name beside ``final``: hidden, so that a listing of finished outputs never shows it.

    Example:
        >>> partial_path(Path("faces.npy"))
        PosixPath('.faces.npy.part')
    """
    return final.with_name(f".{final.name}.part")


class WriteThenMove:
    """Makes a file dataset of kedro-datasets atomic: an interruption leaves the old file or none, never a part.

    Source: ours, because kedro-datasets open the final path for writing.
    """

    def _get_save_path(self) -> PurePosixPath:
        return PurePosixPath(partial_path(Path(super()._get_save_path())))

    def save(self, data: Any) -> None:
        """Save ``data`` under the temporary name, then move it to its own."""
        final = Path(super()._get_save_path())
        super().save(data)
        partial_path(final).replace(final)
