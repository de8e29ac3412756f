"""Node functions of ``data_age_csv``."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from mien.nodes.preparation import list_samples, provide_folder
from mien.pipelines.data_age_csv.params import AgeCsvReader, SyntheticAgeCsv


def provide_age_csv(synthetic: SyntheticAgeCsv) -> Callable[[Path], None]:
    """Draw the published file with synthetic faces, or check that the user's is there.

    Args:
        synthetic: Whether to draw, and how much.

    Returns:
        What the catalog entry of the raw folder does with its path.
    """
    from mien.data.age_csv import find_age_csv
    from mien.data.synthetic.age_csv import synthesize_age_csv

    return provide_folder(
        synthetic, name="The age, gender and ethnicity CSV", find=find_age_csv, draw=synthesize_age_csv
    )


def read_listed(raw: Path, reader: AgeCsvReader) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the rows, compare their counts with the published ones, drop repeated faces and divide the others.

    Args:
        raw: The folder that holds the file.
        reader: How the rows are divided.

    Returns:
        One row per face: ``sample_id``, ``image``, ``age`` in years, ``gender``, ``ethnicity`` (codes),
        ``ethnicity_name``, ``split`` (train, val, test), ``subject``, ``synthetic`` (whether the faces are synthetic).
        Beside it, what became of every file: the table of ``mien.data.file_account.FileAccount``.
    """
    from mien.data.age_csv import PUBLISHED_COUNTS, divide_rows, list_age_csv
    from mien.data.file_account import FileAccount

    rows = list_samples(
        list_age_csv(raw),
        raw,
        name="The age, gender and ethnicity CSV",
        published=PUBLISHED_COUNTS,
        column="ethnicity_name",
    )
    account = FileAccount(raw, "The age, gender and ethnicity CSV", reader.max_passed_over)
    return divide_rows(rows, account, **reader.choices()), account.table()
