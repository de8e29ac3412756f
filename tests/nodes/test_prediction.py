"""The predictions table: one row per unseen sample, in order, with scores that add up."""

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from tests.pipelines.tiny_systems import PREDICTION_CPU, TINY_SAE

from mien.engine.seed import seed_everything
from mien.io.schemas import Predictions
from mien.models import create_model
from mien.models.network import Network
from mien.nodes.params import PredictionParams
from mien.nodes.prediction import predict_classes

NAMES = ("happy", "sad", "neutral")
FACES = np.random.default_rng(0).integers(0, 256, (12, 48, 48, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def network() -> Network:
    config = {**TINY_SAE, "num_classes": 3}
    seed_everything(1)
    return Network("sae", config, NAMES, create_model("sae", **config).eval())


@pytest.fixture
def samples() -> pd.DataFrame:
    splits = ["test", "train", "val", "test", "train", "val", "test"]
    return pd.DataFrame(
        {
            "sample_id": [f"s{number}" for number in range(7)],
            "split": splits,
            "synthetic": [True, False] * 3 + [True],
            "label": [0, 1, 2, 0, 1, 2, 1],
            "face_index": [5, 0, 11, -1, 2, 3, 7],
        },
        index=range(10, 17),
    )


def prediction(**changes) -> PredictionParams:
    return PredictionParams(**{"batch_size": 2, "device": {**PREDICTION_CPU, "channels_last": False}, **changes})


def test_unseen_samples_with_a_face_are_predicted_in_the_tables_order(samples, network):
    table = predict_classes(samples, FACES, network, prediction())
    assert table["sample_id"].tolist() == ["s0", "s2", "s5", "s6"]
    assert table["split"].tolist() == ["test", "val", "val", "test"]
    assert table["target"].tolist() == [0, 2, 2, 1]
    assert table["synthetic"].tolist() == [True, True, False, True]
    assert list(table.columns) == [
        "sample_id",
        "split",
        "synthetic",
        "target",
        "score/happy",
        "score/sad",
        "score/neutral",
    ]
    Predictions.validate(table)


def test_unlabelled_samples_are_predicted_without_a_target(samples, network):
    unlabelled = samples.assign(split=samples["split"].replace("val", "unlabelled"))
    unlabelled.loc[unlabelled["split"] == "unlabelled", "label"] = -1
    table = predict_classes(unlabelled, FACES, network, prediction())
    assert table["split"].tolist() == ["test", "unlabelled", "unlabelled", "test"]
    assert table["target"].tolist() == [0, -1, -1, 1]
    Predictions.validate(table)


def test_scores_are_the_softmax_of_the_network_on_the_face_of_the_samples_row(samples, network):
    table = predict_classes(samples, FACES, network, prediction())
    mean, std = np.reshape(network.model.mean, (3, 1, 1)), np.reshape(network.model.std, (3, 1, 1))
    for row, scores in zip([5, 11, 3, 7], table.filter(like="score/").to_numpy(), strict=True):
        face = cv2.resize(FACES[row], (32, 32), interpolation=cv2.INTER_AREA).transpose(2, 0, 1) / 255
        with torch.no_grad():
            logits = network.model(torch.from_numpy((face - mean) / std).float()[None])
        np.testing.assert_allclose(scores, logits.softmax(dim=1)[0].numpy(), atol=1e-5)


@pytest.mark.parametrize(
    "changes", [{"batch_size": 1}, {"batch_size": 100}, {"device": {**PREDICTION_CPU, "channels_last": True}}]
)
def test_batch_size_and_memory_layout_do_not_change_the_scores(samples, network, changes):
    one = predict_classes(samples, FACES, network, prediction())
    other = predict_classes(samples, FACES, network, prediction(**changes))
    np.testing.assert_allclose(one.filter(like="score/"), other.filter(like="score/"), atol=1e-6)


def test_the_table_given_is_not_changed(samples, network):
    before = samples.copy()
    predict_classes(samples, FACES, network, prediction())
    pd.testing.assert_frame_equal(samples, before)


def test_faces_of_another_run_are_refused(samples, network):
    with pytest.raises(ValueError, match="Samples and faces come from different runs"):
        predict_classes(samples, FACES[:6], network, prediction())
