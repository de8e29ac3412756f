"""SPOS, spontaneous against posed expressions of seven people, as pairs of onset and apex images.

Its layout is not public, so the pairs are read from a manifest, see ``mien.data.onset_apex``:

```
<root>/manifest.csv
```

Source: Pfister, Li, Zhao and Pietikäinen, ICCV Workshops 2011; counts as Xu et al., 2017, give them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mien.data.file_account import FileAccount, Verdict
from mien.data.folders import holds_file
from mien.data.folds import leave_one_subject_out
from mien.data.onset_apex import (
    MANIFEST,
    drop_incomplete,
    log_dropped,
    read_manifest,
)
from mien.data.pair_samples import account_for_pairs, pairs_table, take_frames
from mien.errors import MienError

if TYPE_CHECKING:
    import pandas as pd

PUBLISHED_COUNTS: dict[str, dict[str, int]] = {"folds": {"posed": 84, "spontaneous": 150}}
"""Pairs by kind: seven people posed six emotions twice each."""

NUM_SUBJECTS = 7

_NAME = "SPOS"


def find_spos(root: Path) -> Path:
    """Check that ``root`` holds a manifest.

    Raises:
        MienError: ``root`` is missing or has none.
    """
    if not holds_file(root, MANIFEST, _NAME):
        what = f"{root} holds no {MANIFEST}" if root.is_dir() else f"{root} is not a folder"
        raise MienError(
            f"{_NAME} is not there: {what}. Ask the authors at the University of Oulu for the SPOS Corpus (Pfister et "
            f"al., ICCV Workshops 2011), pick the onset and the apex frame of every clip, and list them in {MANIFEST}. "
            "The demo draws its own faces and needs no download."
        )
    return root


def read_spos(root: Path, num_frames: int = 2, account: FileAccount | None = None) -> pd.DataFrame:
    """Read the manifest into a samples table in which every subject is a fold, and account for every file.

    Pairs of which an image is missing or empty are dropped, counted by reason, and logged; so are sequences of fewer
    frames than are requested.

    Args:
        root: The dataset's folder.
        num_frames: As in ``mien.data.nvie.read_nvie``.
        account: Receives what becomes of every file; a new one where None.

    Returns:
        One row per pair: the columns of ``mien.data.onset_apex.pairs_table`` and ``fold`` (int64), one per subject.

    Raises:
        MienError: The manifest is missing or malformed, one kind is absent, there is only one subject,
            ``num_frames`` is below 2, or more images are missing or passed over than ``account`` allows.

    Source: Xu et al., 2017, section 4.2: leave one subject out.
    """
    find_spos(root)
    account = account or FileAccount(root, _NAME)
    kept, dropped = drop_incomplete(root, read_manifest(root, _NAME), account)
    log_dropped(dropped, _NAME)
    kept, without_frames = take_frames(root, kept, num_frames, account)
    log_dropped(without_frames, _NAME)
    pairs = pairs_table(kept, _NAME, root)
    account_for_pairs(account, pairs, lambda _: Verdict("not_in_the_manifest"))
    return leave_one_subject_out(pairs)
