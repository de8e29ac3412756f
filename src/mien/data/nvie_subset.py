"""The list of a subset of USTC-NVIE's pairs: one sample id a line."""

from __future__ import annotations

from pathlib import Path

from mien.data.nvie_folders import NAME
from mien.data.onset_apex import MANIFEST, read_text

SUBSET_FILE = "subset.txt"


def read_subset(path: Path) -> dict[str, int]:
    """Line number of every sample id that the list names.

    Raises:
        ValueError: the list is missing, empty, or names a pair twice.
    """
    text = read_text(path, f"The list of {NAME}'s subset")
    line_of: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        sample_id = line.strip()
        if sample_id in line_of:
            raise ValueError(
                f"The list of {NAME}'s subset names {sample_id} twice: line {number} of {path} repeats line "
                f"{line_of[sample_id]}. Delete one."
            )
        if sample_id:
            line_of[sample_id] = number
    if not line_of:
        raise ValueError(
            f"The list of {NAME}'s subset is empty: {path} has no sample id. Write one per line, or read 'full'."
        )
    return line_of


def check_chosen(chosen: dict[str, int], known: set[str], path: Path) -> None:
    """Check that every chosen pair is there.

    Args:
        chosen: line by sample id, as ``read_subset`` gives them.
        known: ids of the pairs that are there.
        path: the list, for the message.

    Raises:
        ValueError: a chosen pair is not there.
    """
    unknown = [sample_id for sample_id in chosen if sample_id not in known]
    if unknown:
        raise ValueError(
            f"The list of {NAME}'s subset names {len(unknown)} pairs that are not there, the first, "
            f"{unknown[0][:80]!r}, on line {chosen[unknown[0]]} of {path}. "
            f"Write sample ids as {MANIFEST} has them, or as 'spontaneous_013_happy' for folders; pairs that the log "
            "says were dropped cannot be chosen."
        )
