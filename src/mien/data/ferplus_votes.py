"""FER+'s vote files: ``fer2013new.csv``, one row per row of FER2013, and ``label.csv``, one per image of a folder."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from mien.data.ferplus_labels import VOTE_COLUMNS
from mien.data.label_csv import read_label_text

NUM_ANNOTATORS = 10

WHOLE_IMAGE = "(0, 0, 48, 48)"
"""The face's box in the second column of ``label.csv``, the same in every published row."""

_NEW_HEADER = ["Usage", "Image name", *VOTE_COLUMNS]
_IMAGE_NAME = re.compile(r"fer[0-9]{7}\.png")


class VotedImage(NamedTuple):
    """One row of a vote file."""

    line: int  # of the file, counted from 1
    usage: str  # Training, PublicTest or PrivateTest; empty in a label.csv
    name: str  # "fer0000000.png"; empty for images that FER+ leaves out
    votes: tuple[int, ...]  # as VOTE_COLUMNS


def read_new_votes(path: Path) -> list[VotedImage]:
    """Read ``fer2013new.csv``.

    Raises:
        ValueError: the header is another, or a row has not twelve fields, an image name and votes of the format; the
            message has the line.
    """
    rows = _rows(path)
    header = next(rows, (1, []))[1]
    if [name.strip() for name in header] != _NEW_HEADER:
        raise ValueError(
            f"Wrong columns in FER+'s votes: line 1 of {path} is {','.join(header)[:80]!r}, not "
            f"'{','.join(_NEW_HEADER)}'. Copy the file again from github.com/microsoft/FERPlus."
        )
    voted = []
    for line, fields in rows:
        where = _check_width(fields, len(_NEW_HEADER), line, path)
        usage, name = fields[:2]
        voted.append(VotedImage(line, usage, _parse_name(name, where) if name else "", _parse_votes(fields[2:], where)))
    return _not_empty(voted, path)


def read_label_csv(path: Path) -> list[VotedImage]:
    """Read the ``label.csv`` of one folder; it has no header.

    Raises:
        ValueError: a row has not an image name, the box of the whole image and ten votes, or a name is there twice; the
            message has the line.
    """
    voted: list[VotedImage] = []
    lines: dict[str, int] = {}
    for line, fields in _rows(path):
        where = _check_width(fields, 2 + len(VOTE_COLUMNS), line, path)
        name = _parse_name(fields[0], where)
        if fields[1].strip() != WHOLE_IMAGE:
            raise ValueError(
                f"FER+ names another box than the whole image: {where} has {fields[1][:40]!r}, not '{WHOLE_IMAGE}'. "
                "Copy the file again from github.com/microsoft/FERPlus."
            )
        if name in lines:
            raise ValueError(
                f"FER+ image {name} is listed twice: {where} repeats line {lines[name]}. Keep the row that is right, "
                "or copy the file again."
            )
        lines[name] = line
        voted.append(VotedImage(line, "", name, _parse_votes(fields[2:], where)))
    return _not_empty(voted, path)


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Number of the line and fields of every row that is not blank."""
    rows = csv.reader(read_label_text(path, "FER+").splitlines(), strict=True)
    try:
        for fields in rows:
            if fields:
                yield rows.line_num, fields
    except csv.Error as error:
        raise ValueError(
            f"FER+'s votes are not CSV: line {rows.line_num} of {path} ({error}). Copy the file again."
        ) from error


def _not_empty(voted: list[VotedImage], path: Path) -> list[VotedImage]:
    if not voted:
        raise ValueError(f"FER+'s vote file is empty: {path} lists no image. Copy it again from the download.")
    return voted


def _check_width(fields: list[str], width: int, line: int, path: Path) -> str:
    where = f"line {line} of {path}"
    if len(fields) != width:
        raise ValueError(
            f"A row of FER+'s votes has {len(fields)} fields, not {width}: {where}. Copy the file again from "
            "github.com/microsoft/FERPlus."
        )
    return where


def _parse_name(name: str, where: str) -> str:
    if not _IMAGE_NAME.fullmatch(name):
        raise ValueError(
            f"FER+'s votes name no image: {where} says {name[:80]!r}. Write the bare file name, such as "
            "'fer0000000.png'."
        )
    return name


def _parse_votes(fields: list[str], where: str) -> tuple[int, ...]:
    if all(field.isascii() and field.isdigit() and len(field) <= 2 for field in fields):
        votes = tuple(map(int, fields))
        if 1 <= sum(votes) <= NUM_ANNOTATORS:
            return votes
    raise ValueError(
        f"FER+'s votes are out of range: {where} has {','.join(fields)[:80]!r}. They are whole numbers from 0 that add "
        f"up to at most {NUM_ANNOTATORS}, one a person; copy the file again."
    )
