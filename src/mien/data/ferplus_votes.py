"""FER+'s votes: the two vote files, the rules from ten votes to a label, and the check of their order.

``fer2013new.csv`` has one line per line of FER2013, ``label.csv`` one per image of a folder. The rules are majority,
probability, crossentropy and multi_target. FER2013's own label shows whether both CSV files are in one order.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, get_args

import numpy as np

from mien.data.csv_files import read_label_text
from mien.errors import MienError
from mien.labels import EXPRESSION_SPELLINGS, FERPLUS_EXPRESSIONS, TargetMode

VOTE_COLUMNS: tuple[str, ...] = (
    "neutral",
    "happiness",
    "surprise",
    "sadness",
    "anger",
    "disgust",
    "fear",
    "contempt",
    "unknown",
    "NF",
)
"""What annotators could vote for, in the order and spelling of FER+'s files; NF is "not a face"."""

NUM_EXPRESSIONS = 8
"""The first vote columns are expressions, the last two are not."""

VOTED_EXPRESSIONS: tuple[str, ...] = tuple(EXPRESSION_SPELLINGS[name] for name in VOTE_COLUMNS[:NUM_EXPRESSIONS])
"""The expressions' vote columns by the names of ``mien.labels``."""

_CANONICAL = [VOTED_EXPRESSIONS.index(name) for name in FERPLUS_EXPRESSIONS]
_CLASS_IDS = np.array([FERPLUS_EXPRESSIONS.index(name) for name in VOTED_EXPRESSIONS])


class VoteLabels(NamedTuple):
    """Labels of n images; classes in the order of ``mien.labels.FERPLUS_EXPRESSIONS``."""

    labels: np.ndarray  # (n,) int64; -1 where the votes give none
    targets: np.ndarray  # (n, 8) float64, each row adding up to 1, or to 0 where the votes give no label


def label_votes(votes: np.ndarray, mode: TargetMode) -> VoteLabels:
    """Turn votes into class distributions and labels.

    Single votes are taken for slips and set to 0, S votes remain. Then, per image:

    - ``majority`` keeps the column with most votes if it has more than S / 2.
    - ``probability`` and ``crossentropy`` accept columns from most votes down, equal ones together, until 0.75 S votes
      or 3 columns are accepted. When their turn comes to unknown or NF, acceptance ends; they count only if they came
      first. Accepted votes must be more than S / 2, in at most 3 columns.
    - ``multi_target`` keeps columns of at least 0.3 S votes; together they must have more than S / 2.

    An image is left without a label if the rule fails or most kept votes are for unknown or NF. Of equal counts the
    first in the files' order decides. What is kept of the eight expressions is divided by its sum.

    What training makes of the distribution is not done here: ``mien.data.face_images`` draws a class from it for
    ``probability``, and ``mien.losses`` compares with all of it for ``crossentropy`` and with the best of the classes
    above 0 for ``multi_target``.

    Args:
        votes: (n, 10) whole numbers, columns as ``VOTE_COLUMNS``.
        mode: The rule.

    Raises:
        MienError: The shape is another, a vote is negative, or the mode is unknown.

    Source: Barsoum et al. 2016; github.com/microsoft/FERPlus, ``src/ferplus.py``.

    Example:
        >>> label_votes(np.array([[0, 6, 3, 0, 0, 0, 0, 0, 0, 1]]), "crossentropy").targets.round(2).tolist()
        [[0.33, 0.0, 0.0, 0.67, 0.0, 0.0, 0.0, 0.0]]
    """
    votes = np.asarray(votes)
    if votes.ndim != 2 or votes.shape[1] != len(VOTE_COLUMNS) or (votes < 0).any():
        raise MienError(
            f"FER+ votes of shape {votes.shape} are not (n, {len(VOTE_COLUMNS)}) numbers from 0. Give the ten columns "
            f"{', '.join(VOTE_COLUMNS)}."
        )
    if mode not in get_args(TargetMode):
        raise MienError(f"label_mode {mode!r} of FER+ is unknown: choose one of {', '.join(get_args(TargetMode))}.")
    votes = np.where(votes <= 1, 0, votes).astype(np.int64)
    rule = {"majority": _majority, "multi_target": _multi_target}.get(mode, _largest_first)
    kept = rule(votes, votes.sum(axis=1))
    top = kept.argmax(axis=1)
    labelled = kept.any(axis=1) & (top < NUM_EXPRESSIONS)
    expressions = np.where(labelled[:, None], kept[:, _CANONICAL], 0)
    targets = expressions / np.maximum(expressions.sum(axis=1, keepdims=True), 1)
    labels = np.full(len(votes), -1)
    labels[labelled] = _CLASS_IDS[top[labelled]]
    return VoteLabels(labels, targets)


# Each rule returns (n, 10) kept votes, all zero where it gives no label, from the votes and their sums S. Comparisons
# are of whole numbers, so that 0.3 S and 0.75 S are exact.


def _majority(votes: np.ndarray, sums: np.ndarray) -> np.ndarray:
    is_top = np.arange(votes.shape[1]) == votes.argmax(axis=1)[:, None]
    return np.where(is_top & (2 * votes > sums[:, None]), votes, 0)


def _multi_target(votes: np.ndarray, sums: np.ndarray) -> np.ndarray:
    kept = np.where(10 * votes >= 3 * sums[:, None], votes, 0)
    return np.where((2 * kept.sum(axis=1) > sums)[:, None], kept, 0)


def _largest_first(votes: np.ndarray, sums: np.ndarray) -> np.ndarray:
    kept = np.zeros_like(votes)
    ended = np.zeros(len(votes), dtype=bool)
    for count in range(votes.max(initial=0), 1, -1):
        enough = (4 * kept.sum(axis=1) >= 3 * sums) | ((kept > 0).sum(axis=1) >= 3)
        turn = (votes == count) & ~(ended | enough)[:, None]
        kept[:, :NUM_EXPRESSIONS][turn[:, :NUM_EXPRESSIONS]] = count
        nameless = turn[:, NUM_EXPRESSIONS:].any(axis=1)
        first = nameless & ~kept.any(axis=1)
        kept[first, NUM_EXPRESSIONS + turn[first, NUM_EXPRESSIONS:].argmax(axis=1)] = count
        ended |= nameless
    accepted = (2 * kept.sum(axis=1) > sums) & ((kept > 0).sum(axis=1) <= 3)
    return np.where(accepted[:, None], kept, 0)


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
        MienError: The header is another, or a row has not twelve fields, an image name and votes of the format; the
            message has the line.
    """
    rows = _rows(path)
    header = next(rows, (1, []))[1]
    if [name.strip() for name in header] != _NEW_HEADER:
        raise MienError(
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
        MienError: A row has not an image name, the box of the whole image and ten votes, or a name is there twice; the
            message has the line.
    """
    voted: list[VotedImage] = []
    lines: dict[str, int] = {}
    for line, fields in _rows(path):
        where = _check_width(fields, 2 + len(VOTE_COLUMNS), line, path)
        name = _parse_name(fields[0], where)
        if fields[1].strip() != WHOLE_IMAGE:
            raise MienError(
                f"FER+ names another box than the whole image: {where} has {fields[1][:40]!r}, not '{WHOLE_IMAGE}'. "
                "Copy the file again from github.com/microsoft/FERPlus."
            )
        if name in lines:
            raise MienError(
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
        raise MienError(
            f"FER+'s votes are not CSV: line {rows.line_num} of {path} ({error}). Copy the file again."
        ) from error


def _not_empty(voted: list[VotedImage], path: Path) -> list[VotedImage]:
    if not voted:
        raise MienError(f"FER+'s vote file is empty: {path} lists no image. Copy it again from the download.")
    return voted


def _check_width(fields: list[str], width: int, line: int, path: Path) -> str:
    where = f"line {line} of {path}"
    if len(fields) != width:
        raise MienError(
            f"A row of FER+'s votes has {len(fields)} fields, not {width}: {where}. Copy the file again from "
            "github.com/microsoft/FERPlus."
        )
    return where


def _parse_name(name: str, where: str) -> str:
    if not _IMAGE_NAME.fullmatch(name):
        raise MienError(
            f"FER+'s votes name no image: {where} says {name[:80]!r}. Write the bare file name, such as "
            "'fer0000000.png'."
        )
    return name


def _parse_votes(fields: list[str], where: str) -> tuple[int, ...]:
    if all(field.isascii() and field.isdigit() and len(field) <= 2 for field in fields):
        votes = tuple(map(int, fields))
        if 1 <= sum(votes) <= NUM_ANNOTATORS:
            return votes
    raise MienError(
        f"FER+'s votes are out of range: {where} has {','.join(fields)[:80]!r}. They are whole numbers from 0 that add "
        f"up to at most {NUM_ANNOTATORS}, one a person; copy the file again."
    )


FER2013_EMOTIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
"""FER2013's labels 0 to 6, in the words of FER+'s vote columns."""

IN_ORDER = 0.72
"""Share of images with a majority whose label of FER2013 it is. Source: counted on the published files, 27,307 rows."""

SHUFFLED = 0.19
"""The same share after the rows of one file have been shuffled. Source: likewise."""

BOUND = (IN_ORDER + SHUFFLED) / 2
"""Share below which rows do not go together. Source: ours, half-way; the published files' blocks have 0.61 or more."""

BLOCK = 200
"""Rows evaluated together, so that a part that is out of order shows. Source: ours, ten deviations from the bound."""

CHANCE = 1e-9
"""How probable so few agreements may be in files that go together. Source: ours, for files of few rows."""


class OrderCheck(NamedTuple):
    """An image with a majority among FER2013's seven emotions."""

    line: int  # of the file of pixels
    agrees: bool


def check_emotion(emotion: str, votes: Sequence[int], line: int, path: Path) -> OrderCheck | None:
    """Compare a row's label with its votes.

    Args:
        emotion: FER2013's label, 0 to 6.
        votes: As ``VOTE_COLUMNS``.
        line: Of the row.
        path: Of the file of pixels.

    Returns:
        None where the votes have no majority, or one that FER2013 has no label for.

    Raises:
        MienError: The label is none of FER2013's.

    Example:
        >>> check_emotion("3", (0, 9, 1, 0, 0, 0, 0, 0, 0, 0), 2, Path("fer2013.csv"))
        OrderCheck(line=2, agrees=True)
    """
    if emotion not in _LABELS:
        raise MienError(
            f"FER2013 has an unknown label: line {line} of {path} says {emotion[:40]!r} in the column emotion. Labels "
            f"are whole numbers from 0 ({FER2013_EMOTIONS[0]}) to {len(FER2013_EMOTIONS) - 1} ({FER2013_EMOTIONS[-1]})."
        )
    top = max(range(len(votes)), key=votes.__getitem__)
    name = VOTE_COLUMNS[top]
    if name not in FER2013_EMOTIONS or 2 * votes[top] <= sum(votes):
        return None
    return OrderCheck(line, FER2013_EMOTIONS[int(emotion)] == name)


def check_order(evaluated: Sequence[OrderCheck], pixels: Path, votes: Path) -> None:
    """Refuse files whose rows do not go together, as a whole or in a part.

    Args:
        evaluated: The rows with a majority, in their order.
        pixels: FER2013's file, for the message.
        votes: FER+'s file, for the message.

    Raises:
        MienError: Fewer of some ``BLOCK`` consecutive rows agree than ``BOUND``, by more than chance.
    """
    for start in range(0, max(1, len(evaluated) - BLOCK // 2), BLOCK):
        is_last = start + BLOCK >= len(evaluated) - BLOCK // 2
        block = evaluated[start : None if is_last else start + BLOCK]
        agreeing = sum(each.agrees for each in block)
        if block and agreeing < BOUND * len(block) and _at_most(agreeing, len(block)) < CHANCE:
            raise MienError(
                f"FER+'s two CSV files are not in one order: of {len(block)} images with a majority in lines "
                f"{block[0].line} to {block[-1].line} of {pixels}, the column emotion agrees with the votes of {votes} "
                f"in {agreeing} ({agreeing / len(block):.0%}); in the published files in {IN_ORDER:.0%}, after "
                f"shuffling in {SHUFFLED:.0%}. They are joined row by row: copy both again, unsorted."
            )


def _at_most(agreeing: int, total: int) -> float:
    """How probable it is that at most so many of ``total`` agree, each with probability ``IN_ORDER``."""
    return sum(
        math.comb(total, count) * IN_ORDER**count * (1 - IN_ORDER) ** (total - count) for count in range(agreeing + 1)
    )


_LABELS = {str(number) for number in range(len(FER2013_EMOTIONS))}
