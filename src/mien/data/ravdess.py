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

from mien.data.actor_clips import check_names, list_media, split_actors
from mien.data.images import printable
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

_NAME = re.compile(r"(0[123])-(0[12])-(0[1-8])-(0[12])-(0[12])-(0[12])-(0[1-9]|1[0-9]|2[0-4])")
_SUFFIXES = {"01": ".mp4", "02": ".mp4", "03": ".wav"}
_FORM = "seven numbers such as 01-01-06-01-02-01-12.mp4, the last that of the folder Actor_12"
_WHERE_TO_GET_IT = (
    "Download Audio_Speech_Actors_01-24.zip and Video_Speech_Actor_01.zip ... 24 from Zenodo record 1188976 (CC "
    "BY-NC-SA 4.0) and unpack them there, so that Actor_01 ... Actor_24 lie in it or one folder below. The demo draws "
    "its own clips and needs no download."
)


def find_ravdess(root: Path) -> Path:
    """Check that a folder holds actors' folders, in it or one folder below.

    Returns:
        ``root``.

    Raises:
        ValueError: ``root`` is missing or not a folder, or has no ``Actor_01`` ... ``Actor_24`` with files.
    """
    if not root.is_dir():
        raise ValueError(f"RAVDESS' folder is missing: {printable(root)} is not a folder. {_WHERE_TO_GET_IT}")
    if not _actor_folders(root):
        raise ValueError(
            f"RAVDESS' recordings are missing: {printable(root)} holds no folder Actor_01 ... Actor_24, nor does any "
            f"folder in it. {_WHERE_TO_GET_IT}"
        )
    return root


def read_ravdess(
    root: Path,
    channels: Sequence[str] = ("speech",),
    validation_fraction: float = 0.15,
    test_fraction: float = 0.2,
    seed: int = 0,
) -> pd.DataFrame:
    """List the clips of RAVDESS: the files of one recording are one row, and each actor is in one split.

    Args:
        root: the folder that holds ``Actor_01`` ..., itself or in its folders.
        channels: ``speech``, ``song`` or both.
        validation_fraction: of the actors, above 0.
        test_fraction: of the actors, above 0.
        seed: of the split, 0 or more.

    Returns:
        One row per clip, sorted by actor and name: ``sample_id`` ("01-06-01-02-01-12", the name without the modality),
        ``video`` and ``audio`` (paths relative to ``root``, missing where there is none; the audio-only file, else the
        audio-visual one), ``label`` (int64, position in ``RAVDESS_EXPRESSIONS``), ``expression`` (calm counts as
        neutral, as the other datasets have no calm), ``emotion`` (what the actor was asked for, with calm),
        ``intensity``, ``statement``, ``repetition`` (int64), ``channel``, ``subject`` ("actor_12"), ``gender`` and
        ``split``.

    Raises:
        ValueError: the folder is missing or holds no clip of ``channels``, a name is not of the published form, a
            recording is there twice, a link leads out of ``root``, an argument is out of range, or there are too few
            actors to divide.

    Source: the published layout; METHODS 7.7.
    """
    import pandas as pd

    unknown = [channel for channel in channels if channel not in CHANNELS]
    if unknown or not channels:
        raise ValueError(f"channels {list(channels)} of RAVDESS are unknown: choose speech, song or both.")
    root = find_ravdess(root)
    recordings = _recordings(list_media(root, _actor_folders(root), (".mp4", ".wav"), "RAVDESS"))
    rows = [
        _row(key, files, root) for key, files in sorted(recordings.items(), key=lambda item: (item[0][-2:], item[0]))
    ]
    rows = [row for row in rows if row["channel"] in channels]
    if not rows:
        raise ValueError(
            f"RAVDESS has no clip of {' or '.join(channels)}: the actors' folders in {printable(root)} hold none. "
            f"{_WHERE_TO_GET_IT}"
        )
    clips = pd.DataFrame(rows)
    for column in ("label", "statement", "repetition"):
        clips[column] = clips[column].astype("int64")
    for column in ("video", "audio", "subject"):
        clips[column] = clips[column].astype("string")
    logger.info("%d clips of %d actors found in %s", len(clips), clips["subject"].nunique(), printable(root))
    return split_actors(clips, validation_fraction, test_fraction, seed, "RAVDESS")


def _actor_folders(root: Path) -> list[Path]:
    found = [*root.glob("Actor_[0-9][0-9]"), *root.glob("*/Actor_[0-9][0-9]")]
    return sorted(path for path in found if path.is_dir())


def _recordings(files: list[Path]) -> dict[str, dict[str, Path]]:
    """Files by recording (the name without modality), then by modality, every name checked."""
    recordings: dict[str, dict[str, Path]] = {}
    wrong = []
    for path in files:
        match = _NAME.fullmatch(path.stem)
        if match is None or path.suffix.lower() != _SUFFIXES[match[1]] or path.parent.name != f"Actor_{match[7]}":
            wrong.append(path)
            continue
        if match[3] == "01" and match[4] == "02":  # no neutral clip is strong
            wrong.append(path)
            continue
        modality, key = path.stem[:2], path.stem[3:]
        twin = recordings.setdefault(key, {}).setdefault(modality, path)
        if twin != path:
            raise ValueError(
                f"RAVDESS has a recording twice: {printable(path)} is {printable(twin)} again, as in copies that were "
                "packed within themselves. Remove one of the two folders."
            )
    check_names(wrong, "RAVDESS", _FORM)
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
