"""Whether FER2013's rows and FER+'s votes are in one order: FER2013's own label tells."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mien.data.ferplus_labels import VOTE_COLUMNS

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
        votes: as ``VOTE_COLUMNS``.
        line: of the row.
        path: of the file of pixels.

    Returns:
        None where the votes have no majority, or one that FER2013 has no label for.

    Raises:
        ValueError: the label is none of FER2013's.

    Example:
        >>> check_emotion("3", (0, 9, 1, 0, 0, 0, 0, 0, 0, 0), 2, Path("fer2013.csv"))
        OrderCheck(line=2, agrees=True)
    """
    if emotion not in _LABELS:
        raise ValueError(
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
        evaluated: the rows with a majority, in their order.
        pixels: FER2013's file, for the message.
        votes: FER+'s file, for the message.

    Raises:
        ValueError: fewer of some ``BLOCK`` consecutive rows agree than ``BOUND``, by more than chance.
    """
    for start in range(0, max(1, len(evaluated) - BLOCK // 2), BLOCK):
        is_last = start + BLOCK >= len(evaluated) - BLOCK // 2
        block = evaluated[start : None if is_last else start + BLOCK]
        agreeing = sum(each.agrees for each in block)
        if block and agreeing < BOUND * len(block) and _at_most(agreeing, len(block)) < CHANCE:
            raise ValueError(
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
