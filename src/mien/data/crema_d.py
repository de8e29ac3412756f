"""CREMA-D, the Crowd-sourced Emotional Multimodal Actors Dataset, from its repository's layout.

```
<root>/AudioWAV/1001_DFA_ANG_XX.wav      16 kHz, converted for processing
<root>/AudioMP3/1001_DFA_ANG_XX.mp3      as the raters heard it
<root>/VideoFlash/1001_DFA_ANG_XX.flv    as the raters saw it, with sound
<root>/VideoDemographics.csv             ActorID,Age,Sex,Race,Ethnicity
```

A name is actor (1001 to 1091), sentence, emotion (ANG, DIS, FEA, HAP, NEU, SAD) and level (LO, MD, HI, or XX where
none was requested). One audio file is named ``1040_ITH_SAD_X.wav``; its X is read as XX.

Source: Cao et al., IEEE Transactions on Affective Computing 2014; github.com/CheyneyComputerScience/CREMA-D.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mien.data.actor_clips import account_for_clips, check_names, list_media, split_actors
from mien.data.csv_files import read_label_rows
from mien.data.file_account import FileAccount, Verdict
from mien.data.images import printable
from mien.data.media_file import SOUND_SUFFIXES, is_lfs_pointer
from mien.errors import MienError
from mien.labels import CREMA_D_EXPRESSIONS

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

SENTENCES: dict[str, str] = {
    "IEO": "It's eleven o'clock",
    "TIE": "That is exactly what happened",
    "IOM": "I'm on my way to the meeting",
    "IWW": "I wonder what this is about",
    "TAI": "The airplane is almost full",
    "MTI": "Maybe tomorrow it will be cold",
    "IWL": "I would like a new alarm clock",
    "ITH": "I think I have a doctor's appointment",
    "DFA": "Don't forget a jacket",
    "ITS": "I think I've seen this before",
    "TSI": "The surface is slick",
    "WSI": "We'll stop in a couple of minutes",
}
"""The twelve sentences by code."""

CODES: dict[str, str] = {
    "FEA": "fear",
    "DIS": "disgust",
    "HAP": "happy",
    "SAD": "sad",
    "ANG": "angry",
    "NEU": "neutral",
}
"""Expression by code, in the order of ``CREMA_D_EXPRESSIONS``."""

LEVELS: dict[str, str] = {"LO": "low", "MD": "medium", "HI": "high", "XX": "unspecified"}
"""Intensity by code."""

PUBLISHED_COUNTS: dict[str, dict[str, int]] = {
    "all": {name: 1087 if name == "neutral" else 1271 for name in CREMA_D_EXPRESSIONS}
}
"""Clips per expression over all 91 actors, 7,442."""

MEDIA: dict[str, str] = {"AudioWAV": ".wav", "AudioMP3": ".mp3", "VideoFlash": ".flv"}
"""Published ending of the files by folder; sound is taken from the first folder that has it.

Files of other endings are read too, and files of other folders count by their kind.
"""

DEMOGRAPHICS = "VideoDemographics.csv"

_DATASET = "CREMA-D"
_ACTOR = re.compile(r"100[1-9]|10[1-8][0-9]|109[01]")
_NAME = re.compile(rf"({_ACTOR.pattern})_({'|'.join(SENTENCES)})_({'|'.join(CODES)})_({'|'.join(LEVELS)}|X)")
_WAY_ON = "Fetch AudioWAV and VideoFlash in whole, or keep the folders of the kind that you want alone."
_FORM = "actor, sentence, emotion and level, such as 1001_DFA_ANG_XX.wav in AudioWAV"
_WHERE_TO_GET_IT = (
    "Clone github.com/CheyneyComputerScience/CREMA-D (Open Database License) there, with Git LFS installed, so that "
    "AudioWAV and VideoFlash hold the recordings; a zip of the repository does not. The demo draws its own clips and "
    "needs no download."
)


def find_crema_d(root: Path) -> Path:
    """Check that a folder holds recordings of CREMA-D, sound or pictures.

    Returns:
        ``root``.

    Raises:
        MienError: ``root`` is missing or not a folder, or has neither ``AudioWAV`` nor ``AudioMP3`` nor
            ``VideoFlash``.
    """
    if not root.is_dir():
        raise MienError(f"CREMA-D's folder is missing: {printable(root)} is not a folder. {_WHERE_TO_GET_IT}")
    # Listed first, which refuses folders that may not be entered.
    if not any(_NAME.fullmatch(path.stem) for path in list_media(root, _DATASET)) and not any(
        (root / name).is_dir() for name in MEDIA
    ):
        raise MienError(
            f"CREMA-D's recordings are missing: {printable(root)} holds no folder {', '.join(MEDIA)}. "
            f"{_WHERE_TO_GET_IT}"
        )
    return root


def read_crema_d(
    root: Path,
    validation_fraction: float = 0.15,
    test_fraction: float = 0.2,
    seed: int = 0,
    account: FileAccount | None = None,
) -> pd.DataFrame:
    """List the clips of CREMA-D: the files of one recording are one row, and each actor is in one split.

    A folder in which Git LFS has fetched nothing yet is passed over with a warning, if another holds recordings. Files
    may be of any format, at any depth; each is accounted for.

    Args:
        root: The repository's folder.
        validation_fraction: Of the actors, above 0.
        test_fraction: Of the actors, above 0.
        seed: Of the split, 0 or more.
        account: Receives what becomes of every file; a new one where None.

    Returns:
        One row per clip, sorted by name: ``sample_id`` ("1001_DFA_ANG_XX"), ``video`` and ``audio`` (paths relative to
        ``root``, missing where there is none; the WAV, else the MP3, else the video), ``label`` (int64, position in
        ``CREMA_D_EXPRESSIONS``), ``expression``, ``intensity`` (low, medium, high, unspecified), ``sentence`` (its
        code), ``subject`` ("1001"), ``gender`` (male or female, missing without ``VideoDemographics.csv``) and
        ``split``.

    Raises:
        MienError: The folder is missing or holds no clip, files are Git LFS pointers, a name is not of the published
            form, a recording is there twice, the demographics are malformed or of other people, an argument is out of
            range, there are too few actors to divide, or more clips of a split are passed over or lack picture or sound
            than ``account`` allows.

    Source: the repository; METHODS 7.8.
    """
    import pandas as pd

    root = find_crema_d(root)
    account = account or FileAccount(root, _DATASET)
    recordings = _recordings(root, account)
    if not recordings:
        raise MienError(f"CREMA-D has no clip: {', '.join(MEDIA)} in {printable(root)} are empty. {_WHERE_TO_GET_IT}")
    genders = _read_genders(root / DEMOGRAPHICS, {sample_id.partition("_")[0] for sample_id in recordings})
    rows = [_row(sample_id, files, genders) for sample_id, files in sorted(recordings.items())]
    clips = pd.DataFrame(rows).astype({"label": "int64", **dict.fromkeys(("video", "audio", "subject"), "string")})
    clips["gender"] = clips["gender"].astype("string")
    logger.info("%d clips of %d actors found in %s", len(clips), clips["subject"].nunique(), printable(root))
    clips = split_actors(clips, validation_fraction, test_fraction, seed, _DATASET)
    account.use([root / DEMOGRAPHICS] if (root / DEMOGRAPHICS).is_file() else [])
    account_for_clips(account, clips, _explain, _WAY_ON)
    return clips


def _row(sample_id: str, files: Mapping[str, str], genders: Mapping[str, str]) -> dict[str, str | int | None]:
    actor, sentence, emotion, level = sample_id.split("_")
    return {
        "sample_id": sample_id,
        "video": files.get("VideoFlash"),
        "audio": next((files[name] for name in MEDIA if name in files), None),
        "label": CREMA_D_EXPRESSIONS.index(CODES[emotion]),
        "expression": CODES[emotion],
        "intensity": LEVELS[level],
        "sentence": sentence,
        "subject": actor,
        "gender": genders.get(actor),
    }


def _explain(name: str) -> Verdict | None:
    """Why a file is of no clip."""
    return Verdict("the_same_sound_as_used") if _NAME.fullmatch(Path(name).stem) else None


def _recordings(root: Path, account: FileAccount) -> dict[str, dict[str, str]]:
    """Paths relative to ``root`` by recording, then by kind, every name checked."""
    recordings: dict[str, dict[str, str]] = {}
    wrong: list[Path] = []
    for kind, files in _fetched(root, account).items():
        for path in files:
            match = _NAME.fullmatch(path.stem)
            if match is None or (match[3] == "NEU" and match[4] not in ("XX", "X")):
                wrong.append(path)
                continue
            sample_id = f"{match[1]}_{match[2]}_{match[3]}_{'XX' if match[4] == 'X' else match[4]}"
            relative = path.relative_to(root).as_posix()
            earlier = recordings.setdefault(sample_id, {}).setdefault(kind, relative)
            if earlier != relative:
                raise MienError(
                    f"CREMA-D has a recording twice: {printable(root)} holds {earlier} and {relative}. Remove one."
                )
    check_names(wrong, _DATASET, _FORM)
    return recordings


def _kind(path: Path, root: Path) -> str | None:
    """The folder of ``MEDIA`` that a file is in, or would be in by its ending; None where it is of no recording."""
    folders = [part.lower() for part in path.relative_to(root).parts[:-1]]
    is_sound = path.suffix.lower() in SOUND_SUFFIXES
    for name in MEDIA:
        if name.lower() in folders and (name != "VideoFlash" or not is_sound):
            return name
    if _NAME.fullmatch(path.stem) is None:
        return None
    return "AudioMP3" if is_sound or any(folder.startswith("audio") for folder in folders) else "VideoFlash"


def _fetched(root: Path, account: FileAccount) -> dict[str, list[Path]]:
    """Media files by kind, without the kinds of which there are Git LFS pointers alone."""
    of_kind: dict[str, list[Path]] = {}
    for path in list_media(root, _DATASET):
        if (kind := _kind(path, root)) is not None:
            of_kind.setdefault(kind, []).append(path)
    fetched: dict[str, list[Path]] = {}
    unfetched = {}
    for name in MEDIA:
        files = of_kind.get(name, [])
        pointers = [path for path in files if is_lfs_pointer(path)]
        if pointers and len(pointers) < len(files):
            raise MienError(
                f"CREMA-D is fetched in part: {len(pointers):,} of the {len(files):,} files in "
                f"{printable(files[0].parent)} are Git LFS pointers, the first {pointers[0].name}. Run `git lfs pull` "
                "in the repository again."
            )
        if pointers:
            unfetched[name] = pointers
            account.pass_over(pointers, "git_lfs_pointer")
        elif files:
            fetched[name] = files
    if unfetched and not fetched:
        name, pointers = next(iter(unfetched.items()))
        raise MienError(
            f"CREMA-D is not fetched: the {len(pointers):,} files in {printable(root / name)} are Git LFS pointers, "
            "not recordings. Install Git LFS and run `git lfs pull` in the repository."
        )
    for name in unfetched:
        logger.warning("CREMA-D's %s holds Git LFS pointers only and is passed over; `git lfs pull` fetches it", name)
    return fetched


def _read_genders(path: Path, actors: set[str]) -> dict[str, str]:
    """Gender by actor, empty without the file; it has to know at least one of ``actors``."""
    if not path.is_file():
        logger.warning("CREMA-D's %s is missing: the actors' gender is not known", DEMOGRAPHICS)
        return {}
    genders: dict[str, str] = {}
    lines: dict[str, int] = {}
    for number, row in read_label_rows(path, ("ActorID", "Sex"), _DATASET):
        actor, sex, where = row["ActorID"], row["Sex"].lower(), f"line {number} of {printable(path)}"
        if not actor and not sex:
            continue
        if _ACTOR.fullmatch(actor) is None:
            raise MienError(
                f"CREMA-D's demographics are of other people: {where} has {actor[:40]!r} in the column ActorID, none "
                "of 1001 to 1091. Copy the file again."
            )
        if sex not in ("male", "female"):
            raise MienError(
                f"CREMA-D's demographics are malformed: {where} has {row['Sex'][:40]!r} in the column Sex, neither "
                "Male nor Female. Copy the file again."
            )
        if genders.setdefault(actor, sex) != sex:
            raise MienError(
                f"CREMA-D's demographics contradict themselves: {where} calls actor {actor} {sex} in the column Sex, "
                f"line {lines[actor]} {genders[actor]}. Keep the line that is right, or copy the file again."
            )
        lines.setdefault(actor, number)
    absent = sorted(actors - genders.keys())
    if len(absent) == len(actors):
        raise MienError(
            f"CREMA-D's demographics are of other people: {printable(path)} has no line for any of the {len(actors)} "
            f"actors, the first {absent[0]}. Copy the file again, or remove it to go on without genders."
        )
    if absent:
        logger.warning("CREMA-D's %s has no line for %d actors, the first %s", DEMOGRAPHICS, len(absent), absent[0])
    return genders
