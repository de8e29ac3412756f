import logging
import threading
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from mien.engine.checkpoint import Checkpoints
from mien.engine.device import make_fabric
from mien.engine.fit import Recipe, Task, fit
from mien.engine.seed import seed_everything
from mien.optim import build_optimizer, build_scheduler


class Blobs:
    """Two Gaussian blobs per key, as a map-style dataset."""

    def __init__(self, n: int, offset: int = 0) -> None:
        rng = np.random.default_rng(offset)
        self.targets = rng.integers(0, 2, n)
        self.points = (rng.normal(size=(n, 3)) + 2 * self.targets[:, None]).astype(np.float32)

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, key: int):
        index = key % len(self)
        return (torch.from_numpy(self.points[index]),), torch.tensor(self.targets[index])


class BrokenBlobs(Blobs):
    """Blobs that fail at one key, as a process does that is killed."""

    def __init__(self, n: int, fails_at: int) -> None:
        super().__init__(n)
        self.fails_at = fails_at

    def __getitem__(self, key: int):
        if key >= self.fails_at:
            raise KeyboardInterrupt
        return super().__getitem__(key)


def tiny_model() -> nn.Module:
    seed_everything(7)
    return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 2))


def accuracy(outputs: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    return {"accuracy": float((outputs.argmax(1) == targets).mean())}


TASK = Task(loss=nn.functional.cross_entropy, metrics=accuracy, monitor="val/accuracy")


def recipe(max_epochs: int = 4, lr: float = 0.01, bn_both_passes: bool = False, **changes) -> Recipe:
    sam = {"sam_rho": 0.05, "bn_both_passes": bn_both_passes}
    return Recipe(
        max_epochs=max_epochs,
        batch_size=8,
        seed=0,
        optimizer=lambda model: build_optimizer("adam", model.parameters(), lr, **sam),
        scheduler=partial(build_scheduler, "exponential", max_epochs=max_epochs, gamma=0.9),
        **changes,
    )


class Warming(nn.Module):
    """Drops out less from epoch to epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.layers, self.begun = tiny_model(), []

    def begin_epoch(self, epoch: int) -> None:
        self.begun.append(epoch)
        self.layers[3].p = 0.5 / (1 + epoch)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


def run(folder, train_set=None, fingerprint="same", make=tiny_model, on_epoch_end=None, **changes):
    model = make()
    samples = train_set or Blobs(50)
    fabric = make_fabric("cpu")
    parts = samples, Blobs(20, offset=1), TASK, recipe(**changes), Checkpoints(folder, fingerprint)
    history = fit(fabric, model, *parts, on_epoch_end)
    return model, history


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def test_training_learns_separable_blobs(tmp_path):
    _, history = run(tmp_path, max_epochs=8)
    assert history[-1]["train/loss"] < history[0]["train/loss"]
    assert max(record["val/accuracy"] for record in history) > 0.9


def test_the_same_run_twice_gives_the_same_weights(tmp_path):
    one, _ = run(tmp_path / "one")
    other, _ = run(tmp_path / "other")
    assert same_weights(one, other)


@pytest.mark.parametrize("interrupted_in", [1, 2, 4])
def test_a_run_interrupted_in_any_epoch_ends_with_the_weights_of_an_uninterrupted_one(tmp_path, interrupted_in):
    whole, whole_history = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", BrokenBlobs(50, fails_at=(interrupted_in - 1) * 50 + 10))
    resumed, history = run(tmp_path / "cut")
    assert same_weights(whole, resumed)
    assert [record["train/loss"] for record in history] == [record["train/loss"] for record in whole_history]


@pytest.mark.parametrize("interrupted_in", [1, 3])
def test_a_model_that_changes_by_epoch_is_reported_each_and_resumes_exactly(tmp_path, interrupted_in):
    whole, _ = run(tmp_path / "whole", make=Warming)
    assert whole.begun == [0, 1, 2, 3]
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", BrokenBlobs(50, fails_at=(interrupted_in - 1) * 50 + 10), make=Warming)
    resumed, _ = run(tmp_path / "cut", make=Warming)
    assert resumed.begun == list(range(interrupted_in - 1, 4))
    assert same_weights(whole, resumed)
    assert not same_weights(whole.layers, run(tmp_path / "constant")[0])


@pytest.mark.parametrize(("bn_both_passes", "updates"), [(False, 7), (True, 14)])
def test_sams_second_pass_updates_running_statistics_only_on_request(tmp_path, bn_both_passes, updates):
    model, _ = run(tmp_path, max_epochs=1, bn_both_passes=bn_both_passes)
    assert model[1].num_batches_tracked == updates  # of 6 whole batches and a partial one


def test_workers_change_nothing(tmp_path):
    one, _ = run(tmp_path / "one", max_epochs=2)
    other, _ = run(tmp_path / "other", max_epochs=2, num_workers=2)
    assert same_weights(one, other)


def test_resuming_with_workers_changes_nothing(tmp_path):
    whole, _ = run(tmp_path / "whole", max_epochs=3, num_workers=1)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", BrokenBlobs(50, fails_at=60), max_epochs=3)
    resumed, _ = run(tmp_path / "cut", max_epochs=3, num_workers=1)
    assert same_weights(whole, resumed)


def test_a_finished_run_begun_again_trains_anew(tmp_path, caplog):
    run(tmp_path, max_epochs=1)
    with caplog.at_level(logging.INFO, "mien"):
        run(tmp_path, max_epochs=1)
    assert "Resuming" not in caplog.text
    assert sum("epoch 1/1" in line for line in caplog.messages) == 1


def test_other_parameters_discard_an_interrupted_run_and_say_so(tmp_path, caplog):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, BrokenBlobs(50, fails_at=60))
    with caplog.at_level(logging.INFO, "mien"):
        _, history = run(tmp_path, fingerprint="other")
    assert "discarded" in caplog.text
    assert len(history) == 4


def test_the_best_epoch_by_validation_is_kept_not_the_last(tmp_path):
    model = tiny_model()
    scores = iter([0.3, 0.9, 0.5])
    task = Task(TASK.loss, lambda outputs, targets: {"accuracy": next(scores)}, "val/accuracy")
    kept = {}
    checkpoints = Checkpoints(tmp_path, "f")
    save = checkpoints.save
    checkpoints.save = lambda state: (
        kept.update({state.epoch: {k: v.clone() for k, v in state.weights.items()}}),
        save(state),
    )
    history = fit(make_fabric("cpu"), model, Blobs(50), Blobs(20), task, recipe(max_epochs=3), checkpoints)
    assert all(torch.equal(value, kept[2][name]) for name, value in model.state_dict().items())
    assert [record["best/epoch"] for record in history] == [1, 2, 2]


def test_a_diverging_run_stops_and_says_what_to_lower(tmp_path):
    with pytest.raises(FloatingPointError, match=r"epoch \d+, batch \d+.*Lower training.optimizer.lr"):
        run(tmp_path, max_epochs=30, lr=1e30)


@pytest.mark.parametrize(("train", "val", "named"), [(0, 20, "training"), (50, 0, "validation")])
def test_an_empty_set_is_refused_by_name(tmp_path, train, val, named):
    with pytest.raises(ValueError, match=f"The {named} set is empty"):
        fit(make_fabric("cpu"), tiny_model(), Blobs(train), Blobs(val), TASK, recipe(), Checkpoints(tmp_path, "f"))


def test_each_epoch_is_logged_and_reported_once(tmp_path, caplog):
    reported = []
    with caplog.at_level(logging.INFO, "mien.engine"):
        _, history = run(tmp_path, max_epochs=2, on_epoch_end=lambda record, pictures: reported.append(dict(record)))
    assert reported == history
    assert all("images/s" in line and "left" in line for line in caplog.messages)


@pytest.mark.slow
def test_two_processes_learn_and_leave_their_weights_in_this_one(tmp_path):
    model = tiny_model()
    fabric = make_fabric("cpu", devices=2)
    history = fit(fabric, model, Blobs(64), Blobs(20, offset=1), TASK, picklable_recipe(), Checkpoints(tmp_path, "f"))
    assert len(history) == 3
    assert history[-1]["val/accuracy"] > 0.8
    assert all(torch.isfinite(value).all() for value in model.state_dict().values())


def adam(model: nn.Module):
    return build_optimizer("adam", model.parameters(), 0.02)


def picklable_recipe() -> Recipe:
    return Recipe(3, 8, 0, adam, partial(build_scheduler, "exponential", max_epochs=3, gamma=0.9))


@pytest.mark.parametrize("patience", [1, 3])
def test_training_stops_after_so_many_epochs_without_a_better_one_and_resumes_to_the_same(tmp_path, patience):
    _, all_epochs = run(tmp_path / "all", max_epochs=20)
    whole, history = run(tmp_path / "whole", max_epochs=20, patience=patience)
    best = max(range(len(history)), key=lambda place: history[place]["val/accuracy"])
    assert len(history) == best + 1 + patience < 20
    losses = [record["train/loss"] for record in all_epochs]
    assert [record["train/loss"] for record in history] == losses[: len(history)]
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", BrokenBlobs(50, fails_at=60), max_epochs=20, patience=patience)
    resumed, again = run(tmp_path / "cut", max_epochs=20, patience=patience)
    assert len(again) == len(history)
    assert same_weights(whole, resumed)


def test_a_run_that_is_not_to_finish_returns_the_same_again_without_training(tmp_path):
    def train(samples):
        model = tiny_model()
        checkpoints = Checkpoints(tmp_path, "same", keep_finished=True)
        history = fit(make_fabric("cpu"), model, samples, Blobs(20, offset=1), TASK, recipe(), checkpoints)
        return model, history

    one, history = train(Blobs(50))
    other, again = train(BrokenBlobs(50, fails_at=0))  # a sample that is read would break it
    assert same_weights(one, other)
    assert again == history


def test_of_two_trainings_in_one_folder_the_second_takes_what_the_first_has_finished(tmp_path, caplog):
    caplog.set_level(logging.INFO, "mien")
    begun, ended = threading.Event(), []

    class Watched(Blobs):
        """Says that training is under way."""

        def __getitem__(self, key):
            begun.set()
            return super().__getitem__(key)

    def second() -> None:
        begun.wait(60)
        ended.append(run(tmp_path, BrokenBlobs(50, fails_at=0)))  # a sample that is read would break it

    thread = threading.Thread(target=second)
    thread.start()
    one, history = run(tmp_path, Watched(50))
    thread.join()
    assert same_weights(one, ended[0][0])
    assert ended[0][1] == history


def test_a_named_task_names_its_records_and_leads_its_log_lines(tmp_path, caplog):
    task = Task(loss=nn.functional.cross_entropy, metrics=accuracy, monitor="val/accuracy", name="age_cnn")
    with caplog.at_level(logging.INFO, "mien.engine"):
        history = fit(
            make_fabric("cpu"),
            tiny_model(),
            Blobs(50),
            Blobs(20, offset=1),
            task,
            recipe(1),
            Checkpoints(tmp_path, "named"),
        )
    assert [record["model"] for record in history] == ["age_cnn"]
    assert "age_cnn epoch 1/1" in caplog.text
