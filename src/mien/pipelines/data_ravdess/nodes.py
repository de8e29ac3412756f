"""Node functions of ``data_ravdess``."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from mien.nodes.clips import list_clips
from mien.nodes.preparation import provide_folder
from mien.pipelines.data_ravdess.params import RavdessReader, SyntheticRavdess


def provide_ravdess(synthetic: SyntheticRavdess) -> Callable[[Path], None]:
    """Draw the published layout with talking faces and synthetic voices, or check that the user's folder is there.

    Args:
        synthetic: Whether to draw, and how much.

    Returns:
        What the catalog entry of the raw folder does with its path.
    """
    from mien.data.ravdess import find_ravdess
    from mien.data.synthetic.ravdess import synthesize_ravdess

    return provide_folder(synthetic, name="RAVDESS", find=find_ravdess, draw=synthesize_ravdess)


def read_listed_clips(raw: Path, reader: RavdessReader) -> tuple[pd.DataFrame, pd.DataFrame]:
    """List the clips with their actors' split, and compare the counts with the published ones.

    Args:
        raw: RAVDESS' folder.
        reader: Which clips, and how the actors are divided.

    Returns:
        One row per clip, as ``mien.data.ravdess.read_ravdess`` says, with ``synthetic``.
        Beside it, what became of every file: the table of ``mien.data.file_account.FileAccount``.
    """
    from mien.data.file_account import FileAccount
    from mien.data.ravdess import PUBLISHED_COUNTS, read_ravdess

    account = FileAccount(raw, "RAVDESS", reader.max_passed_over)
    clips = read_ravdess(raw, **reader.choices(), account=account)
    return list_clips(clips, raw, name="RAVDESS", published=PUBLISHED_COUNTS), account.table()
