"""The layouts in which RAF-DB basic circulates, distinguished, and the two that its authors do not publish.

```
EmoLabel/list_patition_label.txt                the published list; see ``mien.data.raf_db``
[DATASET/]train/5/train_00001_aligned.jpg       class folders 1 to 7, or by name; test/ or valid/ beside train/
train_labels.csv, test_labels.csv               Kaggle's pair, with columns image and label, beside DATASET/
```

Source: the published download; POSTER++'s folders train/ and valid/; Kaggle's repack with DATASET/.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mien.data.folders import class_folders, holds_file, image_names, subfolders
from mien.errors import MienError
from mien.labels import EXPRESSION_SPELLINGS, RAF_DB_EXPRESSIONS

logger = logging.getLogger(__name__)

Layout = Literal["list", "class_folders", "csv"]
Source = Literal["aligned", "original"]

LAYOUTS: dict[Layout, str] = {
    "list": "EmoLabel/list_patition_label.txt",
    "class_folders": "class folders such as train/1 and test/1",
    "csv": "train_labels.csv and test_labels.csv",
}
"""The layouts, and what each is known by."""

LIST_FILE = LAYOUTS["list"]
"""The file that names every image, its split and its label; the spelling is the database's own."""

CSV_FILES = {"train": "train_labels.csv", "test": "test_labels.csv"}
"""Label files of Kaggle's repack by split."""

WHERE_TO_GET_IT = (
    "Ask the authors for RAF-DB basic at http://www.whdeng.cn/RAF/model1.html and unpack it there, so that "
    f"`basic/{LIST_FILE}` exists. The demo draws its own faces and needs no download."
)

IMAGE_NAME = re.compile(r"((train|test)_[0-9]+)(_aligned)?\.[A-Za-z0-9]+")
"""Name of an image: its sample id, and whether it is one of the authors' aligned crops; any format will do."""

_FOLDERS = ("", "basic", "raf-basic", "raf-db", "raf-db-dataset")
_IMAGES = ("", "DATASET")
_SPLITS = {
    "train": ("train",),
    "test": ("test",),
    **dict.fromkeys(("valid", "val", "validation"), ("train", "test")),  # POSTER++'s is the test split, others' is ours
}
_CLASSES = {
    **{str(number): name for number, name in enumerate(RAF_DB_EXPRESSIONS, start=1)},
    **{spelling: name for spelling, name in EXPRESSION_SPELLINGS.items() if name in RAF_DB_EXPRESSIONS},
}


@dataclass(frozen=True)
class ListedImage:
    """One image of RAF-DB: id without file ending, class id, and the file."""

    sample_id: str
    label: int
    path: Path


def find_layouts(root: Path) -> dict[Layout, list[Path]]:
    """Find what there is of RAF-DB in a folder and directly below it.

    Returns:
        Folders by layout: those that hold the list, the split folders or the CSV files; at least one in all.

    Raises:
        MienError: ``root`` is missing or not a folder, or it holds RAF-DB in no layout.
    """
    if not root.is_dir():
        raise MienError(f"RAF-DB's folder is missing: {root} is not a folder. {WHERE_TO_GET_IT}")
    places = [root / name for name in _FOLDERS]
    found: dict[Layout, list[Path]] = {
        "list": [place for place in places if holds_file(place, LIST_FILE, "RAF-DB")],
        "class_folders": [place / images for place in places for images in _IMAGES if _is_sorted(place / images)],
        "csv": [place for place in places if all(holds_file(place, file, "RAF-DB") for file in CSV_FILES.values())],
    }
    if not any(found.values()):
        raise MienError(
            f"RAF-DB's files are missing: {root} holds it in no known layout ({'; '.join(LAYOUTS.values())}), neither "
            f"itself nor under {'/, '.join(_FOLDERS[1:])}/. {WHERE_TO_GET_IT}"
        )
    return found


def choose_layout(root: Path, layout: Layout | Literal["auto"]) -> tuple[Layout, Path]:
    """Choose one layout, and the folder that is in it.

    Of several folders in one layout, ``root`` itself wins. Class folders with a CSV pair are taken by the pair.

    Args:
        root: RAF-DB's folder.
        layout: One of ``LAYOUTS``, or ``auto`` for the only one there is.

    Raises:
        MienError: As ``find_layouts``; ``layout`` is unknown, or not there, or is ``auto`` and several are; or two
            folders below ``root`` are in the one that is chosen.
    """
    if layout not in ("auto", *LAYOUTS):
        raise MienError(f"layout {layout!r} of RAF-DB is unknown: choose auto, {', '.join(LAYOUTS)}.")
    found = {name: places for name, places in find_layouts(root).items() if places}
    there = "; ".join(f"{name} in {places[0]}" for name, places in found.items())
    if layout == "auto":
        of_pairs = {pair / images for pair in found.get("csv", []) for images in _IMAGES}
        if of_pairs.issuperset(found.get("class_folders", [])):
            found.pop("class_folders", None)
        if len(found) > 1:
            raise MienError(
                f"RAF-DB is there in several layouts: {root} holds {there}. Name the one that is meant with "
                "reader.layout, or move the others away."
            )
    chosen: Layout = next(iter(found)) if layout == "auto" else layout
    if chosen not in found:
        raise MienError(
            f"RAF-DB is not there in the layout {chosen}: {root} lacks {LAYOUTS[chosen]} and holds {there}. Set "
            "reader.layout to auto, or add what is missing."
        )
    first, *more = found[chosen]
    if more and first != root:
        raise MienError(
            f"RAF-DB is there twice: {root} holds {LAYOUTS[chosen]} under {first.relative_to(root)}/ and under "
            f"{more[0].relative_to(root)}/. Remove one, or name the one you mean as the root."
        )
    return chosen, first


def read_class_folders(folder: Path, source: Source) -> list[ListedImage]:
    """List the images of a copy in class folders, train first, each in the order of its numbers.

    The split is read from an image's name, as in the published list, and has to agree with the folder; folders called
    valid, val or validation hold images of either split.

    Args:
        folder: Holds train/ and test/ or valid/.
        source: ``aligned`` takes the files called ``*_aligned``, ``original`` the others. Where no file is called so,
            names do not tell them apart, and all are taken.

    Raises:
        MienError: A folder names no class, a file is not named as RAF-DB's or lies in the other split's folder, an
            image is there twice, or there are aligned images only and ``source`` is ``original``.
    """
    images = [
        image for splits, split_folder in _split_folders(folder) for image in _sorted_images(split_folder, splits)
    ]
    images = choose_source(images, source, folder)
    paths: dict[str, Path] = {}
    for image in images:
        if image.sample_id in paths:
            raise MienError(
                f"RAF-DB image {image.sample_id} is there twice: as {paths[image.sample_id]} and as {image.path}. Keep "
                "the one that is right."
            )
        paths[image.sample_id] = image.path
    return in_published_order(images)


def split_images(folder: Path, split: str) -> dict[str, list[tuple[int | None, Path]]]:
    """Files of one split by name without ending, each with the class id of its folder; None where it lies in none.

    Args:
        folder: Holds DATASET/ with the split's folder, or the split's folder.
        split: Train or test.

    Raises:
        MienError: A class folder is not one.
    """
    places: list[tuple[int | None, Path]] = []
    for split_folder in (folder / images / split for images in _IMAGES if (folder / images / split).is_dir()):
        places.append((None, split_folder))
        places += [(RAF_DB_EXPRESSIONS.index(name), place) for name, place in _class_folders(split_folder).items()]
    files: dict[str, list[tuple[int | None, Path]]] = {}
    for label, place in places:
        for name in image_names(place, "RAF-DB"):
            files.setdefault(Path(name).stem, []).append((label, place / name))
    return files


def choose_source(images: list[ListedImage], source: Source, folder: Path) -> list[ListedImage]:
    """Keep the aligned crops, called ``*_aligned``, or the others; all where no name tells.

    Raises:
        MienError: ``source`` is ``original`` and all are aligned crops.
    """
    aligned = [image for image in images if image.path.stem.endswith("_aligned")]
    if not aligned:
        logger.info("Names in %s do not say whether the images are aligned: they count as %s", folder, source)
        return images
    if source == "aligned":
        return aligned
    originals = [image for image in images if not image.path.stem.endswith("_aligned")]
    if not originals:
        raise MienError(
            f"RAF-DB's photographs are missing: all {len(images):,} images in {folder} are aligned crops. Set "
            "reader.source to aligned, or unpack the authors' download, which has both."
        )
    return originals


def in_published_order(images: list[ListedImage]) -> list[ListedImage]:
    """Sort images as the published list has them: train before test, each by number."""
    return sorted(images, key=lambda image: (image.sample_id.startswith("test"), int(image.sample_id.split("_")[1])))


def _is_sorted(folder: Path) -> bool:
    """Whether a folder holds split folders with class folders in them."""
    if not folder.is_dir():
        return False
    inner = (name for _, split_folder in _split_folders(folder) for name in subfolders(split_folder, "RAF-DB"))
    return any(name.lower() in _CLASSES for name in inner)


def _split_folders(folder: Path) -> list[tuple[tuple[str, ...], Path]]:
    names = [name for name in subfolders(folder, "RAF-DB") if name.lower() in _SPLITS]
    return [(_SPLITS[name.lower()], folder / name) for name in names]


def _class_folders(split_folder: Path) -> dict[str, Path]:
    if (split_folder / "0").is_dir():
        raise MienError(
            f"Class folders of RAF-DB count from 0: {split_folder} has a folder 0/, and copies differ in what it "
            f"means. Call the folders by RAF-DB's codes, 1 ({RAF_DB_EXPRESSIONS[0]}) to 7 ({RAF_DB_EXPRESSIONS[-1]}), "
            "or by name."
        )
    return class_folders(split_folder, _CLASSES, "RAF-DB")


def _sorted_images(split_folder: Path, splits: tuple[str, ...]) -> Iterator[ListedImage]:
    for expression, class_folder in _class_folders(split_folder).items():
        for name in image_names(class_folder, "RAF-DB"):
            match = IMAGE_NAME.fullmatch(name)
            if match is None:
                raise MienError(
                    f"An image of RAF-DB does not have its published name: {class_folder / name}. Names such as "
                    "train_00001_aligned.jpg say which image it is: copy it again under that name, or move it away."
                )
            if match[2] not in splits:
                raise MienError(
                    f"RAF-DB's splits are mixed: {class_folder / name} is of the {match[2]} split by its name. Move it "
                    f"to the folder {match[2]}/, so that no image is trained on and tested on."
                )
            yield ListedImage(match[1], RAF_DB_EXPRESSIONS.index(expression), class_folder / name)
