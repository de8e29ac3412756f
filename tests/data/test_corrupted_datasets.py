"""A random file of a dataset is spoiled in a random way: the reader says so, or reads the rest as it was before."""

import functools
import itertools
import shutil
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.data.corrupted_reading import CLEAR, RIGHT, TRACEBACK, WRONG, Sound, build, corrupted, files, outcome
from tests.data.corruptions import CORRUPTIONS, fits
from tests.data.tiny_datasets import READERS, TINY, layouts

FIXED = settings(
    derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck), print_blob=False
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("corrupted")


@pytest.fixture(scope="module")
def sound(folder):
    """Builds each dataset once."""
    return functools.cache(lambda name: build(name, folder / "sound"))


def files_by_corruption(sound: Sound) -> dict[str, list[str]]:
    """What can happen, and to which files."""
    named = files(sound)
    fitting = {what: [file for file in named if fits(what, Path(file))] for what in CORRUPTIONS}
    return {what: those for what, those in fitting.items() if those}


def counts(reader: str, sound, folder: Path, examples: int) -> Counter[str]:
    numbers = itertools.count()
    choices = functools.cache(lambda name: files_by_corruption(sound(name)))
    counted: Counter[str] = Counter()

    @settings(FIXED, max_examples=examples)
    @given(st.data())
    def prop(data: st.DataObject) -> None:
        of = sound(data.draw(st.sampled_from(layouts(reader)), "dataset"))
        by_corruption = choices(of.name)
        what = data.draw(st.sampled_from(list(by_corruption)), "what")
        file = data.draw(st.sampled_from(by_corruption[what]), "file")
        seed = data.draw(st.integers(0, 2**16), "seed")
        lenient = data.draw(st.booleans(), "lenient")
        here = folder / f"{reader}{next(numbers)}"
        try:
            got = outcome(of, corrupted(of, here, file, what, seed), what, lenient=lenient)
        finally:
            shutil.rmtree(here)
        counted[got.kind] += 1
        assert got.kind in (CLEAR, RIGHT), got

    prop()
    sys.stdout.write(f"{reader}: {dict(counted)}\n")
    return counted


@pytest.mark.parametrize("reader", READERS)
def test_a_corrupted_file_is_reported_or_changes_nothing_else(reader, sound, folder):
    counted = counts(reader, sound, folder, examples=10)
    assert counted[CLEAR] + counted[RIGHT] == counted.total() >= 10


@pytest.mark.slow
@pytest.mark.parametrize("reader", READERS)
def test_two_thousand_corrupted_files_are_reported_or_change_nothing_else(reader, sound, folder):
    counted = counts(reader, sound, folder, examples=250)
    assert counted[CLEAR] + counted[RIGHT] == counted.total() >= 250


def test_these_are_all_readers_and_enough_corruptions():
    source = Path(__file__).parents[2] / "src/mien/data"
    assert set(READERS) == {path.stem for path in source.glob("*.py") if f"def read_{path.stem}(" in path.read_text()}
    assert len(CORRUPTIONS) >= 100


def one_label_changed(samples: pd.DataFrame) -> pd.DataFrame:
    return samples.assign(label=samples["label"].where(samples.index != 1, (samples["label"] + 1) % 2))


def labels_in_another_order(samples: pd.DataFrame) -> pd.DataFrame:
    return samples.assign(label=samples["label"].to_numpy()[::-1])


def one_sample_lost(samples: pd.DataFrame) -> pd.DataFrame:
    return samples[samples.index != 1]


def an_error_of_pandas(samples: pd.DataFrame) -> pd.DataFrame:
    return samples.drop(columns="nonsense")


def an_error_of_numpy(samples: pd.DataFrame) -> pd.DataFrame:
    return samples.assign(label=np.zeros(len(samples)).reshape(3, 7, 11))


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (one_label_changed, WRONG),
        (labels_in_another_order, WRONG),
        (one_sample_lost, WRONG),
        (an_error_of_pandas, TRACEBACK),
        (an_error_of_numpy, TRACEBACK),
    ],
)
@pytest.mark.parametrize("dataset", ["raf_db", "ferplus", "ferplus_folders", "sfew", "nvie", "spos", "ravdess"])
def test_the_judgement_finds_what_a_reader_does_wrong(dataset, fault, kind, sound, folder, monkeypatch):
    of = sound(dataset)
    read = TINY[dataset].read
    faulty = TINY[dataset]._replace(read=lambda root, account: fault(read(root, account)))
    what = "a file of no kind beside it"
    root = corrupted(of, folder / f"{dataset}{fault.__name__}", files(of)[0], what, 0)
    assert outcome(of, root, what, lenient=True).kind == RIGHT
    monkeypatch.setitem(TINY, dataset, faulty)
    assert outcome(of, root, what, lenient=True).kind == kind
