"""Mixed precision: gradients are unscaled before they are looked at, and an overflow is skipped and counted."""

import math

import pytest
import torch
from tests.engine.scaled_fabric import scale_of, scaled_fabric
from tests.engine.test_fit import TASK, Blobs, BrokenBlobs, recipe, same_weights, tiny_model
from torch import nn

from mien.engine.checkpoint import Checkpoints
from mien.engine.device import make_fabric
from mien.engine.fit import Task, fit, train_batch
from mien.engine.precision import LEAST_SCALE
from mien.optim import build_optimizer

BATCH = (torch.linspace(-1, 1, 24).view(8, 3),), torch.arange(8) % 2
TOO_HIGH = 2.0**24
"""A scale at which the first gradients overflow, until it is halved some times."""


class Radius(nn.Module):
    """A layer that writes down how far its weight lies from where it began, at every pass."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2, bias=False)
        nn.init.constant_(self.layer.weight, 0.25)
        self.distances: list[float] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.distances.append((self.layer.weight.detach() - 0.25).norm().item())
        return self.layer(x)


def run(folder, fabric, train_set=None, task: Task = TASK, on_epoch_end=None, **changes):
    model = tiny_model()
    given = recipe(**changes)
    trained, kept = train_set or Blobs(50), Checkpoints(folder, "same")
    return model, fit(fabric, model, trained, Blobs(20, offset=1), task, given, kept, on_epoch_end=on_epoch_end)


def one_step(fabric, model, sam_rho=0.0, loss=nn.functional.cross_entropy, batch=BATCH):
    optimizer = build_optimizer("sgd", model.parameters(), 0.1, sam_rho=sam_rho)
    network, stepper = fabric.setup(model, optimizer)
    task = Task(loss, TASK.metrics, TASK.monitor)
    return train_batch(fabric, network, optimizer, stepper, batch, task, "epoch 3, batch 7")


@pytest.mark.parametrize("sam_rho", [0.0, 0.05])
def test_the_gradient_norm_of_a_scaled_loss_is_that_of_full_precision(sam_rho):
    full, half = Radius(), Radius()
    expected = one_step(make_fabric("cpu"), full, sam_rho)
    step = one_step(scaled_fabric(), half, sam_rho)
    assert step.grad_norm == pytest.approx(expected.grad_norm, rel=5e-3)
    assert step.loss == pytest.approx(expected.loss, rel=5e-3)
    assert step.taken
    torch.testing.assert_close(half.layer.weight, full.layer.weight, rtol=0, atol=1e-3)


@pytest.mark.parametrize("scale", [1.0, 2.0**10, 2.0**16])
def test_sam_climbs_to_its_radius_whatever_the_scale(scale):
    model = Radius()
    assert one_step(scaled_fabric(scale), model, sam_rho=0.05).taken
    assert model.distances == [0.0, pytest.approx(0.05, rel=1e-4)]


@pytest.mark.parametrize("sam_rho", [0.0, 0.05])
def test_an_overflow_is_skipped_without_a_second_pass_and_the_scale_halved_once(sam_rho):
    fabric, model = scaled_fabric(TOO_HIGH), Radius()
    step = one_step(fabric, model, sam_rho)
    assert not step.taken
    assert not math.isfinite(step.grad_norm)
    assert math.isfinite(step.loss)
    assert (model.layer.weight == 0.25).all()
    assert model.distances == [0.0]
    assert scale_of(fabric) == TOO_HIGH / 2


def test_an_overflow_in_sams_second_pass_is_skipped_and_the_weights_are_put_back():
    def steep_beside(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        loss = nn.functional.cross_entropy(logits, target)
        return loss * 1e4 if model.distances[-1] else loss

    fabric, model = scaled_fabric(), Radius()
    step = one_step(fabric, model, 0.05, steep_beside)
    assert not step.taken
    assert math.isfinite(step.grad_norm)
    assert (model.layer.weight == 0.25).all()
    assert len(model.distances) == 2
    assert scale_of(fabric) == 2.0**15


@pytest.mark.parametrize("sam_rho", [0.0, 0.05])
def test_the_scale_is_updated_once_a_step(monkeypatch, sam_rho):
    fabric, updates = scaled_fabric(), []
    scaler = fabric.strategy.precision.scaler
    update = scaler.update
    monkeypatch.setattr(scaler, "update", lambda: (updates.append(1), update()))
    one_step(fabric, Radius(), sam_rho)
    assert len(updates) == 1


def test_skipped_steps_are_counted_and_training_goes_on(tmp_path):
    reported: list[dict] = []
    model, history = run(
        tmp_path, scaled_fabric(2.0**20), max_epochs=8, on_epoch_end=lambda record, _: reported.append(record)
    )
    first, *others = [record["train/skipped_steps"] for record in history]
    assert 0 < first < 7
    assert sum(others) < 3
    assert all(math.isfinite(value) for record in history for value in record.values())
    assert history[-1]["train/loss"] < history[0]["train/loss"]
    assert max(record["val/accuracy"] for record in history) > 0.9
    assert all(torch.isfinite(value).all() for value in model.state_dict().values())
    assert reported == history, "as MLflow gets them"


def test_an_epoch_of_overflows_alone_has_no_gradient_norm(tmp_path):
    _, history = run(tmp_path, scaled_fabric(2.0**36), max_epochs=1)
    assert history[0]["train/skipped_steps"] == 7
    assert "train/grad_norm" not in history[0]


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_a_history_without_a_scaler_counts_no_skipped_steps(tmp_path, precision):
    _, history = run(tmp_path, make_fabric("cpu", precision=precision), max_epochs=1)
    assert "train/skipped_steps" not in history[0]
    assert history[0]["train/grad_norm"] > 0


def test_bfloat16_trains_as_full_precision_within_its_rounding(tmp_path):
    full, expected = run(tmp_path / "full", make_fabric("cpu"), max_epochs=3)
    half, history = run(tmp_path / "half", make_fabric("cpu", precision="bf16-mixed"), max_epochs=3)
    for one, other in zip(history, expected, strict=True):
        assert one["train/loss"] == pytest.approx(other["train/loss"], rel=0.02)
        assert one["train/grad_norm"] == pytest.approx(other["train/grad_norm"], rel=0.05)
        assert one["val/loss"] == pytest.approx(other["val/loss"], rel=0.02)
    assert not same_weights(full, half), "both computed in full precision"


@pytest.mark.parametrize("sam_rho", [0.0, 0.05])
def test_a_loss_that_is_not_finite_in_full_precision_stops_even_with_a_scaler(sam_rho):
    def broken(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(logits, target) * math.inf

    with pytest.raises(FloatingPointError, match=r"Loss inf .*epoch 3, batch 7.*Lower training.optimizer.lr"):
        one_step(scaled_fabric(), Radius(), sam_rho, broken)


def test_a_norm_that_overflows_where_no_gradient_does_stops_even_with_a_scaler():
    def steep(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return (model.layer.weight * 1e30).sum() + 0 * logits.sum()

    model = Radius()
    with pytest.raises(FloatingPointError, match=r"gradient norm inf in epoch 3, batch 7"):
        one_step(scaled_fabric(1.0), model, loss=steep)


@pytest.mark.parametrize("sam_rho", [0.0, 0.05])
def test_overflows_that_no_scale_mends_stop_with_where_and_what_to_do(sam_rho):
    fabric, model = scaled_fabric(2.0**4), Radius()
    optimizer = build_optimizer("sgd", model.parameters(), 0.1, sam_rho=sam_rho)
    network, stepper = fabric.setup(model, optimizer)
    steep = Task(lambda logits, target: 1e8 * nn.functional.cross_entropy(logits, target), TASK.metrics, TASK.monitor)
    where = "epoch 1, batch 5"
    skipped = [train_batch(fabric, network, optimizer, stepper, BATCH, steep, where).taken for _ in range(4)]
    assert (skipped, scale_of(fabric)) == ([False] * 4, LEAST_SCALE)
    with pytest.raises(
        FloatingPointError,
        match=rf"overflow float16 in {where}.* Set training\.device\.precision to bf16-mixed or 32-true",
    ):
        train_batch(fabric, network, optimizer, stepper, BATCH, steep, where)
    assert (model.layer.weight == 0.25).all()


@pytest.mark.parametrize("interrupted_in", [1, 2, 4])
def test_a_run_with_a_scaler_resumes_with_its_scale(tmp_path, interrupted_in):
    whole, expected = run(tmp_path / "whole", scaled_fabric(2.0**20))
    cut = BrokenBlobs(50, fails_at=(interrupted_in - 1) * 50 + 10)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", scaled_fabric(2.0**20), cut)
    resumed, history = run(tmp_path / "cut", scaled_fabric(2.0**20))
    assert same_weights(whole, resumed)
    skipped = [record["train/skipped_steps"] for record in history]
    assert skipped == [record["train/skipped_steps"] for record in expected]
    assert skipped[0] > skipped[-1] == 0
