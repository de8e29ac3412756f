"""Splits that a dataset does not publish, and names of people, who must not be in two splits or folds.

Different spellings of one name are one person.
"""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mien.errors import MienError

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
        names: Of the person in each row; missing where nobody is named.
        dataset: Its name, for messages.

    Returns:
        The names, of the same index and type.

    Raises:
        MienError: Two names differ only in what an eye does not tell apart, as ``O1`` and ``01``.

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
            raise MienError(
                f"{dataset} has people whose names look alike: {other!r} and {name!r}. One person in two splits would "
                "be recognised. If they are one person, spell the name one way; if two, rename one so that they differ."
            )


def stratified_validation(samples: pd.DataFrame, fraction: float = 0.1, seed: int = 0) -> pd.DataFrame:
    """Move a part of every class from split "train" to split "val".

    A class of n training rows gives round(fraction * n) of them, at least one and at most n - 1; a class of one row
    keeps it. Which rows is decided by ``seed``, the label and the sample ids, so the order of the rows, their index
    and the other splits do not matter.

    Args:
        samples: With the columns ``sample_id`` (unique), ``label`` (integer) and ``split``. Other columns are kept.
        fraction: Of the training rows, above 0 and below 1.
        seed: 0 or more.

    Returns:
        A copy of ``samples``, rows in the same order, with "val" in the column ``split`` of the chosen rows.

    Raises:
        MienError: ``fraction`` or ``seed`` is out of range, a column is missing, ids repeat, there is no training
            row, there are validation rows already, or the rows name subjects, who would end up in both splits.

    Source: ours, because RAF-DB publishes no validation split and choosing a checkpoint on the test split, as its
        published code does, overstates the accuracy.
    """
    _check(samples, fraction, seed)
    train = samples["split"].to_numpy() == "train"
    labels, sample_ids = samples["label"].to_numpy(), samples["sample_id"].to_numpy().astype(str)
    val = np.zeros(len(samples), dtype=bool)
    for label in np.unique(labels[train]):
        rows = np.flatnonzero(train & (labels == label))
        rows = rows[np.argsort(sample_ids[rows])]
        num_val = min(max(round(fraction * len(rows)), 1), len(rows) - 1)
        # A generator per class, so that a change in one class leaves the others' rows where they were.
        rng = np.random.default_rng([seed, int(label)])
        val[rng.permutation(rows)[:num_val]] = True
    return samples.assign(split=samples["split"].mask(val, "val"))


def stratified_split(
    samples: pd.DataFrame,
    by: Sequence[str],
    validation_fraction: float = 0.1,
    test_fraction: float = 0.1,
    seed: int = 0,
) -> pd.DataFrame:
    """Divide all rows into "train", "val" and "test", each with about its share of every stratum.

    Strata are the combinations of the columns ``by``. They are walked in sorted order, each further column up and down
    in turn, so that neighbours are alike. Quotas run on from one stratum to the next: strata too small for a row of
    their own share one with their neighbours, and any run of strata on that walk, such as all rows of one value of the
    first column, gives val and test their fraction of its rows to within two. Which rows is decided by ``seed``, the
    strata and the sample ids, so the order of the rows and their index do not matter.

    Args:
        samples: With the columns ``sample_id`` (unique) and those of ``by``. A column ``split`` is replaced.
        by: Names of columns with sortable values, the most important first.
        validation_fraction: Of the rows that become "val", above 0.
        test_fraction: Of the rows that become "test", above 0; both together below 1.
        seed: 0 or more.

    Returns:
        A copy of ``samples``, rows in the same order, with the column ``split``.

    Raises:
        MienError: A fraction or ``seed`` is out of range, a column is missing, ids repeat, or there are too few rows
            for each split to get one.

    Source: ours, because the datasets that need it publish no split.

    Example:
        >>> import pandas as pd
        >>> samples = pd.DataFrame({"sample_id": [f"s{n}" for n in range(20)], "gender": [0] * 10 + [1] * 10})
        >>> stratified_split(samples, ["gender"]).groupby("gender")["split"].value_counts().tolist()
        [8, 1, 1, 8, 1, 1]
    """
    held_out = validation_fraction + test_fraction
    if not (validation_fraction > 0 and test_fraction > 0 and held_out < 1):
        raise MienError(
            f"validation_fraction {validation_fraction} and test_fraction {test_fraction} do not divide the rows: "
            "give two numbers above 0 with a sum below 1."
        )
    _check_seed_and_ids(samples, ["sample_id", *by], seed)
    rows = np.argsort(samples["sample_id"].to_numpy().astype(str))
    rows = rows[np.random.default_rng(seed).permutation(len(rows))]
    rows = rows[np.argsort(_walk(samples, by)[rows], kind="stable")]
    # Row n is held out where the rounded number of held-out rows grows, and the same again among those.
    is_held_out = _grows(len(rows), held_out)
    is_val = np.zeros(len(rows), dtype=bool)
    is_val[is_held_out] = _grows(int(is_held_out.sum()), validation_fraction / held_out)
    split = np.full(len(rows), "train", dtype=object)
    split[rows[is_held_out]] = "test"
    split[rows[is_val]] = "val"
    empty = {"train", "val", "test"} - set(split)
    if empty:
        raise MienError(
            f"{len(samples)} rows leave split {', '.join(sorted(empty))} empty: give more rows or larger fractions."
        )
    return samples.assign(split=split)


def _walk(samples: pd.DataFrame, by: Sequence[str]) -> np.ndarray:
    """(n,) int: place of each row's stratum on the walk."""
    place = np.zeros(len(samples), dtype=int)
    for name in by:
        rank = np.unique(samples[name].to_numpy(), return_inverse=True)[1]
        # Up and down: quotas of equal length would else meet the same values in every stratum of the columns before.
        step = np.where(place % 2 == 0, rank, -rank)
        place = np.unique(np.stack([place, step]), axis=1, return_inverse=True)[1].ravel()
    return place


def _grows(num_rows: int, fraction: float) -> np.ndarray:
    """(num_rows,) bool: a ``fraction`` of True, evenly spaced."""
    return np.diff(np.floor(np.arange(num_rows + 1) * fraction + 0.5)) > 0


def _check(samples: pd.DataFrame, fraction: float, seed: int) -> None:
    if not 0 < fraction < 1:
        raise MienError(f"fraction of the validation split is {fraction}: give a number above 0 and below 1.")
    _check_seed_and_ids(samples, ["sample_id", "label", "split"], seed)
    if not (samples["split"] == "train").any():
        raise MienError("The samples table has no row of split 'train' to take validation rows from: add some.")
    if (samples["split"] == "val").any():
        raise MienError("The samples table has rows of split 'val' already: use them, or rename them to 'train'.")
    if "subject" in samples and samples["subject"].notna().any():
        raise MienError(
            "The samples table names subjects, and rows of one subject would be in 'train' and in 'val': "
            "give every subject to one split, or drop the column `subject` if that is what you want."
        )


def _check_seed_and_ids(samples: pd.DataFrame, columns: Sequence[str], seed: int) -> None:
    if seed < 0:
        raise MienError(f"seed of the validation split is {seed}: give 0 or a positive whole number.")
    missing = set(columns) - set(samples.columns)
    if missing:
        raise MienError(f"The samples table lacks {sorted(missing)}, it has {list(samples.columns)}: add the columns.")
    repeated = samples.loc[samples["sample_id"].duplicated(), "sample_id"]
    if len(repeated):
        raise MienError(
            f"The samples table repeats {len(repeated)} sample ids, the first {repeated.iloc[0]!r}: make them unique."
        )
