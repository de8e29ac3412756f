"""What SAE's training starts from: the user's backbones, of which a landmark network with weights stays as it is."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from tests.pipelines.tiny_systems import TINY
from tests.project.project_config import load_config

from mien.engine.fit import fit
from mien.models import create_model
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


def trained(folder: Path, model: SAEModelParams) -> torch.nn.Module:
    samples = pd.DataFrame(
        {
            "sample_id": [f"s{number}" for number in range(12)],
            "split": ["train"] * 8 + ["val"] * 4,
            "label": [0, 1] * 6,
            "expression": ["happy", "sad"] * 6,
            "row": range(12),
        }
    )
    faces = np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3), dtype=np.uint8)
    return train_classifier(samples, faces, folder, initialise(samples, model, TRAINING), TRAINING)[0].model


def test_without_weights_both_backbones_start_at_random_and_learn(tmp_path, caplog):
    with caplog.at_level(logging.INFO, "mien"):
        model = trained(tmp_path, params())
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
    for learnt in ("head.weight", "image_proj.weight"):
        assert not torch.equal(after[learnt], started[0][learnt])


def test_image_backbone_weights_are_where_training_starts_from(tmp_path, started):
    given = weights_of("image_backbone", tmp_path / "ir50.pth")
    trained(tmp_path / "run", params(backbone_weights=tmp_path / "ir50.pth"))
    assert all(torch.equal(started[0][f"image_backbone.{name}"], value) for name, value in given.items())
