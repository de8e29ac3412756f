"""A synthetic folder is complete or absent, says with what it was drawn.

And never takes the place of something real.

Random numbers of synthetic data: equal for equal things, apart for all others.
"""

import importlib
import json
import shutil
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.data.synthetic import folder as synthetic_folder
from mien.data.synthetic.folder import (
    MARKER,
    check_range,
    class_counts,
    is_synthetic,
    synthesize_each,
    synthesize_folder,
    synthetic_stream,
)
from mien.outputs import part_path


def draw(folder: Path, *, number: int, words: tuple[str, ...] = ("a", "b")) -> None:
    """A synthetic: one small file per word."""
    (folder / "inner").mkdir()
    for word in words:
        (folder / "inner" / f"{word}.txt").write_text(f"{word} {number}")


def write_number(item: tuple[Path, int]) -> None:
    folder, number = item
    (folder / f"{number}.txt").write_text(str(number**2))


def files(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def root(tmp_path) -> Path:
    synthesize_folder(tmp_path / "synthetic", {"number": 1}, draw)
    return tmp_path / "synthetic"


def test_the_marker_says_with_what_and_which_files_were_drawn(root):
    assert files(root) == {"inner/a.txt": b"a 1", "inner/b.txt": b"b 1", MARKER: (root / MARKER).read_bytes()}
    marker = json.loads((root / MARKER).read_text())
    assert marker["arguments"] == {"number": 1}
    assert marker["files"] == ["inner/a.txt", "inner/b.txt"]
    assert marker["generated_by"] == __name__
    assert is_synthetic(root)
    assert not is_synthetic(root / "inner")


def test_the_same_again_is_not_drawn_again(root):
    before = (root / "inner/a.txt").stat().st_mtime_ns
    synthesize_folder(root, {"number": 1}, draw)
    assert (root / "inner/a.txt").stat().st_mtime_ns == before


def test_tuples_and_lists_are_the_same_arguments(root):
    synthesize_folder(root, {"number": 1, "words": ("a", "c")}, draw)
    before = (root / "inner/a.txt").stat().st_mtime_ns
    synthesize_folder(root, {"number": 1, "words": ["a", "c"]}, draw)
    assert (root / "inner/a.txt").stat().st_mtime_ns == before


def test_other_arguments_replace_it_and_nothing_of_the_old_or_of_the_work_stays(root):
    synthesize_folder(root, {"number": 2, "words": ["c"]}, draw)
    assert files(root).keys() == {"inner/c.txt", MARKER}
    assert [path.name for path in root.parent.iterdir()] == ["synthetic"]


def test_what_another_version_of_the_code_drew_is_drawn_anew(root, monkeypatch):
    (root / "inner/a.txt").write_text("old style")
    monkeypatch.setattr(synthetic_folder, "_code_digest", lambda _: "another")
    synthesize_folder(root, {"number": 1}, draw)
    assert (root / "inner/a.txt").read_text() == "a 1"


def test_the_version_is_that_of_the_renderer_and_of_the_synthetic_datasets_own_module(monkeypatch, tmp_path):
    importlib.import_module("mien.data.synthetic.raf_db")
    mine = synthetic_folder._code_digest(__name__)
    assert mine != synthetic_folder._code_digest("mien.data.synthetic.raf_db")
    (tmp_path / "__init__.py").write_text("# another renderer")
    monkeypatch.setattr(synthetic_folder, "__file__", str(tmp_path / "folder.py"))
    assert synthetic_folder._code_digest(__name__) != mine


@pytest.mark.parametrize("module", ["mien.data.raf_db_twin", "mien.data.synthetic_raf_db"])
def test_a_folder_of_an_earlier_version_is_synthetic_and_replaced_but_never_the_users_own_files(
    tmp_path, monkeypatch, module
):
    root, old = tmp_path / "raf_db", "_twin" in module
    monkeypatch.setattr(draw, "__module__", "mien.data.synthetic.raf_db")
    monkeypatch.setattr(synthetic_folder, "_code_digest", lambda _: "new")
    marker = {"drawn_by" if old else "generated_by": module, "code": "old", "arguments": {"number": 1}}
    root.mkdir()
    (root / "list.txt").write_text("of that version")
    (root / ("drawn.json" if old else MARKER)).write_text(json.dumps({**marker, "files": ["list.txt"]}))
    (root / "mine.txt").write_text("mine")
    assert is_synthetic(root)
    with pytest.raises(ValueError, match=r"1 files in it were not made here, the first .*mine\.txt"):
        synthesize_folder(root, {"number": 1}, draw)
    (root / "mine.txt").unlink()
    synthesize_folder(root, {"number": 1}, draw)
    assert files(root).keys() == {"inner/a.txt", "inner/b.txt", MARKER}


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, OSError("disk full")])
def test_an_interruption_while_drawing_leaves_what_was_there_before(root, interruption):
    def interrupted(folder: Path, number: int) -> None:
        (folder / "half.txt").write_text(str(number))
        raise interruption

    before = files(root.parent)
    with pytest.raises((KeyboardInterrupt, OSError)):
        synthesize_folder(root, {"number": 2}, interrupted)
    with pytest.raises((KeyboardInterrupt, OSError)):
        synthesize_folder(root.parent / "new", {"number": 2}, interrupted)
    assert files(root.parent) == before
    assert [path.name for path in root.parent.iterdir()] == ["synthetic"]


def test_an_interruption_while_replacing_leaves_what_was_there_before(root, monkeypatch):
    rename = Path.rename

    def interrupted(path: Path, target: Path) -> Path:
        if path.name.endswith(".part"):
            raise KeyboardInterrupt
        return rename(path, target)

    before = files(root.parent)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", interrupted)
        with pytest.raises(KeyboardInterrupt):
            synthesize_folder(root, {"number": 2}, draw)
    assert files(root.parent) == before


def test_a_folder_without_the_marker_is_never_touched(tmp_path):
    (tmp_path / "basic").mkdir()
    (tmp_path / "basic/list.txt").write_text("train_00001.jpg 5")
    before = files(tmp_path)
    with pytest.raises(
        ValueError, match=r"is not replaced by synthetic faces: it has no synthetic\.json.*the real one.*move this"
    ):
        synthesize_folder(tmp_path, {"number": 1}, draw)
    assert files(tmp_path) == before


@pytest.mark.parametrize("marker", ["", "[1]", '{"number": 1}', '{"arguments": {}, "files": []}', "\udcff"])
def test_a_marker_that_is_not_ours_protects_as_none_does(tmp_path, marker):
    (tmp_path / MARKER).write_bytes(marker.encode(errors="surrogateescape"))
    before = files(tmp_path)
    with pytest.raises(ValueError, match=r"no synthetic\.json of this dataset"):
        synthesize_folder(tmp_path, {"number": 1}, draw)
    assert files(tmp_path) == before


def test_another_datasets_synthetic_folder_is_not_replaced(root):
    marker = json.loads((root / MARKER).read_text())
    (root / MARKER).write_text(json.dumps({**marker, "generated_by": "mien.data.another_synthetic"}))
    before = files(root)
    with pytest.raises(ValueError, match=r"no synthetic\.json of this dataset"):
        synthesize_folder(root, {"number": 1}, draw)
    assert files(root) == before


def test_a_synthetic_folder_with_other_files_in_it_is_not_replaced(root):
    (root / "inner/real.txt").write_text("mine")
    before = files(root)
    with pytest.raises(ValueError, match=r"1 files in it were not made here, the first .*inner/real\.txt"):
        synthesize_folder(root, {"number": 2}, draw)
    assert files(root) == before
    (root / "inner/real.txt").unlink()
    (root / "inner/a.txt").unlink()  # what is missing is no loss
    synthesize_folder(root, {"number": 2}, draw)
    assert (root / "inner/a.txt").read_text() == "a 2"


def test_a_file_in_the_place_of_the_folder_is_not_replaced(tmp_path):
    (tmp_path / "synthetic").write_text("mine")
    with pytest.raises(ValueError, match="is not replaced"):
        synthesize_folder(tmp_path / "synthetic", {"number": 1}, draw)
    assert (tmp_path / "synthetic").read_text() == "mine"


def test_an_empty_folder_behind_a_link_is_drawn_into_and_the_link_stays(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    for number in (1, 2):
        synthesize_folder(tmp_path / "link", {"number": number}, draw)
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "disk/inner/a.txt").read_text() == f"a {number}"


def test_folders_above_are_made(tmp_path):
    synthesize_folder(tmp_path / "data/01_raw/synthetic", {"number": 1}, draw)
    assert is_synthetic(tmp_path / "data/01_raw/synthetic")


def test_a_copy_of_a_synthetic_folder_is_the_same_synthetic_folder(root, tmp_path):
    copy = shutil.copytree(root, tmp_path / "copy")
    synthesize_folder(copy, {"number": 3}, draw)
    assert (copy / "inner/a.txt").read_text() == "a 3"


@pytest.mark.parametrize("serial_items", [0, 64])
def test_each_item_is_drawn_once_whatever_the_number_of_processes(tmp_path, monkeypatch, serial_items):
    monkeypatch.setattr(synthetic_folder, "SERIAL_ITEMS", serial_items)
    synthesize_each(write_number, [(tmp_path, number) for number in range(9)])
    assert files(tmp_path) == {f"{number}.txt": str(number**2).encode() for number in range(9)}


@pytest.mark.parametrize("serial_items", [0, 64])
def test_what_drawing_raises_passes_through(tmp_path, monkeypatch, serial_items):
    monkeypatch.setattr(synthetic_folder, "SERIAL_ITEMS", serial_items)
    with pytest.raises(FileNotFoundError):
        synthesize_each(write_number, [(tmp_path / "missing", number) for number in range(9)])


def test_classes_are_counted_by_hand():
    # 5 samples: (.9 + .5) / 2 * 5 = 3.5 and (.1 + .5) / 2 * 5 = 1.5; the first of equal remainders is rounded up.
    assert class_counts({"happy": 9, "fear": 1}, 5) == {"happy": 4, "fear": 1}


@settings(deadline=None)
@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=10), st.integers(1, 2_000))
def test_classes_are_half_as_frequent_as_published_and_half_even(published, num_samples):
    shares = np.array(published) / sum(published)
    counts = class_counts({str(number): count for number, count in enumerate(published)}, num_samples)
    assert list(counts) == [str(number) for number in range(len(published))]
    assert sum(counts.values()) == num_samples
    expected = num_samples * (shares + 1 / len(published)) / 2
    assert np.abs(np.array(list(counts.values())) - expected).max() < 1 + 1e-9


@pytest.mark.parametrize(
    ("value", "least", "most", "message"),
    [
        (9, 10, 999, "num_subjects of the synthetic SPOS is 9: give a whole number from 10 to 999"),
        (1000, 10, 999, "is 1000: give a whole number from 10"),
        (10.5, 10, 999, "is 10.5: give a whole number from 10"),
        (0.05, 0.1, 1.0, "is 0.05: give a number from 0.1 to 1.0"),
        (float("nan"), 0.1, 1.0, "is nan: give a number"),
    ],
)
def test_an_argument_out_of_range_is_named(value, least, most, message):
    with pytest.raises(ValueError, match=message):
        check_range("num_subjects", value, least, most, "SPOS")


def test_the_ends_of_a_range_are_inside_it():
    for size in (96, 1024):
        check_range("image_size", size, 96, 1024, "SPOS")
    check_range("share", 1, 0.1, 1.0, "SPOS")


def test_odd_numbers_are_refused_where_even_ones_are_requested():
    check_range("image_size", 64, 64, 128, "RAVDESS", even=True)
    with pytest.raises(
        ValueError, match="image_size of the synthetic RAVDESS is 65: give an even number from 64 to 128"
    ):
        check_range("image_size", 65, 64, 128, "RAVDESS", even=True)


def test_of_two_runs_that_draw_one_folder_the_second_waits_and_finds_it_drawn(tmp_path, monkeypatch):
    drawn = []

    def slowly(folder: Path, number: int) -> None:
        time.sleep(0.1)
        drawn.append(number)
        (folder / "one.txt").write_text(str(number))

    monkeypatch.setattr(synthetic_folder, "_code_digest", lambda module: "same")
    threads = [
        threading.Thread(target=synthesize_folder, args=(tmp_path / "synthetic", {"number": 1}, slowly))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert drawn == [1]
    assert [path.name for path in tmp_path.iterdir()] == ["synthetic"]


def test_what_a_killed_run_had_drawn_half_goes_at_the_next_one_though_nothing_is_to_be_drawn(root):
    (part_path(root) / "images").mkdir(parents=True)
    part_path(root).with_suffix(".part.old").mkdir()
    synthesize_folder(root, {"number": 1}, draw)
    assert [path.name for path in root.parent.iterdir()] == ["synthetic"]


def first(dataset: str, *numbers: int) -> float:
    return float(synthetic_stream(dataset, *numbers).random())


def test_equal_names_and_numbers_give_equal_streams():
    np.testing.assert_array_equal(
        synthetic_stream("sfew", 0, 1, 2).random(5), synthetic_stream("sfew", 0, 1, 2).random(5)
    )


def test_another_dataset_another_seed_and_another_count_of_numbers_give_other_streams():
    things = [("sfew", 0), ("sfew", 0, 0), ("sfew", 0, 0, 0), ("sfew", 0, 1), ("sfew", 1, 0), ("raf_db", 0, 0)]
    assert len({first(*thing) for thing in things}) == len(things)


def test_no_stream_is_one_that_a_seed_and_numbers_alone_give():
    every = [(seed, *numbers) for seed in range(3) for numbers in [(), (0,), (1,)]]
    plain = {float(np.random.default_rng(numbers).random()) for numbers in every}
    named = {first(name, *numbers) for name in ("a", "b") for numbers in every}
    assert not plain & named
