"""USTC-NVIE, natural visible and infrared facial expressions, as pairs of onset and apex images.

The spontaneous half is read from its folders, the posed half, whose layout is not public, from a manifest:

```
<root>/013/visible/sequence1/*.bmp            frames; sequence 1 to 6: happy, disgust, fear, surprise, angry, sad
<root>/013/visible/onset/..., apex/...        the frames picked out, beside the sequence folders
<root>/manifest.csv                           see ``mien.data.onset_apex``
<root>/subset.txt                             sample ids of a subset, one a line; only where one is asked for
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
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from mien.data.folds import subject_folds
from mien.data.onset_apex import (
    MANIFEST,
    Pair,
    drop_incomplete,
    image_fault,
    log_dropped,
    pair_fault,
    pairs_table,
    read_manifest,
    read_text,
    write_manifest,
)
from mien.data.sequence_frames import take_frames

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

SUBSET_FILE = "subset.txt"

SEQUENCES = ("happy", "disgust", "fear", "surprise", "angry", "sad")
"""The emotion that each sequence was meant to induce, sequence 1 first."""

PUBLISHED_COUNTS: dict[str, dict[str, int]] = {}
"""No count by class is published; see ``PUBLISHED_TOTALS``."""

PUBLISHED_TOTALS: dict[str, tuple[int, int]] = {"full": (4203, 148), "subset": (1028, 80)}
"""Pairs and subjects of all that Xu et al., 2017, used, and of the subset used before them."""

_NAME = "USTC-NVIE"
_FOLDERS = {
    "subject": re.compile(r"([0-9]{3})"),
    "spectrum": re.compile(r"(visible|infrared)", re.IGNORECASE),
    "sequence": re.compile(r"sequence[ _-]?([1-6])", re.IGNORECASE),
    "role": re.compile(r"(onset|apex)", re.IGNORECASE),
    "illumination": re.compile(r"(front|left|right)", re.IGNORECASE),
}
_SUFFIXES = (".bmp", ".png", ".jpg", ".jpeg")
_STEM = re.compile(r"(?:sequence[ _-]?)?([1-6])", re.IGNORECASE)
_WHERE_TO_GET_IT = (
    "Sign the agreement at http://nvie.ustc.edu.cn, and put the spontaneous half there as "
    f"<subject>/visible/onset and apex, or list your pairs in {MANIFEST}. "
    "The demo draws its own faces and needs no download."
)


class _Sequence(NamedTuple):
    """What a spontaneous pair is found by."""

    subject: str
    illumination: str | None
    number: int


@dataclass(frozen=True)
class _Folder:
    """A folder of visible images: what its path says, in lower case, and the names of its images, sorted."""

    place: dict[str, str]
    path: str  # relative to the dataset's folder
    names: list[str]
    is_link: bool = False

    def sequence(self, number: int) -> _Sequence:
        return _Sequence(self.place["subject"], self.place.get("illumination"), number)


def find_nvie(root: Path) -> Path:
    """Check that ``root`` holds a manifest, or images of the spontaneous half in their folders.

    Raises:
        ValueError: ``root`` is missing or holds neither.
    """
    if not root.is_dir():
        raise ValueError(f"{_NAME}'s folder is missing: {root} is not a folder. {_WHERE_TO_GET_IT}")
    if not (root / MANIFEST).is_file() and not any("role" in folder.place for folder in _visible_folders(root)):
        raise ValueError(
            f"{_NAME} is not there: {root} holds neither {MANIFEST} nor a folder with images such as "
            f"013/visible/onset. {_WHERE_TO_GET_IT}"
        )
    return root


def read_nvie(
    root: Path, subset: Literal["full", "subset"] = "full", num_folds: int = 10, seed: int = 0, num_frames: int = 2
) -> pd.DataFrame:
    """Read the pairs of both halves into a samples table, and deal their subjects into folds.

    Spontaneous pairs come from the manifest if it lists any, and from their folders otherwise. Pairs of which an image
    is missing or empty are dropped, counted by reason, and logged; so are sequences of fewer frames than are asked for.

    Args:
        root: the dataset's folder.
        subset: ``full`` for all pairs, ``subset`` for those that ``subset.txt`` lists.
        num_folds: folds of about equal size, no subject in two.
        seed: of the folds.
        num_frames: images of a sample, evenly spaced in time from the onset to the apex; 2 for these alone, as
            published. More is ours.

    Returns:
        One row per pair: the columns of ``pairs_table`` and ``fold`` (int64, 0 to num_folds - 1). Subjects named by
        numbers have three digits, whichever half they come from.

    Raises:
        ValueError: the folder holds neither half, the manifest or the list of the subset is malformed, one kind is
            absent, there are fewer subjects than folds, or ``num_frames`` is below 2.

    Source: Xu et al., 2017, section 4.2, for the protocol. The 1,028 pairs of the subset are not published.
    """
    if subset not in PUBLISHED_TOTALS:
        raise ValueError(f"subset {subset!r} of {_NAME} is unknown: choose 'full' or 'subset'.")
    find_nvie(root)
    pairs = _all_pairs(root)
    if subset == "subset":
        chosen = _read_subset(root / SUBSET_FILE)
        _check_chosen(chosen, {pair.sample_id for pair in pairs}, root / SUBSET_FILE)
        pairs = [pair for pair in pairs if pair.sample_id in chosen]
    kept, dropped = drop_incomplete(root, pairs)
    log_dropped(dropped, _NAME)
    kept, without_frames = take_frames(root, kept, num_frames)
    log_dropped(without_frames, _NAME)
    return subject_folds(pairs_table(kept, _NAME, root), num_folds, seed)


def find_spontaneous_pairs(root: Path) -> tuple[list[Pair], Counter[str]]:
    """Pair the onset and apex images of the spontaneous half's folders.

    Args:
        root: the dataset's folder.

    Returns:
        The pairs by subject, illumination and sequence, both images there, and how many sequences (for
        ``unknown_sequence`` images, for ``linked_folder`` folders) were dropped by reason, a key of
        ``mien.data.onset_apex.REASONS``.

    Raises:
        ValueError: a folder cannot be listed.
    """
    folders = list(_visible_folders(root))
    frames, frame_folders = _frame_names(folders), _frame_folders(folders)
    dropped: Counter[str] = Counter()
    images: dict[_Sequence, dict[str, list[str]]] = {sequence: {"onset": [], "apex": []} for sequence in frames}
    for folder in folders:
        if folder.is_link:
            dropped["linked_folder"] += 1
        elif "role" in folder.place:
            for name in folder.names:
                number = _sequence_number(folder, name, frames)
                if number is None:
                    dropped["unknown_sequence"] += 1
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
    return pairs, dropped


def write_spontaneous_manifest(root: Path) -> Path:
    """Write the spontaneous half's pairs, found in their folders, into the manifest, after the posed ones it has.

    Edit the file to leave pairs out or to set glasses: once it lists spontaneous pairs, ``read_nvie`` takes them from
    it alone.

    Returns:
        The manifest.

    Raises:
        ValueError: ``root`` holds neither half, the manifest is malformed or lists spontaneous pairs already, or the
            folders hold no pair.

    Example:
        >>> write_spontaneous_manifest(Path("data/01_raw/nvie"))  # doctest: +SKIP
        PosixPath('data/01_raw/nvie/manifest.csv')
    """
    find_nvie(root)
    listed = _listed_pairs(root)
    if any(pair.kind == "spontaneous" for pair in listed):
        raise ValueError(
            f"{_NAME}'s manifest lists spontaneous pairs already: {root / MANIFEST} is left as it is. "
            "Delete their lines to have them written anew."
        )
    found, dropped = find_spontaneous_pairs(root)
    log_dropped(dropped, _NAME)
    if not found:
        raise ValueError(
            f"{_NAME}'s spontaneous half has no pair: no sequence under {root} has an onset and an apex image. "
            "Check that its folders are <subject>/visible/onset and apex."
        )
    _check_distinct(listed, found, root)
    return write_manifest(root, [*listed, *found])


def _all_pairs(root: Path) -> list[Pair]:
    """The pairs of both halves, those of the folders complete."""
    listed = _listed_pairs(root)
    if any(pair.kind == "spontaneous" for pair in listed):
        logger.info("%s: all %d pairs are taken from %s", _NAME, len(listed), root / MANIFEST)
        return listed
    found, dropped = find_spontaneous_pairs(root)
    log_dropped(dropped, _NAME)
    logger.info("%s: %d posed pairs are listed, %d spontaneous ones found in folders", _NAME, len(listed), len(found))
    _check_distinct(listed, found, root)
    return [*listed, *found]


def _listed_pairs(root: Path) -> list[Pair]:
    if not (root / MANIFEST).is_file():
        return []
    # "13" in a table and the folder "013" are one person, who must not be in two folds.
    return [
        replace(pair, subject=pair.subject.zfill(3)) if pair.subject.isdecimal() else pair
        for pair in read_manifest(root, _NAME)
    ]


def _check_distinct(listed: list[Pair], found: list[Pair], root: Path) -> None:
    ids, images = {pair.sample_id for pair in listed}, {name for pair in listed for name in (pair.onset, pair.apex)}
    for pair in found:
        if pair.sample_id in ids or not images.isdisjoint((pair.onset, pair.apex)):
            raise ValueError(
                f"{_NAME} has a pair twice: {root / MANIFEST} lists the id or an image of {pair.sample_id}, which the "
                f"spontaneous half's folders hold too ({pair.onset} and {pair.apex}). Give the listed pair its own id "
                "and images, or delete its line."
            )


def _place(parts: Iterable[str]) -> dict[str, str] | None:
    """What the names of nested folders say, in lower case; None if one of them contradicts another."""
    place: dict[str, str] = {}
    for part in parts:
        for what, pattern in _FOLDERS.items():
            if found := pattern.fullmatch(part):
                if what in place:
                    return None
                place[what] = found[1].lower()
    return place


def _visible_folders(root: Path) -> Iterator[_Folder]:
    """Every folder of a subject's visible spontaneous images below ``root``, and the links that stand for folders."""

    def refuse(error: OSError) -> None:
        raise ValueError(
            f"{_NAME}'s folders cannot be listed: {error.filename} ({error.strerror}). Make it readable."
        ) from error

    for path, subfolders, files in os.walk(root, onerror=refuse):
        # A posed half laid out like the spontaneous one would be taken for it.
        subfolders[:] = sorted(name for name in subfolders if name.lower() != "posed")
        relative = Path(path).relative_to(root)
        yield from (_Folder({}, name, [], is_link=True) for name in subfolders if (Path(path) / name).is_symlink())
        place = _place(relative.parts)
        if place and "subject" in place and place.get("spectrum") == "visible":
            names = sorted(name for name in files if name.lower().endswith(_SUFFIXES) and not name.startswith("."))
            if names:
                yield _Folder(place, relative.as_posix(), names)


def _frame_names(folders: Iterable[_Folder]) -> dict[_Sequence, set[str]]:
    """The names of the frames of every sequence, in lower case."""
    names: dict[_Sequence, set[str]] = defaultdict(set)
    for folder in folders:
        if "sequence" in folder.place and "role" not in folder.place:
            names[folder.sequence(int(folder.place["sequence"]))].update(name.lower() for name in folder.names)
    return names


def _frame_folders(folders: Iterable[_Folder]) -> dict[_Sequence, str]:
    """The folder of the frames of every sequence, where that is one folder."""
    paths: dict[_Sequence, list[str]] = defaultdict(list)
    for folder in folders:
        if "sequence" in folder.place and "role" not in folder.place:
            paths[folder.sequence(int(folder.place["sequence"]))].append(folder.path)
    return {sequence: of[0] for sequence, of in paths.items() if len(of) == 1}


def _sequence_number(folder: _Folder, name: str, frames: dict[_Sequence, set[str]]) -> int | None:
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


def _spontaneous_pair(sequence: _Sequence, onset: str, apex: str, frames: str | None) -> Pair:
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


def _read_subset(path: Path) -> dict[str, int]:
    """Line number of every sample id that the list names."""
    text = read_text(path, f"The list of {_NAME}'s subset")
    line_of: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        sample_id = line.strip()
        if sample_id in line_of:
            raise ValueError(
                f"The list of {_NAME}'s subset names {sample_id} twice: line {number} of {path} repeats line "
                f"{line_of[sample_id]}. Delete one."
            )
        if sample_id:
            line_of[sample_id] = number
    if not line_of:
        raise ValueError(
            f"The list of {_NAME}'s subset is empty: {path} has no sample id. Write one per line, or read 'full'."
        )
    return line_of


def _check_chosen(chosen: dict[str, int], known: set[str], path: Path) -> None:
    unknown = [sample_id for sample_id in chosen if sample_id not in known]
    if unknown:
        raise ValueError(
            f"The list of {_NAME}'s subset names {len(unknown)} pairs that are not there, the first, "
            f"{unknown[0][:80]!r}, on line {chosen[unknown[0]]} of {path}. "
            f"Write sample ids as {MANIFEST} has them, or as 'spontaneous_013_happy' for folders; pairs that the log "
            "says were dropped cannot be chosen."
        )
