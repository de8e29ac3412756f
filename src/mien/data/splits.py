"""Splits that a dataset does not publish."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


def stratified_validation(samples: pd.DataFrame, fraction: float = 0.1, seed: int = 0) -> pd.DataFrame:
    """Move a part of every class from split "train" to split "val".

    A class of n training rows gives round(fraction * n) of them, at least one and at most n - 1; a class of one row
    keeps it. Which rows is decided by ``seed``, the label and the sample ids, so the order of the rows, their index
    and the other splits do not matter.

    Args:
        samples: with the columns ``sample_id`` (unique), ``label`` (integer) and ``split``. Other columns are kept.
        fraction: of the training rows, above 0 and below 1.
        seed: 0 or more.

    Returns:
        A copy of ``samples``, rows in the same order, with "val" in the column ``split`` of the chosen rows.

    Raises:
        ValueError: ``fraction`` or ``seed`` is out of range, a column is missing, ids repeat, there is no training
            row, there are validation rows already, or the rows name subjects, who would end up in both splits.

    Source: ours, because RAF-DB publishes no validation split and choosing a checkpoint on the test split, as its
        published code does, overstates the accuracy.
    """
    _check(samples, fraction, seed)
    train = samples["split"].to_numpy() == "train"
    labels, sample_ids = samples["label"].to_numpy(), samples["sample_id"].to_numpy().astype(str)
    val = np.zeros(len(samples), dtype=bool)
    for label in np.unique(labels[train]):
        rows = np.flatnonzero(train & (labels == label))
        rows = rows[np.argsort(sample_ids[rows])]
        num_val = min(max(round(fraction * len(rows)), 1), len(rows) - 1)
        # A generator per class, so that a change in one class leaves the others' rows where they were.
        rng = np.random.default_rng([seed, int(label)])
        val[rng.permutation(rows)[:num_val]] = True
    return samples.assign(split=samples["split"].mask(val, "val"))


def _check(samples: pd.DataFrame, fraction: float, seed: int) -> None:
    if not 0 < fraction < 1:
        raise ValueError(f"fraction of the validation split is {fraction}: give a number above 0 and below 1.")
    if seed < 0:
        raise ValueError(f"seed of the validation split is {seed}: give 0 or a positive whole number.")
    missing = {"sample_id", "label", "split"} - set(samples.columns)
    if missing:
        raise ValueError(f"The samples table lacks {sorted(missing)}, it has {list(samples.columns)}: add the columns.")
    repeated = samples.loc[samples["sample_id"].duplicated(), "sample_id"]
    if len(repeated):
        raise ValueError(
            f"The samples table repeats {len(repeated)} sample ids, the first {repeated.iloc[0]!r}: make them unique."
        )
    if not (samples["split"] == "train").any():
        raise ValueError("The samples table has no row of split 'train' to take validation rows from: add some.")
    if (samples["split"] == "val").any():
        raise ValueError("The samples table has rows of split 'val' already: use them, or rename them to 'train'.")
    if "subject" in samples and samples["subject"].notna().any():
        raise ValueError(
            "The samples table names subjects, and rows of one subject would be in 'train' and in 'val': "
            "give every subject to one split, or drop the column `subject` if that is what you want."
        )
