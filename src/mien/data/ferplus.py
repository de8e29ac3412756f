"""FER+, the faces of FER2013 with ten votes each, from its published layouts.

```
<root>/[fer2013/]fer2013.csv          emotion,pixels,Usage: 35,887 rows of 48x48 grey pixels
<root>/fer2013new.csv                 Usage,Image name and ten vote columns: the same rows in the same order
<root>/[data/]FER2013Train/label.csv  fer0000000.png,"(0, 0, 48, 48)",4,0,0,1,3,2,0,0,0,0
<root>/[data/]FER2013Train/fer0000000.png                     ... FER2013Valid/ and FER2013Test/ likewise
```

Source: Goodfellow et al. 2013 (FER2013); Barsoum et al. 2016 and github.com/microsoft/FERPlus.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from mien.data.alignment import SQUARE, check_aligned_sizes
from mien.data.duplicates import mark_duplicates, warn_of_leaks
from mien.data.ferplus_files import SPLITS, Layout, Votes, choose_sources, explain_file, list_ferplus
from mien.data.ferplus_votes import VOTED_EXPRESSIONS, label_votes
from mien.data.file_account import FileAccount
from mien.data.target_shares import add_target_shares
from mien.errors import MienError
from mien.labels import FERPLUS_EXPRESSIONS, TargetMode

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)


_WAY_ON = (
    "Write the PNG files with FER+'s generate_training_data.py, or add fer2013.csv and fer2013new.csv and set "
    "reader.layout to csv."
)


def _by_class(*counts: int) -> dict[str, int]:
    named = dict(zip(VOTED_EXPRESSIONS, counts, strict=True))
    return {name: named[name] for name in FERPLUS_EXPRESSIONS}


PUBLISHED_COUNTS: dict[str, dict[str, int]] = {
    "train": _by_class(8733, 7284, 3136, 3022, 2098, 116, 536, 120),
    "val": _by_class(1180, 862, 411, 348, 289, 25, 60, 16),
    "test": _by_class(1083, 892, 394, 382, 269, 16, 86, 15),
}
"""Images per split and expression by the majority rule on ``label.csv``, the literature's counts."""

NEW_CSV_COUNTS: dict[str, dict[str, int]] = {
    "train": _by_class(8740, 7287, 3149, 3014, 2100, 119, 532, 119),
    "val": _by_class(1182, 865, 415, 351, 287, 24, 62, 13),
    "test": _by_class(1090, 893, 396, 384, 273, 18, 83, 16),
}
"""Images per split and expression by the majority rule on ``fer2013new.csv``."""

TRAINING_TOTALS: dict[tuple[Votes, TargetMode], int] = {
    ("label_csv", "majority"): 25_045,
    ("label_csv", "probability"): 27_947,
    ("label_csv", "crossentropy"): 27_947,
    ("label_csv", "multi_target"): 27_667,
    ("new_csv", "majority"): 25_060,
    ("new_csv", "probability"): 27_956,
    ("new_csv", "crossentropy"): 27_956,
}
"""Images that each rule keeps of the training split, where the number is known from the published files."""


def find_ferplus(root: Path) -> Path:
    """Check that a folder holds FER+ in one of its layouts, and return it.

    Raises:
        MienError: It is missing, or holds neither layout.
    """
    choose_sources(root)
    return root


def read_ferplus(
    root: Path,
    layout: Layout | Literal["auto"] = "auto",
    votes: Votes | Literal["auto"] = "auto",
    label_mode: TargetMode = "majority",
    account: FileAccount | None = None,
) -> pd.DataFrame:
    """Read FER+ into a samples table, every image to which its votes give a label, and account for every file of it.

    Args:
        root: FER+'s folder.
        layout: As in ``choose_sources``.
        votes: As in ``choose_sources``.
        label_mode: The rule of ``mien.data.ferplus_votes.label_votes`` for the training split, and what training takes
            from the votes that it leaves. Validation and test images are chosen and labelled by the majority in every
            mode.
        account: Receives what becomes of every file and row; a new one where None.

    Returns:
        One row per image, in reading order: ``sample_id`` ("fer0000000"; of a name that is there twice, the later
        row's has "_row" and its number), ``image`` (reference for ``ImageSource``), ``label`` (int64, position in
        ``FERPLUS_EXPRESSIONS``, the one with the largest target), ``expression`` (its name), ``split`` ("train", "val"
        or "test"), ``subject`` (all missing), ``target/<expression>`` (eight columns, float64, adding up to 1) and
        ``target_mode`` as in ``mien.data.target_shares``, ``duplicate_of`` and ``leaks`` as in ``mark_duplicates``,
        among the rows of the table.

    Raises:
        MienError: Files are missing or not of the published format, the rows of the two CSV files do not go together,
            a split lacks a class, or more images of a split are missing or passed over than ``account`` allows.

    Source: FER+'s ``src/ferplus.py``; in the choice of votes ours, see ``choose_sources``.
    """
    sources = choose_sources(root, layout, votes)
    logger.info("FER+ is read from %s: pixels in layout %s, votes of %s", root, sources.layout, sources.votes)
    account = account or FileAccount(root, "FER+")
    listed, all_votes, digests = list_ferplus(root, sources, account)
    train = (listed["split"] == "train").to_numpy()
    given, majority = (label_votes(all_votes, mode) for mode in (label_mode, "majority"))
    labels = np.where(train, given.labels, majority.labels)
    targets = np.where(train[:, None], given.targets, majority.targets)
    kept = labels >= 0
    samples = listed[kept].reset_index(drop=True)
    samples.insert(2, "label", labels[kept])
    samples.insert(3, "expression", [FERPLUS_EXPRESSIONS[label] for label in labels[kept]])
    modes = np.where(train[kept], label_mode, "majority")
    samples = add_target_shares(samples, targets[kept], FERPLUS_EXPRESSIONS, modes)
    if sources.layout == "folders":
        paths = (root / name for name in samples["image"])
        check_aligned_sizes(
            paths, "FER+", SQUARE, account.max_passed_over, "Write the PNG files anew from fer2013.csv."
        )
    account.use_samples(samples, ["image"], "expression")
    for image, split in zip(listed.loc[~kept, "image"], listed.loc[~kept, "split"], strict=True):
        account.pass_over([image], "without_a_label_by_the_votes", split)
    account.finish(lambda name: explain_file(root / name, root, sources), _WAY_ON)
    _check_complete(samples, root)
    _log_counts(samples, len(listed), sources.votes, label_mode)
    samples = mark_duplicates(samples, [digests[row] for row in np.flatnonzero(kept)])
    warn_of_leaks(samples, "FER+")
    return samples


def published_counts(votes: Votes, label_mode: TargetMode) -> dict[str, dict[str, int]]:
    """Published counts per split and class of what ``read_ferplus`` returns.

    Where the training split is not labelled by the majority, only validation and test are known by class.
    """
    counts = PUBLISHED_COUNTS if votes == "label_csv" else NEW_CSV_COUNTS
    return {split: classes for split, classes in counts.items() if label_mode == "majority" or split != "train"}


def _check_complete(samples: pd.DataFrame, root: Path) -> None:
    for split in SPLITS.values():
        present = set(samples.loc[samples["split"] == split, "expression"])
        absent = [name for name in FERPLUS_EXPRESSIONS if name not in present]
        if absent:
            what = f"the {split} split is absent" if not present else f"{', '.join(absent)} absent from {split}"
            raise MienError(
                f"FER+ is incomplete: {what} in {root}. Each split needs at least one labelled image of each of the "
                f"{len(FERPLUS_EXPRESSIONS)} classes; copy the files again from the download."
            )


def _log_counts(samples: pd.DataFrame, num_listed: int, votes: Votes, label_mode: TargetMode) -> None:
    """Say how many images have a label, and of which published votes and rule these numbers are."""
    found = tuple(int((samples["split"] == split).sum()) for split in SPLITS.values())
    matches = []
    for (source, mode), train in TRAINING_TOTALS.items():
        held_out = published_counts(source, mode)
        if found == (train, sum(held_out["val"].values()), sum(held_out["test"].values())):
            matches.append(f"{mode} on {source.replace('_csv', '.csv').replace('new', 'fer2013new')}")
    logger.info(
        "FER+: %s of %d images have a label by %s on %s: %s",
        " + ".join(map(str, found)),
        num_listed,
        label_mode,
        votes,
        f"the published counts of {' and '.join(matches)}" if matches else "no published counts",
    )
