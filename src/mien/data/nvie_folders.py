"""The folders of USTC-NVIE's spontaneous half, and what their names say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mien.data.folders import walk_folder
from mien.data.images import is_image
from mien.errors import MienError

NAME = "USTC-NVIE"

_FOLDERS = {
    "subject": re.compile(r"([0-9]{3})"),
    "spectrum": re.compile(r"(visible|infrared)", re.IGNORECASE),
    "sequence": re.compile(r"sequence[ _-]?([1-6])", re.IGNORECASE),
    "role": re.compile(r"(onset|apex)", re.IGNORECASE),
    "illumination": re.compile(r"(front|left|right)", re.IGNORECASE),
}


class Sequence(NamedTuple):
    """What a spontaneous pair is found by."""

    subject: str
    illumination: str | None
    number: int


@dataclass(frozen=True)
class Folder:
    """A folder of visible images: what its path says, in lower case, and the names of its images, sorted."""

    place: dict[str, str]
    path: str  # relative to the dataset's folder
    names: list[str]

    def sequence(self, number: int) -> Sequence:
        """The sequence of that number of this folder's person."""
        return Sequence(self.place["subject"], self.place.get("illumination"), number)


def place_of(parts: Iterable[str]) -> dict[str, str] | None:
    """What the names of nested folders say, in lower case; None if one of them contradicts another."""
    place: dict[str, str] = {}
    for part in parts:
        for what, pattern in _FOLDERS.items():
            if found := pattern.fullmatch(part):
                if what in place:
                    return None
                place[what] = found[1].lower()
    return place


def visible_folders(root: Path) -> Iterator[Folder]:
    """Every folder of a subject's visible spontaneous images below ``root``."""

    def refuse(error: OSError) -> None:
        raise MienError(
            f"{NAME}'s folders cannot be listed: {error.filename} ({error.strerror}). Make it readable."
        ) from error

    for path, subfolders, files in walk_folder(root, refuse):
        # A posed half laid out like the spontaneous one would be taken for it.
        subfolders[:] = sorted(name for name in subfolders if name.lower() != "posed")
        relative = path.relative_to(root)
        place = place_of(relative.parts)
        if place and "subject" in place and place.get("spectrum") == "visible":
            names = sorted(name for name in files if not name.startswith(".") and is_image(path / name))
            if names:
                yield Folder(place, relative.as_posix(), names)
