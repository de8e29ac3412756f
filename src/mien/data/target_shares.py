"""What a classifier of faces is trained towards: a sample's label, or the shares of its annotators' votes.

A samples table says it by itself, whatever the dataset: columns ``target/<class>`` hold the shares, which add up to 1,
and ``target_mode`` what training takes from them (``mien.labels.TargetMode``). A table without these columns has labels
alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast, get_args

import numpy as np

from mien.errors import MienError
from mien.labels import TargetMode

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

SHARE_PREFIX = "target/"

MODE_COLUMN = "target_mode"

TARGET_MODES: tuple[TargetMode, ...] = get_args(TargetMode)


def add_target_shares(
    samples: pd.DataFrame, shares: np.ndarray, names: Sequence[str], modes: Sequence[str] | np.ndarray
) -> pd.DataFrame:
    """Add to a samples table what its rows are trained towards.

    Args:
        samples: One row per sample.
        shares: Share of each class (n, M); those of a sample add up to 1.
        names: Of the M classes.
        modes: What training takes from the shares of each sample, ``majority`` in the splits that are never trained on.

    Returns:
        A copy with ``target/<class>`` and ``target_mode``.
    """
    columns = {f"{SHARE_PREFIX}{name}": shares[:, number] for number, name in enumerate(names)}
    return samples.assign(**columns, **{MODE_COLUMN: modes})


def target_mode(rows: pd.DataFrame) -> TargetMode:
    """What training takes from the votes on these rows: ``majority`` where the table says nothing of them.

    Args:
        rows: The rows that are trained on.

    Raises:
        MienError: The rows have several modes, or one that is unknown.
    """
    if MODE_COLUMN not in rows or rows.empty:
        return "majority"
    modes = sorted(rows[MODE_COLUMN].unique())
    if len(modes) > 1 or modes[0] not in TARGET_MODES:
        raise MienError(
            f"The training samples have target_mode {', '.join(map(str, modes))}, but one loss trains them all. Give "
            f"the rows of split train one of {', '.join(TARGET_MODES)} in the reader of this dataset, and prepare it "
            "again."
        )
    return cast("TargetMode", modes[0])


def target_shares(rows: pd.DataFrame, names: Sequence[str]) -> np.ndarray:
    """Shares (n, M) float64 of these rows, classes in the order of ``names``.

    Args:
        rows: The rows that are trained on.
        names: Of the M classes that the network tells apart.

    Raises:
        MienError: A class has no column of shares, or votes are for a class that is none of ``names``.
    """
    wanted = [f"{SHARE_PREFIX}{name}" for name in names]
    shares = [column for column in map(str, rows.columns) if column.startswith(SHARE_PREFIX)]
    voted = [column for column in shares if (rows[column] > 0).any()]
    absent, unknown = [name for name in wanted if name not in shares], [name for name in voted if name not in wanted]
    if absent or unknown:
        what = f"no column {', '.join(absent)}" if absent else f"votes in {', '.join(unknown)}, which labels no sample"
        raise MienError(
            f"The shares of the training samples do not fit the {len(names)} classes {', '.join(names)}: {what}. Every "
            "class needs one column of shares and a sample that it labels: look at the reader of this dataset."
        )
    return rows[wanted].to_numpy(np.float64)
