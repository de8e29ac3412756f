"""SAE's parameters: each reaches the architecture that reads it, and combinations that mean nothing are refused."""

from inspect import signature
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from tests.project.project_config import load_config

from mien.models import create_model
from mien.models.poster import Poster
from mien.models.sae import SAE
from mien.pipelines.sae.params import OF_POSTER_ALONE, OF_SAE_ALONE, SAEModelParams

PUBLISHED = load_config(Path(__file__).resolve().parents[2] / "conf", "paper")["parameters"]["sae"]["model"]


def params(**changes: Any) -> SAEModelParams:
    return SAEModelParams(**{**PUBLISHED, **changes})


def test_each_architecture_gets_exactly_its_own_arguments():
    arguments = {model: set(signature(model).parameters) - {"num_classes"} for model in (SAE, Poster)}
    assert set(params().config()) == arguments[SAE]
    assert set(params(architecture="poster", keep_rate=1.0).config()) == arguments[Poster]
    assert arguments[SAE] - arguments[Poster] == OF_SAE_ALONE
    assert arguments[Poster] - arguments[SAE] == OF_POSTER_ALONE


def test_published_parameters_build_either_architecture_at_its_published_size():
    import torch

    with torch.device("meta"):
        sae = create_model("sae", num_classes=7, **params().config())
        poster = create_model("poster", num_classes=7, **params(architecture="poster", keep_rate=1.0).config())
    assert [sae.fusion.stages[block].num_kept for block in (0, 2, 4)] == [42, 35, 30]
    assert sum(p.numel() for p in poster.parameters() if p.requires_grad) > 57e6


def test_posters_landmark_network_is_frozen_with_posters_weights(tmp_path):
    weights = tmp_path / "poster.pth"
    weights.touch()
    poster = {"architecture": "poster", "keep_rate": 1.0}
    assert params(**poster, weights=weights).config()["freeze_landmarks"] is True
    assert params(**poster, landmark_start="random").config()["freeze_landmarks"] is False
    assert params(weights=weights).config()["freeze_landmarks"] is False  # SAE's own may have been trained with it


def test_a_landmark_network_that_starts_with_weights_is_frozen_unless_one_says_otherwise(tmp_path):
    weights = tmp_path / "landmarks.pth"
    weights.touch()
    for given in ({"landmark_start": "synthetic"}, {"landmark_start": "random", "landmark_weights": weights}):
        assert params(**given).config()["freeze_landmarks"] is True
        assert params(**given, freeze_landmarks=False).config()["freeze_landmarks"] is False
    assert params(landmark_start="random").config()["freeze_landmarks"] is False


@pytest.mark.parametrize("name", ["weights", "backbone_weights", "landmark_weights"])
def test_a_weights_file_that_is_not_there_is_refused_with_its_place(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValidationError, match=rf"no weights file at {tmp_path}/ir50\.pth\. Give the path .* or null"):
        params(**{name: "ir50.pth"})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"architecture": "poster"},
            "keep_rate 0.6 with architecture poster, .*Set keep_rate to 1, or architecture to sae",
        ),
        ({"channel_order": "bgr"}, "channel_order bgr with architecture sae, .*Set channel_order to rgb"),
        ({"keep_rate": 0.0}, "keep_rate\n.*greater than 0"),
        ({"keep_rate": 1.1}, "keep_rate\n.*less than or equal to 1"),
        ({"patch_size": 4}, "patch_size\n.*8 or 16"),
        ({"tokenizer": "linear"}, "tokenizer\n.*'spatial' or 'poster_view'"),
        ({"shrink_epochs": -1}, "shrink_epochs\n.*greater than or equal to 0"),
        ({"image_size": 100}, "image_size\n.*multiple of 16"),
    ],
)
def test_values_that_mean_nothing_are_refused_before_anything_runs(changes, message):
    with pytest.raises(ValidationError, match=message):
        params(**changes)


def test_a_whole_network_and_a_part_of_it_are_not_both_given(tmp_path):
    weights = tmp_path / "w.pth"
    weights.touch()
    with pytest.raises(ValidationError, match=r"would replace a part of them\. Give either the one or the others"):
        params(weights=weights, backbone_weights=weights)
