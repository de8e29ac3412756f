"""RAF-DB basic, the single-label part of the Real-world Affective Faces database, from its published layout.

```
<root>/EmoLabel/list_patition_label.txt         "train_00001.jpg 5" per line, labels 1 to 7
<root>/Image/aligned/train_00001_aligned.jpg    100x100 pixels, aligned by the database's authors
<root>/Image/original/train_00001.jpg           the photograph, of any size
```

Source: Li, Deng and Du, CVPR 2017; the list file of the download.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mien.labels import RAF_DB_EXPRESSIONS

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

LIST_FILE = "EmoLabel/list_patition_label.txt"
"""The file that names every image, its split and its label; the spelling is the database's own."""

PUBLISHED_COUNTS: dict[str, dict[str, int]] = {
    "train": dict(zip(RAF_DB_EXPRESSIONS, (1290, 281, 717, 4772, 1982, 705, 2524), strict=True)),
    "test": dict(zip(RAF_DB_EXPRESSIONS, (329, 74, 160, 1185, 478, 162, 680), strict=True)),
}
"""Images per split and expression in the published list file: 12,271 to train on and 3,068 to test on."""

_FOLDERS = ("", "basic", "raf-basic")
_IMAGE_NAME = re.compile(r"(train|test)_[0-9]+\.jpg")
_LABEL_IDS = {str(label_id + 1): label_id for label_id in range(len(RAF_DB_EXPRESSIONS))}
_WHERE_TO_GET_IT = (
    "Ask the authors for RAF-DB basic at http://www.whdeng.cn/RAF/model1.html and unpack it there, so that "
    f"`basic/{LIST_FILE}` exists. The demo draws its own faces and needs no download."
)


def read_raf_db(root: Path, source: Literal["aligned", "original"]) -> pd.DataFrame:
    """Read RAF-DB basic's list file into a samples table, and check that every listed image is there.

    Args:
        root: the folder that holds ``EmoLabel`` and ``Image``, or one that holds it as ``basic`` or ``raf-basic``.
            Which one was found is logged, and shows in the column ``image``.
        source: ``aligned`` for the authors' 100x100 crops, ``original`` for the photographs.

    Returns:
        One row per line of the list file, in its order: ``sample_id`` ("train_00001"), ``image`` (path relative to
        ``root`` as it was given, with forward slashes), ``label`` (int64, 0 to 6, position in
        ``RAF_DB_EXPRESSIONS``), ``expression`` (that class's name), ``split`` ("train" or "test") and ``subject``
        (all missing: RAF-DB does not say who is shown).

    Raises:
        ValueError: the folder, its list file or listed images are missing, a line is not one of the published
            format, an image is listed twice, or a split lacks a class.

    Source: the published layout; labels 1 to 7 are ``RAF_DB_EXPRESSIONS`` in order.

    Example:
        >>> read_raf_db(Path("data/01_raw/raf_db"), "aligned").iloc[0].to_dict()  # doctest: +SKIP
        {'sample_id': 'train_00001', 'image': 'basic/Image/aligned/train_00001_aligned.jpg', 'label': 4, ...}
    """
    import pandas as pd

    if source not in ("aligned", "original"):
        raise ValueError(f"source {source!r} of RAF-DB is unknown: choose 'aligned' or 'original'.")
    folder = find_raf_db(root)
    rows = _parse_list(folder / LIST_FILE)
    suffix = "_aligned.jpg" if source == "aligned" else ".jpg"
    image_folder = folder / "Image" / source
    _check_images(image_folder, [sample_id + suffix for sample_id, _ in rows])
    _check_complete(rows, folder / LIST_FILE)
    relative = image_folder.relative_to(root).as_posix()
    return pd.DataFrame(
        {
            "sample_id": [sample_id for sample_id, _ in rows],
            "image": [f"{relative}/{sample_id}{suffix}" for sample_id, _ in rows],
            "label": pd.Series([label for _, label in rows], dtype="int64"),
            "expression": [RAF_DB_EXPRESSIONS[label] for _, label in rows],
            "split": [sample_id.partition("_")[0] for sample_id, _ in rows],
            "subject": pd.Series([pd.NA] * len(rows), dtype="string"),
        }
    )


def find_raf_db(root: Path) -> Path:
    """Find the folder that holds RAF-DB's list file: ``root`` itself, ``root/basic`` or ``root/raf-basic``.

    Raises:
        ValueError: ``root`` is missing or not a folder, or none of the three, or both of the latter, hold a list file.

    Source: the download unpacks as ``basic/``; public repositories keep it as ``raf-basic/``.
    """
    if not root.is_dir():
        raise ValueError(f"RAF-DB's folder is missing: {root} is not a folder. {_WHERE_TO_GET_IT}")
    found = [root / name for name in _FOLDERS if (root / name / LIST_FILE).is_file()]
    if not found:
        raise ValueError(
            f"RAF-DB's list file is missing: {root} holds {LIST_FILE} neither itself nor under basic/ or raf-basic/. "
            f"Copies sorted into train/1 ... train/7 lack it and are not the published layout. {_WHERE_TO_GET_IT}"
        )
    if len(found) > 1 and found[0] != root:
        raise ValueError(
            f"RAF-DB is there twice: {root} holds a list file under {found[0].name}/ and under {found[1].name}/. "
            "Remove one, or name the one you mean as the root."
        )
    logger.info("RAF-DB basic found in %s", found[0])
    return found[0]


def count_deviations(samples: pd.DataFrame) -> list[str]:
    """Say in sentences where a RAF-DB samples table departs from the published counts; empty where it does not.

    Args:
        samples: with the columns ``split`` and ``expression``; rows of split "val" count as "train", from which
            they are taken.

    Source: ``PUBLISHED_COUNTS``.
    """
    splits = samples["split"].replace("val", "train")
    counts = samples.groupby([splits, samples["expression"]]).size()
    sentences = []
    for split, published in PUBLISHED_COUNTS.items():
        found = {name: int(counts.get((split, name), 0)) for name in published}
        pairs = [(f"{split} split", sum(found.values()), sum(published.values()))]
        pairs += [(f"class {name} of the {split} split", found[name], published[name]) for name in published]
        sentences += [
            f"The {what} has {has:,} images, {abs(has - should):,} {'more' if has > should else 'fewer'} "
            f"than the {should:,} published."
            for what, has, should in pairs
            if has != should
        ]
    return sentences


def _parse_list(path: Path) -> list[tuple[str, int]]:
    """Return (sample_id, class id) of every line of the list file, each line checked."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"RAF-DB's list file is not text: byte {error.start} of {path} is not UTF-8. Copy it again."
        ) from error
    lines = text.rstrip().split("\n")
    if lines == [""]:
        raise ValueError(f"RAF-DB's list file is empty: {path} has no line. Copy it again from the download.")
    first_line: dict[str, int] = {}
    rows = []
    for number, line in enumerate(lines, start=1):
        sample_id, label = _parse_line(line, f"line {number} of {path}")
        if sample_id in first_line:
            raise ValueError(
                f"RAF-DB image {sample_id}.jpg is listed twice: line {number} of {path} repeats line "
                f"{first_line[sample_id]}. Keep the one that is right, or copy the file again."
            )
        first_line[sample_id] = number
        rows.append((sample_id, label))
    return rows


def _parse_line(line: str, where: str) -> tuple[str, int]:
    fields = line.split()
    if len(fields) != 2:
        raise ValueError(
            f"RAF-DB's list file has a malformed line: {where} is {line[:80]!r}. "
            "Write an image name, one space and a label, such as 'train_00001.jpg 5'."
        )
    name, code = fields
    if "/" in name or "\\" in name or ".." in name:
        raise ValueError(
            f"RAF-DB's list file names an image outside its folder: {where} says {name[:80]!r}. "
            "Write the bare file name, such as 'train_00001.jpg'."
        )
    if not _IMAGE_NAME.fullmatch(name):
        raise ValueError(
            f"RAF-DB's list file names neither a training nor a test image: {where} says {name[:80]!r}. "
            "Write 'train_' or 'test_', a number and '.jpg'; the split is read from the name."
        )
    if code not in _LABEL_IDS:
        raise ValueError(
            f"RAF-DB's list file has an unknown label: {where} gives {name} the label {code[:80]!r}. "
            f"Labels are whole numbers from 1 ({RAF_DB_EXPRESSIONS[0]}) to 7 ({RAF_DB_EXPRESSIONS[-1]})."
        )
    return name.removesuffix(".jpg"), _LABEL_IDS[code]


def _check_complete(rows: list[tuple[str, int]], path: Path) -> None:
    for split in PUBLISHED_COUNTS:
        present = {label for sample_id, label in rows if sample_id.startswith(split)}
        absent = [name for label, name in enumerate(RAF_DB_EXPRESSIONS) if label not in present]
        if absent:
            what = f"the {split} split is absent" if not present else f"{', '.join(absent)} absent from {split}"
            raise ValueError(
                f"RAF-DB is incomplete: {what} in {path}. Each split needs at least one image of each of the "
                f"{len(RAF_DB_EXPRESSIONS)} classes; copy the file again from the download."
            )


def _check_images(folder: Path, names: list[str]) -> None:
    # One listing instead of 15,339 look-ups: seconds on a network disk.
    there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    missing = [name for name in names if name not in there]
    if missing:
        raise ValueError(
            f"RAF-DB images are missing: {len(missing):,} of the {len(names):,} listed are not in {folder}, "
            f"the first: {', '.join(missing[:3])}. Unpack the images again, or choose the other source "
            "(aligned, original) if you only have that one."
        )
