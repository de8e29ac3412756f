"""USTC-NVIE, natural visible and infrared facial expressions, as pairs of onset and apex images.

The spontaneous half is read from its folders, the posed half, whose layout is not public, from a manifest:

```
<root>/013/visible/sequence1/*.bmp            frames; sequence 1 to 6: happy, disgust, fear, surprise, angry, sad
<root>/013/visible/onset/..., apex/...        the frames picked out, beside the sequence folders
<root>/manifest.csv                           see ``mien.data.onset_apex``
<root>/subset.txt                             sample ids of a subset, one a line; only where one is requested
```

How the picked frames are named is not documented. One is taken for sequence k if it lies in a folder sequence<k> above
or below ``onset``, is named sequence<k> or k, or bears the name of a frame that only sequence k has. Folders may nest
in another order, and under ``front``, ``left`` or ``right``; upper and lower case are the same. Infrared images, and
all below a folder ``posed``, are passed over.

Source: Wang et al., IEEE Transactions on Multimedia 12(7), 2010; folder names as a public user of the spontaneous half
reads them (metresayn/Thesis_work, preprocess_rawdata.py).
"""

from __future__ import annotations

import logging
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mien.data.file_account import FileAccount, Verdict
from mien.data.folders import holds_file
from mien.data.folds import subject_folds
from mien.data.images import is_image
from mien.data.nvie_folders import NAME, Folder, Sequence, place_of, visible_folders
from mien.data.onset_apex import (
    FOLDS,
    MANIFEST,
    Pair,
    drop_incomplete,
    image_fault,
    log_dropped,
    pair_fault,
    read_manifest,
    read_text,
    write_manifest,
)
from mien.data.pair_samples import account_for_pairs, pairs_table, take_frames
from mien.errors import MienError

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

SEQUENCES = ("happy", "disgust", "fear", "surprise", "angry", "sad")
"""The emotion that each sequence was meant to induce, sequence 1 first."""

PUBLISHED_COUNTS: dict[str, dict[str, int]] = {}
"""No count by class is published; see ``PUBLISHED_TOTALS``."""

PUBLISHED_TOTALS: dict[str, tuple[int, int]] = {"full": (4203, 148), "subset": (1028, 80)}
"""Pairs and subjects of all that Xu et al., 2017, used, and of the subset used before them."""

_SPONTANEOUS = (FOLDS, "spontaneous")
_STEM = re.compile(r"(?:sequence[ _-]?)?([1-6])", re.IGNORECASE)
_WHERE_TO_GET_IT = (
    "Sign the agreement at http://nvie.ustc.edu.cn, and put the spontaneous half there as "
    f"<subject>/visible/onset and apex, or list your pairs in {MANIFEST}. "
    "The demo draws its own faces and needs no download."
)


def find_nvie(root: Path) -> Path:
    """Check that ``root`` holds a manifest, or images of the spontaneous half in their folders.

    Raises:
        MienError: ``root`` is missing or holds neither.
    """
    if not root.is_dir():
        raise MienError(f"{NAME}'s folder is missing: {root} is not a folder. {_WHERE_TO_GET_IT}")
    if not holds_file(root, MANIFEST, NAME) and not any("role" in folder.place for folder in visible_folders(root)):
        raise MienError(
            f"{NAME} is not there: {root} holds neither {MANIFEST} nor a folder with images such as "
            f"013/visible/onset. {_WHERE_TO_GET_IT}"
        )
    return root


def read_nvie(
    root: Path,
    subset: Literal["full", "subset"] = "full",
    num_folds: int = 10,
    seed: int = 0,
    num_frames: int = 2,
    account: FileAccount | None = None,
) -> pd.DataFrame:
    """Read the pairs of both halves into a samples table, deal their subjects into folds, account for every file.

    Spontaneous pairs come from the manifest if it lists any, and from their folders otherwise. Pairs of which an image
    is missing or empty are dropped, counted by reason, and logged; so are sequences of fewer frames than are requested.

    Args:
        root: The dataset's folder.
        subset: ``full`` for all pairs, ``subset`` for those that ``subset.txt`` lists.
        num_folds: Folds of about equal size, no subject in two.
        seed: Of the folds.
        num_frames: Images of a sample, evenly spaced in time from the onset to the apex; 2 for these alone, as
            published. More is ours.
        account: Receives what becomes of every file; a new one where None.

    Returns:
        One row per pair: the columns of ``pairs_table`` and ``fold`` (int64, 0 to num_folds - 1). Subjects named by
        numbers have three digits, whichever half they come from.

    Raises:
        MienError: The folder holds neither half, the manifest or the list of the subset is malformed, one kind is
            absent, there are fewer subjects than folds, ``num_frames`` is below 2, or more images are missing or passed
            over than ``account`` allows.

    Source: Xu et al., 2017, section 4.2, for the protocol. The 1,028 pairs of the subset are not published.
    """
    if subset not in PUBLISHED_TOTALS:
        raise MienError(f"subset {subset!r} of {NAME} is unknown: choose 'full' or 'subset'.")
    find_nvie(root)
    account = account or FileAccount(root, NAME)
    pairs, listed = _all_pairs(root, account)
    if subset == "subset":
        chosen = read_subset(root / SUBSET_FILE)
        check_chosen(chosen, {pair.sample_id for pair in pairs}, root / SUBSET_FILE)
        account.use([root / SUBSET_FILE])
        for pair in pairs:
            if pair.sample_id not in chosen:
                account.pass_over((pair.onset, pair.apex), "not_of_the_subset", FOLDS, pair.kind)
        pairs = [pair for pair in pairs if pair.sample_id in chosen]
    kept, dropped = drop_incomplete(root, pairs, account)
    log_dropped(dropped, NAME)
    kept, without_frames = take_frames(root, kept, num_frames, account)
    log_dropped(without_frames, NAME)
    table = pairs_table(kept, NAME, root)
    account_for_pairs(account, table, lambda name: _explain(root / name, root, listed))
    return subject_folds(table, num_folds, seed)


def _explain(path: Path, root: Path, listed: set[str] | None) -> Verdict | None:
    """Why no pair names a file; ``listed`` are the folders that the manifest names, None where it lists all pairs."""
    relative = path.relative_to(root)
    folders = [part.lower() for part in relative.parts[:-1]]
    if listed is None or "posed" in folders or relative.parent.as_posix() in listed:
        return Verdict("not_in_the_manifest")
    if "infrared" in folders:
        return Verdict("infrared")
    if not is_image(path):
        return None
    place = place_of(relative.parts[:-1])
    if place is None:
        reason = "folders_contradict_each_other"
    elif "subject" not in place:
        reason = "in_no_folder_of_a_subject"
    elif "spectrum" not in place:
        reason = "neither_visible_nor_infrared"
    elif "role" in place:
        reason = "of_no_pair"
    elif "sequence" in place:
        return Verdict("frame_of_a_sequence", group="spontaneous")
    else:
        reason = "neither_onset_nor_apex"
    return Verdict(reason, lost=True, split=FOLDS, group="spontaneous")


def find_spontaneous_pairs(root: Path, account: FileAccount | None = None) -> tuple[list[Pair], Counter[str]]:
    """Pair the onset and apex images of the spontaneous half's folders.

    Args:
        root: The dataset's folder.
        account: Receives the images that make no pair.

    Returns:
        The pairs by subject, illumination and sequence, both images there, and how many sequences (for
        ``unknown_sequence`` images) were dropped by reason, a key of
        ``mien.data.onset_apex.REASONS``.

    Raises:
        MienError: A folder cannot be listed.
    """
    folders = list(visible_folders(root))
    frames, frame_folders = _frame_names(folders), _frame_folders(folders)
    dropped: Counter[str] = Counter()
    images: dict[Sequence, dict[str, list[str]]] = {sequence: {"onset": [], "apex": []} for sequence in frames}
    for folder in folders:
        if "role" in folder.place:
            for name in folder.names:
                number = _sequence_number(folder, name, frames)
                if number is None:
                    dropped["unknown_sequence"] += 1
                    if account:
                        account.pass_over([f"{folder.path}/{name}"], "unknown_sequence", *_SPONTANEOUS, lost=True)
                    continue
                candidates = images.setdefault(folder.sequence(number), {"onset": [], "apex": []})
                candidates[folder.place["role"]].append(f"{folder.path}/{name}")
    pairs = []
    for sequence in sorted(images, key=lambda key: (key.subject, key.illumination or "", key.number)):
        onset, onset_fault = _only_image(root, images[sequence]["onset"])
        apex, apex_fault = _only_image(root, images[sequence]["apex"])
        fault = pair_fault(onset_fault, apex_fault)
        if fault is None:
            pairs.append(_spontaneous_pair(sequence, onset, apex, frame_folders.get(sequence)))
        else:
            dropped[fault] += 1
            if account:
                picked = [*images[sequence]["onset"], *images[sequence]["apex"]]
                account.pass_over(picked, fault, *_SPONTANEOUS, lost=True)
                if fault.startswith("no_"):  # people do not show every emotion: without either there is no sample
                    name = "/".join(
                        filter(None, (sequence.subject, sequence.illumination, f"sequence{sequence.number}"))
                    )
                    account.miss([f"{name} ({fault})"], fault, *_SPONTANEOUS, lost=bool(picked))
    return pairs, dropped


def write_spontaneous_manifest(root: Path) -> Path:
    """Write the spontaneous half's pairs, found in their folders, into the manifest, after the posed ones it has.

    Edit the file to leave pairs out or to set glasses: once it lists spontaneous pairs, ``read_nvie`` takes them from
    it alone.

    Returns:
        The manifest.

    Raises:
        MienError: ``root`` holds neither half, the manifest is malformed or lists spontaneous pairs already, or the
            folders hold no pair.

    Example:
        >>> write_spontaneous_manifest(Path("data/01_raw/nvie"))  # doctest: +SKIP
        PosixPath('data/01_raw/nvie/manifest.csv')
    """
    find_nvie(root)
    listed = _listed_pairs(root)
    if any(pair.kind == "spontaneous" for pair in listed):
        raise MienError(
            f"{NAME}'s manifest lists spontaneous pairs already: {root / MANIFEST} is left as it is. "
            "Delete their lines to have them written anew."
        )
    found, dropped = find_spontaneous_pairs(root)
    log_dropped(dropped, NAME)
    if not found:
        raise MienError(
            f"{NAME}'s spontaneous half has no pair: no sequence under {root} has an onset and an apex image. "
            "Check that its folders are <subject>/visible/onset and apex."
        )
    _check_distinct(listed, found, root)
    return write_manifest(root, [*listed, *found])


def _all_pairs(root: Path, account: FileAccount) -> tuple[list[Pair], set[str] | None]:
    """The pairs of both halves, those of the folders complete, and folders that are the manifest's; None for all."""
    listed = _listed_pairs(root)
    if any(pair.kind == "spontaneous" for pair in listed):
        logger.info("%s: all %d pairs are taken from %s", NAME, len(listed), root / MANIFEST)
        return listed, None
    found, dropped = find_spontaneous_pairs(root, account)
    log_dropped(dropped, NAME)
    logger.info("%s: %d posed pairs are listed, %d spontaneous ones found in folders", NAME, len(listed), len(found))
    _check_distinct(listed, found, root)
    named = {Path(name).parent.as_posix() for pair in listed for name in (pair.onset, pair.apex)}
    return [*listed, *found], named | {pair.frames for pair in listed if pair.frames}


def _listed_pairs(root: Path) -> list[Pair]:
    return read_manifest(root, NAME) if holds_file(root, MANIFEST, NAME) else []


def _check_distinct(listed: list[Pair], found: list[Pair], root: Path) -> None:
    ids, images = {pair.sample_id for pair in listed}, {name for pair in listed for name in (pair.onset, pair.apex)}
    for pair in found:
        if pair.sample_id in ids or not images.isdisjoint((pair.onset, pair.apex)):
            raise MienError(
                f"{NAME} has a pair twice: {root / MANIFEST} lists the id or an image of {pair.sample_id}, which the "
                f"spontaneous half's folders hold too ({pair.onset} and {pair.apex}). Give the listed pair its own id "
                "and images, or delete its line."
            )


def _frame_names(folders: Iterable[Folder]) -> dict[Sequence, set[str]]:
    """The names of the frames of every sequence, in lower case."""
    names: dict[Sequence, set[str]] = defaultdict(set)
    for folder in folders:
        if "sequence" in folder.place and "role" not in folder.place:
            names[folder.sequence(int(folder.place["sequence"]))].update(name.lower() for name in folder.names)
    return names


def _frame_folders(folders: Iterable[Folder]) -> dict[Sequence, str]:
    """The folder of the frames of every sequence, where that is one folder."""
    paths: dict[Sequence, list[str]] = defaultdict(list)
    for folder in folders:
        if "sequence" in folder.place and "role" not in folder.place:
            paths[folder.sequence(int(folder.place["sequence"]))].append(folder.path)
    return {sequence: of[0] for sequence, of in paths.items() if len(of) == 1}


def _sequence_number(folder: Folder, name: str, frames: dict[Sequence, set[str]]) -> int | None:
    """The sequence that a picked image is from; None where nothing tells, or two things disagree."""
    if "sequence" in folder.place:
        return int(folder.place["sequence"])
    stem = Path(name).stem
    by_stem = _STEM.fullmatch(stem)
    numbers = range(1, len(SEQUENCES) + 1)
    by_frame = [k for k in numbers if name.lower() in frames.get(folder.sequence(k), ())]
    if by_stem and (len(by_frame) != 1 or len(stem) > 1):
        return int(by_stem[1])
    if len(by_frame) == 1 and (not by_stem or int(by_stem[1]) == by_frame[0]):
        return by_frame[0]
    return None


def _only_image(root: Path, references: list[str]) -> tuple[str, str | None]:
    """The one usable image of several candidates, or what is wrong with them."""
    faults = [image_fault(root, reference) for reference in references]
    usable = [reference for reference, fault in zip(references, faults, strict=True) if fault is None]
    if len(usable) == 1:
        return usable[0], None
    if usable:
        return "", "several_images"
    return "", faults[0] if faults else "missing"


def _spontaneous_pair(sequence: Sequence, onset: str, apex: str, frames: str | None) -> Pair:
    expression = SEQUENCES[sequence.number - 1]
    words = ("spontaneous", sequence.subject, sequence.illumination, expression)
    return Pair(
        sample_id="_".join(word for word in words if word),
        subject=sequence.subject,
        kind="spontaneous",
        expression=expression,
        illumination=sequence.illumination,
        glasses=None,
        onset=onset,
        apex=apex,
        frames=frames,
    )


SUBSET_FILE = "subset.txt"


def read_subset(path: Path) -> dict[str, int]:
    """Line number of every sample id that the list names.

    Raises:
        MienError: The list is missing, empty, or names a pair twice.
    """
    text = read_text(path, f"The list of {NAME}'s subset")
    line_of: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        sample_id = line.strip()
        if sample_id in line_of:
            raise MienError(
                f"The list of {NAME}'s subset names {sample_id} twice: line {number} of {path} repeats line "
                f"{line_of[sample_id]}. Delete one."
            )
        if sample_id:
            line_of[sample_id] = number
    if not line_of:
        raise MienError(
            f"The list of {NAME}'s subset is empty: {path} has no sample id. Write one per line, or read 'full'."
        )
    return line_of


def check_chosen(chosen: dict[str, int], known: set[str], path: Path) -> None:
    """Check that every chosen pair is there.

    Args:
        chosen: Line by sample id, as ``read_subset`` gives them.
        known: Ids of the pairs that are there.
        path: The list, for the message.

    Raises:
        MienError: A chosen pair is not there.
    """
    unknown = [sample_id for sample_id in chosen if sample_id not in known]
    if unknown:
        raise MienError(
            f"The list of {NAME}'s subset names {len(unknown)} pairs that are not there, the first, "
            f"{unknown[0][:80]!r}, on line {chosen[unknown[0]]} of {path}. "
            f"Write sample ids as {MANIFEST} has them, or as 'spontaneous_013_happy' for folders; pairs that the log "
            "says were dropped cannot be chosen."
        )
