"""Checkpoints: what is written comes back, a kill at any instant leaves a whole state, no two runs are mixed."""

import json
import shutil

import pytest
import torch

from mien.engine import checkpoint
from mien.engine.checkpoint import BEST_FILE, RUN_FILE, Checkpoints, EpochState


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


def test_only_the_last_epoch_is_kept(tmp_path):
    interrupted(tmp_path, epoch=11)
    assert [path.name for path in tmp_path.glob("epoch_*")] == ["epoch_00011"]


def test_the_best_weights_outlive_later_epochs(tmp_path):
    interrupted(tmp_path)
    assert Checkpoints(tmp_path, "same").load_best()["w"] == 2
    begun(tmp_path).save(state(3))
    assert Checkpoints(tmp_path, "same").load_best()["w"] == 2


@pytest.mark.parametrize("breaks_in", ["_save_weights", "torch.save"])
def test_a_kill_while_an_epoch_is_written_leaves_the_one_before(tmp_path, monkeypatch, breaks_in):
    interrupted(tmp_path)

    def killed(*args, **kwargs):
        raise KeyboardInterrupt

    target = checkpoint if breaks_in == "_save_weights" else torch
    monkeypatch.setattr(target, breaks_in.split(".")[-1], killed)
    with pytest.raises(KeyboardInterrupt):
        Checkpoints(tmp_path, "same").save(state(3))
    monkeypatch.undo()
    assert Checkpoints(tmp_path, "same").begin().epoch == 2


def test_a_kill_before_the_older_epoch_is_removed_resumes_from_the_newer(tmp_path):
    interrupted(tmp_path / "run", epoch=9)
    shutil.copytree(tmp_path / "run" / "epoch_00009", tmp_path / "older")
    Checkpoints(tmp_path / "run", "same").save(state(10))
    shutil.move(tmp_path / "older", tmp_path / "run" / "epoch_00009")
    assert Checkpoints(tmp_path / "run", "same").begin().epoch == 10


def test_a_kill_while_the_best_weights_are_written_leaves_the_former(tmp_path, monkeypatch):
    interrupted(tmp_path)

    def half(weights, path):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "_save_weights", half)
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
    assert Checkpoints(tmp_path, "same").load_best()["w"] == 2, "finishing keeps what was learnt"
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
