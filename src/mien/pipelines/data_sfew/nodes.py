"""Node functions of ``data_sfew``."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from mien.nodes.preparation import list_samples, provide_folder
from mien.pipelines.data_sfew.params import SfewReader, SyntheticSfew


def provide_sfew(synthetic: SyntheticSfew) -> Callable[[Path], None]:
    """Draw the published layout with synthetic faces, or check that the user's folder is there.

    Args:
        synthetic: Whether to draw, and how much.

    Returns:
        What the catalog entry of the raw folder does with its path.
    """
    from mien.data.sfew import find_sfew
    from mien.data.synthetic.sfew import synthesize_sfew

    return provide_folder(synthetic, name="SFEW", find=find_sfew, draw=synthesize_sfew)


def read_listed(raw: Path, reader: SfewReader) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the images, compare the counts with the published ones and set a part of Train aside.

    Args:
        raw: SFEW's folder.
        reader: Which images, and how much of Train to validate on.

    Returns:
        One row per image: ``sample_id``, ``image``, ``label`` (-1 in Test), ``expression``, ``split`` (train and val
        from Train, test from Val, unlabelled from Test), ``official_split``, ``movie``, ``subject``, ``synthetic``.
        Beside it, what became of every file: the table of ``mien.data.file_account.FileAccount``.
    """
    from mien.data.file_account import FileAccount
    from mien.data.sfew import PUBLISHED_COUNTS, hold_out_movies, read_sfew
    from mien.data.splits import stratified_validation

    account = FileAccount(raw, "SFEW", reader.max_passed_over)
    samples = list_samples(read_sfew(raw, reader.source, account), raw, name="SFEW", published=PUBLISHED_COUNTS)
    hold_out = hold_out_movies if reader.hold_out == "movies" else stratified_validation
    samples = hold_out(samples, reader.validation_fraction, reader.seed)
    account.use_samples(samples, ["image"], "expression")  # anew, by the splits that training sees
    return samples, account.table()
