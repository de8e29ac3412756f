"""A synthetic version of FER+: synthetic faces with synthetic votes in the published layouts."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from mien.data.csv_files import FACE_SIZE
from mien.data.ferplus import PUBLISHED_COUNTS
from mien.data.ferplus_files import FOLDERS, SPLITS
from mien.data.ferplus_votes import NUM_ANNOTATORS, VOTE_COLUMNS, VOTED_EXPRESSIONS, WHOLE_IMAGE
from mien.data.synthetic import render_face, sample_face
from mien.data.synthetic.folder import SERIAL_ITEMS, check_range, class_counts, synthesize_folder, synthetic_stream
from mien.data.worker_processes import map_in_order

_SYNTHETIC_SIZE = 60  # of which the middle 48 px are kept: FER2013's faces fill the frame
_CHUNK = 32
_MIN_IMAGES = 16  # of a split: the rarest class, whose share is 0.065, then has one
_MAX_IMAGES = 1_000_000
_UNNAMED_EVERY = 100  # 173 of 35,887 rows in the published file
_REPEATED_EVERY = {"train": 50, "val": 25, "test": 25}  # of PrivateTest, one in twelve occurs in Training
_UNCLEAR_SHARE = 0.02  # of images that most annotators cannot name; 0.6 % in the published file
_CONCENTRATION = 10.0  # of the agreement around its mean: the published variance less that of ten votes

# Share of votes for the column that most chose, and how the other votes spread over the ten columns in percent.
# Means over the named rows of the published fer2013new.csv, rounded.
_AGREEMENT = dict(zip(VOTED_EXPRESSIONS, (0.70, 0.90, 0.73, 0.67, 0.65, 0.49, 0.58, 0.54), strict=True))
_CONFUSION = {
    "neutral": (0, 11, 7, 38, 11, 4, 2, 8, 19, 0),
    "happy": (39, 0, 25, 6, 7, 3, 3, 4, 13, 0),
    "surprise": (21, 13, 0, 5, 9, 2, 34, 1, 15, 0),
    "sad": (49, 4, 4, 0, 9, 5, 6, 4, 19, 0),
    "angry": (22, 8, 17, 11, 0, 12, 8, 4, 18, 0),
    "disgust": (20, 4, 5, 19, 23, 0, 3, 10, 16, 0),
    "fear": (13, 4, 38, 18, 9, 4, 0, 1, 13, 0),
    "contempt": (32, 5, 3, 15, 11, 14, 2, 0, 18, 0),
}
_FER2013_CODES = {"angry": 0, "disgust": 1, "fear": 2, "happy": 3, "sad": 4, "surprise": 5, "neutral": 6, "contempt": 6}


@dataclass(frozen=True)
class _Row:
    """What decides one row of both CSV files."""

    usage: str
    name: str  # empty where FER+ leaves the image out
    expression: str
    clear: bool  # all annotators agree
    image_seed: tuple[int, ...]
    vote_seed: tuple[int, ...]


def synthesize_ferplus(
    root: Path, *, num_train: int, num_val: int, num_test: int, seed: int, folders: bool = False
) -> None:
    """Draw FER+ in its published layout: ``fer2013.csv`` and ``fer2013new.csv``, and the folders if wanted.

    The share of each class is half FER+'s own and half even. Ten votes per image spread as FER+'s annotators' do; the
    first image of each class in a split has all ten. As in the published files, some rows have no image name and ten
    votes for "not a face", names lag behind row numbers, and some images occur again, in the same split or in another.
    Each row depends on ``seed``, its split and its number alone. Processes are started afresh, one per core, so a
    script of your own calls this below ``if __name__ == "__main__":``. ``mien.data.synthetic.folder.synthesize_folder``
    says what becomes of files that are there.

    Args:
        root: Becomes the folder, with ``synthetic.json``, which holds the arguments.
        num_train: Named images of the part Training, at least 16.
        num_val: Named images of PublicTest, at least 16.
        num_test: Named images of PrivateTest, at least 16.
        seed: 0 or more.
        folders: Also draw ``FER2013Train``, ``FER2013Valid`` and ``FER2013Test`` with ``label.csv`` and PNG files. The
            votes are the same.

    Raises:
        MienError: An argument is out of range, or ``root`` holds files that were not made here.

    Source: ours, because FER2013's images may not be passed on; the votes' agreement and confusion are FER+'s.
    """
    numbers = {"num_train": num_train, "num_val": num_val, "num_test": num_test}
    for name, value in numbers.items():
        check_range(name, value, _MIN_IMAGES, _MAX_IMAGES, "FER+")
    check_range("seed", seed, 0, 2**63, "FER+")
    synthesize_folder(root, {**numbers, "seed": seed, "folders": folders}, _write_files)


def _write_files(folder: Path, num_train: int, num_val: int, num_test: int, seed: int, folders: bool) -> None:
    rows = list(_rows({"train": num_train, "val": num_val, "test": num_test}, seed))
    votes = [_sample_votes(row) for row in rows]
    with (folder / "fer2013new.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["Usage", "Image name", *VOTE_COLUMNS])
        writer.writerows([row.usage, row.name, *vote] for row, vote in zip(rows, votes, strict=True))
    png_folders = {usage: folder / name for name, usage in FOLDERS.items()} if folders else {}
    for usage, png_folder in png_folders.items():
        png_folder.mkdir()
        with (png_folder / "label.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            named = [(row, vote) for row, vote in zip(rows, votes, strict=True) if row.usage == usage and row.name]
            writer.writerows([row.name, WHOLE_IMAGE, *vote] for row, vote in named)
    with (folder / "fer2013.csv").open("w", encoding="utf-8", newline="") as file:
        file.write("emotion,pixels,Usage\n")
        for row, face in zip(rows, _render_faces(rows), strict=True):
            file.write(f"{_FER2013_CODES[row.expression]},{' '.join(map(str, face.ravel().tolist()))},{row.usage}\n")
            if folders and row.name:
                (png_folders[row.usage] / row.name).write_bytes(cv2.imencode(".png", face)[1].tobytes())


def _rows(sizes: dict[str, int], seed: int) -> Iterator[_Row]:
    """Every row in the order of the files."""
    number = lag = 0
    shown: dict[str, list[tuple[int, ...]]] = {name: [] for name in VOTED_EXPRESSIONS}
    for split_id, (usage, split) in enumerate(SPLITS.items()):
        for row in _split_rows(usage, sizes[split], (seed, split_id)):
            if not row.name:
                lag += number % 2  # as in the published file, some rows without a name still count
            else:
                row = replace(row, name=f"fer{number - lag:07d}.png")
                row = _repeated(row, shown[row.expression], _REPEATED_EVERY[split])
                if split == "train":
                    shown[row.expression].append(row.image_seed)
            number += 1
            yield row


def _split_rows(usage: str, num_named: int, seed: tuple[int, int]) -> Iterator[_Row]:
    counts = class_counts(PUBLISHED_COUNTS[SPLITS[usage]], num_named)
    rng = synthetic_stream("ferplus", *seed)
    expressions = rng.permutation(np.repeat(list(counts), list(counts.values()))).tolist()
    for position in sorted(rng.integers(0, num_named, 1 + num_named // _UNNAMED_EVERY).tolist(), reverse=True):
        expressions.insert(position, "")
    met: set[str] = set()
    for number, expression in enumerate(expressions, start=1):
        seeds = {"image_seed": (*seed, number, 0), "vote_seed": (*seed, number, 1)}
        yield _Row(usage, "named" if expression else "", expression or "neutral", expression not in met, **seeds)
        met.add(expression)


def _repeated(row: _Row, shown: list[tuple[int, ...]], every: int) -> _Row:
    """Let some rows show an image of the training split again: that of its first one of the same expression."""
    _, _, number, _ = row.image_seed
    return replace(row, image_seed=shown[number % len(shown)]) if shown and number % every == 0 else row


def _sample_votes(row: _Row) -> list[int]:
    """Ten votes, as ``VOTE_COLUMNS``."""
    if not row.name:
        return [0] * (len(VOTE_COLUMNS) - 1) + [NUM_ANNOTATORS]
    rng = synthetic_stream("ferplus", *row.vote_seed)
    position = VOTED_EXPRESSIONS.index(row.expression)
    mean = _AGREEMENT[row.expression]
    agreement = 1.0 if row.clear else rng.beta(_CONCENTRATION * mean, _CONCENTRATION * (1 - mean))
    if not row.clear and rng.random() < _UNCLEAR_SHARE:
        agreement, position = 0.7, VOTE_COLUMNS.index("unknown")
    shares = (1 - agreement) * np.array(_CONFUSION[row.expression]) / 100
    shares[position] += agreement
    return rng.multinomial(NUM_ANNOTATORS, shares / shares.sum()).tolist()


def _render_faces(rows: list[_Row]) -> Iterator[np.ndarray]:
    """(48, 48) uint8 of every row."""
    chunks = [rows[start : start + _CHUNK] for start in range(0, len(rows), _CHUNK)]
    for faces in map_in_order(_render_chunk, chunks, workers=1 if len(rows) < SERIAL_ITEMS else 0):
        yield from faces


def _render_chunk(rows: Iterable[_Row]) -> list[np.ndarray]:
    return [_render_line(row) for row in rows]


def _render_line(row: _Row) -> np.ndarray:
    if not row.name:
        return np.zeros((FACE_SIZE, FACE_SIZE), np.uint8)
    face = render_face(sample_face(synthetic_stream("ferplus", *row.image_seed), row.expression), _SYNTHETIC_SIZE)
    margin = (_SYNTHETIC_SIZE - FACE_SIZE) // 2
    middle = face.image[margin : margin + FACE_SIZE, margin : margin + FACE_SIZE]
    return cv2.cvtColor(np.ascontiguousarray(middle), cv2.COLOR_RGB2GRAY)
