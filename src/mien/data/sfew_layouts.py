"""Where the images of SFEW 2.0 lie: the authors' archives as people unpack them, and Kaggle's repack.

```
Train/Angry/Airheads_000519240_00000005.png                         frames; also Train/Train/Angry, Train/Angry/Angry
Train/Train_Aligned_Faces/Angry/Airheads_000519240_00000005.png     aligned faces, 143x181 pixels
Val/Val_Aligned_Faces_new/Val_Aligned_Faces/Angry/...               the same of the validation set
Test/Test_Aligned_Faces/...                                         without class folders: labels are not published
sfew_2.0_labels.csv, sfew2.0_images/image_000000.png                Kaggle's repack of the aligned faces
```

Source: names of the authors' archives and of the folders in public repositories that read them.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from mien.data.csv_files import read_label_rows
from mien.data.file_account import FileAccount
from mien.data.folders import ImageNames, class_folders, holds_file, image_names, subfolders
from mien.data.images import declared_size, first_bytes
from mien.errors import MienError
from mien.labels import EXPRESSION_SPELLINGS, SFEW_EXPRESSIONS

logger = logging.getLogger(__name__)

Source = Literal["original", "aligned"]

OFFICIAL_SPLITS = ("Train", "Val", "Test")
"""The authors' splits; the labels of Test are not published."""

SPLITS = {"Train": "train", "Val": "test", "Test": "unlabelled"}
"""Our split by the authors'."""

CSV_FILE, CSV_IMAGES = "sfew_2.0_labels.csv", "sfew2.0_images"
"""The label file and the image folder of Kaggle's repack."""

ALIGNED_SIZE = (181, 143)
"""Height and width of the authors' aligned faces in pixels."""

WHERE_TO_GET_IT = (
    "Ask the authors for SFEW 2.0 at https://cs.anu.edu.au/few/AFEW.html and unpack all of its archives there, so that "
    "`Train/`, `Val/` and `Test/` exist. The demo draws its own faces and needs no download."
)

SPLIT_NAME = re.compile(r"(train|val|test)(?:id|idation)?(?![a-z])", re.IGNORECASE)
_CLASSES = {spelling: name for spelling, name in EXPRESSION_SPELLINGS.items() if name in SFEW_EXPRESSIONS}
_NUMBERS = {str(number) for number in range(len(SFEW_EXPRESSIONS))}
_DEPTH = 3  # of folders below Train: Val/Val_Aligned_Faces_new/Val_Aligned_Faces has two
_HEADER_BYTES = 4096


@dataclass(frozen=True)
class ListedFrame:
    """One image of SFEW: official split, expression (empty in Test) and file."""

    official_split: str
    expression: str
    path: Path


def find_copies(root: Path) -> list[tuple[Path, str]]:
    """Find the folders that hold SFEW, and what each is known by: ``root`` itself or folders in it.

    Raises:
        MienError: ``root`` is missing or not a folder, or nothing is found.
    """
    if not root.is_dir():
        raise MienError(f"SFEW's folder is missing: {root} is not a folder. {WHERE_TO_GET_IT}")
    found = []
    for place in (root, *(root / name for name in subfolders(root, "SFEW"))):
        if {"Train", "Val"} <= _split_folders(place).keys():
            found.append((place, "folders Train and Val"))
        if holds_file(place, CSV_FILE, "SFEW"):
            found.append((place, CSV_FILE))
    if not found:
        raise MienError(
            f"SFEW's files are missing: {root} holds neither folders Train and Val nor {CSV_FILE}, nor does a folder "
            f"in it. {WHERE_TO_GET_IT}"
        )
    return found


def read_archives(place: Path, source: Source, account: FileAccount) -> list[ListedFrame]:
    """List the images of the authors' archives, at whatever depth of a split's folder they were unpacked.

    Whether images are frames or aligned faces is reported by the word "aligned" in the names of their folders, else by
    the size of the first image.

    Args:
        place: Holds Train, Val and, if there, Test; folders called like the archives count too.
        source: ``original`` or ``aligned``.
        account: Receives which images are of the other source.

    Returns:
        Images by official split, class and name.

    Raises:
        MienError: Images of ``source`` are missing from Train or Val, or in two places, or a folder of images beside
            class folders names no class.
    """
    frames = []
    folders = _split_folders(place)
    for split in OFFICIAL_SPLITS:
        walk = _unlabelled_images if split == "Test" else _sorted_images
        groups = [group for folder in folders.get(split, []) for group in walk(folder, _DEPTH) if group.images]
        wanted = [group for group in groups if _source_of(group, place) == source]
        for group in groups:
            if group not in wanted:
                account.pass_over((path for _, path in group.images), "of_the_other_source")
        if len(wanted) > 1:
            raise MienError(
                f"SFEW's {source} images of {split} are there twice: in {wanted[0].folder} and in {wanted[1].folder}. "
                "Keep one."
            )
        if wanted:
            frames += [ListedFrame(split, expression, path) for expression, path in wanted[0].images]
        elif split == "Test":
            logger.warning("SFEW's %s images of Test are not in %s: no sample will be unlabelled", source, place)
            account.miss([f"{source} images of Test"], "split_without_images", SPLITS[split], lost=False)
        else:
            raise MienError(
                f"SFEW's {source} images of {split} are missing from {folders[split][0]}. "
                f"{_what_to_do(source, folders[split], groups)}. {WHERE_TO_GET_IT}"
            )
    return frames


def read_repack(place: Path, source: Source, account: FileAccount) -> list[ListedFrame]:
    """List the images of Kaggle's repack, in the order of its label file.

    The words in the column ``emotion`` count; the numbers in ``label`` are another order's.

    Args:
        place: Holds the label file and the images' folder.
        source: Has to be ``aligned``.
        account: Receives which images are missing.

    Raises:
        MienError: ``source`` is ``original``, the label file is malformed, an image is listed twice, or the numbers
            and words of its labels do not pair off.
    """
    path = place / CSV_FILE
    if source == "original":
        raise MienError(
            f"SFEW's frames are missing: {path} is of a repack of the aligned faces. Set reader.source to aligned, or "
            f"unpack the authors' archives. {WHERE_TO_GET_IT}"
        )
    there = ImageNames(place / CSV_IMAGES, "SFEW")
    account.use([path])
    first_line: dict[str, int] = {}
    words: dict[str, str] = {}
    frames = []
    for number, row in read_label_rows(path, ("image_name", "label", "emotion", "original_split"), "SFEW"):
        frame = _repacked_frame(row, place, where := f"line {number} of {path}")
        name = frame.path.name
        if name in first_line:
            raise MienError(
                f"SFEW image {name} is listed twice: {where} repeats line {first_line[name]}. Keep the one that is "
                "right, or copy the file again."
            )
        if words.setdefault(row["label"], frame.expression) != frame.expression:
            raise MienError(
                f"SFEW's labels contradict each other: {where} calls {frame.expression} by the number {row['label']}, "
                f"which was {words[row['label']]} before. Copy the file again."
            )
        first_line[name] = number
        found = there.find(name)
        if found is None:
            account.miss([frame.path], "listed", SPLITS[frame.official_split], frame.expression)
        else:
            frames.append(replace(frame, path=frame.path.with_name(found)))
    return frames


def _repacked_frame(row: dict[str, str], place: Path, where: str) -> ListedFrame:
    name = row["image_name"]
    if not name or "/" in name or "\\" in name or ".." in name:
        raise MienError(
            f"SFEW's label file names no image of its folder: {where} says {name[:80]!r}. Write the bare file name, "
            "such as 'image_000000.png'."
        )
    expression = _CLASSES.get(row["emotion"].lower())
    if expression is None:
        raise MienError(
            f"SFEW's label file has an unknown emotion: {where} gives {name} {row['emotion'][:80]!r}. Known are "
            f"{', '.join(_CLASSES)}."
        )
    if row["label"] not in _NUMBERS:
        raise MienError(
            f"SFEW's label file has an unknown label: {where} gives {name} the number {row['label'][:80]!r} in the "
            f"column label. Labels are whole numbers from 0 to {len(SFEW_EXPRESSIONS) - 1}."
        )
    split = SPLIT_NAME.match(row["original_split"])
    if split is None or split[1].capitalize() == "Test":
        raise MienError(
            f"SFEW's label file has an unknown split: {where} puts {name} in {row['original_split'][:80]!r}. "
            "Labels are published for Train_Aligned_Faces and Val_Aligned_Faces."
        )
    return ListedFrame(split[1].capitalize(), expression, place / CSV_IMAGES / name)


@dataclass(frozen=True)
class _Group:
    """Images (expression and file) that lie together in a folder, or in class folders in it."""

    folder: Path
    images: tuple[tuple[str, Path], ...]


def _split_folders(place: Path) -> dict[str, list[Path]]:
    """Folders by the official split that their names begin with."""
    found: dict[str, list[Path]] = {}
    for name in subfolders(place, "SFEW"):
        match = SPLIT_NAME.match(name)
        if match:
            found.setdefault(match[1].capitalize(), []).append(place / name)
    return found


def _sorted_images(folder: Path, depth: int) -> Iterator[_Group]:
    """The class folders in a folder as one group, then those further down as others."""
    classes = class_folders(folder, _CLASSES, "SFEW")
    yield _Group(folder, tuple((name, path) for name, place in classes.items() for path in _class_images(place)))
    for name in subfolders(folder, "SFEW") if depth else []:
        if name.lower() not in _CLASSES:
            yield from _sorted_images(folder / name, depth - 1)


def _class_images(folder: Path) -> list[Path]:
    """The images of a class, also where its archive unpacked into a folder of its own: Angry/Angry/."""
    places = [folder, *(folder / name for name in subfolders(folder, "SFEW") if name.lower() == folder.name.lower())]
    return [place / name for place in places for name in image_names(place, "SFEW")]


def _unlabelled_images(folder: Path, depth: int) -> Iterator[_Group]:
    yield _Group(folder, tuple(("", folder / name) for name in image_names(folder, "SFEW")))
    for name in subfolders(folder, "SFEW") if depth else []:
        yield from _unlabelled_images(folder / name, depth - 1)


def _source_of(group: _Group, place: Path) -> Source:
    if "aligned" in group.folder.relative_to(place).as_posix().lower():
        return "aligned"
    for _, path in group.images:
        size = declared_size(first_bytes(path, _HEADER_BYTES))
        if size is not None:
            return "aligned" if size == ALIGNED_SIZE else "original"
    return "original"


def _what_to_do(source: Source, folders: list[Path], groups: list[_Group]) -> str:
    if groups:
        other = "aligned" if source == "original" else "original"
        return f"{groups[0].folder} holds {other} ones: set reader.source to {other}, or add the others"
    packed = [path for folder in folders for path in sorted(folder.rglob("*.zip"))]
    if packed:
        return f"{len(packed)} archives there are still packed, the first {packed[0]}: unpack them"
    return f"Folders called {', '.join(name.capitalize() for name in SFEW_EXPRESSIONS)} are looked for"
