"""A synthetic version of USTC-NVIE: the spontaneous half in its folders, the posed half by a manifest.

With known faults.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mien.data.nvie import SEQUENCES
from mien.data.onset_apex import Pair, write_manifest
from mien.data.synthetic.folder import check_range, synthesize_each, synthesize_folder
from mien.data.synthetic.pairs import (
    IMAGE_SIZES,
    NUM_FRAMES,
    SyntheticPair,
    render_pair,
    sample_illumination,
    sample_person,
)
from mien.labels import KINDS

FAULTS: dict[str, tuple[str, str, str]] = {
    "empty_file": ("001", "spontaneous", "onset"),
    "no_apex": ("002", "spontaneous", "apex"),
    "no_onset": ("004", "posed", "onset"),
}
"""What is wrong with the first pair of some subjects: by reason, the subject, the half, and the image."""

UPPER_CASE_SUBJECT = "003"
"""The folders and extensions of this subject's spontaneous images are spelt in capitals."""

INFRARED_SUBJECT = "005"
"""This subject has infrared images beside the visible ones."""


@dataclass(frozen=True)
class _Files:
    """A pair and the files that its images become, relative to the dataset's folder."""

    pair: SyntheticPair
    listed: Pair  # its onset and apex are among them
    images: tuple[tuple[str, ...], ...]  # the names of each, the onset first, the apex last


def synthesize_nvie(
    root: Path, *, num_subjects: int, num_emotions: int, seed: int, image_size: int = 112, num_frames: int = 2
) -> None:
    """Draw a folder with both halves of USTC-NVIE: every subject shows the same emotions posed and spontaneously.

    Three pairs are incomplete, as ``FAULTS`` says, one subject's files are spelt in capitals and one's are there in
    infrared too. Each pair depends on ``seed`` and what it is of alone. Processes are started afresh, one per core, so
    a script of your own calls this below ``if __name__ == "__main__":``.
    ``mien.data.synthetic.folder.synthesize_folder`` says what becomes of files that are there.

    Args:
        root: Becomes ``root/001/visible/...``, ``root/posed/001/...``, ``root/manifest.csv`` and
            ``root/synthetic.json``.
        num_subjects: 10 to 999.
        num_emotions: Of each subject, 1 to 6; all emotions are equally frequent, and equally in both kinds.
        seed: 0 or more.
        image_size: Height and width in pixels.
        num_frames: Images of each expression, from its onset to its apex. More than 2 add the frames between to each
            sequence of the spontaneous half, and a folder of frames, which the manifest names, to each posed pair.

    Raises:
        MienError: An argument is out of range, or ``root`` holds files that were not made here.

    Source: ours, because USTC-NVIE may not be passed on; how the kinds differ says ``mien.data.synthetic.pairs``.
    """
    arguments = {
        "num_subjects": num_subjects,
        "num_emotions": num_emotions,
        "seed": seed,
        "image_size": image_size,
        "num_frames": num_frames,
    }
    ranges = {
        "num_subjects": (10, 999),  # as many as folds; three digits name them
        "num_emotions": (1, len(SEQUENCES)),
        "seed": (0, 2**63),
        "image_size": IMAGE_SIZES,
        "num_frames": NUM_FRAMES,
    }
    for name, value in arguments.items():
        check_range(name, value, *ranges[name], "USTC-NVIE")
    synthesize_folder(root, arguments, _write_files)


def _write_files(folder: Path, **arguments: int) -> None:
    pairs = list(_pairs(**arguments))
    for path in {(folder / name).parent for files in pairs for names in files.images for name in names}:
        path.mkdir(parents=True, exist_ok=True)
    synthesize_each(functools.partial(_write_pair, folder), pairs)
    for files in pairs:
        for reason, (subject, kind, role) in FAULTS.items():
            if (files.listed.subject, files.listed.kind) == (subject, kind) and _is_first(files):
                path = folder / (files.listed.onset if role == "onset" else files.listed.apex)
                path.unlink()
                if reason == "empty_file":
                    path.touch()
    write_manifest(folder, [files.listed for files in pairs if files.listed.kind == "posed"])


def _is_first(files: _Files) -> bool:
    return files.pair.expression == _emotions(files.pair.subject, 1)[0]


def _emotions(subject: int, num_emotions: int) -> list[str]:
    """The emotions of a subject, whose turn comes round evenly; the first does not depend on how many."""
    return [SEQUENCES[(subject + step) % len(SEQUENCES)] for step in range(num_emotions)]


def _pairs(num_subjects: int, num_emotions: int, seed: int, image_size: int, num_frames: int) -> Iterator[_Files]:
    for subject in range(1, num_subjects + 1):
        for expression in _emotions(subject, num_emotions):
            for kind in KINDS:
                yield _files(SyntheticPair("nvie", seed, subject, kind, expression, 0, image_size, num_frames))


def _files(pair: SyntheticPair) -> _Files:
    subject = f"{pair.subject:03d}"
    roles = ("onset", *(None for _ in range(pair.num_frames - 2)), "apex")
    images = tuple(_names(pair, subject, role, number) for number, role in enumerate(roles))
    listed = Pair(
        sample_id=f"{pair.kind}_{subject}_{pair.expression}",
        subject=subject,
        kind=pair.kind,
        expression=pair.expression,
        illumination=sample_illumination(pair),
        glasses=sample_person(pair.dataset, pair.seed, pair.subject).glasses.kind > 0,
        onset=images[0][0],
        apex=images[-1][0],
        frames=f"posed/{subject}/{pair.expression}" if pair.num_frames > 2 else None,
    )
    return _Files(pair, listed, images)


def _names(pair: SyntheticPair, subject: str, role: str | None, frame: int) -> tuple[str, ...]:
    """The picked image, where the frame has a role, and the same among the frames."""
    if pair.kind == "posed":
        picked = [f"posed/{subject}/{pair.expression}_{role}.bmp"] if role else []
        frames = [f"posed/{subject}/{pair.expression}/{frame}.bmp"] if pair.num_frames > 2 else []
        return (*picked, *frames)
    sequence = f"sequence{SEQUENCES.index(pair.expression) + 1}"
    names = [*([f"visible/{role}/{sequence}.bmp"] if role else []), f"visible/{sequence}/{frame}.bmp"]
    if subject == UPPER_CASE_SUBJECT:
        names = [name.upper() for name in names]
    if role and subject == INFRARED_SUBJECT:
        names.append(f"infrared/{role}/{sequence}.bmp")
    return tuple(f"{subject}/{name}" for name in names)


def _write_pair(folder: Path, files: _Files) -> None:
    for names, content in zip(files.images, render_pair(files.pair), strict=True):
        for name in names:
            (folder / name).write_bytes(content)
