"""Pairs of an onset and an apex image as a samples table, and the account of the files that they use."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mien.data.file_account import Explain, FileAccount
from mien.data.onset_apex import FOLDS, MANIFEST, Pair
from mien.data.people import one_name_each
from mien.labels import KINDS

if TYPE_CHECKING:
    import pandas as pd


def pairs_table(pairs: Sequence[Pair], name: str, root: Path) -> pd.DataFrame:
    """Lay pairs out as a samples table.

    Args:
        pairs: of both kinds.
        name: of the dataset, for messages.
        root: its folder, likewise.

    Returns:
        One row per pair: ``sample_id``, ``onset`` and ``apex`` (paths relative to the folder), ``frame_1`` and so on
        (likewise, where pairs have frames between the two, all equally many), ``label`` (int64, 0 posed, 1
        spontaneous), ``kind``, ``expression``, ``subject`` (string), ``split`` ("folds": every row is tested
        in turn), ``illumination`` (string) and ``glasses`` (boolean), the last two missing where unknown.

    Raises:
        ValueError: there is no pair, none of one kind, or two subjects' names look alike.
    """
    import pandas as pd

    absent = [kind for kind in KINDS if not any(pair.kind == kind for pair in pairs)]
    if absent:
        raise ValueError(
            f"{name} is incomplete: none of the {len(pairs):,} complete pairs under {root} is {' or '.join(absent)}. "
            f"List pairs of both kinds in {root / MANIFEST}, and check the pairs that the log says were dropped."
        )
    return pd.DataFrame(
        {
            "sample_id": [pair.sample_id for pair in pairs],
            "onset": [pair.onset for pair in pairs],
            "apex": [pair.apex for pair in pairs],
            **{
                f"frame_{number}": list(frames)
                for number, frames in enumerate(zip(*(pair.between for pair in pairs), strict=True), start=1)
            },
            "label": pd.Series([KINDS.index(pair.kind) for pair in pairs], dtype="int64"),
            "kind": [pair.kind for pair in pairs],
            "expression": [pair.expression for pair in pairs],
            "subject": one_name_each(pd.Series([pair.subject for pair in pairs], dtype="string"), name),
            "split": FOLDS,
            "illumination": pd.Series([pair.illumination for pair in pairs], dtype="string"),
            "glasses": pd.Series([pair.glasses for pair in pairs], dtype="boolean"),
        }
    )


def total_deviations(samples: pd.DataFrame, num_pairs: int, num_subjects: int) -> list[str]:
    """Say in sentences where the numbers of pairs and of subjects depart from the published ones.

    Args:
        samples: one row per pair, with the column ``subject``.
        num_pairs: as published.
        num_subjects: as published.
    """
    found = ((len(samples), num_pairs, "pairs"), (samples["subject"].nunique(), num_subjects, "subjects"))
    return [
        f"There are {has:,} {what}, {abs(has - should):,} {'more' if has > should else 'fewer'} "
        f"than the {should:,} published."
        for has, should, what in found
        if has != should
    ]


def account_for_pairs(account: FileAccount, pairs: pd.DataFrame, explain: Explain) -> None:
    """Tell an account which images pairs use, and have it account for all other files.

    Args:
        account: of the dataset's folder.
        pairs: the table of ``pairs_table``.
        explain: why no pair names a file.

    Raises:
        ValueError: more images are lost than the account allows.
    """
    columns = ["onset", *(str(name) for name in pairs if str(name).startswith("frame_")), "apex"]
    account.use([account.root / MANIFEST] if (account.root / MANIFEST).is_file() else [])
    account.use_samples(pairs, columns, "kind")
    account.finish(
        explain,
        f"Name the folders as published, or list the pairs in {MANIFEST}; add images that are missing, or delete their "
        "lines.",
    )
