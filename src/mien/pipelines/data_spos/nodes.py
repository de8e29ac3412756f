"""Node functions of ``data_spos``."""

import logging
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from mien.nodes.preparation import list_samples, provide_folder
from mien.pipelines.data_spos.params import SposReader, SyntheticSpos

logger = logging.getLogger(__name__)


def provide_spos(synthetic: SyntheticSpos) -> Callable[[Path], None]:
    """Draw pairs of synthetic faces and their manifest, or check that the user's folder is there.

    Args:
        synthetic: Whether to draw, and how much.

    Returns:
        What the catalog entry of the raw folder does with its path.
    """
    from mien.data.spos import find_spos
    from mien.data.synthetic.spos import synthesize_spos

    return provide_folder(synthetic, name="SPOS", find=find_spos, draw=synthesize_spos)


def read_listed(raw: Path, reader: SposReader) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the manifest, make every subject a fold and compare the counts with the published ones.

    Args:
        raw: SPOS' folder.
        reader: How many frames of each pair.

    Returns:
        One row per complete pair: ``sample_id``, ``onset``, ``apex``, ``frame_1`` and so on (between the two, where
        more than 2 frames are read), ``label`` (0 posed, 1 spontaneous), ``kind``, ``expression``, ``subject``,
        ``split`` ("folds"), ``fold``, ``illumination``, ``glasses``, ``synthetic`` (whether the faces are synthetic).
        Beside it, what became of every file: the table of ``mien.data.file_account.FileAccount``.
    """
    from mien.data.file_account import FileAccount
    from mien.data.pair_samples import total_deviations
    from mien.data.spos import NUM_SUBJECTS, PUBLISHED_COUNTS, read_spos

    account = FileAccount(raw, "SPOS", reader.max_passed_over)
    pairs = read_spos(raw, **reader.choices(), account=account)
    samples = list_samples(pairs, raw, name="SPOS", published=PUBLISHED_COUNTS, column="kind")
    if not samples["synthetic"].any():
        num_pairs = sum(PUBLISHED_COUNTS["folds"].values())
        for deviation in total_deviations(samples, num_pairs, NUM_SUBJECTS):
            logger.warning("SPOS: %s", deviation)
    return samples, account.table()
