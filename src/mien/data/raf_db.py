"""RAF-DB basic, the single-label part of the Real-world Affective Faces database, from the layouts it circulates in.

```
<root>/EmoLabel/list_patition_label.txt         "train_00001.jpg 5" per line, labels 1 to 7
<root>/Image/aligned/train_00001_aligned.jpg    100x100 pixels, aligned by the database's authors
<root>/Image/original/train_00001.jpg           the photograph, of any size
```

Copies in class folders and with Kaggle's CSV pair are read too; see ``mien.data.raf_db_layouts``. An image has the same
sample id in all of them.

Source: Li, Deng and Du, CVPR 2017; the list file of the download.
"""

from __future__ import annotations

import functools
import logging
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mien.data.alignment import SQUARE, check_aligned_sizes
from mien.data.csv_files import read_label_rows, read_label_text
from mien.data.file_account import FileAccount, Verdict
from mien.data.folders import ImageNames
from mien.data.images import is_image
from mien.data.raf_db_layouts import (
    CSV_FILES,
    IMAGE_NAME,
    LIST_FILE,
    Layout,
    ListedImage,
    Source,
    choose_layout,
    choose_source,
    find_layouts,
    in_published_order,
    read_class_folders,
    split_images,
)
from mien.errors import MienError
from mien.labels import RAF_DB_EXPRESSIONS

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

PUBLISHED_COUNTS: dict[str, dict[str, int]] = {
    "train": dict(zip(RAF_DB_EXPRESSIONS, (1290, 281, 717, 4772, 1982, 705, 2524), strict=True)),
    "test": dict(zip(RAF_DB_EXPRESSIONS, (329, 74, 160, 1185, 478, 162, 680), strict=True)),
}
"""Images per split and expression in the published list file: 12,271 to train on and 3,068 to test on."""

_NOT_ALIGNED = (
    "Set reader.source to original and alignment.method to mtcnn to have the photographs aligned, or copy the aligned "
    "images again."
)
_WAY_ON = (
    "Unpack the images again, or choose the other reader.source (aligned, original) if you only have that one. An "
    "image that no list names has no label: copy the list again too."
)
_LISTED_NAME = re.compile(r"((train|test)_[0-9]+)\.[A-Za-z0-9]+")
_LABEL_IDS = {str(label_id + 1): label_id for label_id in range(len(RAF_DB_EXPRESSIONS))}


def read_raf_db(
    root: Path, source: Source, layout: Layout | Literal["auto"] = "auto", account: FileAccount | None = None
) -> pd.DataFrame:
    """Read a copy of RAF-DB basic into a samples table, and account for every file of it.

    Args:
        root: The folder that holds the copy, or one that holds it as ``basic``, ``raf-basic``, ``raf-db`` or
            ``raf-db-dataset``. What was found is logged, and shows in the column ``image``.
        source: ``aligned`` for the authors' 100x100 crops, ``original`` for the photographs.
        layout: ``list`` for the published one, ``class_folders``, ``csv`` for Kaggle's, or ``auto`` for the only one
            there is.
        account: Receives what becomes of every file; a new one where None.

    Returns:
        One row per image, in the order of the list file, else by split and number: ``sample_id`` ("train_00001"),
        ``image`` (path relative to ``root`` as it was given, with forward slashes), ``label`` (int64, 0 to 6, position
        in ``RAF_DB_EXPRESSIONS``), ``expression`` (that class's name), ``split`` ("train" or "test") and ``subject``
        (all missing: RAF-DB does not say who is shown).

    Raises:
        MienError: The folder or its labels are missing, more images of a split are missing or passed over than
            ``account`` allows, there are several layouts to choose from, a line is not one of the format, an image is
            listed twice, or a split lacks a class.

    Source: the published layout; labels 1 to 7 are ``RAF_DB_EXPRESSIONS`` in order.

    Example:
        >>> read_raf_db(Path("data/01_raw/raf_db"), "aligned").iloc[0].to_dict()  # doctest: +SKIP
        {'sample_id': 'train_00001', 'image': 'basic/Image/aligned/train_00001_aligned.jpg', 'label': 4, ...}
    """
    if source not in ("aligned", "original"):
        raise MienError(f"source {source!r} of RAF-DB is unknown: choose 'aligned' or 'original'.")
    found, folder = choose_layout(root, layout)
    logger.info("RAF-DB basic found in %s, in the layout %s", folder, found)
    account = account or FileAccount(root, "RAF-DB")
    if found == "class_folders":
        images = read_class_folders(folder, source)
    else:
        images = (_read_list if found == "list" else _read_csv_pair)(folder, source, account)
    samples = _table(images, root)
    if source == "aligned":
        check_aligned_sizes((image.path for image in images), "RAF-DB", SQUARE, account.max_passed_over, _NOT_ALIGNED)
    where = folder / LIST_FILE if found == "list" else folder
    account.use_samples(samples, ["image"], "expression")
    _check_complete(images, where, account.missing_groups())
    missing = frozenset(Path(name).stem.removesuffix("_aligned") for name in account.missing_names())
    explain = functools.partial(
        _explain, folder=folder, ids=frozenset(samples["sample_id"]), missing=missing, source=source
    )
    account.finish(lambda name: explain(root / name), _WAY_ON)
    _check_complete(images, where, set())
    return samples


def _table(images: list[ListedImage], root: Path) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(
        {
            "sample_id": [image.sample_id for image in images],
            "image": [image.path.relative_to(root).as_posix() for image in images],
            "label": pd.Series([image.label for image in images], dtype="int64"),
            "expression": [RAF_DB_EXPRESSIONS[image.label] for image in images],
            "split": [image.sample_id.partition("_")[0] for image in images],
            "subject": pd.Series([pd.NA] * len(images), dtype="string"),
        }
    )


def _explain(
    path: Path, *, folder: Path, ids: frozenset[str], missing: frozenset[str], source: Source
) -> Verdict | None:
    """Why a file is no sample."""
    if not path.is_relative_to(folder) or "compound" in path.parts:
        return Verdict("outside_the_copy")
    match = IMAGE_NAME.fullmatch(path.name)
    if match is None or not is_image(path):
        return Verdict("annotation") if "Annotation" in path.relative_to(folder).parts else None
    if match[1] in ids:
        return Verdict("another_image_of_a_sample")
    other = {"aligned": "original", "original": "aligned"}[source]
    if path.parent.name == other or (match[3] is None) == (source == "aligned"):
        return Verdict("of_the_other_source")
    if match[1] in missing:  # counted there
        return Verdict("in_another_folder_than_listed")
    return Verdict("not_listed", lost=True, split=match[2])


def find_raf_db(root: Path) -> Path:
    """Find the folder that holds RAF-DB: ``root`` itself, or one of the usual names below it.

    Where there is more than one, the first; ``read_raf_db`` then wants to know which is meant.

    Raises:
        MienError: ``root`` is missing or not a folder, or RAF-DB is in it in no known layout.

    Source: the download unpacks as ``basic/``; public repositories keep it as ``raf-basic/``, POSTER++ as ``raf-db/``,
        and Kaggle's repack is called ``raf-db-dataset``.
    """
    return next(places[0] for places in find_layouts(root).values() if places)


def _read_list(folder: Path, source: Source, account: FileAccount) -> list[ListedImage]:
    """The images of the published list file, in its order."""
    path = folder / LIST_FILE
    suffix = "_aligned.jpg" if source == "aligned" else ".jpg"
    there = ImageNames(folder / "Image" / source, "RAF-DB")
    account.use([path])
    images = []
    for _, sample_id, label in _parse_rows(_list_lines(path), path, _LISTED_NAME):
        name = there.find(sample_id + suffix)
        if name is None:
            missing, split = there.folder / (sample_id + suffix), sample_id.partition("_")[0]
            account.miss([missing], "listed", split, RAF_DB_EXPRESSIONS[label])
        else:
            images.append(ListedImage(sample_id, label, there.folder / name))
    return images


def _read_csv_pair(folder: Path, source: Source, account: FileAccount) -> list[ListedImage]:
    """The images of Kaggle's two CSV files, in the order of the published list."""
    images = []
    for split, file in CSV_FILES.items():
        path = folder / file
        account.use([path])
        files = split_images(folder, split)
        for name, sample_id, label in _parse_rows(_csv_lines(path), path, IMAGE_NAME):
            if not name.startswith(f"{split}_"):
                raise MienError(
                    f"RAF-DB's splits are mixed: {path} lists {name}, which is not of the {split} split. Move its "
                    "line to the other file, so that no image is trained on and tested on."
                )
            places = sorted(files.get(Path(name).stem, []), key=lambda place: place[1].name != name)
            for folder_label, place in places:
                if folder_label not in (None, label):
                    raise MienError(
                        f"RAF-DB's labels contradict each other: {place} lies in the folder of another class than "
                        f"{label + 1} ({RAF_DB_EXPRESSIONS[label]}), which {path} gives it. Copy both again, or set "
                        "reader.layout to class_folders if the folders are right."
                    )
            if places:
                images.append(ListedImage(sample_id, label, places[0][1]))
            else:
                account.miss([name], "listed", split, RAF_DB_EXPRESSIONS[label])
    return in_published_order(choose_source(images, source, folder)) if images else []


def _list_lines(path: Path) -> Iterator[tuple[int, str, str]]:
    """Line number, name and code of each line of the published list."""
    for number, line in enumerate(read_label_text(path, "RAF-DB").rstrip().split("\n"), start=1):
        fields = line.split()
        if len(fields) != 2:
            raise MienError(
                f"RAF-DB's list file has a malformed line: line {number} of {path} is {line[:80]!r}. "
                "Write an image name, one space and a label, such as 'train_00001.jpg 5'."
            )
        yield number, fields[0], fields[1]


def _csv_lines(path: Path) -> Iterator[tuple[int, str, str]]:
    """Line number, name and code of each row of one of Kaggle's files."""
    for number, row in read_label_rows(path, ("image", "label"), "RAF-DB"):
        yield number, row["image"], row["label"]


def _parse_rows(
    rows: Iterable[tuple[int, str, str]], path: Path, pattern: re.Pattern[str]
) -> Iterator[tuple[str, str, int]]:
    """Check rows (line number, name, code) and give out name, sample id and class id of each."""
    first_line: dict[str, int] = {}
    for number, name, code in rows:
        where = f"line {number} of {path}"
        if "/" in name or "\\" in name or ".." in name:
            raise MienError(
                f"RAF-DB's label file names an image outside its folder: {where} says {name[:80]!r}. "
                "Write the bare file name, such as 'train_00001.jpg'."
            )
        match = pattern.fullmatch(name)
        if match is None:
            raise MienError(
                f"RAF-DB's label file names neither a training nor a test image: {where} says {name[:80]!r}. "
                "Write 'train_' or 'test_', a number and '.jpg'; the split is read from the name."
            )
        if code not in _LABEL_IDS:
            raise MienError(
                f"RAF-DB's label file has an unknown label: {where} gives {name} the label {code[:80]!r}. "
                f"Labels are whole numbers from 1 ({RAF_DB_EXPRESSIONS[0]}) to 7 ({RAF_DB_EXPRESSIONS[-1]})."
            )
        stem = Path(name).stem
        if stem in first_line:
            raise MienError(
                f"RAF-DB image {name} is listed twice: {where} repeats line {first_line[stem]}. "
                "Keep the one that is right, or copy the file again."
            )
        first_line[stem] = number
        yield name, match[1], _LABEL_IDS[code]


def _check_complete(images: list[ListedImage], where: Path, missing: set[tuple[str, str]]) -> None:
    there = missing | {(image.sample_id.partition("_")[0], RAF_DB_EXPRESSIONS[image.label]) for image in images}
    for split in PUBLISHED_COUNTS:
        absent = [name for name in RAF_DB_EXPRESSIONS if (split, name) not in there]
        if absent:
            what = (
                f"the {split} split is absent"
                if len(absent) == len(RAF_DB_EXPRESSIONS)
                else f"{', '.join(absent)} absent from {split}"
            )
            raise MienError(
                f"RAF-DB is incomplete: {what} in {where}. Each split needs at least one image of each of the "
                f"{len(RAF_DB_EXPRESSIONS)} classes; copy it again from the download."
            )
