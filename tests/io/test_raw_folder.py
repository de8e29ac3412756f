"""The raw folder hands its path to a function; checkpoints are the engine's alone."""

from pathlib import Path

import pytest
from kedro.io import DatasetError

from mien.io.raw_folder import CheckpointFolder, RawFolder


def test_saving_calls_the_function_with_the_path_and_loading_gives_the_path(tmp_path):
    entry = RawFolder(filepath=str(tmp_path / "raf_db"))
    assert not entry.exists()
    entry.save(lambda folder: (folder.mkdir(), (folder / "synthetic").touch()))
    assert entry.exists()
    assert entry.load() == entry.path == Path(tmp_path / "raf_db")
    assert (entry.load() / "synthetic").is_file()


def test_a_complaint_about_the_folder_passes_on_in_its_own_words(tmp_path):
    def missing(folder: Path) -> None:
        raise ValueError(f"{folder} is missing: get it there")

    with pytest.raises(DatasetError, match="is missing: get it there"):
        RawFolder(filepath=str(tmp_path / "raf_db")).save(missing)


def test_a_file_in_the_place_of_the_folder_does_not_count_as_there(tmp_path):
    (tmp_path / "raf_db").touch()
    assert not RawFolder(filepath=str(tmp_path / "raf_db")).exists()


def test_the_checkpoint_folder_is_made_when_it_is_requested(tmp_path):
    entry = CheckpointFolder(filepath=str(tmp_path / "sae" / "paper"))
    assert entry.exists(), "a run that looks for missing inputs must not stop at an empty checkpoint folder"
    assert not (tmp_path / "sae").exists()
    assert entry.load().is_dir()


def test_no_node_writes_checkpoints(tmp_path):
    with pytest.raises(DatasetError, match="written while it runs"):
        CheckpointFolder(filepath=str(tmp_path)).save({})
