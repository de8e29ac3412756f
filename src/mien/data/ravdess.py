"""RAVDESS, the Ryerson Audio-Visual Database of Emotional Speech and Song, from its published layout.

```
<root>/Actor_01/01-01-06-01-02-01-01.mp4                         picture and sound
<root>/Actor_01/02-01-06-01-02-01-01.mp4                         the same picture without sound
<root>/Actor_01/03-01-06-01-02-01-01.wav                         the same sound, 48 kHz, 16 bits
<root>/Video_Speech_Actor_01/Actor_01/01-01-06-01-02-01-01.mp4   as the archives unpack, each into a folder of its own
```

A name is modality (01 audio-visual, 02 video, 03 audio), channel (01 speech, 02 song), emotion (01 neutral, 02 calm,
03 happy, 04 sad, 05 angry, 06 fearful, 07 disgust, 08 surprised), intensity (01 normal, 02 strong; neutral has no
strong one), statement (01 "Kids are talking by the door", 02 "Dogs are sitting by the door"), repetition (01, 02) and
actor (01 to 24, odd ones men, even ones women).

Source: Livingstone and Russo, PLoS ONE 2018; Zenodo record 1188976.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mien.data.actor_clips import account_for_clips, check_names, list_media, split_actors
from mien.data.file_account import FileAccount, Verdict
from mien.data.images import printable
from mien.data.media_file import SOUND_SUFFIXES
from mien.errors import MienError
from mien.labels import RAVDESS_EMOTIONS, RAVDESS_EXPRESSIONS

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

CHANNELS: tuple[str, ...] = ("speech", "song")
"""Whether the statement is spoken or sung, by code."""

INTENSITIES: tuple[str, ...] = ("normal", "strong")

PUBLISHED_COUNTS: dict[str, dict[str, int]] = {
    "all": {name: 288 if name == "neutral" else 192 for name in RAVDESS_EXPRESSIONS}
}
"""Spoken clips per expression over all actors: 60 of each of 24 actors, 1,440; calm (192) counts as neutral (96)."""

_DATASET = "RAVDESS"
_TYPES = dict.fromkeys(("label", "statement", "repetition"), "int64") | dict.fromkeys(
    ("video", "audio", "subject"), "string"
)
_NAME = re.compile(r"(0[123])-(0[12])-(0[1-8])-(0[12])-(0[12])-(0[12])-(0[1-9]|1[0-9]|2[0-4])")
_ACTOR = re.compile(r"Actor_([0-9][0-9])", re.IGNORECASE)
_FORM = "seven numbers such as 01-01-06-01-02-01-12.mp4, the last that of the folder Actor_12"
_WHERE_TO_GET_IT = (
    "Download Audio_Speech_Actors_01-24.zip and Video_Speech_Actor_01.zip ... 24 from Zenodo record 1188976 (CC "
    "BY-NC-SA 4.0) and unpack them there, so that Actor_01 ... Actor_24 lie in it or below. The demo draws its own "
    "clips and needs no download."
)
_WAY_ON = "Unpack the archives of sound and of picture of the same actors, under their published names."


def find_ravdess(root: Path) -> Path:
    """Check that a folder holds recordings in actors' folders, at any depth.

    Returns:
        ``root``.

    Raises:
        MienError: ``root`` is missing or not a folder, or has no ``Actor_01`` ... ``Actor_24`` with files.
    """
    if not root.is_dir():
        raise MienError(f"RAVDESS' folder is missing: {printable(root)} is not a folder. {_WHERE_TO_GET_IT}")
    if not any(_ACTOR.fullmatch(path.parent.name) or _NAME.fullmatch(path.stem) for path in list_media(root, _DATASET)):
        raise MienError(
            f"RAVDESS' recordings are missing: {printable(root)} holds no folder Actor_01 ... Actor_24 with files, nor "
            f"does any folder in it. {_WHERE_TO_GET_IT}"
        )
    return root


def read_ravdess(
    root: Path,
    channels: Sequence[str] = ("speech",),
    validation_fraction: float = 0.15,
    test_fraction: float = 0.2,
    seed: int = 0,
    account: FileAccount | None = None,
) -> pd.DataFrame:
    """List the clips of RAVDESS: the files of one recording are one row, and each actor is in one split.

    Files may be of any format, at any depth; each is accounted for.

    Args:
        root: The folder that holds ``Actor_01`` ..., itself or in its folders.
        channels: ``speech``, ``song`` or both.
        validation_fraction: Of the actors, above 0.
        test_fraction: Of the actors, above 0.
        seed: Of the split, 0 or more.
        account: Receives what becomes of every file; a new one where None.

    Returns:
        One row per clip, sorted by actor and name: ``sample_id`` ("01-06-01-02-01-12", the name without the modality),
        ``video`` and ``audio`` (paths relative to ``root``, missing where there is none; the audio-only file, else the
        audio-visual one), ``label`` (int64, position in ``RAVDESS_EXPRESSIONS``), ``expression`` (calm counts as
        neutral, as the other datasets have no calm), ``emotion`` (what the actor was requested, with calm),
        ``intensity``, ``statement``, ``repetition`` (int64), ``channel``, ``subject`` ("actor_12"), ``gender`` and
        ``split``.

    Raises:
        MienError: The folder is missing or holds no clip of ``channels``, a name is not of the published form, a
            recording is there twice, an argument is out of range, there are too few actors to divide, or more clips of
            a split are passed over or lack picture or sound than ``account`` allows.

    Source: the published layout; METHODS 7.7.
    """
    import pandas as pd

    unknown = [channel for channel in channels if channel not in CHANNELS]
    if unknown or not channels:
        raise MienError(f"channels {list(channels)} of RAVDESS are unknown: choose speech, song or both.")
    root = find_ravdess(root)
    account = account or FileAccount(root, _DATASET)
    recordings = _recordings(list_media(root, _DATASET))
    rows = []
    for key, files in sorted(recordings.items(), key=lambda item: (item[0][-2:], item[0])):
        row = _row(key, files, root)
        if row["channel"] in channels:
            rows.append(row)
        else:
            account.pass_over(files.values(), "of_another_channel", group=str(row["expression"]))
    if not rows:
        raise MienError(
            f"RAVDESS has no clip of {' or '.join(channels)}: the actors' folders in {printable(root)} hold none. "
            f"{_WHERE_TO_GET_IT}"
        )
    clips = pd.DataFrame(rows).astype(_TYPES)
    logger.info("%d clips of %d actors found in %s", len(clips), clips["subject"].nunique(), printable(root))
    clips = split_actors(clips, validation_fraction, test_fraction, seed, _DATASET)
    account_for_clips(account, clips, _explain, _WAY_ON)
    return clips


def _explain(name: str) -> Verdict | None:
    """Why a file is of no clip."""
    return Verdict("the_same_picture_or_sound_as_used") if _NAME.fullmatch(Path(name).stem) else None


def _recordings(files: list[Path]) -> dict[str, dict[str, Path]]:
    """Files by recording (the name without modality), then by modality, every name checked."""
    recordings: dict[str, dict[str, Path]] = {}
    wrong = []
    for path in files:
        match = _NAME.fullmatch(path.stem)
        actor = next((found[1] for folder in path.parents if (found := _ACTOR.fullmatch(folder.name))), None)
        if match is None and actor is None:
            continue  # of no actor by its folder and of no clip by its name: the account tells of it
        shown_as_sound = match is not None and match[1] != "03" and path.suffix.lower() in SOUND_SUFFIXES
        if match is None or actor not in (None, match[7]) or shown_as_sound:
            wrong.append(path)
            continue
        if match[3] == "01" and match[4] == "02":  # no neutral clip is strong
            wrong.append(path)
            continue
        modality, key = path.stem[:2], path.stem[3:]
        earlier = recordings.setdefault(key, {}).setdefault(modality, path)
        if earlier != path:
            raise MienError(
                f"RAVDESS has a recording twice: {printable(path)} is {printable(earlier)} again, as in copies that "
                "were packed within themselves. Remove one of the two folders."
            )
    check_names(wrong, _DATASET, _FORM)
    return recordings


def _row(key: str, files: dict[str, Path], root: Path) -> dict[str, object]:
    channel, emotion, intensity, statement, repetition, actor = (int(code) for code in key.split("-"))
    video, audio = files.get("01", files.get("02")), files.get("03", files.get("01"))
    name = RAVDESS_EMOTIONS[emotion - 1]
    expression = "neutral" if name == "calm" else name
    return {
        "sample_id": key,
        "video": None if video is None else video.relative_to(root).as_posix(),
        "audio": None if audio is None else audio.relative_to(root).as_posix(),
        "label": RAVDESS_EXPRESSIONS.index(expression),
        "expression": expression,
        "emotion": name,
        "intensity": INTENSITIES[intensity - 1],
        "statement": statement,
        "repetition": repetition,
        "channel": CHANNELS[channel - 1],
        "subject": f"actor_{actor:02d}",
        "gender": "male" if actor % 2 else "female",
    }
