"""A synthetic version of Kaggle's age, gender and ethnicity CSV: synthetic faces in the published file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from mien.data.age_csv import FILE, PUBLISHED_COUNTS
from mien.data.csv_files import FACE_SIZE
from mien.data.synthetic import render_face, sample_face, sample_identity
from mien.data.synthetic.folder import SERIAL_ITEMS, check_range, class_counts, synthesize_folder, synthetic_stream
from mien.data.worker_processes import map_in_order
from mien.labels import ETHNICITIES, GENDERS

_AGES = (1, 100)  # what the renderer ages faces to
_MALE_SHARE = 12_391 / 23_705  # UTKFace's
_SMILING_SHARE = 0.4  # ours: UTKFace's photographs are posed as often as not
_REPEATED_EVERY = 100
_CHUNK = 32
_NUM_SAMPLES = (40, 1_000_000)


@dataclass(frozen=True)
class _Face:
    """What decides one row."""

    age: int  # as written
    synthetic_age: int
    ethnicity: str
    gender: str
    name: str
    seed: tuple[int, int]


def synthesize_age_csv(root: Path, *, num_samples: int, seed: int) -> None:
    """Draw ``age_gender.csv``: faces of 48x48 px with age, ethnicity and gender.

    Ethnicities are half as frequent as published and half even; ages lie between 1 and 100, half of them evenly. One
    row in a hundred repeats an earlier one's face, every other time with another age. Each row depends on ``seed`` and
    its number alone. Processes are started afresh, one per core, so a script of your own calls this below
    ``if __name__ == "__main__":``. ``mien.data.synthetic.folder.synthesize_folder`` says what becomes of files that are
    there.

    Args:
        root: Becomes the folder, with ``synthetic.json``, which holds the arguments.
        num_samples: Rows, at least 40.
        seed: 0 or more.

    Raises:
        MienError: An argument is out of range, or ``root`` holds files that were not made here.

    Source: ours, because UTKFace's photographs may not be passed on.
    """
    check_range("num_samples", num_samples, *_NUM_SAMPLES, "age CSV")
    check_range("seed", seed, 0, 2**63, "age CSV")
    synthesize_folder(root, {"num_samples": num_samples, "seed": seed}, _write_files)


def _write_files(folder: Path, num_samples: int, seed: int) -> None:
    faces = list(_faces(num_samples, seed))
    chunks = [faces[start : start + _CHUNK] for start in range(0, num_samples, _CHUNK)]
    rendered = map_in_order(_render_chunk, chunks, workers=1 if num_samples < SERIAL_ITEMS else 0)
    with (folder / FILE).open("w", encoding="utf-8", newline="") as file:
        file.write("age,ethnicity,gender,img_name,pixels\n")
        for face, pixels in zip(faces, (image for chunk in rendered for image in chunk), strict=True):
            codes = f"{face.age},{ETHNICITIES.index(face.ethnicity)},{GENDERS.index(face.gender)},{face.name}"
            file.write(f"{codes},{' '.join(map(str, pixels.ravel().tolist()))}\n")


def _faces(num_samples: int, seed: int) -> Iterator[_Face]:
    """Every row in the file's order."""
    counts = class_counts(PUBLISHED_COUNTS["all"], num_samples)
    ethnicities = synthetic_stream("age_csv", seed).permutation(np.repeat(list(counts), list(counts.values()))).tolist()
    faces: list[_Face] = []
    for number, ethnicity in enumerate(ethnicities):
        rng = synthetic_stream("age_csv", seed, number + 1, 0)
        age = rng.uniform(_AGES[0], _AGES[1] + 1) if rng.random() < 0.5 else rng.normal(33.0, 12.0)
        gender = GENDERS[0] if rng.random() < _MALE_SHARE else GENDERS[1]
        name = f"2017{number:013d}.jpg.chip.jpg"
        years = int(np.clip(age, *_AGES))
        face = _Face(years, years, ethnicity, gender, name, (seed, number + 1))
        if number % _REPEATED_EVERY == _REPEATED_EVERY - 1:
            first = faces[number - _REPEATED_EVERY // 2]
            written = first.age if number // _REPEATED_EVERY % 2 else first.age % _AGES[1] + 1
            face = replace(first, age=written, name=name)
        faces.append(face)
        yield face


def _render_chunk(faces: Iterable[_Face]) -> list[np.ndarray]:
    """(48, 48) uint8 of each."""
    return [_render_pixels(face) for face in faces]


def _render_pixels(face: _Face) -> np.ndarray:
    rng = synthetic_stream("age_csv", *face.seed, 1)
    identity = sample_identity(rng, age=float(face.synthetic_age), gender=face.gender, ethnicity=face.ethnicity)
    expression = "happy" if rng.random() < _SMILING_SHARE else "neutral"
    rendered = render_face(sample_face(rng, expression, identity=identity), FACE_SIZE)
    return cv2.cvtColor(rendered.image, cv2.COLOR_RGB2GRAY)
