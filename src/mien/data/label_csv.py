"""Label files with a header line, as repacks of datasets bring them: rows with the number of their line."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from mien.data.images import POINTER


def read_label_text(path: Path, dataset: str) -> str:
    """Read a label file that has at least one line.

    Args:
        path: the file; a byte order mark is passed over.
        dataset: its name, for messages.

    Raises:
        ValueError: the file cannot be read, is not UTF-8 or is empty.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ValueError(
            f"{dataset}'s label file cannot be read: {path} ({error.strerror}). Copy it again from the download."
        ) from error
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{dataset}'s label file is not text: byte {error.start} of {path} is not UTF-8. Copy it again."
        ) from error
    if text.startswith(POINTER.decode()):
        raise ValueError(
            f"{dataset}'s label file is not fetched: {path} is a Git LFS pointer. Run `git lfs pull` in its repository."
        )
    if not text.strip():
        raise ValueError(f"{dataset}'s label file is empty: {path} has no line. Copy it again from the download.")
    return text


def check_distinct(names: Sequence[str], where: str, what: str) -> None:
    """Refuse a header that names a column twice, of which either would be taken for the other.

    Args:
        names: of the columns.
        where: the line and file, for the message.
        what: the kind of file, which begins the message.

    Raises:
        ValueError: two columns have one name; upper and lower case are the same.
    """
    first: dict[str, int] = {}
    for number, name in enumerate(names, start=1):
        if name and first.setdefault(name.lower(), number) != number:
            raise ValueError(
                f"{what} has the column {name} twice: {where} names it as column {first[name.lower()]} and as column "
                f"{number}. Remove the one that is wrong."
            )


def read_label_rows(path: Path, columns: Sequence[str], dataset: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Read a CSV file's rows, whatever the order of its columns.

    Args:
        path: the file.
        columns: names that its first line has to have.
        dataset: its name, for messages.

    Yields:
        Number of the line and value by column of ``columns``, without spaces around; empty where a row is too short.

    Raises:
        ValueError: as ``read_label_text``, a column is missing, or a line is not CSV.

    Example:
        >>> list(read_label_rows(Path("train_labels.csv"), ["image", "label"], "RAF-DB"))  # doctest: +SKIP
        [(2, {'image': 'train_00001_aligned.jpg', 'label': '5'}), ...]
    """
    rows = csv.DictReader(read_label_text(path, dataset).splitlines(), strict=True)
    try:
        there = [name.strip() for name in rows.fieldnames or []]
        check_distinct(there, f"line 1 of {path}", f"{dataset}'s label file")
        missing = [name for name in columns if name not in there]
        if missing:
            raise ValueError(
                f"{dataset}'s label file lacks the column {missing[0]}: the first line of {path} is "
                f"{', '.join(there)[:80]!r}. It has to name the columns {', '.join(columns)}."
            )
        rows.fieldnames = there
        for row in rows:
            yield rows.line_num, {name: (row[name] or "").strip() for name in columns}
    except csv.Error as error:
        raise ValueError(
            f"{dataset}'s label file is not CSV: line {rows.line_num} of {path} ({error}). Copy it again."
        ) from error
