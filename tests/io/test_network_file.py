"""A network in a file: what comes back computes the same, names its classes, and needs no pickle."""

import json

import pytest
import torch
from kedro.io import DatasetError
from safetensors import safe_open
from safetensors.torch import save_file
from tests.pipelines.tiny_systems import TINY_SAE

from mien.engine.seed import seed_everything
from mien.io.network_file import NetworkFile
from mien.models import create_model
from mien.models.network import Network


@pytest.fixture
def network() -> Network:
    config = {**TINY_SAE, "num_classes": 3}
    seed_everything(5)
    model = create_model("sae", **config)
    model.train()(torch.randn(4, 3, 32, 32))  # moves the statistics of batch normalisation off their start
    return Network("sae", config, ("happy", "sad", "neutral"), model.eval())


def test_a_network_comes_back_with_equal_logits_and_names(tmp_path, network):
    entry = NetworkFile(filepath=str(tmp_path / "new" / "network.safetensors"))
    entry.save(network)
    loaded = entry.load()
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(loaded.model(images), network.model(images))
    assert (loaded.architecture, loaded.class_names) == ("sae", ("happy", "sad", "neutral"))
    assert loaded.config == network.config
    assert not loaded.model.training


def test_a_loaded_network_is_saved_anew_byte_by_byte(tmp_path, network):
    first, second = (NetworkFile(filepath=str(tmp_path / f"{name}.safetensors")) for name in "ab")
    first.save(network)
    second.save(first.load())
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_the_header_can_be_read_without_mien(tmp_path, network):
    NetworkFile(filepath=str(tmp_path / "n.safetensors")).save(network)
    with safe_open(tmp_path / "n.safetensors", framework="pt") as file:
        header = json.loads(file.metadata()["mien"])
    assert header["class_names"] == ["happy", "sad", "neutral"]
    assert header["config"]["num_classes"] == 3


def test_a_foreign_file_is_refused_with_where_it_belongs(tmp_path):
    save_file({"weight": torch.zeros(2)}, tmp_path / "foreign.safetensors")
    with pytest.raises(DatasetError, match=r"(?s)foreign\.safetensors names no architecture.*weights parameter"):
        NetworkFile(filepath=str(tmp_path / "foreign.safetensors")).load()


def test_weights_of_another_shape_are_not_loaded_in_part(tmp_path, network):
    other = Network("sae", {**network.config, "num_classes": 4}, network.class_names, network.model)
    entry = NetworkFile(filepath=str(tmp_path / "n.safetensors"))
    entry.save(other)
    with pytest.raises(DatasetError, match="size mismatch"):
        entry.load()
