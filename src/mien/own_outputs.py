"""Whether what a run reads back is what it wrote: another run may have written the same output meanwhile."""

import csv
import hashlib
from pathlib import Path

from mien.engine.progress import CLOCKED
from mien.errors import MienError


class OwnOutputs:
    """Digests of the files that a run has saved.

    Two runs of one variant with equal parameters write equal files but for what the clock said, so that it does not
    matter whose is read. With other parameters the second would end with the network of the first, or score it as its
    own.
    """

    def __init__(self) -> None:
        self._states: dict[Path, tuple[int, int, int]] = {}
        self._digests: dict[Path, str] = {}

    def saved(self, path: Path) -> None:
        """Remember a file that was just saved; a folder is passed over."""
        if path.is_file():
            self._states[path], self._digests[path] = _state(path), _digest(path)

    def check(self, path: Path) -> None:
        """Check a file before it is read; one that this run has not saved is anybody's.

        Raises:
            MienError: Another run has put another content in its place.
        """
        if path not in self._states or not path.is_file() or _state(path) == self._states[path]:
            return
        if _digest(path) != self._digests[path]:
            raise MienError(
                f"{path} was written by another run since this one saved it, with another content, so that what this "
                "run makes of it would be the other's.\n"
                "Give runs with other parameters a variant each (--params=variant=NAME), or start them one after the "
                "other, and run this one again."
            )
        self._states[path] = _state(path)


def _state(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_ino, status.st_mtime_ns, status.st_size


def _digest(path: Path) -> str:
    if path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as table:
            rows = [{name: row[name] for name in row if name not in CLOCKED} for row in csv.DictReader(table)]
        return hashlib.blake2b(repr(rows).encode(), digest_size=16).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
