"""Node functions of ``data_nvie``."""

import logging
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from mien.nodes.preparation import list_samples, provide_folder
from mien.pipelines.data_nvie.params import NvieReader, SyntheticNvie

logger = logging.getLogger(__name__)


def provide_nvie(synthetic: SyntheticNvie) -> Callable[[Path], None]:
    """Draw both halves with synthetic faces, or check that the user's folder is there.

    Args:
        synthetic: Whether to draw, and how much.

    Returns:
        What the catalog entry of the raw folder does with its path.
    """
    from mien.data.nvie import find_nvie
    from mien.data.synthetic.nvie import synthesize_nvie

    return provide_folder(synthetic, name="USTC-NVIE", find=find_nvie, draw=synthesize_nvie)


def read_listed(raw: Path, reader: NvieReader) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the pairs of both halves, deal their subjects into folds and compare the totals with the published ones.

    Args:
        raw: USTC-NVIE's folder.
        reader: Which pairs, how many folds, and how many frames of each pair.

    Returns:
        One row per complete pair: ``sample_id``, ``onset``, ``apex``, ``frame_1`` and so on (between the two, where
        more than 2 frames are read), ``label`` (0 posed, 1 spontaneous), ``kind``, ``expression``, ``subject``,
        ``split`` ("folds"), ``fold``, ``illumination``, ``glasses``, ``synthetic`` (whether the faces are synthetic).
        Beside it, what became of every file: the table of ``mien.data.file_account.FileAccount``.
    """
    from mien.data.file_account import FileAccount
    from mien.data.nvie import PUBLISHED_COUNTS, PUBLISHED_TOTALS, read_nvie
    from mien.data.pair_samples import total_deviations

    account = FileAccount(raw, "USTC-NVIE", reader.max_passed_over)
    pairs = read_nvie(raw, **reader.choices(), account=account)
    samples = list_samples(pairs, raw, name="USTC-NVIE", published=PUBLISHED_COUNTS, column="kind")
    if not samples["synthetic"].any():
        for deviation in total_deviations(samples, *PUBLISHED_TOTALS[reader.subset]):
            logger.warning("USTC-NVIE, %s: %s", reader.subset, deviation)
    return samples, account.table()
