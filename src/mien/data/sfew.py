"""SFEW 2.0, Static Facial Expressions in the Wild: frames of films with one of seven expressions.

Layouts, with the names of folders and files: ``mien.data.sfew_layouts``.

Source: Dhall et al., ICCV 2011 workshops; EmotiW 2015 for version 2.0.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING

from mien.data.alignment import SFEW_SHAPE, check_aligned_sizes
from mien.data.file_account import FileAccount, Verdict
from mien.data.images import is_image
from mien.data.sfew_layouts import (
    CSV_FILE,
    SPLIT_NAME,
    SPLITS,
    ListedFrame,
    Source,
    find_copies,
    read_archives,
    read_repack,
)
from mien.data.splits import one_name_each
from mien.errors import MienError
from mien.labels import SFEW_EXPRESSIONS

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

PUBLISHED_COUNTS: dict[str, dict[str, int]] = {
    "train": dict(zip(SFEW_EXPRESSIONS, (96, 98, 66, 198, 172, 178, 150), strict=True)),
    "test": dict(zip(SFEW_EXPRESSIONS, (57, 47, 23, 73, 73, 77, 86), strict=True)),
    "unlabelled": {"": 372},
}
"""Images by split here: 958 of Train, 436 of Val, which the literature reports on, and 372 of Test without labels.

Source: the totals are EmotiW 2015's; the classes are as users count them, and add up to the totals.
"""

_NOT_ALIGNED = "Set reader.source to original and alignment.method to mtcnn to have frames aligned."
_WAY_ON = (
    "Only images in class folders of Train and Val, or in Test, have a place: move them there, or unpack the archives "
    "again."
)
_FRAME_NAME = re.compile(r"(?P<movie>.+)_[0-9]{9}_[0-9]{8}")  # film, time as HMMSSmmm, number of the frame


def read_sfew(root: Path, source: Source = "original", account: FileAccount | None = None) -> pd.DataFrame:
    """Read SFEW 2.0 into a samples table, and account for every file of it.

    An image that lies in two class folders, as one of Val does, gives two rows.

    Args:
        root: The folder that holds Train, Val and Test, or Kaggle's repack, or a folder that holds either.
        source: ``original`` for the frames, ``aligned`` for the authors' crops, which some frames lack.
        account: Receives what becomes of every file; a new one where None.

    Returns:
        One row per image, by official split, class and name: ``sample_id`` ("train_angry_Airheads_000519240_00000005"),
        ``image`` (path relative to ``root``, with forward slashes), ``label`` (int64, position in
        ``SFEW_EXPRESSIONS``; -1 in Test), ``expression`` (that class's name; empty in Test), ``split`` ("train" for
        Train, "test" for Val, "unlabelled" for Test), ``official_split`` (Train, Val, Test), ``movie`` (string; missing
        in Kaggle's repack, whose names are numbers) and ``subject`` (all missing: names do not say who is shown).

    Raises:
        MienError: The folder, a split or a class is missing, images of ``source`` are not there or in two places, a
            folder of images names no class, or more images of a split are missing or passed over than ``account``
            allows.

    Source: official Val is "test" here because the literature reports on it, for want of Test's labels.

    Example:
        >>> read_sfew(Path("data/01_raw/sfew")).iloc[0].to_dict()  # doctest: +SKIP
        {'sample_id': 'train_surprise_21_001010160_00000010', 'image': 'Train/Surprise/21_001010160_00000010.png', ...}
    """
    if source not in ("original", "aligned"):
        raise MienError(f"source {source!r} of SFEW is unknown: choose 'original' or 'aligned'.")
    copies = find_copies(root)
    if len(copies) > 1:
        there = " and ".join(f"{what} in {place}" for place, what in copies[:2])
        raise MienError(f"SFEW is there twice: {there}. Move one away, or name the one you mean as the root.")
    place, what = copies[0]
    account = account or FileAccount(root, "SFEW")
    images = (read_repack if what == CSV_FILE else read_archives)(place, source, account)
    logger.info("SFEW 2.0 found in %s: %d %s images", place, len(images), source)
    if source == "aligned":
        paths = (image.path for image in images)
        check_aligned_sizes(paths, "SFEW", SFEW_SHAPE, account.max_passed_over, _NOT_ALIGNED)
    sample_ids = _sample_ids(images)
    _check_complete(images, place, account.missing_groups())
    _warn_of_repeats(images)
    samples = _table(images, sample_ids, root)
    account.use_samples(samples, ["image"], "expression")
    account.finish(lambda name: _explain(root / name, place), _WAY_ON)
    _check_complete(images, place, set())
    return samples


def _table(images: list[ListedFrame], sample_ids: list[str], root: Path) -> pd.DataFrame:
    import pandas as pd

    names = [_FRAME_NAME.fullmatch(image.path.stem) for image in images]
    labels = [SFEW_EXPRESSIONS.index(image.expression) if image.expression else -1 for image in images]
    return pd.DataFrame(
        {
            "sample_id": sample_ids,
            "image": [image.path.relative_to(root).as_posix() for image in images],
            "label": pd.Series(labels, dtype="int64"),
            "expression": [image.expression for image in images],
            "split": [SPLITS[image.official_split] for image in images],
            "official_split": [image.official_split for image in images],
            "movie": pd.Series([name["movie"] if name else pd.NA for name in names], dtype="string"),
            "subject": pd.Series([pd.NA] * len(images), dtype="string"),
        }
    )


def _explain(path: Path, place: Path) -> Verdict | None:
    """Why a file is no sample."""
    if not path.is_relative_to(place):
        return Verdict("outside_the_copy", lost=is_image(path))
    if not is_image(path):
        return None
    official = SPLIT_NAME.match(path.relative_to(place).parts[0])
    split = SPLITS[official[1].capitalize()] if official else ""
    return Verdict("in_no_class_folder", lost=True, split=split)


def find_sfew(root: Path) -> Path:
    """Find the folder that holds Train and Val, or Kaggle's repack: ``root`` itself, or a folder in it.

    Where there is more than one, the first; ``read_sfew`` then refuses.

    Raises:
        MienError: ``root`` is missing or not a folder, or nothing is found.
    """
    return find_copies(root)[0][0]


def hold_out_movies(samples: pd.DataFrame, fraction: float = 0.1, seed: int = 0) -> pd.DataFrame:
    """Move whole movies from split "train" to split "val", about a fraction of every class.

    The movies are dealt into round(1 / fraction) folds, or as many as there are movies, of about equal classes. The
    fold that lacks fewest classes and comes nearest to the fraction of each is held out.

    Args:
        samples: The table of ``read_sfew``.
        fraction: Of the training rows, above 0 and at most 0.5.
        seed: 0 or more.

    Returns:
        A copy of ``samples`` with "val" in the column ``split`` of the chosen rows.

    Raises:
        MienError: ``fraction`` or ``seed`` is out of range, or training rows name no movie, or only one.

    Source: ours, because frames of one scene look alike, so that frames chosen singly would be recognised.
    """
    import numpy as np

    from mien.data.folds import subject_folds

    if not 0 < fraction <= 0.5:
        raise MienError(f"fraction of the validation split is {fraction}: give a number above 0 and at most 0.5.")
    is_train = (samples["split"] == "train").to_numpy()
    train = samples[is_train]
    nameless = train[train["movie"].isna()]
    num_movies = train["movie"].nunique()
    if len(nameless) or num_movies < 2:
        why = f"{num_movies} movies are not enough"
        if len(nameless):
            why = f"{len(nameless)} training images name no movie, the first is {nameless['image'].iloc[0]}"
        raise MienError(
            f"Movies of SFEW cannot be held out: {why}. Names such as Airheads_000519240_00000005.png begin with the "
            "movie; set reader.hold_out to images to choose images singly."
        )
    num_folds = min(round(1 / fraction), num_movies)
    by_movie = train.assign(subject=one_name_each(train["movie"], "SFEW"))
    fold = subject_folds(by_movie, num_folds, seed)["fold"].to_numpy()
    labels = train["label"].to_numpy()
    counts = np.stack([np.bincount(fold[labels == label], minlength=num_folds) for label in np.unique(labels)])
    distance = ((counts / counts.sum(axis=1, keepdims=True) - fraction) ** 2).sum(axis=0)
    num_absent = (counts == 0).sum(axis=0)
    chosen = int(np.lexsort([distance, num_absent])[0])
    val = np.zeros(len(samples), dtype=bool)
    val[np.flatnonzero(is_train)[fold == chosen]] = True
    return samples.assign(split=samples["split"].mask(val, "val"))


def _sample_ids(images: list[ListedFrame]) -> list[str]:
    first: dict[str, Path] = {}
    for image in images:
        words = (image.official_split.lower(), image.expression, image.path.stem)
        sample_id = "_".join(word for word in words if word)
        if sample_id in first:
            raise MienError(
                f"An image of SFEW is there twice: {first[sample_id]} and {image.path}. Keep the one that is right."
            )
        first[sample_id] = image.path
    return list(first)


def _check_complete(images: list[ListedFrame], place: Path, missing: set[tuple[str, str]]) -> None:
    for official_split in ("Train", "Val"):
        present = {image.expression for image in images if image.official_split == official_split}
        present |= {expression for split, expression in missing if split == SPLITS[official_split]}
        absent = [name for name in SFEW_EXPRESSIONS if name not in present]
        if absent:
            what = f"{', '.join(absent)} absent from {official_split}" if present else f"{official_split} is absent"
            raise MienError(
                f"SFEW is incomplete: {what} in {place}. Each split needs at least one image of each of the "
                f"{len(SFEW_EXPRESSIONS)} classes; unpack its archives again."
            )


def _warn_of_repeats(images: list[ListedFrame]) -> None:
    places: dict[str, list[ListedFrame]] = {}
    for image in images:
        places.setdefault(image.path.name, []).append(image)
    for name, repeats in places.items():
        if len(repeats) > 1:
            where = ", ".join(f"{image.official_split} {image.expression}".strip() for image in repeats)
            logger.warning("SFEW image %s is there %d times and counts each time: %s", name, len(repeats), where)
