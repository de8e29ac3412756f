"""Node functions of ``data_raf_db``."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from mien.nodes.preparation import list_samples, provide_folder
from mien.pipelines.data_raf_db.params import RafDbReader, SyntheticRafDb


def provide_raf_db(synthetic: SyntheticRafDb) -> Callable[[Path], None]:
    """Draw the published layout with synthetic faces, or check that the user's folder is there.

    Args:
        synthetic: Whether to draw, and how much.

    Returns:
        What the catalog entry of the raw folder does with its path.
    """
    from mien.data.raf_db import find_raf_db
    from mien.data.synthetic.raf_db import synthesize_raf_db

    return provide_folder(synthetic, name="RAF-DB", find=find_raf_db, draw=synthesize_raf_db)


def read_listed(raw: Path, reader: RafDbReader) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the list of images, compare the counts with the published ones and set a validation split aside.

    Args:
        raw: RAF-DB's folder.
        reader: Which images, and how much of the training list to validate on.

    Returns:
        One row per listed image: ``sample_id``, ``image``, ``label``, ``expression``, ``split`` (train, val, test),
        ``subject``, ``synthetic`` (whether the faces are synthetic).
        Beside it, what became of every file: the table of ``mien.data.file_account.FileAccount``.
    """
    from mien.data.file_account import FileAccount
    from mien.data.raf_db import PUBLISHED_COUNTS, read_raf_db
    from mien.data.splits import stratified_validation

    account = FileAccount(raw, "RAF-DB", reader.max_passed_over)
    samples = read_raf_db(raw, reader.source, reader.layout, account)
    samples = list_samples(samples, raw, name="RAF-DB", published=PUBLISHED_COUNTS)
    samples = stratified_validation(samples, reader.validation_fraction, reader.seed)
    account.use_samples(samples, ["image"], "expression")  # anew, by the splits that training sees
    return samples, account.table()
