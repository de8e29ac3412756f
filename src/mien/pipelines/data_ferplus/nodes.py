"""Node functions of ``data_ferplus``."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from mien.nodes.preparation import list_samples, provide_folder
from mien.pipelines.data_ferplus.params import FerPlusReader, SyntheticFerPlus


def provide_ferplus(synthetic: SyntheticFerPlus) -> Callable[[Path], None]:
    """Draw the published layout with synthetic faces, or check that the user's folder is there.

    Args:
        synthetic: Whether to draw, and how much.

    Returns:
        What the catalog entry of the raw folder does with its path.
    """
    from mien.data.ferplus import find_ferplus
    from mien.data.synthetic.ferplus import synthesize_ferplus

    return provide_folder(synthetic, name="FER+", find=find_ferplus, draw=synthesize_ferplus)


def read_listed(raw: Path, reader: FerPlusReader) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read images and votes, label them, mark exact duplicates, and compare the counts with the published ones.

    Args:
        raw: FER+'s folder.
        reader: Which files are read, and how votes become labels.

    Returns:
        One row per labelled image: ``sample_id``, ``image``, ``label``, ``expression``, ``split`` (train, val, test),
        One row per labelled image: ``sample_id``, ``image``, ``label``, ``expression``, ``split`` (train, val, test),
        ``subject``, ``target/<expression>``, ``target_mode``, ``duplicate_of``, ``leaks``, ``synthetic``.
        Beside it, what became of every file: the table of ``mien.data.file_account.FileAccount``.
    """
    from mien.data.ferplus import published_counts, read_ferplus
    from mien.data.ferplus_files import choose_sources
    from mien.data.file_account import FileAccount

    account = FileAccount(raw, "FER+", reader.max_passed_over)
    samples = read_ferplus(raw, **reader.choices(), account=account)
    votes = choose_sources(raw, reader.layout, reader.votes).votes
    published = published_counts(votes, reader.label_mode)
    return list_samples(samples, raw, name="FER+", published=published), account.table()
