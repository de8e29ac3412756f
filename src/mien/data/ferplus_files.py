"""Which files hold FER+, and the images and votes that they list, before any rule makes labels of them."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

import numpy as np

from mien.data.ferplus_votes import (
    VOTE_COLUMNS,
    OrderCheck,
    VotedImage,
    check_emotion,
    check_order,
    read_label_csv,
    read_new_votes,
)
from mien.data.file_account import FileAccount, Verdict
from mien.data.folders import ImageNames, holds_file
from mien.data.images import is_image
from mien.data.worker_processes import map_in_order
from mien.errors import MienError

if TYPE_CHECKING:
    import pandas as pd

    from mien.data.csv_files import PixelRow

logger = logging.getLogger(__name__)

Layout = Literal["csv", "folders"]
Votes = Literal["label_csv", "new_csv"]

SPLITS = {"Training": "train", "PublicTest": "val", "PrivateTest": "test"}
"""Splits by FER2013's word for them: PublicTest chooses, PrivateTest is reported."""

FOLDERS = {"FER2013Train": "Training", "FER2013Valid": "PublicTest", "FER2013Test": "PrivateTest"}
"""FER+'s folders by the part of FER2013 that they hold."""


_PIXELS, _NEW_VOTES, _LABELS = "fer2013.csv", "fer2013new.csv", "label.csv"
_DIGEST_CHUNK = 1024
_WHERE_TO_GET_IT = (
    f"Put {_PIXELS} (from https://www.kaggle.com/competitions/challenges-in-representation-learning-facial-expression-"
    f"recognition-challenge) and {_NEW_VOTES} (from https://github.com/microsoft/FERPlus) there, or FER+'s three "
    f"folders {', '.join(FOLDERS)} with their {_LABELS} and PNG files. The demo draws its own faces and needs no "
    "download."
)


@dataclass(frozen=True)
class FerPlusSources:
    """Which files of a folder are read.

    Attributes:
        layout: ``csv`` takes the pixels from ``fer2013.csv``, ``folders`` from PNG files.
        votes: ``label_csv`` takes the votes from the folders' ``label.csv``, ``new_csv`` from ``fer2013new.csv``.
        pixels: Path of ``fer2013.csv``, if it is there.
        new_votes: Path of ``fer2013new.csv``, if it is there.
        folders: The folder that holds ``FER2013Train`` and the others, if each has its ``label.csv``.
    """

    layout: Layout
    votes: Votes
    pixels: Path | None
    new_votes: Path | None
    folders: Path | None


def choose_sources(
    root: Path, layout: Layout | Literal["auto"] = "auto", votes: Votes | Literal["auto"] = "auto"
) -> FerPlusSources:
    """Choose what is read of a folder.

    Args:
        root: FER+'s folder.
        layout: ``auto`` takes ``csv`` if both CSV files are there, for they are read faster, else ``folders``.
        votes: ``auto`` takes ``label_csv`` if the three files are there, for the literature's counts are theirs, else
            ``new_csv``. Votes of ``label.csv`` go with pixels of ``fer2013.csv`` too, by the names in
            ``fer2013new.csv``.

    Raises:
        MienError: ``root`` is missing, holds neither layout, or not what is requested.
    """
    for name, value, known in (("layout", layout, get_args(Layout)), ("votes", votes, get_args(Votes))):
        if value not in ("auto", *known):
            raise MienError(f"{name} {value!r} of FER+ is unknown: choose one of auto, {', '.join(known)}.")
    if not root.is_dir():
        raise MienError(f"FER+'s folder is missing: {root} is not a folder. {_WHERE_TO_GET_IT}")
    pixels = next((root / name for name in (_PIXELS, f"fer2013/{_PIXELS}") if holds_file(root, name, "FER+")), None)
    new_votes = root / _NEW_VOTES if holds_file(root, _NEW_VOTES, "FER+") else None
    holders = (root, root / "data")
    folders = next(
        (path for path in holders if all(holds_file(path / name, _LABELS, "FER+") for name in FOLDERS)), None
    )
    has_csv = pixels is not None and new_votes is not None
    if not has_csv and folders is None:
        there = [path.name for path in (pixels, new_votes) if path is not None]
        raise MienError(
            f"FER+ is incomplete: {root} holds {f'only {there[0]}' if there else 'neither layout'}. {_WHERE_TO_GET_IT}"
        )
    if layout == "auto":
        layout = "csv" if has_csv else "folders"
    if votes == "auto":
        votes = "label_csv" if folders is not None else "new_csv"
    _check_choice(root, layout, votes, has_csv=has_csv, has_labels=folders is not None)
    return FerPlusSources(layout, votes, pixels, new_votes, folders)


def _check_choice(root: Path, layout: Layout, votes: Votes, *, has_csv: bool, has_labels: bool) -> None:
    if layout == "csv" and not has_csv:
        lacks = f"{_PIXELS} and {_NEW_VOTES}, of which {root} lacks one"
        raise MienError(f"FER+'s layout csv is not there: it needs {lacks}. Add it, or set layout to folders.")
    if "label_csv" in (votes, "label_csv" if layout == "folders" else "") and not has_labels:
        raise MienError(
            f"FER+'s {_LABELS} files are not there: {root} holds no folders {', '.join(FOLDERS)} with one each. Add "
            "them, or set layout to csv and votes to new_csv."
        )
    if layout == "folders" and votes == "new_csv":
        raise MienError(
            f"FER+'s votes of {_NEW_VOTES} are joined by row, and PNG files in {root} have no rows. Set layout to csv, "
            "or votes to label_csv."
        )


class ListedImages(NamedTuple):
    """Every named image that has votes, in reading order."""

    samples: pd.DataFrame  # n rows: sample_id, image, split, subject
    votes: np.ndarray  # (n, 10) int64, columns as VOTE_COLUMNS
    digests: list[bytes | None]  # pixel_digest of each image; None where it cannot be read


def list_ferplus(root: Path, sources: FerPlusSources, account: FileAccount | None = None) -> ListedImages:
    """List the images of FER+ with their votes, labelled or not.

    Args:
        root: FER+'s folder; references in the column ``image`` are relative to it.
        sources: What ``choose_sources`` found there.
        account: Receives label files, entries without a name and missing images; a new one where None.

    Raises:
        MienError: A file is not of the published format, or the rows or names of two files do not go together.
    """
    import pandas as pd

    account = account or FileAccount(root, "FER+")
    label_files = [] if sources.folders is None else [path for _, path in _label_files(sources)]
    account.use(path for path in (sources.pixels, sources.new_votes, *label_files) if path is not None)
    if sources.layout == "folders":
        rows = list(_list_folders(root, sources, account))
        digests = _file_digests(root, [row.image for row in rows])
    else:
        rows = _list_csv(root, sources, account)
        if sources.votes == "label_csv":
            rows = _with_label_csv_votes(rows, sources)
        digests = [row.digest for row in rows]
    samples = pd.DataFrame(
        {
            "sample_id": [row.sample_id for row in rows],
            "image": [row.image for row in rows],
            "split": [SPLITS[row.usage] for row in rows],
            "subject": pd.Series([pd.NA] * len(rows), dtype="string"),
        }
    )
    votes = np.array([row.votes for row in rows], dtype=np.int64).reshape(len(rows), len(VOTE_COLUMNS))
    return ListedImages(samples, votes, digests)


@dataclass(frozen=True)
class _Row:
    sample_id: str
    name: str
    image: str
    usage: str
    votes: tuple[int, ...]
    digest: bytes | None = None


def _list_csv(root: Path, sources: FerPlusSources, account: FileAccount) -> list[_Row]:
    """Named images of the two CSV files, joined row by row."""
    from mien.data.csv_files import scan_pixel_rows

    pixels, new_votes = _both(sources)
    voted = read_new_votes(new_votes)
    reference = pixels.relative_to(root).as_posix()
    rows: list[_Row] = []
    ids: set[str] = set()
    evaluated: list[OrderCheck] = []
    num_pixel_rows = 0
    for number, pixel_row in enumerate(scan_pixel_rows(pixels, ("Usage",), ("emotion",))):
        num_pixel_rows += 1
        if number >= len(voted):
            continue  # counted to the end, for the message
        image = voted[number]
        _check_usage(pixel_row, pixels, image, new_votes)
        if emotion := pixel_row.fields[1]:
            one = check_emotion(emotion, image.votes, pixel_row.line, pixels)
            evaluated += [one] if one else []
        if not image.name:
            account.pass_over([f"{reference}#byte={pixel_row.offset}"], "without_an_image_name", SPLITS[image.usage])
            continue
        stem = image.name.removesuffix(".png")
        sample_id = stem if stem not in ids else f"{stem}_row{number}"
        ids.add(sample_id)
        place = f"{reference}#byte={pixel_row.offset}"
        rows.append(_Row(sample_id, image.name, place, image.usage, image.votes, pixel_row.digest))
    if num_pixel_rows != len(voted):
        raise MienError(
            f"FER+'s two CSV files do not go together: {pixels} has {num_pixel_rows:,} rows and {new_votes} has "
            f"{len(voted):,}. They are joined row by row; copy both again."
        )
    if not evaluated:
        logger.warning("FER+: %s has no column emotion, so the order of its rows cannot be checked", pixels)
    check_order(evaluated, pixels, new_votes)
    if len(rows) < len(voted):
        logger.info("FER+ leaves %d of %d rows without an image name: left out", len(voted) - len(rows), len(voted))
    return rows


def _both(sources: FerPlusSources) -> tuple[Path, Path]:
    if sources.pixels is None or sources.new_votes is None:
        raise MienError(f"No {_PIXELS} and {_NEW_VOTES} in {sources}: get the sources from choose_sources.")
    return sources.pixels, sources.new_votes


def _check_usage(pixel_row: PixelRow, pixels: Path, image: VotedImage, new_votes: Path) -> None:
    usage = pixel_row.fields[0]
    if usage not in SPLITS:
        raise MienError(
            f"FER2013 has an unknown Usage: line {pixel_row.line} of {pixels} says {usage[:40]!r}, none of "
            f"{', '.join(SPLITS)}. Copy the file again from the download."
        )
    if usage != image.usage:
        raise MienError(
            f"FER+'s two CSV files do not go together: line {pixel_row.line} of {pixels} is of {usage}, line "
            f"{image.line} of {new_votes} of {image.usage[:40]!r}. They are joined row by row; copy both again."
        )


def _with_label_csv_votes(rows: list[_Row], sources: FerPlusSources) -> list[_Row]:
    """The images that the folders' label.csv files name, with those files' votes.

    Of two rows with one name the first is meant: its votes are the ones in label.csv.
    """
    first: dict[tuple[str, str], _Row] = {}
    for row in rows:
        first.setdefault((row.usage, row.name), row)
    listed = {(usage, image.name): image for usage, path in _label_files(sources) for image in read_label_csv(path)}
    unknown = sorted(set(listed) - set(first))
    if unknown:
        raise MienError(
            f"FER+'s {_LABELS} files name {len(unknown):,} images that {sources.new_votes} does not have in the same "
            f"part, the first {unknown[0][1]} of {unknown[0][0]}. Copy both again from github.com/microsoft/FERPlus."
        )
    return [replace(row, votes=listed[key].votes) for key, row in first.items() if key in listed]


def _label_files(sources: FerPlusSources) -> Iterator[tuple[str, Path]]:
    if sources.folders is None:
        raise MienError(f"No {_LABELS} in {sources}: get the sources from choose_sources.")
    for folder, usage in FOLDERS.items():
        yield usage, sources.folders / folder / _LABELS


def _list_folders(root: Path, sources: FerPlusSources, account: FileAccount) -> Iterator[_Row]:
    names: dict[str, Path] = {}
    for usage, path in _label_files(sources):
        there = ImageNames(path.parent, "FER+")
        voted = read_label_csv(path)
        reference = path.parent.relative_to(root).as_posix()
        for image in voted:
            if names.setdefault(image.name, path) != path:
                raise MienError(
                    f"FER+ image {image.name} is in two parts: line {image.line} of {path} lists it, and so does "
                    f"{names[image.name]}. Keep one, so that no image is trained on and tested on."
                )
            found = there.find(image.name)
            if found is None:
                account.miss([path.parent / image.name], "listed", SPLITS[usage])
            else:
                yield _Row(image.name.removesuffix(".png"), image.name, f"{reference}/{found}", usage, image.votes)


def explain_file(path: Path, root: Path, sources: FerPlusSources) -> Verdict | None:
    """Say why a file of FER+'s folder is no sample.

    Args:
        path: Of the file.
        root: FER+'s folder.
        sources: What is read there.
    """
    if sources.layout == "csv":
        return Verdict("not_of_the_layout_csv")
    split = SPLITS.get(FOLDERS.get(path.parent.name, ""), "")
    return Verdict("not_listed", lost=True, split=split) if is_image(path) else None


def _file_digests(root: Path, references: list[str]) -> list[bytes | None]:
    chunks = [references[start : start + _DIGEST_CHUNK] for start in range(0, len(references), _DIGEST_CHUNK)]
    digests = map_in_order(functools.partial(_digest_files, root), chunks)
    return [digest for chunk in digests for digest in chunk]


def _digest_files(root: Path, references: list[str]) -> list[bytes | None]:
    from mien.data.duplicates import pixel_digest
    from mien.data.image_source import ImageSource
    from mien.data.images import ImageError

    source = ImageSource(root)
    digests: list[bytes | None] = []
    for reference in references:
        try:
            digests.append(pixel_digest(source.read(reference)))
        except ImageError:  # reported where the face is looked for, with its reason
            digests.append(None)
    return digests
