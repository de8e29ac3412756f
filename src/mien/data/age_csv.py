"""Kaggle's "Age, gender and ethnicity (face data) CSV": 23,705 of UTKFace's aligned faces as rows of one file.

```
<root>/age_gender.csv    age,ethnicity,gender,img_name,pixels
                         1,2,0,20161219203650636.jpg.chip.jpg,129 128 128 126 ...
```

Source: https://www.kaggle.com/datasets/nipunarora8/age-gender-and-ethnicity-face-data-csv. The codes are
those of UTKFace (Zhang, Song and Qi, CVPR 2017).
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mien.data.duplicates import mark_duplicates
from mien.data.file_account import FileAccount, Verdict
from mien.data.folders import holds_file
from mien.data.splits import stratified_split
from mien.errors import MienError
from mien.labels import ETHNICITIES, GENDERS

if TYPE_CHECKING:
    import pandas as pd

    from mien.data.csv_files import PixelRow

logger = logging.getLogger(__name__)

FILE = "age_gender.csv"

MAX_AGE = 116
"""Years of the oldest person in UTKFace; the youngest are given as 1."""

PUBLISHED_COUNTS: dict[str, dict[str, int]] = {
    "all": dict(zip(ETHNICITIES, (10078, 4526, 3434, 3975, 1692), strict=True)),
}
"""Rows per ethnicity in the published file, 23,705 in all, before repeated faces are dropped."""

AGE_BANDS = (10, 20, 30, 40, 50, 60, 70)
"""Ages at which a new stratum begins. Source: ours, decades, of which the last two are rare."""

_MAX_DIGITS = 9
_COLUMNS = ("age", "ethnicity", "gender")
_CODES: dict[str, range] = {
    "age": range(1, MAX_AGE + 1),
    "ethnicity": range(len(ETHNICITIES)),
    "gender": range(len(GENDERS)),
}
_MEANINGS = {
    "age": f"years from 1 to {MAX_AGE}",
    "ethnicity": ", ".join(f"{code} ({name})" for code, name in enumerate(ETHNICITIES)),
    "gender": ", ".join(f"{code} ({name})" for code, name in enumerate(GENDERS)),
}
_WHERE_TO_GET_IT = (
    "Download it from https://www.kaggle.com/datasets/nipunarora8/age-gender-and-ethnicity-face-data-csv and put "
    f"{FILE} there. The demo draws its own faces and needs no download."
)


def find_age_csv(root: Path) -> Path:
    """Find ``age_gender.csv`` in a folder.

    Raises:
        MienError: The folder or the file is missing.
    """
    if not root.is_dir():
        raise MienError(f"The folder of the age, gender and ethnicity CSV is missing: {root}. {_WHERE_TO_GET_IT}")
    if not holds_file(root, FILE, "The age, gender and ethnicity CSV"):
        raise MienError(f"The age, gender and ethnicity CSV is missing: {root} holds no {FILE}. {_WHERE_TO_GET_IT}")
    return root / FILE


def read_age_csv(
    root: Path,
    validation_fraction: float = 0.1,
    test_fraction: float = 0.1,
    seed: int = 0,
    account: FileAccount | None = None,
) -> pd.DataFrame:
    """Read the faces into a samples table, without those that repeat another, divided into train, val and test.

    Every row and file is accounted for.

    Args:
        root: The folder that holds ``age_gender.csv``.
        validation_fraction: As in ``split_age_csv``.
        test_fraction: As in ``split_age_csv``.
        seed: As in ``split_age_csv``.
        account: Receives what becomes of every file and row; a new one where None.

    Returns:
        The table of ``split_age_csv``.

    Raises:
        MienError: As in ``list_age_csv`` and ``split_age_csv``.

    Source: 80/10/10 is usual in work on this file; the strata are ours.
    """
    account = account or FileAccount(root, "The age, gender and ethnicity CSV")
    return divide_rows(list_age_csv(root), account, validation_fraction, test_fraction, seed)


def divide_rows(
    rows: pd.DataFrame, account: FileAccount, validation_fraction: float, test_fraction: float, seed: int
) -> pd.DataFrame:
    """Divide the rows as ``split_age_csv`` does, and account for every row and file.

    Args:
        rows: The table of ``list_age_csv``.
        account: Of the folder that holds the CSV.
        validation_fraction: As in ``split_age_csv``.
        test_fraction: As in ``split_age_csv``.
        seed: As in ``split_age_csv``.

    Raises:
        MienError: There are too few rows to divide; the message names the file.
    """
    try:
        samples = split_age_csv(rows, validation_fraction, test_fraction, seed)
    except MienError as error:
        where = account.root / FILE
        raise MienError(f"The faces of {where} cannot be divided into train, val and test: {error}") from error
    account.use_samples(samples, ["image"], "ethnicity_name")
    repeated = rows[~rows["image"].isin(samples["image"])]
    account.pass_over(repeated["image"], "repeats_an_earlier_face")
    account.finish(lambda _: Verdict("not_the_csv"), "Copy the file again.")
    return samples


def list_age_csv(root: Path) -> pd.DataFrame:
    """List every row of the published file, repeated faces included.

    Args:
        root: The folder that holds ``age_gender.csv``.

    Returns:
        One row per face, in the file's order: ``sample_id`` ("row_00000" is the first after the header), ``image``
        (reference for ``ImageSource``), ``age`` in years, ``gender`` and ``ethnicity`` (int64, positions in
        ``mien.labels.GENDERS`` and ``ETHNICITIES``), ``ethnicity_name``, ``split`` ("all"), ``subject`` (all missing:
        the file does not say who is shown) and ``duplicate_of`` as in ``mark_duplicates``.

    Raises:
        MienError: The file is missing, has other columns or no row, or a row has too few fields or a code that is not
            one; the message has the line.
    """
    import pandas as pd

    from mien.data.csv_files import scan_pixel_rows

    path = find_age_csv(root)
    offsets, codes, digests = [], [], []
    for row in scan_pixel_rows(path, _COLUMNS):
        codes.append(_parse_codes(row, path))
        offsets.append(row.offset)
        digests.append(row.digest)
    age, ethnicity, gender = np.array(codes, dtype=np.int64).T
    rows = pd.DataFrame(
        {
            "sample_id": [f"row_{number:05d}" for number in range(len(offsets))],
            "image": [f"{FILE}#byte={offset}" for offset in offsets],
            "age": age,
            "gender": gender,
            "ethnicity": ethnicity,
            "ethnicity_name": [ETHNICITIES[code] for code in ethnicity],
            "split": "all",
            "subject": pd.Series([pd.NA] * len(offsets), dtype="string"),
        }
    )
    return mark_duplicates(rows, digests).drop(columns="leaks")


def split_age_csv(
    rows: pd.DataFrame, validation_fraction: float = 0.1, test_fraction: float = 0.1, seed: int = 0
) -> pd.DataFrame:
    """Drop repeated faces and divide the others.

    Of equal faces the first is kept, whatever age, gender and ethnicity the others are given; how many there are, and
    how many of them contradict the first, is logged.

    Args:
        rows: The table of ``list_age_csv``.
        validation_fraction: Of the rows that become "val".
        test_fraction: Of the rows that become "test".
        seed: Of the division, which is stratified by gender, ethnicity and decade of age.

    Returns:
        ``rows`` without the repeated ones and without ``duplicate_of``, with ``split`` "train", "val" or "test".

    Raises:
        MienError: A fraction or the seed is out of range, or there are too few rows.

    Source: ours. The published notebooks split at random with equal faces on both sides, which flatters the scores.
    """
    for column in ("gender", "ethnicity"):
        if rows[column].nunique() < 2:
            raise MienError(
                f"The age, gender and ethnicity CSV has one class alone: all {len(rows):,} rows have "
                f"{rows[column].iloc[0]} in the column {column}. Copy the file again from the download."
            )
    repeated = rows["duplicate_of"].notna()
    first = rows.set_index("sample_id").loc[rows.loc[repeated, "duplicate_of"], list(_COLUMNS)]
    contradicting = int((first.to_numpy() != rows.loc[repeated, list(_COLUMNS)].to_numpy()).any(axis=1).sum())
    logger.info(
        "%d of %d faces repeat an earlier one pixel for pixel and are dropped, %d of them with another age, gender or "
        "ethnicity",
        int(repeated.sum()),
        len(rows),
        contradicting,
    )
    samples = rows[~repeated].drop(columns="duplicate_of").reset_index(drop=True)
    samples["decade"] = np.digitize(samples["age"], AGE_BANDS)
    by = ["gender", "ethnicity", "decade"]
    return stratified_split(samples, by, validation_fraction, test_fraction, seed).drop(columns="decade")


def _parse_codes(row: PixelRow, path: Path) -> tuple[int, ...]:
    """Age, ethnicity and gender of a row, as ``_COLUMNS``."""
    for name, text in zip(_COLUMNS, row.fields, strict=True):
        if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS and int(text) in _CODES[name]):
            raise MienError(
                f"The column {name} has a value that is none of its codes: line {row.line} of {path} says "
                f"{text[:40]!r}. Known are {_MEANINGS[name]}; correct the line, or copy the file again."
            )
    return tuple(map(int, row.fields))
