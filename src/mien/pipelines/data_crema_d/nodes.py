"""Node functions of ``data_crema_d``."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from mien.nodes.clips import list_clips
from mien.nodes.preparation import provide_folder
from mien.pipelines.data_crema_d.params import CremaDReader, SyntheticCremaD


def provide_crema_d(synthetic: SyntheticCremaD) -> Callable[[Path], None]:
    """Draw the published layout with talking faces and synthetic voices, or check that the user's folder is there.

    Args:
        synthetic: Whether to draw, and how much.

    Returns:
        What the catalog entry of the raw folder does with its path.
    """
    from mien.data.crema_d import find_crema_d
    from mien.data.synthetic.crema_d import synthesize_crema_d

    return provide_folder(synthetic, name="CREMA-D", find=find_crema_d, draw=synthesize_crema_d)


def read_listed_clips(raw: Path, reader: CremaDReader) -> tuple[pd.DataFrame, pd.DataFrame]:
    """List the clips with their actors' split, and compare the counts with the published ones.

    Args:
        raw: CREMA-D's folder.
        reader: How the actors are divided.

    Returns:
        One row per clip, as ``mien.data.crema_d.read_crema_d`` says, with ``synthetic``.
        Beside it, what became of every file: the table of ``mien.data.file_account.FileAccount``.
    """
    from mien.data.crema_d import PUBLISHED_COUNTS, read_crema_d
    from mien.data.file_account import FileAccount

    account = FileAccount(raw, "CREMA-D", reader.max_passed_over)
    clips = read_crema_d(raw, **reader.choices(), account=account)
    return list_clips(clips, raw, name="CREMA-D", published=PUBLISHED_COUNTS), account.table()
