"""What each sweep leaves beside its runs: which variants of which systems it ran with which seeds."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from kedro.io import AbstractDataset

from mien.errors import MienError
from mien.outputs import in_words, replacing


@dataclass(frozen=True)
class SweepRecord:
    """A sweep as it was last started.

    Attributes:
        name: As in ``conf/<env>/sweeps*.yml``.
        members: System and variant, without a seed, of each member, in the sweep's order.
        seeds: That every member is run with.
    """

    name: str
    members: tuple[tuple[str, str], ...]
    seeds: tuple[int, ...]


class SweepRecords(AbstractDataset[SweepRecord, list[SweepRecord]]):
    """The sweeps of an environment, one file each; a sweep that is started anew replaces its own.

    Args:
        filepath: Folder that holds ``<name>.json``.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> list[SweepRecord]:
        """Read the records, sorted by name; none where no sweep has been started.

        Raises:
            MienError: A record is damaged.
        """
        return sorted(map(_read, self._filepath.glob("*.json")), key=lambda record: record.name)

    def save(self, data: SweepRecord) -> None:
        """Write one sweep's record."""
        file = self._filepath / f"{quote(data.name, safe='')}.json"
        content = {"name": data.name, "members": data.members, "seeds": data.seeds}
        with replacing(file) as part, in_words(file):
            part.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")

    def _exists(self) -> bool:
        return self._filepath.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


def _read(file: Path) -> SweepRecord:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        members = tuple((str(system), str(variant)) for system, variant in content["members"])
        return SweepRecord(content["name"], members, tuple(map(int, content["seeds"])))
    except (ValueError, KeyError, TypeError) as error:
        raise MienError(
            f"{file} cannot be read: {type(error).__name__}: {error}. Start the sweep again, which writes it anew, or "
            "delete it."
        ) from error
