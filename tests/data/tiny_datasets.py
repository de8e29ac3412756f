"""Datasets of at most thirty files that decode, one or two layouts of every reader, and what is read of them."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd
from tests.data import small_datasets as small
from tests.data.small_datasets import edit, put

from mien.data.age_csv import read_age_csv
from mien.data.audio import write_wav
from mien.data.crema_d import CODES, read_crema_d
from mien.data.ferplus import read_ferplus
from mien.data.ferplus_votes import FER2013_EMOTIONS
from mien.data.file_account import FileAccount
from mien.data.nvie import read_nvie
from mien.data.raf_db import read_raf_db
from mien.data.ravdess import read_ravdess
from mien.data.sfew import read_sfew
from mien.data.spos import read_spos
from mien.data.video import write_video

Read = Callable[[Path, FileAccount], pd.DataFrame]


class Tiny(NamedTuple):
    """How a dataset is laid out and read, and the column that its label is in."""

    build: Callable[[Path], None]
    read: Read
    label: str = "label"


def distinct_images(root: Path) -> None:
    """Give each image of a folder pixels and, in SFEW's, a name of its own."""
    for number, path in enumerate(sorted(root.rglob("*.[pj][np]g"))):
        rng = np.random.default_rng(number)
        pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        path.write_bytes(cv2.imencode(path.suffix, pixels)[1].tobytes())
        if path.name.startswith("Film"):
            path.rename(path.with_name(f"Film{number:02d}_000519240_00000005{path.suffix}"))


def images(build: Callable[[Path], None]) -> Callable[[Path], None]:
    def both(root: Path) -> None:
        build(root)
        distinct_images(root)

    return both


def ferplus_csv(root: Path) -> None:
    """FER2013's own labels agree with the votes, as published."""
    small.ferplus_csv(root)
    own = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear")
    for number in range(24):
        code = FER2013_EMOTIONS.index(own[number % 8]) if number % 8 < len(own) else 0
        edit(root / "fer2013.csv", f"\n0,{number} ", f"\n{code},{number} ")


def sequences(root: Path) -> None:
    """NVIE's spontaneous half in its folders, and a posed pair of each person in the manifest."""
    lines = ["sample_id,subject,kind,emotion,illumination,glasses,onset_path,apex_path"]
    for subject in range(1, 6):
        for role in ("onset", "apex"):
            put(root / f"{subject:03d}/visible/{role}/sequence1.bmp")
        lines.append(f"p{subject},{subject:03d},posed,happy,,,posed/{subject}_0.png,posed/{subject}_1.png")
        for number in (0, 1):
            put(root / f"posed/{subject}_{number}.png")
    put(root / "manifest.csv", "\n".join(lines) + "\n")
    for number, path in enumerate(sorted(root.rglob("*.bmp"))):
        pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        path.write_bytes(cv2.imencode(".bmp", pixels)[1].tobytes())


def _sound(path: Path, number: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_wav(path, np.random.default_rng(number).integers(-9000, 9000, 800).astype(np.int16), 16_000)


@functools.cache
def _picture(number: int, suffix: str) -> np.ndarray:
    return np.full((2, 16, 16, 3), 20 * number, np.uint8)


def _video(path: Path, number: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_video(path, _picture(number, path.suffix), 25)


def ravdess(root: Path) -> None:
    for actor in range(1, 7):
        for emotion in (3, 5):
            stem = f"01-{emotion:02d}-01-01-01-{actor:02d}"
            _sound(root / f"Actor_{actor:02d}/03-{stem}.wav", 10 * actor + emotion)
            _video(root / f"Actor_{actor:02d}/02-{stem}.mp4", actor)


def crema_d(root: Path) -> None:
    for actor in range(1001, 1007):
        for number, code in enumerate(list(CODES)[:2]):
            stem = f"{actor}_DFA_{code}_XX"
            _sound(root / f"AudioWAV/{stem}.wav", 2 * actor + number)
            _video(root / f"VideoFlash/{stem}.flv", actor - 1000)
    sexes = "\n".join(f"{actor},{30 + actor % 7},{('Male', 'Female')[actor % 2]}" for actor in range(1001, 1007))
    put(root / "VideoDemographics.csv", f"ActorID,Age,Sex\n{sexes}\n")


def _nvie(root: Path, account: FileAccount) -> pd.DataFrame:
    return read_nvie(root, num_folds=2, account=account)


def _pairs_of_four(root: Path) -> None:
    small._manifest(root, subjects=4)
    distinct_images(root)


def _raf(root: Path, account: FileAccount) -> pd.DataFrame:
    return read_raf_db(root, "aligned", account=account)


TINY: dict[str, Tiny] = {
    "raf_db": Tiny(images(small.raf_db), _raf),
    "raf_db_folders": Tiny(images(small.raf_db_folders), _raf),
    "raf_db_csv": Tiny(images(small.raf_db_csv), _raf),
    "ferplus": Tiny(ferplus_csv, lambda root, account: read_ferplus(root, account=account)),
    "ferplus_folders": Tiny(images(small.ferplus_folders), lambda root, account: read_ferplus(root, account=account)),
    "sfew": Tiny(images(small.sfew), lambda root, account: read_sfew(root, account=account)),
    "sfew_repack": Tiny(images(small.sfew_repack), lambda root, account: read_sfew(root, "aligned", account=account)),
    "nvie": Tiny(images(sequences), _nvie),
    "nvie_manifest": Tiny(_pairs_of_four, _nvie),
    "spos": Tiny(_pairs_of_four, lambda root, account: read_spos(root, account=account)),
    "age_csv": Tiny(small.age_csv, lambda root, account: read_age_csv(root, account=account), "age"),
    "ravdess": Tiny(ravdess, lambda root, account: read_ravdess(root, account=account)),
    "crema_d": Tiny(crema_d, lambda root, account: read_crema_d(root, account=account)),
}
"""By name: a reader's name, and one that begins with it for each further layout."""

READERS = ("raf_db", "ferplus", "sfew", "nvie", "spos", "age_csv", "ravdess", "crema_d")


def layouts(reader: str) -> list[str]:
    """The datasets of a reader."""
    return [name for name in TINY if name == reader or name.startswith(f"{reader}_")]
