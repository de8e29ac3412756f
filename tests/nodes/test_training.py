"""The train step: what is trained on which rows, what a resumed run must match, what comes back."""

import itertools
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from tests.pipelines.tiny_systems import TINY, TINY_SAE
from tests.project.project_config import load_config

from mien.data.face_images import FaceImages
from mien.data.target_shares import TARGET_MODES, add_target_shares
from mien.engine import fit as engine
from mien.engine.checkpoint import Checkpoints
from mien.nodes.params import TrainingParams
from mien.nodes.training import initial_network, train_classifier, validation_metrics

NAMES = ("happy", "sad", "neutral")
NUM_TRAIN, NUM_VAL = 12, 6
FACES = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), dtype=np.uint8)
PUBLISHED = load_config(Path(__file__).resolve().parents[2] / "conf", "paper")["parameters"]["sae"]["training"]


def training(**changes: Any) -> TrainingParams:
    device = {**PUBLISHED["device"], **TINY["sae"]["training"]["device"], **changes.pop("device", {})}
    return TrainingParams(**{**PUBLISHED, "max_epochs": 2, "batch_size": 4, "device": device, **changes})


def samples() -> pd.DataFrame:
    n = NUM_TRAIN + NUM_VAL
    labels = np.arange(n) % 3
    return pd.DataFrame(
        {
            "sample_id": [f"s{number}" for number in range(n)],
            "split": ["train"] * NUM_TRAIN + ["val"] * NUM_VAL,
            "label": labels,
            "expression": [NAMES[label] for label in labels],
            "face_index": np.random.default_rng(1).permutation(20)[:n],
        }
    )


def train(folder: Path, **changes: Any) -> tuple[Any, pd.DataFrame]:
    arguments: dict[str, Any] = {
        "samples": samples(),
        "faces": FACES,
        "checkpoints": folder,
        "training": training(),
    }
    arguments |= {name: value for name, value in changes.items() if name in arguments}
    options = {"architecture": "sae", "config": changes.get("config", TINY_SAE)}
    start = initial_network(arguments["samples"], arguments["training"], **options)
    if "alter" in changes:
        changes["alter"](start.model)
    return train_classifier(**arguments, initial_network=start)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[Any, pd.DataFrame]:
    return train(tmp_path_factory.mktemp("trained"))


def test_the_network_carries_what_rebuilds_it(trained):
    network, _ = trained
    assert network.architecture == "sae"
    assert network.class_names == NAMES
    assert network.config == {**TINY_SAE, "num_classes": 3}
    assert not network.model.training
    assert network.model(torch.zeros(1, 3, 32, 32)).shape == (1, 3)


def test_the_history_has_one_row_per_epoch_with_the_published_schedule(trained):
    _, history = trained
    assert history["epoch"].tolist() == [1, 2]
    assert {"train/loss", "val/loss", "val/accuracy", "val/mean_class_accuracy", "lr"} <= set(history.columns)
    lr, gamma = training().optimizer.lr, training().scheduler.gamma
    np.testing.assert_allclose(history["lr"], [lr, lr * gamma])
    assert history.notna().all(axis=None)


def test_the_same_seed_trains_the_same_network_and_another_another(trained, tmp_path):
    again, _ = train(tmp_path / "again")
    other, _ = train(tmp_path / "other", training=training(seed=training().seed + 1))
    for name, value in trained[0].model.state_dict().items():
        assert torch.equal(again.model.state_dict()[name], value)
    assert any(not torch.equal(other.model.state_dict()[name], v) for name, v in trained[0].model.state_dict().items())


def spy_on_fit(monkeypatch) -> list[dict[str, Any]]:
    calls = []

    def fit(fabric, model, train_set, val_set, task, recipe, checkpoints, on_epoch_end):
        calls.append(locals())
        return []

    monkeypatch.setattr(engine, "fit", fit)
    return calls


def test_train_rows_are_trained_on_and_val_rows_choose_without_augmentation(tmp_path, monkeypatch):
    calls = spy_on_fit(monkeypatch)
    train(tmp_path)
    train_set, val_set, table = calls[0]["train_set"], calls[0]["val_set"], samples()
    for images, split in ((train_set, "train"), (val_set, "val")):
        rows = table[table["split"] == split]
        assert images.rows.tolist() == rows["face_index"].tolist()
        assert images.targets.tolist() == rows["label"].tolist()
    assert train_set.augment is not None
    assert val_set.augment is None


@pytest.mark.parametrize(("monitor", "mode"), [("val/accuracy", "max"), ("val/loss", "min")])
def test_more_accuracy_and_less_loss_is_better(tmp_path, monkeypatch, monitor, mode):
    calls = spy_on_fit(monkeypatch)
    train(tmp_path, training=training(monitor=monitor))
    assert (calls[0]["task"].monitor, calls[0]["task"].mode) == (monitor, mode)


def test_training_starts_from_the_initial_network_and_leaves_it_as_it_was(tmp_path):
    start = initial_network(samples(), training(), architecture="sae", config=TINY_SAE)
    before = {name: value.clone() for name, value in start.model.state_dict().items()}
    network, _ = train_classifier(samples(), FACES, tmp_path, start, training())
    assert all(torch.equal(start.model.state_dict()[name], value) for name, value in before.items())
    assert not torch.equal(network.model.state_dict()["head.weight"], before["head.weight"])


def fingerprint(folder: Path, monkeypatch, **changes: Any) -> str:
    calls = spy_on_fit(monkeypatch)
    train(folder, **changes)
    checkpoints: Checkpoints = calls[0]["checkpoints"]
    assert checkpoints.folder == folder
    return checkpoints.fingerprint


def test_a_run_resumes_only_with_the_same_data_architecture_recipe_devices_and_precision(tmp_path, monkeypatch):
    other_faces = FACES.copy()
    other_faces[0, 0, 0, 0] ^= 1
    changes: list[dict[str, Any]] = [
        {},
        {"training": training(max_epochs=3)},
        {"training": training(seed=7)},
        {"training": training(augmentation={**PUBLISHED["augmentation"], "flip": 0.25})},
        {"config": {**TINY_SAE, "keep_rate": 1.0}},
        {"alter": lambda model: model.head.bias.data.add_(1e-6)},
        {"samples": samples().assign(label=[1] * 2 + samples()["label"][2:].tolist(), expression=_renamed)},
        {"samples": samples().assign(face_index=samples()["face_index"].to_numpy()[::-1])},
        {"faces": other_faces},
        {"training": training(device={"precision": "bf16-mixed"})},
        {"training": training(device={"devices": 2})},
    ]
    assert len({fingerprint(tmp_path, monkeypatch, **change) for change in changes}) == len(changes)


def _renamed(table: pd.DataFrame) -> list[str]:
    return [NAMES[label] for label in table["label"]]


def test_a_run_resumes_with_other_workers_threads_and_memory_layout(tmp_path, monkeypatch):
    elsewhere = training(device={"num_workers": 4, "threads": 2, "channels_last": False})
    assert fingerprint(tmp_path, monkeypatch, training=elsewhere) == fingerprint(tmp_path, monkeypatch)


def testvalidation_metrics_average_over_the_classes_that_are_there():
    logits = np.eye(4)[[0, 0, 1, 1, 3]]
    metrics = validation_metrics(logits, np.array([0, 0, 0, 1, 1]))
    assert metrics == {"accuracy": 3 / 5, "mean_class_accuracy": pytest.approx((2 / 3 + 1 / 2) / 2)}


# ---- targets -------------------------------------------------------------------------------------------------------

SHARES = np.random.default_rng(2).dirichlet([0.5] * 3, NUM_TRAIN + NUM_VAL)
ONE_HOT = np.eye(3)[np.arange(NUM_TRAIN + NUM_VAL) % 3]
TINY_LINEAR = {"image_size": 8, "mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}


def voted(mode: str, shares: np.ndarray = SHARES) -> pd.DataFrame:
    bare, train_rows = samples(), samples()["split"] == "train"
    shares = np.where(train_rows.to_numpy()[:, None], shares, ONE_HOT)
    return add_target_shares(bare, shares, NAMES, np.where(train_rows, mode, "majority"))


def linear(folder: Path, table: pd.DataFrame, **changes: Any) -> tuple[dict[str, torch.Tensor], pd.DataFrame]:
    """Weights and history of softmax regression on a table, the smallest of the classifiers."""
    recipe = training(max_epochs=3, **changes)
    start = initial_network(table, recipe, architecture="softmax_regression", config=TINY_LINEAR)
    network, history = train_classifier(table, FACES, folder, start, recipe)
    return network.model.state_dict(), history.drop(columns=["seconds", "images_per_second"])


def same(one: tuple[Any, pd.DataFrame], other: tuple[Any, pd.DataFrame]) -> bool:
    return one[1].equals(other[1]) and all(torch.equal(one[0][name], other[0][name]) for name in one[0])


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("majority", "majority, the label"),
        ("probability", "probability, a class drawn by the shares"),
        ("crossentropy", "crossentropy, the shares"),
        ("multi_target", "multi_target, any class that has a share"),
    ],
)
def test_the_samples_table_says_what_is_trained_towards_and_the_log_repeats_it(
    tmp_path, monkeypatch, mode, said, caplog
):
    calls = spy_on_fit(monkeypatch)
    with caplog.at_level(logging.INFO, "mien"):
        train(tmp_path, samples=voted(mode))
    train_set, val_set, task = (calls[0][name] for name in ("train_set", "val_set", "task"))
    assert f"Targets of the 12 training samples: {said}" in caplog.text
    assert val_set.targets.tolist() == voted(mode)["label"][NUM_TRAIN:].tolist(), "validation is by the label"
    expected = voted(mode)["label"][:NUM_TRAIN] if mode == "majority" else SHARES[:NUM_TRAIN]
    np.testing.assert_array_equal(train_set.targets, expected)
    assert train_set.draw == (mode == "probability")
    assert not val_set.draw
    assert task.loss.any_accepted == (mode == "multi_target")


def test_every_mode_trains_another_network(tmp_path):
    trained = {mode: linear(tmp_path / mode, voted(mode)) for mode in TARGET_MODES}
    for one, other in itertools.combinations(TARGET_MODES, 2):
        assert not same(trained[one], trained[other]), f"{one} trains as {other}"
    without_votes = linear(tmp_path / "labels", samples())
    assert same(trained["majority"], without_votes), "a table with votes and majority trains as one without"


def test_where_all_votes_agree_drawing_trains_to_the_bit_as_the_label_does(tmp_path):
    by_label, drawn = (linear(tmp_path / mode, voted(mode, ONE_HOT)) for mode in ("majority", "probability"))
    assert same(by_label, drawn)
    shared = linear(tmp_path / "crossentropy", voted("crossentropy", ONE_HOT))
    for name, value in by_label[0].items():
        torch.testing.assert_close(shared[0][name], value)


@pytest.mark.parametrize("mode", ["probability", "crossentropy", "multi_target"])
def test_a_training_on_votes_that_was_cut_off_ends_as_an_uninterrupted_one(tmp_path, mode, monkeypatch):
    whole, usual = linear(tmp_path / "whole", voted(mode)), FaceImages.__getitem__

    def cut(images: FaceImages, key: int) -> Any:
        if key >= NUM_TRAIN + 5:  # in the second epoch
            raise KeyboardInterrupt
        return usual(images, key)

    with monkeypatch.context() as patched:
        patched.setattr(FaceImages, "__getitem__", cut)
        with pytest.raises(KeyboardInterrupt):
            linear(tmp_path / "cut", voted(mode))
    assert same(linear(tmp_path / "cut", voted(mode)), whole)


def test_workers_train_on_the_same_draws_as_this_process(tmp_path):
    here, there = (
        linear(tmp_path / str(number), voted("probability"), device={"num_workers": number}) for number in (0, 2)
    )
    assert same(here, there)


def test_checkpoints_of_another_target_are_not_gone_on_from(tmp_path, monkeypatch):
    prints = {fingerprint(tmp_path, monkeypatch, samples=voted(mode)) for mode in TARGET_MODES}
    assert len(prints) == len(TARGET_MODES)
