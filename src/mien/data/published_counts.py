"""Counts of a samples table beside those that a dataset's authors publish."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

PublishedCounts = Mapping[str, Mapping[str, int]]
"""Number of samples by split, then by class."""

WHOLE = "all"
"""Split of counts that are published for the whole dataset: all rows are counted together."""

NOT_PUBLISHED = {"val": "train"}
"""Splits that a reader sets aside from another, whose published count holds both."""


def count_table(samples: pd.DataFrame, published: PublishedCounts, column: str) -> pd.DataFrame:
    """Count samples per split and class, beside the published counts.

    Args:
        samples: with the columns ``split`` and ``column``.
        published: by split and class; a split "val" that is not in it is counted as "train", from which it is taken.
            By ``WHOLE`` and class where no split is published.
        column: names the class, as ``expression``.

    Returns:
        One row per split and class, in the order of ``published``, then the others as they come: ``split``, ``class``,
        ``found``, ``published`` (missing where the authors name no number) and ``difference``.

    Example:
        >>> import pandas as pd
        >>> samples = pd.DataFrame({"split": ["train", "val", "test"], "expression": ["sad", "sad", "happy"]})
        >>> count_table(samples, {"train": {"sad": 2}}, "expression")["difference"].tolist()
        [0, <NA>]
    """
    import pandas as pd

    splits = samples["split"].astype(str)
    splits = splits.mask(splits.isin(NOT_PUBLISHED) & ~splits.isin(list(published)), splits.map(NOT_PUBLISHED))
    counts = samples.groupby([splits, samples[column].astype(str)], sort=True).size()
    if WHOLE in published and not (splits == WHOLE).any():
        counts = samples.groupby(samples[column].astype(str), sort=True).size()
        counts.index = pd.MultiIndex.from_product([[WHOLE], counts.index])
    pairs = [(split, name) for split, classes in published.items() for name in classes]
    pairs += [pair for pair in counts.index if pair not in pairs]
    table = pd.DataFrame(pairs, columns=["split", "class"])
    table["found"] = [int(counts.get(pair, 0)) for pair in pairs]
    numbers = [published.get(split, {}).get(name) for split, name in pairs]
    table["published"] = pd.array(numbers, dtype="Int64")
    table["difference"] = table["found"] - table["published"]
    return table


def count_deviations(counts: pd.DataFrame) -> list[str]:
    """Say in sentences where found counts depart from published ones; empty where they do not.

    Args:
        counts: The table of ``count_table``.
    """
    known = counts.dropna(subset=["published"])
    rows = []
    for split, classes in known.groupby("split", sort=False):
        rows.append((f"{split} split", int(classes["found"].sum()), int(classes["published"].sum())))
        rows += [
            (f"class {name} of the {split} split", int(found), int(should))
            for name, found, should in zip(classes["class"], classes["found"], classes["published"], strict=True)
            if name  # what is not labelled has one number, the split's
        ]
    return [
        f"The {what} has {has:,} samples, {abs(has - should):,} {'more' if has > should else 'fewer'} "
        f"than the {should:,} published."
        for what, has, should in rows
        if has != should
    ]
