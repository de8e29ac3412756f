"""Files as killed machines, full disks and other programs leave them, over every class that reads or writes one."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kedro.io import DatasetError
from tests.io.test_two_runs import EXAMPLES as TWO_RUNS
from tests.io.test_write_then_move import EXAMPLES as WRITTEN

from mien.cli import mistake
from mien.io.arrays import ArrayArchive
from mien.io.figures import FigureFolder, PaperFigure, PlotlyFigure
from mien.io.network_file import NetworkFile
from mien.io.packed_audio import PackedAudio
from mien.io.packed_faces import PackedFaces
from mien.io.sheets import SheetImage
from mien.io.tables import CsvTable, ParquetTable, TextDocument

WRITERS = {**TWO_RUNS, **WRITTEN, FigureFolder: ("figures", lambda seed: {"a": WRITTEN[PlotlyFigure][1](seed)})}
READERS = {dataset: example for dataset, example in WRITERS.items() if dataset not in (PaperFigure, FigureFolder)}


def truncated(content: bytes) -> bytes:
    return content[: -max(1, len(content) // 3)]


def one_byte_short(content: bytes) -> bytes:
    return content[:-1]


def longer(content: bytes) -> bytes:
    return content + b"\x00" * 64


def foreign(content: bytes) -> bytes:
    return b"\xff\xd8\xff\xe0 a photograph \xff" * 40


def flipped(content: bytes) -> bytes:
    changed = bytearray(content)
    changed[len(changed) // 2] ^= 16
    return bytes(changed)


def flipped_header(content: bytes) -> bytes:
    changed = bytearray(content)
    changed[9] ^= 1
    return bytes(changed)


def pointer(content: bytes) -> bytes:
    return b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n"


def empty(content: bytes) -> bytes:
    return b""


BY_DAMAGE = {
    empty: READERS.keys() - {TextDocument},  # text has no checksum: a shorter or another one is a text
    truncated: READERS.keys() - {CsvTable, TextDocument},
    one_byte_short: READERS.keys() - {CsvTable, TextDocument},
    longer: {PackedFaces, PackedAudio},
    foreign: READERS.keys(),
    pointer: READERS.keys() - {CsvTable, TextDocument},
    flipped: {ParquetTable, NetworkFile, ArrayArchive},
    flipped_header: {PackedFaces, NetworkFile, PackedAudio, SheetImage},
}
CASES = [(dataset, damage) for damage, datasets in BY_DAMAGE.items() for dataset in READERS if dataset in datasets]


def saved(dataset: type, folder: Path, seed: int = 0) -> tuple[Any, Path]:
    name, example = WRITERS[dataset]
    entry = dataset(filepath=str(folder / name))
    entry.save(example(seed))
    return entry, folder / name


@pytest.mark.parametrize(("dataset", "damage"), CASES, ids=lambda case: case.__name__)
def test_a_damaged_file_is_named_with_what_to_do(tmp_path, dataset, damage):
    entry, path = saved(dataset, tmp_path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DatasetError) as error:
        entry.load()
    reported = mistake(error.value)
    assert reported.startswith(f"{path} cannot be read: ")
    assert reported.endswith("Delete it and run its pipeline again.")
    assert len(reported) - len(str(path)) < 320, "a message, not a dump"
    assert "\n" not in reported
    entry.save(WRITERS[dataset][1](1))  # what the message advises
    entry.load()


@pytest.mark.parametrize("dataset", READERS, ids=lambda dataset: dataset.__name__)
def test_a_missing_file_is_named_with_what_to_do(tmp_path, dataset):
    entry, path = saved(dataset, tmp_path)
    path.unlink()
    with pytest.raises(DatasetError) as error:
        entry.load()
    assert mistake(error.value).startswith(f"{path} does not exist. Run the pipeline that writes it")


def test_faces_of_another_type_or_shape_are_no_packed_faces(tmp_path):
    entry, path = saved(PackedFaces, tmp_path)
    for array in (np.zeros((3, 4, 4, 3), np.float32), np.zeros(5, np.uint8), np.asfortranarray(entry.load())):
        np.save(path, array)
        with pytest.raises(DatasetError, match="Delete it and run its pipeline again"):
            entry.load()
        entry.save(WRITERS[PackedFaces][1](0))


def test_a_plain_array_of_faces_without_a_seal_is_read(tmp_path):
    faces = np.zeros((3, 4, 4, 3), np.uint8)
    np.save(tmp_path / "faces.npy", faces)
    np.testing.assert_array_equal(PackedFaces(filepath=str(tmp_path / "faces.npy")).load(), faces)


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A disk of 16 kB, of which 4 are used, where one may be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("a disk can be mounted by root alone")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("dataset", WRITERS, ids=lambda dataset: dataset.__name__)
def test_a_full_and_a_read_only_disk_are_reported_and_leave_the_old_file(small_disk, dataset):
    name, example = WRITERS[dataset]
    entry = dataset(filepath=str(small_disk / name))
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file:
        while True:
            try:
                file.write(b"x" * 4096)
            except OSError:
                break
    with pytest.raises(DatasetError) as error:
        entry.save(example(0))
    reported = mistake(error.value)
    assert reported.startswith(f"The disk is full: {small_disk / name.split('.')[0]}"), reported
    assert "Make room" in reported
    assert not entry.exists()
    filler.unlink()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(DatasetError) as error:
        entry.save(example(0))
    assert mistake(error.value).startswith(f"The disk is read-only: {small_disk / name.split('.')[0]}")
