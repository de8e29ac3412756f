"""Pairs of an onset and an apex image as a samples table, with the frames between the two, evenly spaced in time.

A sequence's frames lie in one folder, all of them, and are in the order of their names, numbers counting as numbers
(``2.bmp`` before ``10.bmp``). The picked onset and apex are found among them by their content, byte for byte, or else
by their name.

Source: ours, for sequences, which Xu et al., 2017, name as later work.
"""

from __future__ import annotations

import filecmp
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mien.data.file_account import Explain, FileAccount
from mien.data.images import is_image
from mien.data.onset_apex import FOLDS, MANIFEST, Pair, image_fault
from mien.data.splits import one_name_each
from mien.errors import MienError
from mien.labels import KINDS

if TYPE_CHECKING:
    import pandas as pd


def pairs_table(pairs: Sequence[Pair], name: str, root: Path) -> pd.DataFrame:
    """Lay pairs out as a samples table.

    Args:
        pairs: Of both kinds.
        name: Of the dataset, for messages.
        root: Its folder, likewise.

    Returns:
        One row per pair: ``sample_id``, ``onset`` and ``apex`` (paths relative to the folder), ``frame_1`` and so on
        (likewise, where pairs have frames between the two, all equally many), ``label`` (int64, 0 posed, 1
        spontaneous), ``kind``, ``expression``, ``subject`` (string), ``split`` ("folds": every row is tested
        in turn), ``illumination`` (string) and ``glasses`` (boolean), the last two missing where unknown.

    Raises:
        MienError: There is no pair, none of one kind, or two subjects' names look alike.
    """
    import pandas as pd

    absent = [kind for kind in KINDS if not any(pair.kind == kind for pair in pairs)]
    if absent:
        raise MienError(
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
        samples: One row per pair, with the column ``subject``.
        num_pairs: As published.
        num_subjects: As published.
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
        account: Of the dataset's folder.
        pairs: The table of ``pairs_table``.
        explain: Why no pair names a file.

    Raises:
        MienError: More images are lost than the account allows.
    """
    columns = ["onset", *(str(name) for name in pairs if str(name).startswith("frame_")), "apex"]
    account.use([account.root / MANIFEST] if (account.root / MANIFEST).is_file() else [])
    account.use_samples(pairs, columns, "kind")
    account.finish(
        explain,
        f"Name the folders as published, or list the pairs in {MANIFEST}; add images that are missing, or delete their "
        "lines.",
    )


_DIGITS = re.compile(r"([0-9]+)")
# Such a name of a picked image may say from which of a subject's sequences it is, and not which frame.
_NAMES_A_SEQUENCE = re.compile(r"(sequence[ _-]?)?[1-6]", re.IGNORECASE)


def take_frames(
    root: Path, pairs: Iterable[Pair], num_frames: int, account: FileAccount | None = None
) -> tuple[list[Pair], Counter[str]]:
    """Find the frames between onset and apex of pairs whose two images are there.

    Args:
        root: The dataset's folder.
        pairs: Complete, as ``mien.data.onset_apex.drop_incomplete`` leaves them.
        num_frames: Of a sequence, onset and apex included; with 2 the pairs are kept as they are.
        account: Is reported of the images of pairs that are dropped.

    Returns:
        The pairs with ``num_frames - 2`` frames ``between``, in their order, and how many were dropped by reason, a key
        of ``mien.data.onset_apex.REASONS``.

    Raises:
        MienError: ``num_frames`` is below 2.
    """
    if num_frames < 2:
        raise MienError(f"reader.num_frames is {num_frames}: give 2 for onset and apex, or more for a sequence.")
    if num_frames == 2:
        return list(pairs), Counter()
    kept: list[Pair] = []
    dropped: Counter[str] = Counter()
    for pair in pairs:
        between = _between(root, pair, num_frames)
        if isinstance(between, str):
            dropped[between] += 1
            if account:
                account.pass_over((pair.onset, pair.apex), between, FOLDS, pair.kind, lost=True)
        else:
            kept.append(replace(pair, between=between))
    return kept, dropped


def evenly_spaced(times: Sequence[int], num: int) -> list[int]:
    """Choose places of ``times``, from the first to the last, at times that are as evenly spaced as there are.

    Args:
        times: Rising, at least ``num`` of them.
        num: Of places, at least 2.

    Returns:
        Rising places, each the one nearest to its even time that leaves enough for those after it.

    Example:
        >>> evenly_spaced([0, 1, 2, 3, 4, 5, 6], 3), evenly_spaced([0, 1, 7, 8, 9], 4)
        ([0, 3, 6], [0, 1, 2, 4])
    """
    chosen: list[int] = []
    for number, time in enumerate(np.linspace(times[0], times[-1], num).tolist()):
        first, last = chosen[-1] + 1 if chosen else 0, len(times) - num + number
        chosen.append(min(range(first, last + 1), key=lambda place: abs(times[place] - time)))
    return chosen


def _between(root: Path, pair: Pair, num_frames: int) -> tuple[str, ...] | str:
    """The frames between onset and apex, or why there are none."""
    if pair.frames is None:
        return "no_frames"
    frames = _frames(root, pair.frames)
    if not frames:
        return "no_frames"
    onset, apex = _place(root, pair.onset, frames), _place(root, pair.apex, frames)
    if onset is None or apex is None:
        return "unplaced_image"
    if apex <= onset:
        return "apex_not_later"
    # Broken frames keep their places, as a gap in time.
    usable = [place for place in range(onset + 1, apex) if image_fault(root, frames[place]) is None]
    times = [onset, *usable, apex]
    if len(times) < num_frames:
        return "too_few_frames"
    return tuple(frames[times[place]] for place in evenly_spaced(times, num_frames)[1:-1])


def _frames(root: Path, folder: str) -> list[str]:
    """The images in a folder, in the order of time, relative to the dataset's folder."""
    try:
        paths = list((root / folder).iterdir())
    except OSError:
        return []
    images = [path.name for path in paths if not path.name.startswith(".") and is_image(path)]
    return [(Path(folder) / name).as_posix() for name in sorted(images, key=_in_time)]


def _in_time(name: str) -> tuple[list[str | int], str]:
    # Text and numbers alternate, so that like is compared with like.
    parts = _DIGITS.split(Path(name).stem.lower())
    return [int(part) if number % 2 else part for number, part in enumerate(parts)], name


def _place(root: Path, picked: str, frames: list[str]) -> int | None:
    """Which of the frames a picked image is."""
    if picked in frames:
        return frames.index(picked)
    name = Path(picked).name.lower()
    named = [place for place, frame in enumerate(frames) if Path(frame).name.lower() == name]
    others = [place for place in range(len(frames)) if place not in named]
    for place in (*named, *others):
        if _same_content(root / picked, root / frames[place]):
            return place
    return named[0] if named and not _NAMES_A_SEQUENCE.fullmatch(Path(name).stem) else None


def _same_content(one: Path, other: Path) -> bool:
    try:
        return filecmp.cmp(one, other, shallow=False)  # of two cameras' images the first block differs already
    except OSError:
        return False
