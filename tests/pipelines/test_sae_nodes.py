"""What SAE's training starts from: the user's backbones, of which a landmark network with weights stays as it is."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from tests.models.poster_checkpoint import SMALL, draw_poster
from tests.pipelines.tiny_systems import TINY, TINY_LANDMARKS
from tests.project.project_config import load_config

from mien.engine.fit import fit
from mien.models import create_model
from mien.models.network import Network
from mien.nodes.params import TrainingParams
from mien.nodes.training import train_classifier
from mien.pipelines.sae.nodes import initialise
from mien.pipelines.sae.params import SAEModelParams

PUBLISHED = load_config(Path(__file__).resolve().parents[2] / "conf", "paper")["parameters"]["sae"]
TINY_TRAINING = {**TINY["sae"]["training"], "batch_size": 4}
TRAINING = TrainingParams(
    **{**PUBLISHED["training"], **TINY_TRAINING, "device": {**PUBLISHED["training"]["device"], "accelerator": "cpu"}}
)


def params(**changes: Any) -> SAEModelParams:
    return SAEModelParams(**{**PUBLISHED["model"], **TINY["sae"]["model"], **changes})


def weights_of(part: str, path: Path) -> dict[str, torch.Tensor]:
    """Save the weights of a freshly made backbone as a checkpoint file and return them."""
    torch.manual_seed(99)
    weights = getattr(create_model("sae", **params().config(), num_classes=2), part).state_dict()
    torch.save({"state_dict": weights}, path)
    return weights


SAMPLES = pd.DataFrame(
    {
        "sample_id": [f"s{number}" for number in range(12)],
        "split": ["train"] * 8 + ["val"] * 4,
        "label": [0, 1] * 6,
        "expression": ["happy", "sad"] * 6,
        "face_index": range(12),
    }
)


def landmarks(**changes: Any) -> Network:
    """A landmark network of the tiny SAE's sizes, as the pipeline ``landmarks`` leaves one."""
    config = {**TINY_LANDMARKS["model"], **changes}
    torch.manual_seed(7)
    return Network("mobilefacenet", config, (), create_model("mobilefacenet", **config))


def start(model: SAEModelParams) -> Network:
    return initialise(SAMPLES, model, TRAINING, landmarks())


def trained(folder: Path, model: SAEModelParams) -> torch.nn.Module:
    faces = np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3), dtype=np.uint8)
    return train_classifier(SAMPLES, faces, folder, start(model), TRAINING)[0].model


def test_without_weights_both_backbones_start_at_random_and_learn(tmp_path, caplog):
    with caplog.at_level(logging.INFO, "mien"):
        model = trained(tmp_path, params(landmark_start="random"))
    for part in ("image_backbone", "landmark_backbone"):
        assert f"{part} starts at random" in caplog.text
        assert all(parameter.requires_grad for parameter in getattr(model, part).parameters())


@pytest.fixture
def started(monkeypatch) -> list[dict[str, torch.Tensor]]:
    """The weights with which each training begins."""
    states: list[dict[str, torch.Tensor]] = []

    def spy(fabric, model, *rest):
        states.append({name: value.clone() for name, value in model.state_dict().items()})
        return fit(fabric, model, *rest)

    monkeypatch.setattr("mien.engine.fit.fit", spy)
    return states


def test_a_landmark_network_with_weights_is_the_same_after_training(tmp_path, started):
    given = weights_of("landmark_backbone", tmp_path / "landmarks.pth")
    after = trained(tmp_path / "run", params(landmark_weights=tmp_path / "landmarks.pth")).state_dict()
    assert all(torch.equal(after[f"landmark_backbone.{name}"], value) for name, value in given.items())
    for name in ("head.weight", "image_proj.weight"):
        assert not torch.equal(after[name], started[0][name])


def test_image_backbone_weights_are_where_training_starts_from(tmp_path, started):
    given = weights_of("image_backbone", tmp_path / "ir50.pth")
    trained(tmp_path / "run", params(backbone_weights=tmp_path / "ir50.pth"))
    assert all(torch.equal(started[0][f"image_backbone.{name}"], value) for name, value in given.items())


def poster(**changes: Any) -> SAEModelParams:
    sizes = {name: value for name, value in SMALL.items() if name != "keep_rate"}
    own = {"architecture": "poster", "keep_rate": 1.0, "channel_order": "bgr", "landmark_input": "poster"}
    own["landmark_start"] = "random"
    return params(**{**sizes, **own, **changes})


def test_posters_checkpoint_starts_the_training_of_poster_with_its_landmarks_frozen(tmp_path, caplog):
    given = draw_poster(num_classes=2)
    torch.save({"model_state_dict": {f"module.{n}": t for n, t in given.items()}}, tmp_path / "poster.pth")
    with caplog.at_level(logging.INFO, "mien"):
        network = start(poster(weights=tmp_path / "poster.pth"))
    assert network.architecture == "poster"
    assert torch.equal(network.model.head.weight, given["head.linear.weight"])
    assert torch.equal(network.model.fusion.down[1].weight, given["pyramid_fuse.downsample_s.weight"])
    said = next(record for record in caplog.records if "weights of the network" in record.message)
    assert said.levelno == logging.INFO
    assert "missing 0" in said.message
    after = trained(tmp_path / "run", poster(weights=tmp_path / "poster.pth")).state_dict()
    conv = "conv1.conv.weight"
    assert torch.equal(after[f"landmark_backbone.{conv}"], given[f"face_landback.{conv}"])
    assert not torch.equal(after["head.weight"], given["head.linear.weight"])


@pytest.mark.parametrize("settings", [{"channel_order": "rgb"}, {"landmark_input": "bgr01"}])
def test_posters_own_weights_on_other_pixels_than_they_were_trained_on_are_a_warning(tmp_path, caplog, settings):
    torch.save({"model_state_dict": draw_poster(num_classes=2)}, tmp_path / "poster.pth")
    start(poster(weights=tmp_path / "poster.pth"))
    assert "POSTER's own" not in caplog.text
    start(poster(weights=tmp_path / "poster.pth", **settings))
    assert "set channel_order to bgr and landmark_input to poster" in caplog.text


def test_poster_trains_from_random_weights_too(tmp_path):
    model = trained(tmp_path, poster())
    assert torch.isfinite(model(torch.zeros(1, 3, 32, 32))).all()


def test_a_whole_network_of_other_classes_is_refused_or_lends_all_but_its_head(tmp_path, caplog):
    torch.manual_seed(99)
    given = create_model("sae", **params().config(), num_classes=7).state_dict()
    torch.save(given, tmp_path / "sae.pth")
    with pytest.raises(ValueError, match=r"sae\.pth tells 7 classes apart, the model 2\. Give .*load_head to false"):
        start(params(weights=tmp_path / "sae.pth"))
    with caplog.at_level(logging.INFO, "mien"):
        model = start(params(weights=tmp_path / "sae.pth", load_head=False)).model
    assert torch.equal(model.gate.fc1.weight, given["gate.fc1.weight"])
    assert model.head.out_features == 2
    assert not [record for record in caplog.records if record.levelno == logging.WARNING]


def test_a_whole_network_that_leaves_parts_at_random_is_warned_of(tmp_path, caplog):
    shallow = create_model("sae", **params().config(), num_classes=2).state_dict()
    torch.save(shallow, tmp_path / "shallow.pth")
    with caplog.at_level(logging.INFO, "mien"):
        start(params(weights=tmp_path / "shallow.pth", depth=2))
    [warning] = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert "(fusion.blocks.1." in warning


def test_a_keep_rate_that_falls_over_the_epochs_trains_and_is_predicted_at_its_end(tmp_path):
    model = trained(tmp_path, params(shrink_start_epoch=1, shrink_epochs=1))
    assert model.fusion.training_stages[0].num_kept == 4  # its only epoch was the first: nothing was pruned
    assert model.fusion.tokens_per_block == ((5, 4),)  # CLS, two of four tokens, the fused one
    assert not model.training


def test_the_landmark_stream_starts_from_the_network_trained_on_synthetic_faces_and_stays_it(tmp_path, caplog):
    given = landmarks().model.state_dict()
    with caplog.at_level(logging.INFO, "mien"):
        after = trained(tmp_path, params(landmark_start="synthetic"))
    assert "of the network that pipeline landmarks trained on synthetic faces: loaded" in caplog.text
    own = after.landmark_backbone.state_dict()
    assert own
    assert all(torch.equal(own[name], given[name]) for name in own)


def test_the_landmark_stream_may_be_trained_further(tmp_path):
    given = landmarks().model.state_dict()
    after = trained(tmp_path, params(landmark_start="synthetic", freeze_landmarks=False)).landmark_backbone.state_dict()
    assert any(not torch.equal(after[name], given[name]) for name in after)


def test_weights_of_the_users_own_replace_the_network_trained_on_synthetic_faces(tmp_path):
    given = weights_of("landmark_backbone", tmp_path / "landmarks.pth")
    model = start(params(landmark_start="synthetic", landmark_weights=tmp_path / "landmarks.pth")).model
    assert all(torch.equal(model.landmark_backbone.state_dict()[name], value) for name, value in given.items())


def test_a_landmark_network_of_other_sizes_is_refused_with_what_differs():
    with pytest.raises(ValueError, match=r"does not fill MobileFaceNet: .* Set widths, units and image size"):
        initialise(SAMPLES, params(landmark_start="synthetic"), TRAINING, landmarks(widths=(4, 4, 8, 16)))
