"""What recordings of acted clips share: listing their files, and a split that has each actor in one part alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mien.data.file_account import Explain, FileAccount
from mien.data.folders import walk_folder
from mien.data.images import printable
from mien.data.media_file import is_media
from mien.data.splits import one_name_each, stratified_split
from mien.errors import MienError

if TYPE_CHECKING:
    import pandas as pd


def list_media(root: Path, dataset: str) -> list[Path]:
    """List the media files at any depth of a folder, sorted by folder and name.

    Hidden files, and files of another kind such as a readme, are passed over.

    Args:
        root: The dataset's folder.
        dataset: Its name, for the message.

    Raises:
        MienError: A folder cannot be listed, or an entry with a media file's name is no file.
    """

    def refuse(error: OSError) -> None:
        raise MienError(
            f"{dataset}'s folders cannot be listed: {error.filename} ({error.strerror}). Make it readable."
        ) from error

    found = []
    for folder, folders, files in walk_folder(root, refuse):
        folders[:] = [name for name in folders if name[0] != "." and name != "__MACOSX"]
        for name in (*folders, *files):
            path = folder / name
            if name[0] == "." or not is_media(path):
                continue
            if not path.is_file():
                raise MienError(
                    f"{dataset} has something else in the place of a file: {printable(path)} is a folder or a link to "
                    "nothing. Unpack the archive again."
                )
            found.append(path)
    return sorted(found, key=lambda path: (path.parent, path.name))


def account_for_clips(account: FileAccount, clips: pd.DataFrame, explain: Explain, way_on: str) -> None:
    """Tell an account which files clips use and what they lack, and have it account for all other files.

    Where some clips have a picture and others have none, those are lost, and likewise for sound. Where none has, the
    user has chosen so.

    Args:
        account: Of the dataset's folder.
        clips: With the columns ``sample_id``, ``video``, ``audio``, ``split`` and ``expression``.
        explain: Why no clip names a file.
        way_on: What to do about lost clips.

    Raises:
        MienError: More clips or files are lost than the account allows.
    """
    account.use_samples(clips, ["video", "audio"], "expression")
    for column, what in (("video", "picture"), ("audio", "sound")):
        without = clips[clips[column].isna()]
        for sample_id, split, expression in without[["sample_id", "split", "expression"]].itertuples(index=False):
            lost = len(without) < len(clips)
            account.miss([f"{what} of {sample_id}"], f"without_{what}", split, expression, lost=lost)
    account.finish(explain, way_on)


def check_names(wrong: Sequence[Path], dataset: str, form: str) -> None:
    """Raise a MienError that counts the files whose names are not of the published form, unless there are none.

    Args:
        wrong: Files with such names.
        dataset: Its name.
        form: What a name looks like.
    """
    if wrong:
        raise MienError(
            f"{dataset} has file names that say nothing about their clips: {len(wrong):,} of them, the first "
            f"{printable(wrong[0])}. Names are {form}; rename the files, or move them out of the folder."
        )


def split_actors(
    clips: pd.DataFrame, validation_fraction: float, test_fraction: float, seed: int, dataset: str
) -> pd.DataFrame:
    """Give every actor, with all clips, to one of "train", "val" and "test", men and women in about equal shares.

    Args:
        clips: With the columns ``subject``, ``gender`` (may be missing) and ``expression``.
        validation_fraction: Of the actors, above 0.
        test_fraction: Of the actors, above 0; both together below 1.
        seed: 0 or more.
        dataset: Its name, for the message.

    Returns:
        A copy of ``clips`` with the column ``split``.

    Raises:
        MienError: A fraction or ``seed`` is out of range, there are too few actors for each split to get one, or a
            class that others show is absent from training.

    Source: ours, because neither RAVDESS nor CREMA-D publishes a split; METHODS 5.1: no person may be in two parts.
    """
    classes = sorted(set(clips["expression"]))
    if len(classes) < 2:
        raise MienError(
            f"{dataset} has one class alone: all {len(clips):,} clips are {classes[0]}. Unpack the recordings of the "
            "other expressions."
        )
    clips = clips.assign(subject=one_name_each(clips["subject"], dataset))
    actors = clips[["subject", "gender"]].drop_duplicates("subject").rename(columns={"subject": "sample_id"})
    actors = actors.assign(gender=actors["gender"].fillna("").astype(str))
    try:
        actors = stratified_split(actors, ["gender"], validation_fraction, test_fraction, seed)
    except MienError as error:
        raise MienError(
            f"The {len(actors)} actors of {dataset} cannot be divided into train, val and test: {error} "
            "Unpack the recordings of more actors."
        ) from error
    part = dict(zip(actors["sample_id"], actors["split"], strict=True))
    clips = clips.assign(split=[part[subject] for subject in clips["subject"]])
    absent = sorted(set(clips["expression"]) - set(clips.loc[clips["split"] == "train", "expression"]))
    if absent:
        raise MienError(
            f"{dataset} is incomplete: no clip of {', '.join(absent)} is left to train on. Unpack the recordings of "
            "more actors, or take another seed."
        )
    return clips
