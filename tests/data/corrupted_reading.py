"""Reading a tiny dataset of which one file is spoiled, and evaluating what comes of it.

The evaluation is one of ``OUTCOMES``. Nothing may be a traceback, and nothing silently wrong.
"""

import hashlib
import os
import re
import shutil
import traceback
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np
import pandas as pd
from tests.data.corruptions import CORRUPTIONS
from tests.data.test_bad_input import WHAT_TO_DO
from tests.data.tiny_datasets import TINY

import mien
from mien.data.audio import AudioError, read_or_reason
from mien.data.file_account import MAX_PASSED_OVER, FileAccount
from mien.data.image_source import ImageSource
from mien.data.images import ImageError, printable
from mien.errors import MienError
from mien.nodes.clips import FrameParams, list_frames
from mien.outputs import FileError

CLEAR, RIGHT, TRACEBACK, WRONG = OUTCOMES = ("clear error", "right result", "traceback", "silent wrong")

OURS = (MienError, ImageError, AudioError, FileError)
SOURCE = str(Path(mien.__file__).parent)
REFERENCES = ("image", "onset", "apex", "audio", "video")
NO_HEADER = {"ferplus_folders": ("two columns exchanged",)}
"""What does harm where columns have no names."""

NOWHERE_LISTED = {"ravdess": ("its folder deleted",), "crema_d": ("its folder deleted",)}
"""What leaves no trace, as no file says which actors there are."""

CONTENT_SWAPS = ("another file of the dataset", "exchanged with another")


class Outcome(NamedTuple):
    """One of ``OUTCOMES``, and the message or what is wrong."""

    kind: str
    reported: str


class Sound(NamedTuple):
    """A dataset as it was before."""

    name: str
    root: Path
    labels: dict[str, object]  # by identity, see _identities
    contents: dict[str, object]  # label by the digest of the first file
    lines: dict[str, set[bytes]]  # of label files that tell a sample's label, by identity
    pixels: dict[str, bytes]  # of images and sounds by reference
    reported: int  # files and rows that are not used


def build(name: str, folder: Path) -> Sound:
    """Lay a dataset out, read it and keep what has to stay."""
    root = folder / name
    root.mkdir(parents=True)
    TINY[name].build(root)
    account = FileAccount(root, name)
    samples = TINY[name].read(root, account)
    identities = _identities(samples, root)
    labels = dict(zip(identities, samples[TINY[name].label].tolist(), strict=True))
    assert len(labels) == len(samples), name
    return Sound(
        name,
        root,
        labels,
        _contents(samples, root, TINY[name].label),
        {key: _lines_of(root, key, place) for place, key in enumerate(identities)},
        _decoded(samples, root, set()),
        _not_used(account),
    )


def files(sound: Sound) -> list[str]:
    """The files of a dataset, relative to its folder, sorted."""
    return sorted(path.relative_to(sound.root).as_posix() for path in sound.root.rglob("*") if path.is_file())


def corrupted(sound: Sound, folder: Path, file: str, what: str, seed: int) -> Path:
    """A copy of a dataset in which a file is spoiled."""
    root = folder / sound.name
    shutil.copytree(sound.root, root, copy_function=os.link)
    CORRUPTIONS[what].apply(root, root / file, Random(seed))
    return root


def outcome(sound: Sound, root: Path, what: str, *, lenient: bool) -> Outcome:
    """Read a spoiled dataset to the end of what pipelines do with its files, and evaluate it."""
    account = FileAccount(root, sound.name, 1.0 if lenient else MAX_PASSED_OVER)
    try:
        samples = TINY[sound.name].read(root, account)
        changed = _changed(sound, root, samples)
        pixels = _decoded(samples, root, changed)
    except Exception as error:  # whatever comes out of a reader is evaluated
        return evaluated(error, (str(root), *(path.name for path in sound.root.rglob("*"))))
    wrong = _what_is_wrong(sound, root, what, samples, account, lenient) or next(
        (
            f"{name} is decoded as something else"
            for name, digest in pixels.items()
            if name.partition("#frame=")[0] not in changed and sound.pixels.get(name, digest) != digest
        ),
        "",
    )
    return Outcome(WRONG, wrong) if wrong else Outcome(RIGHT, "")


def evaluated(error: BaseException, places: tuple[str, ...]) -> Outcome:
    """Whether an error says in our words what, where and what to do."""
    message = str(error)
    raised_in = traceback.extract_tb(error.__traceback__)[-1].filename
    trouble = [
        "" if type(error) in OURS else f"of type {type(error).__name__}",
        "" if raised_in.startswith(SOURCE) else f"raised in {raised_in}",
        "" if any(printable(Path(place)) in message for place in places) else "names no place",
        "" if message.rstrip().endswith(".") else "ends without a full stop",
        "" if WHAT_TO_DO.search(message) else "does not say what to do",
    ]
    faults = "; ".join(filter(None, trouble))
    try:
        message.encode()
    except UnicodeEncodeError:
        faults += "; no log can hold it"
    return Outcome(TRACEBACK, f"{faults}: {message!r}") if faults else Outcome(CLEAR, message)


def _what_is_wrong(
    sound: Sound, root: Path, what: str, samples: pd.DataFrame, account: FileAccount, lenient: bool
) -> str:
    corruption, label = CORRUPTIONS[what], TINY[sound.name].label
    harmless = corruption.harmless and what not in NO_HEADER.get(sound.name, ())
    identities = _identities(samples, root)
    if not samples["sample_id"].is_unique:
        return "sample ids repeat"
    new_lines = {line for file in _label_files(root) for line in _split(file)}
    for key, value in zip(identities, samples[label].tolist(), strict=True):
        reported_anew = not harmless and not sound.lines.get(key, set()) <= new_lines
        if key in sound.labels and value != sound.labels[key] and not reported_anew:
            return f"{key} had the label {sound.labels[key]} and has {value}"
    if what not in CONTENT_SWAPS and not any(_label_files(sound.root)):
        for digest, value in _contents(samples, root, label).items():
            if sound.contents.get(digest, value) != value:
                return f"content of the label {sound.contents[digest]} has the label {value}"
    lost = len(sound.labels) - len(samples)
    if lost < 0 and not corruption.adds and new_lines <= {b""} | set().union(*sound.lines.values()):
        return f"{-lost} samples more than before"
    gone = max(0, sum(len(_split(file)) for file in _label_files(sound.root)) - _num_lines(root))
    reported = _not_used(account) - sound.reported + gone * any("#" in name for name in account._notes)
    if lost > reported and what not in NOWHERE_LISTED.get(sound.name, ()):
        return f"{lost} samples are lost, and {reported} files or rows more are accounted for as not used"
    if harmless and lost > 0:
        return f"{lost} samples are lost by what does no harm"
    if not lenient and account.table()["lost"].any():
        return "a loss above the share is no error"
    return ""


def _identities(samples: pd.DataFrame, root: Path) -> list[str]:
    """What a sample is known by before and after: its pixels in a table, the name of its file, or its id."""
    if "image" in samples and samples["image"].str.contains("#byte=", regex=False).any():
        source = ImageSource(root)
        return [_digest_or_reason(source, name) for name in samples["image"]]
    if "official_split" in samples:
        return [Path(name).stem for name in samples["image"]]
    return samples["sample_id"].tolist()


def _digest_or_reason(source: ImageSource, name: str) -> str:
    try:
        return hashlib.sha256(source.read(name).tobytes()).hexdigest()
    except ImageError as error:
        return f"{name}: {error.reason}"


def _contents(samples: pd.DataFrame, root: Path, label: str) -> dict[str, object]:
    """Label by the bytes of a sample's first file; none of rows of a table."""
    found = {}
    column = next(name for name in ("image", "onset", "audio") if name in samples)
    for name, value in zip(samples[column], samples[label].tolist(), strict=True):
        if isinstance(name, str) and "#" not in name and (root / name).is_file():
            found[hashlib.sha256((root / name).read_bytes()).hexdigest()] = value
    return found


def _label_files(root: Path) -> list[Path]:
    return [path for path in sorted(root.rglob("*")) if path.suffix in (".csv", ".txt") and path.is_file()]


def _split(path: Path) -> list[bytes]:
    return re.split(rb"\r\n|\n|\r", path.read_bytes().rstrip())


def _num_lines(root: Path) -> int:
    return sum(len(_split(file)) for file in _label_files(root))


def _lines_of(root: Path, key: str, place: int) -> set[bytes]:
    """The lines of label files that name a sample, or are its row."""
    lines: set[bytes] = set()
    for file in _label_files(root):
        split = _split(file)
        by_row = file.name in ("fer2013.csv", "fer2013new.csv", "age_gender.csv")
        lines |= {split[place + 1]} if by_row else {line for line in split if key.encode() in line}
    return lines


def _not_used(account: FileAccount) -> int:
    table = account.table()
    return int(table.loc[table["status"] != "used", "count"].sum())


def _references(samples: pd.DataFrame) -> set[str]:
    return {
        name for column in REFERENCES if column in samples for name in samples[column].dropna() if isinstance(name, str)
    }


def _changed(sound: Sound, root: Path, samples: pd.DataFrame) -> set[str]:
    """References to files that are not the ones they were; rows of tables are known by what they hold."""
    return {
        name
        for name in _references(samples)
        if "#" in name
        or not (sound.root / name).is_file()
        or not (root / name).is_file()
        or (root / name).read_bytes() != (sound.root / name).read_bytes()
    }


def _decoded(samples: pd.DataFrame, root: Path, changed: set[str]) -> dict[str, bytes]:
    """Digest of what each reference gives, or the reason why nothing; of clips those that changed and one that did not.

    Decoders are entered as pipelines do it, and errors other than ours come out.
    """
    found: dict[str, bytes] = {}
    if "audio" not in samples:
        source = ImageSource(root)
        for name in sorted(_references(samples)):
            found[name] = _digest_or_reason(source, name).encode()
        return found
    kept = samples[samples["audio"].isin(changed) | samples["video"].isin(changed) | (samples.index == 0)]
    kept = samples if not changed else kept
    for name in kept["audio"].dropna():
        waveform, reason, _ = read_or_reason(root / name)
        assert waveform.dtype == np.int16
        found[name] = reason.encode() + hashlib.sha256(waveform.tobytes()).digest()
    if kept["video"].isna().all():
        return found
    listed = list_frames(kept.assign(synthetic=False), root, FrameParams(rate=25, max_frames=2))
    source = ImageSource(root)
    for name in listed["image"]:
        found[name] = _digest_or_reason(source, name).encode()
    source.close()
    return found
