from functools import partial

import numpy as np
import pytest
import torch
from tests.engine.scaled_fabric import scaled_fabric
from torch import nn
from torch.optim import SGD, Adam
from torch.utils._python_dispatch import TorchDispatchMode

from mien.engine.adversarial import AdversarialRecipe, fit_adversaries, mean_distance
from mien.engine.checkpoint import Checkpoints
from mien.engine.device import make_fabric
from mien.engine.seed import seed_everything


class Rings:
    """Images of four pixels whose brightness is their label, as a map-style dataset."""

    def __init__(self, n: int = 40, fails_at: int | None = None) -> None:
        rng = np.random.default_rng(0)
        self.labels = rng.integers(0, 10, n)
        self.images = (self.labels[:, None, None, None] / 10 + 0.05 * rng.normal(size=(n, 1, 2, 2))).astype(np.float32)
        self.fails_at = fails_at

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, key: int):
        if self.fails_at is not None and key >= self.fails_at:
            raise KeyboardInterrupt
        return (torch.from_numpy(self.images[key % len(self)]),), torch.tensor(self.labels[key % len(self)])


class Labelled(nn.Module):
    """A small network of a vector or an image, and a label."""

    def __init__(self, inputs: int, outputs: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(inputs + 1, 16), nn.ReLU(), nn.Linear(16, outputs))
        self.shape = shape

    def forward(self, x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        joined = torch.cat([x.flatten(1), labels.float()[:, None] / 10], dim=1)
        return self.layers(joined).view(-1, *self.shape)


class Pair(nn.Module):
    noise_dim = 3

    def __init__(self, encoder: bool = False, dead: bool = False) -> None:
        super().__init__()
        self.generator = Labelled(3, 4, (1, 2, 2))
        self.critic = Labelled(4, 1, (1,))
        self.encoder = Labelled(4, 3, (3,)) if encoder else None
        if dead:
            self.generator.layers[2] = nn.Sequential(nn.Linear(16, 4), nn.Threshold(1e9, 0.0))


def observe_nothing(epoch: int):
    return {"val/score": 1 / epoch}, {}


def run(folder, *, train_set=None, observe=observe_nothing, encoder=False, dead=False, fabric=None, **changes):
    seed_everything(5)
    model = Pair(encoder, dead)
    optimizer = partial(Adam, lr=1e-2, betas=(0.5, 0.999))
    recipe = AdversarialRecipe(**{"max_epochs": 4, "batch_size": 8, "seed": 0, "optimizer": optimizer, **changes})
    fabric = fabric or make_fabric("cpu")
    history = fit_adversaries(
        fabric, model, train_set or Rings(), recipe, Checkpoints(folder, "same"), observe, "val/score"
    )
    return model, history


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


@pytest.mark.parametrize("interrupted_in", [1, 2, 4])
@pytest.mark.parametrize("options", [{}, {"encoder": True, "loss": "hinge", "mismatch_weight": 0.5, "average": 0.9}])
def test_a_run_interrupted_in_any_epoch_ends_with_the_weights_of_an_uninterrupted_one(
    tmp_path, interrupted_in, options
):
    whole, whole_history = run(tmp_path / "whole", **options)
    cut = Rings(fails_at=(interrupted_in - 1) * 40 + 10)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", train_set=cut, **options)
    resumed, history = run(tmp_path / "cut", **options)
    assert same_weights(whole, resumed)
    assert [record["train/critic_loss"] for record in history] == [each["train/critic_loss"] for each in whole_history]


def test_both_networks_learn_and_the_generator_follows_the_label(tmp_path):
    model, history = run(tmp_path, max_epochs=60, loss="hinge", mismatch_weight=0.5)
    with torch.no_grad():
        made = model.generator(torch.randn(200, 3), torch.arange(200) % 10).flatten(1).mean(dim=1)
    assert np.corrcoef(made.numpy(), np.arange(200) % 10)[0, 1] > 0.9
    assert len(history) == 60


def test_the_best_epochs_weights_are_kept_and_pictures_reported(tmp_path):
    scores = {1: 3.0, 2: 1.0, 3: 2.0}
    kept = {}

    def observe(epoch: int):
        kept[epoch] = {name: value.clone() for name, value in model_of["now"].state_dict().items()}
        return {"val/score": scores[epoch]}, {"grid": np.zeros((2, 2, 3), np.uint8)}

    seed_everything(5)
    model_of = {"now": Pair()}
    recipe = AdversarialRecipe(max_epochs=3, batch_size=8, seed=0, optimizer=partial(Adam, lr=1e-2))
    reported = []
    history = fit_adversaries(
        make_fabric("cpu"),
        model_of["now"],
        Rings(),
        recipe,
        Checkpoints(tmp_path, "f"),
        observe,
        "val/score",
        lambda record, pictures: reported.append((record["epoch"], list(pictures))),
    )
    assert all(torch.equal(value, kept[2][name]) for name, value in model_of["now"].state_dict().items())
    assert [record["best/epoch"] for record in history] == [1, 2, 2]
    assert reported == [(epoch, ["grid"]) for epoch in (1, 2, 3)]


def test_a_generator_whose_images_are_all_alike_ends_the_training_and_is_said_to_have_collapsed(tmp_path, caplog):
    _, history = run(tmp_path, dead=True, max_epochs=20, collapse_patience=3)
    assert len(history) == 3
    assert history[-1]["train/diversity"] == 0
    assert "has collapsed: for 3 epochs" in caplog.text


def test_with_a_running_average_the_generator_that_is_evaluated_is_not_the_one_that_trains(tmp_path):
    plain, _ = run(tmp_path / "plain", max_epochs=1)
    averaged, _ = run(tmp_path / "averaged", max_epochs=1, average=0.9)
    assert same_weights(plain.critic, averaged.critic)
    assert not same_weights(plain.generator, averaged.generator)


@pytest.mark.parametrize("average", [0.0, 0.9])
def test_a_checkpoint_holds_a_running_average_only_where_one_is_kept(tmp_path, average):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, train_set=Rings(fails_at=50), average=average)
    state = Checkpoints(tmp_path, "same").begin()
    assert state is not None
    kept = {name.removeprefix("average/") for name in state.weights if name.startswith("average/")}
    assert kept == (set(Pair().generator.state_dict()) if average else set())


def test_without_a_running_average_the_generator_that_trains_is_evaluated_and_kept(tmp_path):
    seen = []

    def observe(epoch: int):
        seen.append({name: value.clone() for name, value in evaluated.generator.state_dict().items()})
        return {"val/score": 1 / epoch}, {}

    seed_everything(5)
    evaluated = Pair()
    recipe = AdversarialRecipe(max_epochs=2, batch_size=8, seed=0, optimizer=partial(Adam, lr=1e-2))
    checkpoints = Checkpoints(tmp_path, "f", keep_finished=True)
    fit_adversaries(make_fabric("cpu"), evaluated, Rings(), recipe, checkpoints, observe, "val/score")
    trained = checkpoints.begin()
    assert trained is not None
    for name, value in evaluated.generator.state_dict().items():
        torch.testing.assert_close(value, trained.weights[f"generator.{name}"], rtol=0, atol=0)
        torch.testing.assert_close(value, seen[-1][name], rtol=0, atol=0)


class ScalarReads(TorchDispatchMode):
    """Counts how often a tensor's value is requested, which on a GPU waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("options", [{}, {"encoder": True, "average": 0.9}])
def test_an_epoch_of_many_steps_reads_no_more_numbers_from_the_device_than_one_of_few(tmp_path, options):
    reads = {}
    for batch_size in (4, 20):
        with ScalarReads() as counter:
            # Adam reads its own count of steps, which lies on the CPU
            run(tmp_path / str(batch_size), batch_size=batch_size, optimizer=partial(SGD, lr=1e-2), **options)
        reads[batch_size] = counter.count
    assert reads[4] == reads[20]


def test_the_epochs_numbers_are_means_over_its_steps(tmp_path):
    """With nothing trained, the mean over epochs of many steps is that of the same images in one step."""
    still = {"optimizer": partial(SGD, lr=0.0), "max_epochs": 1, "loss": "hinge"}
    (many,), (one,) = (run(tmp_path / str(size), batch_size=size, **still)[1] for size in (4, 40))
    assert many["train/critic_of_real"] == pytest.approx(one["train/critic_of_real"], abs=1e-6)


def test_the_first_batch_whose_loss_is_no_number_is_named(tmp_path):
    class Late(Rings):
        def __getitem__(self, key: int):
            (image,), label = super().__getitem__(key)
            self.taken = getattr(self, "taken", 0) + 1
            return (image * (np.inf if self.taken > 16 else 1),), label

    with pytest.raises(FloatingPointError, match=r"epoch 1, batch 3: \{'critic_loss'.*Lower training.optimizer.lr"):
        run(tmp_path, train_set=Late())
    assert not list(tmp_path.glob("epoch_*")), "broken weights are not resumed from"


def test_a_loss_that_is_no_number_stops_with_the_batch_and_what_to_lower(tmp_path):
    broken = Rings()
    broken.images[:] = np.inf
    with pytest.raises(FloatingPointError, match=r"epoch 1, batch 1.*Lower training.optimizer.lr"):
        run(tmp_path, train_set=broken)


def test_the_mean_distance_is_the_root_mean_square_between_neighbours():
    images = torch.tensor([0.0, 3.0, 4.0]).view(3, 1, 1, 1).expand(-1, 1, 2, 2)
    assert mean_distance(images).item() == pytest.approx((3 + 1 + 4) / 3)


def test_overflows_of_either_network_are_skipped_counted_and_resumed_from(tmp_path):
    def train(folder, **changes):
        return run(folder, fabric=scaled_fabric(2.0**22), **changes)

    whole, history = train(tmp_path / "whole", encoder=True)
    assert history[0]["train/skipped_steps"] > history[-1]["train/skipped_steps"] == 0
    assert all(torch.isfinite(value).all() for value in whole.state_dict().values())
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "cut", encoder=True, train_set=Rings(fails_at=50))
    resumed, again = train(tmp_path / "cut", encoder=True)
    assert same_weights(whole, resumed)
    assert [each["train/skipped_steps"] for each in again] == [each["train/skipped_steps"] for each in history]


def test_overflows_that_no_scale_mends_stop_with_the_network_and_what_to_do(tmp_path):
    steep = {"reconstruction_weight": 1e9, "encoder": True, "max_epochs": 20}
    with pytest.raises(
        FloatingPointError, match=r"overflow float16 in epoch \d+, batch \d+, the generator's step.* Set"
    ):
        run(tmp_path, fabric=scaled_fabric(2.0**6), **steep)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_a_history_without_a_scaler_counts_no_skipped_steps(tmp_path, precision):
    _, history = run(tmp_path, fabric=make_fabric("cpu", precision=precision), max_epochs=1)
    assert "train/skipped_steps" not in history[0]
