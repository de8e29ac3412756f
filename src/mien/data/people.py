"""Names of people: different spellings of one name are one person, who must not be in two splits or folds."""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

_WHOLE = re.compile(r"[+]?(\d+)(?:\.0*)?")
_LONGEST = 20
"""Digits up to which numbers are written equally long: what is longer is a slip, and would lengthen all others."""

_LIKE_DIGITS = str.maketrans("oil|", "0111")
_LIKE_LATIN = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u043a\u043c\u0442\u043d\u0432\u0456\u0458\u0455\u03b1\u03bf\u03c1\u03bd\u03b9\u03ba\u03c4\u03c5\u03c7",
    "aeopcyxkmthbijsaopviktux",
)
"""Letters of the Cyrillic and Greek alphabets that look like Latin ones, and these."""


def canonical_name(name: str) -> str:
    """A form that all spellings of one name share.

    Whitespace at the ends and its amount inside, letter case, compatibility forms of Unicode, digits of any script and
    the way a number is written do not count.

    Example:
        >>> [canonical_name(name) for name in (" 1", "01", "1.0", "S  07", "s 7")]
        ['1', '1', '1', 's 7', 's 7']
    """
    text = " ".join(unicodedata.normalize("NFKC", name).casefold().split())
    whole = _WHOLE.fullmatch(text)
    return _shortest(whole[1]) if whole else re.sub(r"\d+", lambda number: _shortest(number[0]), text)


def _shortest(number: str) -> str:
    """A whole number in ASCII digits without leading zeros, of any length, which ``int`` does not read."""
    return "".join(str(unicodedata.decimal(digit)) for digit in number).lstrip("0") or "0"


def _likeness(name: str) -> str:
    """What names share that an eye takes for one another: letters like digits, of other alphabets, separators."""
    text = canonical_name(name).translate(_LIKE_LATIN)
    text = re.sub(r"(?<!\d)[\s._-]+|[\s._-]+(?!\d)", "", text)  # between two numbers they tell 1-1 from 11
    text = re.sub(r"[oil|\d]*\d[oil|\d]*", lambda part: part[0].translate(_LIKE_DIGITS), text)
    return canonical_name(text)


def one_name_each(names: pd.Series, dataset: str) -> pd.Series:
    """Give every person one name, whatever spellings the rows have.

    Whole numbers are written with as many digits as the longest of them, other names as they are met first.

    Args:
        names: of the person in each row; missing where nobody is named.
        dataset: its name, for messages.

    Returns:
        The names, of the same index and type.

    Raises:
        ValueError: two names differ only in what an eye does not tell apart, as ``O1`` and ``01``.

    Example:
        >>> import pandas as pd
        >>> one_name_each(pd.Series(["1", "1.0", "12", "Ann", " ann"]), "SPOS").tolist()
        ['01', '01', '12', 'Ann', 'Ann']
    """
    spellings: dict[str, str] = {}
    for name in names.dropna().astype(str):
        spellings.setdefault(canonical_name(name), name.strip())
    _check_distinct(spellings.values(), dataset)
    numbers = [canonical for canonical in spellings if canonical.isascii() and canonical.isdecimal()]
    given = (number for name in names.dropna().astype(str) if (number := _WHOLE.fullmatch(name.strip())))
    width = max((len(number[1]) for number in given if len(number[1]) <= _LONGEST), default=0)
    spellings |= {canonical: canonical.zfill(width) for canonical in numbers}
    joined = names.dropna().nunique() - len(spellings)
    if joined:
        logger.info("%s: %d names are other spellings of one met before: %d people", dataset, joined, len(spellings))
    given_once = names.map(lambda name: spellings[canonical_name(str(name))], na_action="ignore")
    return given_once.astype(names.dtype)


def _check_distinct(names: Iterable[str], dataset: str) -> None:
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(_likeness(name), name)
        if other != name:
            raise ValueError(
                f"{dataset} has people whose names look alike: {other!r} and {name!r}. One person in two splits would "
                "be recognised. If they are one person, spell the name one way; if two, rename one so that they differ."
            )
