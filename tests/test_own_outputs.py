"""A run reads back what it wrote, or says that another run has written it."""

import os

import pytest

from mien.cli import mistake
from mien.outputs import replacing
from mien.own_outputs import OwnOutputs


def test_equal_files_of_another_run_are_read_and_others_are_refused(tmp_path):
    path, own = tmp_path / "network.safetensors", OwnOutputs()
    path.write_bytes(b"mine")
    own.saved(path)
    own.check(path)
    with replacing(path) as part:
        part.write_bytes(b"mine")
    own.check(path)
    with replacing(path) as part:
        part.write_bytes(b"else")
    with pytest.raises(
        ValueError, match=r"was written by another run since this one saved it(?s:.*)variant=NAME"
    ) as reported:
        own.check(path)
    assert mistake(reported.value) == str(reported.value)


def test_what_the_run_has_not_saved_is_anybodys(tmp_path):
    own = OwnOutputs()
    (tmp_path / "folder").mkdir()
    own.saved(tmp_path / "folder")
    own.saved(tmp_path / "missing")
    (tmp_path / "x").write_bytes(b"a")
    own.check(tmp_path / "x")
    own.check(tmp_path / "missing")


def test_a_touched_file_is_still_the_runs_own(tmp_path):
    own = OwnOutputs()
    (tmp_path / "x").write_bytes(b"a")
    own.saved(tmp_path / "x")
    os.utime(tmp_path / "x", (1, 1))
    own.check(tmp_path / "x")


def test_a_history_of_other_seconds_is_the_same_one_and_of_other_losses_another(tmp_path):
    path, own = tmp_path / "history.csv", OwnOutputs()
    path.write_text("epoch,val/loss,seconds,images_per_second\n1,0.5,2.0,100\n")
    own.saved(path)
    path.write_text("epoch,val/loss,seconds,images_per_second\n1,0.5,3.25,61\n")
    own.check(path)
    path.write_text("epoch,val/loss,seconds,images_per_second\n1,0.6,3.25,61\n")
    with pytest.raises(ValueError, match="was written by another run"):
        own.check(path)
