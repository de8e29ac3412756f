"""Checkpoints: what is written comes back, a kill at any instant leaves a whole state, no two runs are mixed."""

import json
import shutil
import threading
import time
from pathlib import Path

import pytest
import torch

from mien.engine import checkpoint
from mien.engine.checkpoint import (
    BEST_FILE,
    CHECKSUMS_FILE,
    RUN_FILE,
    STATE_FILE,
    WEIGHTS_FILE,
    Checkpoints,
    EpochState,
)
from mien.outputs import part_path


def state(epoch: int) -> EpochState:
    return EpochState(
        epoch=epoch,
        weights={"w": torch.full((2, 3), float(epoch)), "count": torch.tensor(epoch)},
        optimizer={"state": {0: {"exp_avg": torch.ones(2) * epoch}}, "param_groups": [{"lr": 0.1, "params": [0]}]},
        scheduler={"last_epoch": epoch},
        history=[{"epoch": number, "train/loss": 1 / number} for number in range(1, epoch + 1)],
    )


def begun(folder, fingerprint="same") -> Checkpoints:
    checkpoints = Checkpoints(folder, fingerprint)
    checkpoints.begin()
    return checkpoints


def interrupted(folder, epoch: int = 2) -> None:
    checkpoints = begun(folder)
    for number in range(1, epoch + 1):
        checkpoints.save_best({"w": torch.tensor(float(number))})
        checkpoints.save(state(number))


def test_a_new_folder_begins_a_new_run(tmp_path):
    assert Checkpoints(tmp_path / "new" / "folder", "f").begin() is None
    assert json.loads((tmp_path / "new" / "folder" / RUN_FILE).read_text()) == {"fingerprint": "f", "finished": False}


def test_an_interrupted_run_gives_back_all_that_the_next_epoch_depends_on(tmp_path):
    interrupted(tmp_path)
    resumed, saved = Checkpoints(tmp_path, "same").begin(), state(2)
    assert (resumed.epoch, resumed.scheduler, resumed.history) == (2, saved.scheduler, saved.history)
    assert all(torch.equal(resumed.weights[name], value) for name, value in saved.weights.items())
    assert torch.equal(resumed.optimizer["state"][0]["exp_avg"], saved.optimizer["state"][0]["exp_avg"])
    assert resumed.optimizer["param_groups"] == saved.optimizer["param_groups"]


def test_the_last_two_epochs_are_kept(tmp_path):
    interrupted(tmp_path, epoch=11)
    assert sorted(path.name for path in tmp_path.glob("epoch_*")) == ["epoch_00010", "epoch_00011"]


def test_the_best_weights_outlive_later_epochs(tmp_path):
    interrupted(tmp_path)
    assert Checkpoints(tmp_path, "same").load_best()["w"] == 2
    begun(tmp_path).save(state(3))
    assert Checkpoints(tmp_path, "same").load_best()["w"] == 2


@pytest.mark.parametrize("breaks_in", ["write_weights", "torch.save"])
def test_a_kill_while_an_epoch_is_written_leaves_the_one_before(tmp_path, monkeypatch, breaks_in):
    interrupted(tmp_path)

    def killed(*args, **kwargs):
        raise KeyboardInterrupt

    target = checkpoint if breaks_in == "write_weights" else torch
    monkeypatch.setattr(target, breaks_in.split(".")[-1], killed)
    with pytest.raises(KeyboardInterrupt):
        Checkpoints(tmp_path, "same").save(state(3))
    monkeypatch.undo()
    assert Checkpoints(tmp_path, "same").begin().epoch == 2


def test_a_kill_before_the_older_epoch_is_removed_resumes_from_the_newer(tmp_path):
    interrupted(tmp_path / "run", epoch=9)
    shutil.copytree(tmp_path / "run" / "epoch_00008", tmp_path / "older")
    Checkpoints(tmp_path / "run", "same").save(state(10))
    shutil.move(tmp_path / "older", tmp_path / "run" / "epoch_00008")
    assert Checkpoints(tmp_path / "run", "same").begin().epoch == 10


def test_a_kill_while_the_best_weights_are_written_leaves_the_former(tmp_path, monkeypatch):
    interrupted(tmp_path)

    def half(weights, path):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "write_weights", half)
    with pytest.raises(KeyboardInterrupt):
        Checkpoints(tmp_path, "same").save_best({"w": torch.tensor(9.0)})
    assert Checkpoints(tmp_path, "same").load_best()["w"] == 2


def test_another_fingerprint_clears_the_folder_and_says_so(tmp_path, caplog):
    interrupted(tmp_path)
    assert Checkpoints(tmp_path, "other").begin() is None
    assert "other parameters, data, devices or precision" in caplog.text
    assert sorted(path.name for path in tmp_path.iterdir()) == [RUN_FILE]


def test_a_finished_run_begins_anew_without_a_warning(tmp_path, caplog):
    interrupted(tmp_path)
    Checkpoints(tmp_path, "same").finish()
    assert Checkpoints(tmp_path, "same").load_best()["w"] == 2, "finishing keeps what was trained"
    assert Checkpoints(tmp_path, "same").begin() is None
    assert not (tmp_path / BEST_FILE).exists()
    assert caplog.text == ""


def test_a_finished_run_is_kept_for_who_asks_for_it_and_leaves_nothing_to_do(tmp_path):
    interrupted(tmp_path)
    Checkpoints(tmp_path, "same").finish()
    kept = Checkpoints(tmp_path, "same", keep_finished=True)
    assert (kept.begin().epoch, kept.load_best()["w"]) == (2, 2)
    assert Checkpoints(tmp_path, "other", keep_finished=True).begin() is None


def test_files_of_others_in_the_folder_stay(tmp_path):
    interrupted(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    Checkpoints(tmp_path, "other").begin()
    assert (tmp_path / "notes.txt").read_text() == "mine"


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 4
    file.write_bytes(content)


DAMAGES = {
    "truncated": lambda file: file.write_bytes(file.read_bytes()[:-7]),
    "empty": lambda file: file.write_bytes(b""),
    "flipped": flip,
    "foreign": lambda file: file.write_bytes(b"PK\x03\x04 something else"),
    "gone": Path.unlink,
}
each_damage = pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)


@each_damage
@pytest.mark.parametrize("name", [WEIGHTS_FILE, STATE_FILE, CHECKSUMS_FILE])
def test_a_damaged_epoch_is_named_and_set_aside_and_the_run_goes_on_from_the_one_before(tmp_path, caplog, name, damage):
    interrupted(tmp_path, epoch=4)
    damage(tmp_path / "epoch_00004" / name)
    resumed = Checkpoints(tmp_path, "same").begin()
    assert (resumed.epoch, resumed.history) == (3, state(3).history)
    assert (resumed.weights["w"] == 3).all()
    assert f"{tmp_path / 'epoch_00004'} is damaged: " in caplog.text
    assert name in caplog.text
    assert "set aside as damaged-epoch_00004" in caplog.text
    assert sorted(path.name for path in tmp_path.glob("*epoch_*")) == ["damaged-epoch_00004", "epoch_00003"]
    Checkpoints(tmp_path, "same").save(state(4))  # repeated
    assert Checkpoints(tmp_path, "same").begin().epoch == 4


def test_an_epoch_of_another_run_is_not_resumed_from(tmp_path, caplog):
    interrupted(tmp_path / "run", epoch=2)
    other = Checkpoints(tmp_path / "other", "other")
    other.begin()
    other.save(state(9))
    shutil.copytree(tmp_path / "other" / "epoch_00009", tmp_path / "run" / "epoch_00009")
    (tmp_path / "run" / "epoch_00010").write_text("a file")
    assert Checkpoints(tmp_path / "run", "same").begin().epoch == 2
    assert "it is the epoch of another run" in caplog.text


def test_a_state_that_is_not_ours_is_never_opened(tmp_path, monkeypatch):
    interrupted(tmp_path, epoch=3)
    (tmp_path / "epoch_00003" / STATE_FILE).write_bytes((tmp_path / "epoch_00002" / STATE_FILE).read_bytes())
    opened = []
    load = torch.load
    monkeypatch.setattr(torch, "load", lambda file, **options: opened.append(file) or load(file, **options))
    assert Checkpoints(tmp_path, "same").begin().epoch == 2
    assert [file.parent.name for file in opened] == ["epoch_00002"]


@each_damage
def test_where_no_epoch_is_whole_training_starts_anew(tmp_path, damage):
    interrupted(tmp_path, epoch=3)
    for epoch in (2, 3):
        damage(tmp_path / f"epoch_{epoch:05d}" / STATE_FILE)
    assert Checkpoints(tmp_path, "same").begin() is None
    assert len(list(tmp_path.glob("damaged-*"))) == 2
    assert not list(tmp_path.glob("epoch_*"))


@each_damage
def test_damaged_best_weights_are_set_aside_and_training_starts_anew(tmp_path, caplog, damage):
    interrupted(tmp_path)
    damage(tmp_path / BEST_FILE)
    with pytest.raises(ValueError, match=r"(?s)best epoch's weights cannot be read.*best\.safetensors\. Run the same"):
        Checkpoints(tmp_path, "same").load_best()
    assert Checkpoints(tmp_path, "same").begin() is None
    assert "training starts anew" in caplog.text
    assert not (tmp_path / BEST_FILE).exists()


@each_damage
def test_a_damaged_run_file_costs_nothing_because_every_epoch_names_its_run(tmp_path, damage):
    interrupted(tmp_path)
    damage(tmp_path / RUN_FILE)
    assert Checkpoints(tmp_path, "same").begin().epoch == 2
    assert Checkpoints(tmp_path, "other").begin() is None


def test_what_a_kill_left_half_written_is_removed_when_the_folder_is_used_again(tmp_path):
    interrupted(tmp_path)
    part_path(tmp_path / "epoch_00003").mkdir()
    part_path(tmp_path / BEST_FILE).write_bytes(b"half")
    checkpoints = Checkpoints(tmp_path, "same")
    with checkpoints.alone():
        assert checkpoints.begin().epoch == 2
    assert not list(tmp_path.glob(".*"))


def test_of_two_trainings_in_one_folder_the_second_waits_and_takes_what_the_first_finished(tmp_path, caplog):
    caplog.set_level("INFO", "mien")
    first, second = Checkpoints(tmp_path / "c", "same"), Checkpoints(tmp_path / "c", "same")
    taken, inside = [], threading.Event()

    def train_second() -> None:
        inside.wait(60)
        with second.alone():
            taken.append(second.begin())

    thread = threading.Thread(target=train_second)
    thread.start()
    with first.alone():
        assert first.begin() is None
        inside.set()
        while "is in use by" not in caplog.text:
            time.sleep(0.01)
        first.save_best({"w": torch.tensor(1.0)})
        first.save(state(1))
        first.finish()
    thread.join()
    assert taken[0].epoch == 1
    assert second.load_best()["w"] == 1


def test_a_full_disk_while_an_epoch_is_written_is_reported_and_leaves_the_ones_before(tmp_path, monkeypatch):
    interrupted(tmp_path)

    def full(*args, **options):
        raise RuntimeError("[enforce fail at inline_container.cc:664] . unexpected pos. No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(ValueError, match=r"The disk is full: .*epoch_00003 could not be written"):
        Checkpoints(tmp_path, "same").save(state(3))
    monkeypatch.undo()
    assert Checkpoints(tmp_path, "same").begin().epoch == 2
    assert not list(tmp_path.glob(".*"))
