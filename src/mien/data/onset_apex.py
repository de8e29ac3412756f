"""Pairs of an onset and an apex image: their manifest file, the checks on their images, and their samples table.

USTC-NVIE's posed half and SPOS have no documented layout, so both are read through a table that the user writes:

```
<root>/manifest.csv    sample_id,subject,kind,emotion,illumination,glasses,onset_path,apex_path
                       p013_happy,013,posed,happy,front,no,posed/013/happy_0.bmp,posed/013/happy_9.bmp
```

Text in UTF-8; ``illumination`` (front, left, right) and ``glasses`` (yes, no) may be empty; paths are relative to
``<root>``, with forward slashes. A ninth column, ``frames_path``, may name the folder with all frames of the sequence,
from which those between onset and apex are taken (see ``mien.data.pair_samples``).

Source: ours, because the layouts are not public; what a pair consists of is Xu et al., 2017, section 4.2.
"""

from __future__ import annotations

import csv
import io
import logging
import stat
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mien.data.file_account import FileAccount
from mien.data.images import POINTER, is_image
from mien.errors import MienError
from mien.labels import EMOTIONS, KINDS
from mien.outputs import in_words, replacing

logger = logging.getLogger(__name__)

MANIFEST = "manifest.csv"
COLUMNS = ("sample_id", "subject", "kind", "emotion", "illumination", "glasses", "onset_path", "apex_path")
FOLDS = "folds"
"""Split of pairs, which are tested in turn."""

FRAMES_COLUMN = "frames_path"
"""A column that a manifest may have or lack."""

ILLUMINATIONS = ("front", "left", "right")
"""Where the lamp stood in USTC-NVIE."""

REASONS = {
    "no_onset": "the onset image is missing",
    "no_apex": "the apex image is missing",
    "no_onset_nor_apex": "both images are missing",
    "empty_file": "an image has zero bytes",
    "several_images": "several images claim to be the onset, or the apex, of one sequence",
    "unknown_sequence": "neither folder nor name of an image tells which sequence it is from",
    "name_not_utf8": "an image's name is not UTF-8",
    "no_frames": f"no folder of the sequence's frames is known: give it as {FRAMES_COLUMN} in {MANIFEST}",
    "unplaced_image": "the onset or the apex is none of the sequence's frames, neither by content nor by name",
    "apex_not_later": "the apex does not come after the onset among the sequence's frames",
    "too_few_frames": "there are fewer readable frames from onset to apex than reader.num_frames",
}
"""Why a pair is dropped, in a word and in a clause."""

_EMOTION_WORDS = {name: name for name in EMOTIONS} | {"happiness": "happy", "sadness": "sad", "anger": "angry"}
_GLASSES = {"yes": True, "no": False, "": None}
_GLASSES_WORDS = {value: word for word, value in _GLASSES.items()}


@dataclass(frozen=True)
class Pair:
    """One expression of one person, from its onset to its apex.

    ``expression`` is one of ``mien.labels.EMOTIONS``, ``kind`` of ``mien.labels.KINDS``; ``onset`` and ``apex``, the
    folder of all ``frames`` of the sequence, and those taken ``between`` the two are relative to the dataset's folder,
    with forward slashes. None stands for unknown.
    """

    sample_id: str
    subject: str
    kind: str
    expression: str
    illumination: str | None
    glasses: bool | None
    onset: str
    apex: str
    frames: str | None = None
    between: tuple[str, ...] = ()


def read_manifest(root: Path, name: str) -> list[Pair]:
    """Read ``root``'s manifest and check every line; whether the images exist is ``drop_incomplete``'s to find.

    Args:
        root: The dataset's folder.
        name: Of the dataset, for messages.

    Returns:
        One pair per line, in their order.

    Raises:
        MienError: The file is missing, empty, not UTF-8, has other columns, or a line has a wrong number of fields,
            an empty field, an unknown kind, emotion, illumination or word for glasses, a path out of ``root``, an id
            or a pair of images that another line has.
    """
    path = root / MANIFEST
    table = _parse_csv(path, name)
    number, header = table[0]
    if sorted(header) not in (sorted(COLUMNS), sorted((*COLUMNS, FRAMES_COLUMN))):
        raise MienError(
            f"{name}'s manifest has the wrong columns: line {number} of {path} has {', '.join(header)[:200]}. "
            f"Name them {', '.join(COLUMNS)}, and {FRAMES_COLUMN} where sequences are read."
        )
    pairs: list[Pair] = []
    line_of: dict[object, int] = {}
    for number, values in table[1:]:
        where = f"line {number} of {path}"
        if len(values) != len(header):
            raise MienError(
                f"{name}'s manifest has a malformed line: {where} has {len(values)} fields instead of {len(header)}. "
                "Write one field per column, and quote a field that holds a comma."
            )
        pair = _parse_line(root, dict(zip(header, values, strict=True)), name, where)
        for key, what in ((pair.sample_id, "sample_id"), ((pair.onset, pair.apex), "pair of images")):
            if key in line_of:
                raise MienError(
                    f"{name}'s manifest has the same {what} twice: {where} repeats line {line_of[key]}, "
                    f"{str(key)[:160]}. Keep the one that is right."
                )
            line_of[key] = number
        pairs.append(pair)
    if not pairs:
        raise MienError(f"{name}'s manifest is empty: {path} has a header and no pair. Write one line per pair.")
    return pairs


def write_manifest(root: Path, pairs: Iterable[Pair]) -> Path:
    """Write pairs as ``root``'s manifest; the file is replaced when the new one is complete.

    Where the folder of a sequence's frames is known of any pair, the manifest has the column for it.

    Example:
        >>> write_manifest(Path("data/01_raw/spos"), pairs)  # doctest: +SKIP
        PosixPath('data/01_raw/spos/manifest.csv')
    """
    pairs = list(pairs)
    frames = any(pair.frames for pair in pairs)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((*COLUMNS, FRAMES_COLUMN) if frames else COLUMNS)
    for pair in pairs:
        words = (pair.illumination or "", _GLASSES_WORDS[pair.glasses])
        paths = (pair.onset, pair.apex, *([pair.frames or ""] if frames else []))
        writer.writerow((pair.sample_id, pair.subject, pair.kind, pair.expression, *words, *paths))
    path = root / MANIFEST
    with replacing(path) as part, in_words(path):
        part.write_text(text.getvalue(), encoding="utf-8")
    return path


def image_fault(root: Path, reference: str) -> str | None:
    """Say what keeps an image file of ``root`` from being one of a pair.

    Args:
        root: The dataset's folder.
        reference: Path relative to it.

    Returns:
        ``missing``, ``name_not_utf8`` or ``empty_file``; None if it is there and has content.
    """
    path = root / reference
    try:
        status = path.stat()
    except (OSError, ValueError):  # a name too long, a loop of links or a zero byte is no file either
        return "missing"
    if not stat.S_ISREG(status.st_mode):
        return "missing"
    if any("\ud800" <= letter <= "\udfff" for letter in reference):  # how Python spells bytes that are not UTF-8
        return "name_not_utf8"
    return None if status.st_size else "empty_file"


def drop_incomplete(
    root: Path, pairs: Iterable[Pair], account: FileAccount | None = None
) -> tuple[list[Pair], Counter[str]]:
    """Keep the pairs of which both images are there.

    Args:
        root: The dataset's folder.
        pairs: Their images relative to it.
        account: Receives the images of the others; a new one where None.

    Returns:
        The pairs kept, in their order, and how many were dropped by reason, a key of ``REASONS``.

    Source: Xu et al., 2017, section 4.2: a sample of which one image is missing is discarded.
    """
    account = account or FileAccount(root, "pairs")
    kept: list[Pair] = []
    dropped: Counter[str] = Counter()
    for pair in pairs:
        faults = {name: image_fault(root, name) for name in (pair.onset, pair.apex)}
        reason = pair_fault(*faults.values())
        if reason is None:
            kept.append(pair)
            continue
        dropped[reason] += 1
        for name, fault in faults.items():
            note = account.miss if fault == "missing" else account.pass_over
            note([name], "listed" if fault == "missing" else reason, FOLDS, pair.kind, lost=True)
    return kept, dropped


def pair_fault(onset: str | None, apex: str | None) -> str | None:
    """Name why a pair is dropped, from the faults of its two images; None if they have none.

    Example:
        >>> pair_fault(None, "missing"), pair_fault("missing", "missing"), pair_fault("empty_file", None)
        ('no_apex', 'no_onset_nor_apex', 'empty_file')
    """
    missing = {(True, True): "no_onset_nor_apex", (True, False): "no_onset", (False, True): "no_apex"}
    reason = missing.get((onset == "missing", apex == "missing"))
    return reason or onset or apex


def log_dropped(dropped: Counter[str], name: str) -> None:
    """Log one line per reason for which pairs were dropped."""
    for reason in sorted(dropped):
        logger.warning("%s: %d dropped as %s, because %s", name, dropped[reason], reason, REASONS[reason])


def read_text(path: Path, what: str) -> str:
    """Read a text file that a user wrote.

    Raises:
        MienError: The file is missing, or not UTF-8; ``what`` names it in the message.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise MienError(f"{what} cannot be read: {path} ({error.strerror}). Write it, as a text file.") from error
    if content.startswith(POINTER):
        raise MienError(f"{what} is not fetched: {path} is a Git LFS pointer. Run `git lfs pull` in its repository.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = content[: error.start].count(b"\n") + 1
        raise MienError(
            f"{what} is not UTF-8 text: byte {error.start}, on line {number} of {path}. Save it again as UTF-8."
        ) from error


def _parse_csv(path: Path, name: str) -> list[tuple[int, list[str]]]:
    """Number and stripped fields of every line that is not blank, the first of which is the header."""
    text = read_text(path, f"{name}'s manifest")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    lines: list[tuple[int, list[str]]] = []
    try:
        for values in reader:
            if any(value.strip() for value in values):
                lines.append((reader.line_num, [value.strip() for value in values]))
    except csv.Error as error:
        raise MienError(
            f"{name}'s manifest has a malformed line: line {reader.line_num} of {path} ({error}). "
            "Close every quote, and double a quote inside a field."
        ) from error
    if not lines:
        raise MienError(f"{name}'s manifest is empty: {path} has no line. Write a header and one line per pair.")
    return lines


def _parse_line(root: Path, fields: dict[str, str], name: str, where: str) -> Pair:
    for column in ("sample_id", "subject", "onset_path", "apex_path"):
        if not fields[column]:
            raise MienError(f"{name}'s manifest has an empty field: {where} gives no {column}. Fill it in.")
    known: tuple[tuple[str, Iterable[str]], ...] = (
        ("kind", KINDS),
        ("emotion", _EMOTION_WORDS),
        ("illumination", (*ILLUMINATIONS, "")),
        ("glasses", _GLASSES),
    )
    for column, words in known:
        if fields[column] not in words:
            raise MienError(
                f"{name}'s manifest has an unknown {column}: {where} says {fields[column][:80]!r}. "
                f"Write {' or '.join(word or 'nothing' for word in words)}."
            )
    onset, apex = (_parse_path(root, fields[column], name, where) for column in ("onset_path", "apex_path"))
    frames = fields.get(FRAMES_COLUMN)
    if onset == apex:
        raise MienError(
            f"{name}'s manifest pairs an image with itself: {where} gives {onset} as onset and as apex. "
            "Name the two images."
        )
    return Pair(
        sample_id=fields["sample_id"],
        subject=fields["subject"],
        kind=fields["kind"],
        expression=_EMOTION_WORDS[fields["emotion"]],
        illumination=fields["illumination"] or None,
        glasses=_GLASSES[fields["glasses"]],
        onset=onset,
        apex=apex,
        frames=_parse_path(root, frames, name, where) if frames else None,
    )


def _parse_path(root: Path, text: str, name: str, where: str) -> str:
    path = PurePosixPath(text)
    if "\\" in text or ":" in text.partition("/")[0] or path.is_absolute() or ".." in path.parts:
        raise MienError(
            f"{name}'s manifest names an image outside its folder: {where} says {text[:160]!r}. "
            "Write a path relative to the manifest's folder, with forward slashes and without '..'."
        )
    if "#" in text or not text.isprintable():
        raise MienError(
            f"{name}'s manifest names an image that cannot be referred to: {where} says {text[:160]!r}. "
            "Rename the file without '#' and control characters."
        )
    return _as_it_is_there(root, path).as_posix()


def _as_it_is_there(root: Path, path: PurePosixPath) -> PurePosixPath:
    """The image of that name in whatever format it is there; ``path`` where there is none, or more than one."""
    folder = root / path.parent
    try:
        if (root / path).exists() or not folder.is_dir():
            return path
        same = [each.name for each in folder.iterdir() if each.stem == path.stem and is_image(each)]
    except OSError:  # a name too long, a loop of links
        return path
    return path.with_name(same[0]) if len(same) == 1 else path
