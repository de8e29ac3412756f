"""What recordings of acted clips share: listing their files, and a split that has each actor in one part alone."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mien.data.images import printable
from mien.data.splits import stratified_split

if TYPE_CHECKING:
    import pandas as pd


def list_media(root: Path, folders: Iterable[Path], suffixes: Sequence[str], dataset: str) -> list[Path]:
    """List the media files of some folders, sorted by folder and name.

    Hidden files, and files of another kind such as a readme, are passed over.

    Args:
        root: the dataset's folder; no file may lie outside it.
        folders: to be listed, not their subfolders.
        suffixes: of media files, in lower case with the dot.
        dataset: its name, for the message.

    Raises:
        ValueError: an entry with a media file's name is no file, or a symbolic link leads out of ``root``.
    """
    inside = root.resolve()
    found = []
    for folder in sorted(folders):
        with os.scandir(folder) as entries:
            media = [entry for entry in entries if entry.name[0] != "." and Path(entry.name).suffix.lower() in suffixes]
        outside = not folder.resolve().is_relative_to(inside)
        for entry in sorted(media, key=lambda entry: entry.name):
            path = folder / entry.name
            if not entry.is_file():
                raise ValueError(
                    f"{dataset} has something else in the place of a file: {printable(path)} is a folder or a link to "
                    "nothing. Unpack the archive again."
                )
            if outside or (entry.is_symlink() and not path.resolve().is_relative_to(inside)):
                raise ValueError(
                    f"{dataset} leads out of its folder: {printable(path)} is linked from outside {root}. Copy the "
                    "files into the folder, or link the whole folder."
                )
            found.append(path)
    return found


def check_names(wrong: Sequence[Path], dataset: str, form: str) -> None:
    """Raise a ValueError that counts the files whose names are not of the published form, unless there are none.

    Args:
        wrong: files with such names.
        dataset: its name.
        form: what a name looks like.
    """
    if wrong:
        raise ValueError(
            f"{dataset} has file names that say nothing about their clips: {len(wrong):,} of them, the first "
            f"{printable(wrong[0])}. Names are {form}; rename the files, or move them out of the folder."
        )


def split_actors(
    clips: pd.DataFrame, validation_fraction: float, test_fraction: float, seed: int, dataset: str
) -> pd.DataFrame:
    """Give every actor, with all clips, to one of "train", "val" and "test", men and women in about equal shares.

    Args:
        clips: with the columns ``subject``, ``gender`` (may be missing) and ``expression``.
        validation_fraction: of the actors, above 0.
        test_fraction: of the actors, above 0; both together below 1.
        seed: 0 or more.
        dataset: its name, for the message.

    Returns:
        A copy of ``clips`` with the column ``split``.

    Raises:
        ValueError: a fraction or ``seed`` is out of range, there are too few actors for each split to get one, or a
            class that others show is absent from training.

    Source: ours, because neither RAVDESS nor CREMA-D publishes a split; METHODS 5.1: no person may be in two parts.
    """
    actors = clips[["subject", "gender"]].drop_duplicates("subject").rename(columns={"subject": "sample_id"})
    actors = actors.assign(gender=actors["gender"].fillna("").astype(str))
    try:
        actors = stratified_split(actors, ["gender"], validation_fraction, test_fraction, seed)
    except ValueError as error:
        raise ValueError(
            f"The {len(actors)} actors of {dataset} cannot be divided into train, val and test: {error} "
            "Unpack the recordings of more actors."
        ) from error
    part = dict(zip(actors["sample_id"], actors["split"], strict=True))
    clips = clips.assign(split=[part[subject] for subject in clips["subject"]])
    absent = sorted(set(clips["expression"]) - set(clips.loc[clips["split"] == "train", "expression"]))
    if absent:
        raise ValueError(
            f"{dataset} is incomplete: no clip of {', '.join(absent)} is left to train on. Unpack the recordings of "
            "more actors, or take another seed."
        )
    return clips
