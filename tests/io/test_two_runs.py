"""Two processes that save one output at once, and runs that are killed while they save: the file is one's or none's."""

import multiprocessing
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mien.io.arrays import ArrayArchive
from mien.io.packed_audio import PackedAudio, WaveformStream
from mien.io.packed_faces import FaceStream, PackedFaces
from mien.io.sheets import SheetImage
from mien.io.tables import CsvTable, JsonDocument, ParquetTable, TextDocument

FORK = multiprocessing.get_context("fork")  # many short processes, none of which needs torch
TRIALS = 12
ROWS = 64


def pixels(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (ROWS, 8, 8, 3), dtype=np.uint8)


def table(seed: int) -> pd.DataFrame:
    return pd.DataFrame({"value": np.random.default_rng(seed).normal(size=300)})


def faces(seed: int) -> FaceStream:
    def batches(start: int):
        for row in range(start, ROWS, 8):
            time.sleep(0.001)
            yield pixels(seed)[row : row + 8]

    return FaceStream(pixels(seed).shape, batches, str(seed))


def sound(seed: int) -> WaveformStream:
    def waveforms():
        for number in range(8):
            time.sleep(0.001)
            yield np.full(100 * (seed + 1), 8 * seed + number, np.int16), "read"

    return WaveformStream(16_000, waveforms())


def content(loaded: Any) -> str:
    """What was loaded, as text that can be compared."""
    if isinstance(loaded, pd.DataFrame):
        return loaded.to_json()
    if isinstance(loaded, dict):
        return repr({name: np.asarray(value).tolist() for name, value in loaded.items()})
    return repr(np.asarray(getattr(loaded, "samples", loaded)).tolist())


EXAMPLES = {
    PackedFaces: ("faces.npy", faces),
    PackedAudio: ("audio.npy", sound),
    ArrayArchive: ("arrays.npz", lambda seed: {"a": pixels(seed), "b": np.arange(seed + 5)}),
    SheetImage: ("sheet.png", lambda seed: pixels(seed).reshape(64, 64, 3)),
    ParquetTable: ("table.parquet", table),
    CsvTable: ("table.csv", table),
    JsonDocument: ("document.json", lambda seed: {str(k): float(v) for k, v in enumerate(table(seed)["value"])}),
    TextDocument: ("text.md", lambda seed: str(seed) * 50_000),
}
each_class = pytest.mark.parametrize("dataset", EXAMPLES, ids=lambda dataset: dataset.__name__)


def entry(dataset: type, folder: Path) -> Any:
    return dataset(filepath=str(folder / EXAMPLES[dataset][0]))


def save(dataset: type, folder: Path, seed: int, wait: float) -> None:
    time.sleep(wait)
    entry(dataset, folder).save(EXAMPLES[dataset][1](seed))


def wholes(dataset: type, folder: Path) -> dict[int, str]:
    """What a file holds that one process alone saved, by seed."""
    found = {}
    for seed in (0, 1):
        (folder / str(seed)).mkdir()
        save(dataset, folder / str(seed), seed, 0)
        found[seed] = content(entry(dataset, folder / str(seed)).load())
    return found


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@each_class
def test_of_two_processes_that_save_at_once_both_end_and_the_file_is_one_of_theirs(tmp_path, dataset):
    whole, offsets = wholes(dataset, tmp_path), random.Random(5)
    for trial in range(TRIALS):
        folder = tmp_path / f"trial_{trial}"
        folder.mkdir()
        both = [
            FORK.Process(target=save, args=(dataset, folder, seed, offsets.uniform(0, 0.02))) for seed in (0, trial % 2)
        ]
        for process in both:
            process.start()
        for process in both:
            process.join(120)
        assert [process.exitcode for process in both] == [0, 0]
        assert content(entry(dataset, folder).load()) in {whole[0], whole[trial % 2]}
        assert names(folder) == [EXAMPLES[dataset][0]]


def save_for_ever(dataset: type, folder: Path) -> None:
    while True:
        for seed in (0, 1):
            save(dataset, folder, seed, 0)


@each_class
def test_a_process_killed_at_any_moment_leaves_a_whole_file_and_the_next_save_leaves_nothing_else(tmp_path, dataset):
    whole, moments = wholes(dataset, tmp_path), random.Random(7)
    folder = tmp_path / "killed"
    folder.mkdir()
    save(dataset, folder, 0, 0)
    for _ in range(TRIALS):
        process = FORK.Process(target=save_for_ever, args=(dataset, folder))
        process.start()
        time.sleep(moments.uniform(0, 0.05))
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        assert content(entry(dataset, folder).load()) in whole.values()
        save(dataset, folder, 1, 0)
        assert content(entry(dataset, folder).load()) == whole[1]
        assert names(folder) == [EXAMPLES[dataset][0]]


def test_faces_that_another_run_has_packed_meanwhile_are_taken(tmp_path, caplog):
    caplog.set_level("INFO", "mien")
    requested = []

    def batches(start: int):
        requested.append(start)
        yield pixels(0)[start:]

    started = FaceStream(pixels(0).shape, lambda start: (time.sleep(0.2), faces(0).batches(start))[1], "0")
    first = FORK.Process(target=lambda: entry(PackedFaces, tmp_path).save(started))
    first.start()
    while not list(tmp_path.glob(".*.begun")):
        time.sleep(0.001)
    entry(PackedFaces, tmp_path).save(FaceStream(pixels(0).shape, batches, "0"))
    first.join()
    assert requested == []
    assert "was packed by the other run: it is taken" in caplog.text
    np.testing.assert_array_equal(entry(PackedFaces, tmp_path).load(), pixels(0))
