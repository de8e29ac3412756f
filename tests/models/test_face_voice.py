"""Several networks in one keep what fuses them, and are rebuilt by their configuration."""

import pytest
import torch

from mien.io.network_file import NetworkFile
from mien.models import create_model
from mien.models.network import Network

CONFIG = {
    "num_classes": 3,
    "members": {
        "face": {"architecture": "lopes_cnn", "config": {"widths": [2, 3], "hidden": 4}},
        "voice_svm": {"architecture": "standardised_linear", "config": {"num_features": 5}},
    },
    "rows": ["face_mean", "voice_svm"],
    "fusions": ["fused"],
    "settings": {"table": ["face_mean", "voice_svm", "fused"], "fused": ["face_mean", "voice_svm"]},
}


def test_weights_temperatures_and_settings_come_back_from_a_file(tmp_path):
    model = create_model("face_voice", **CONFIG)
    model.temperatures[1], model.weights[0], model.learned_bias[2] = 2.5, 0.25, -1.0
    entry = NetworkFile(filepath=str(tmp_path / "network.safetensors"))
    entry.save(Network("face_voice", CONFIG, ("a", "b", "c"), model))
    loaded = entry.load().model
    assert loaded.temperature("voice_svm") == 2.5
    assert loaded.weight("fused") == 0.25
    assert loaded.learned_bias.tolist() == [0, 0, -1]
    assert loaded.settings == CONFIG["settings"]
    images = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(loaded(images), model.eval()(images))


def test_single_faces_are_evaluated_by_the_face(tmp_path):
    model = create_model("face_voice", **CONFIG).eval()
    images = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(model(images), model.members["face"](images))
    assert model.image_size == 32
    assert model.features(images).shape == (2, 4)


def test_without_a_face_it_is_refused():
    members = {"voice_svm": CONFIG["members"]["voice_svm"]}
    with pytest.raises(ValueError, match=r"has the members voice_svm and no face: .* Add it"):
        create_model("face_voice", num_classes=3, members=members)
