"""P-, R- and O-Net against TensorFlow's definitions written out in numpy, and the guard on their weight files."""

import hashlib
import importlib.util
import pickle
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch

from mien.models.mtcnn import WEIGHTS_SHA256, ONet, PNet, RNet, VectorisedPNet, load_mtcnn

PACKAGE = Path(importlib.util.find_spec("mtcnn").submodule_search_locations[0]) / "assets" / "weights"


def convolution(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Valid cross-correlation of (H, W, in) with a Keras kernel (height, width, in, out)."""
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[:2], axis=(0, 1))
    return np.einsum("hwcij,ijco->hwo", windows, kernel) + bias


def prelu(x: np.ndarray, slope: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, x * slope.reshape(-1))


def max_pool(x: np.ndarray, size: int, stride: int, padding: str) -> np.ndarray:
    """TensorFlow's: "same" gives ceil(n / stride) cells and pads the odd pixel at the end."""
    if padding == "same":
        total = [max(0, (-(-n // stride) - 1) * stride + size - n) for n in x.shape[:2]]
        pads = [(t // 2, t - t // 2) for t in total] + [(0, 0)]
        x = np.pad(x, pads, constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(0, 1))
    return windows[::stride, ::stride].max(axis=(-2, -1))


def keras_network(name: str, x: np.ndarray) -> list[np.ndarray]:
    """The layers that the mtcnn package declares, on one image (H, W, 3) in float64; probabilities come last."""
    weights = iter(array.astype(np.float64) for array in joblib.load(PACKAGE / f"{name}.lz4"))
    pools = {
        "pnet": [(2, 2, "same"), None, None],
        "rnet": [(3, 2, "same"), (3, 2, "valid"), None],
        "onet": [(3, 2, "same"), (3, 2, "valid"), (2, 2, "same"), None],
    }[name]
    for pool in pools:
        x = prelu(convolution(x, next(weights), next(weights)), next(weights))
        if pool is not None:
            x = max_pool(x, *pool)
    if name != "pnet":
        x = x.transpose(1, 0, 2).reshape(-1)  # Permute((2, 1, 3)), Flatten
        x = prelu(x @ next(weights) + next(weights), next(weights))
    outputs = []
    for kernel in weights:
        outputs.append(x @ kernel.reshape(kernel.shape[-2:]) + next(weights))
    exponentials = np.exp(outputs[-1] - outputs[-1].max(axis=-1, keepdims=True))
    return [*outputs[:-1], (exponentials / exponentials.sum(axis=-1, keepdims=True))[..., 1]]


@pytest.fixture(scope="module")
def networks() -> dict[str, torch.nn.Module]:
    return dict(zip(("pnet", "rnet", "onet"), load_mtcnn(), strict=True))


@pytest.mark.parametrize(("network", "count"), [(PNet, 6_632), (RNet, 100_178), (ONet, 389_040)])
def test_networks_have_the_published_number_of_parameters(network, count):
    assert sum(parameter.numel() for parameter in network().parameters()) == count


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("pnet", (12, 12)),
        ("pnet", (13, 12)),
        ("pnet", (31, 22)),
        ("pnet", (30, 27)),
        ("rnet", (24, 24)),
        ("onet", (48, 48)),
    ],
)
def test_outputs_equal_the_layers_written_out_in_numpy(networks, name, size):
    x = np.random.default_rng(sum(size)).uniform(-1, 1, (*size, 3))
    *expected, probability = keras_network(name, x)
    with torch.inference_mode():
        *outputs, log_odds = networks[name](torch.from_numpy(x).float().permute(2, 0, 1)[None])
    for output, value in zip(outputs, expected, strict=True):
        value = value.transpose(2, 0, 1) if value.ndim == 3 else value
        np.testing.assert_allclose(output[0].numpy(), value, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(torch.sigmoid(log_odds[0]).numpy(), probability, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("height", range(12, 24))
def test_p_net_has_one_cell_per_two_pixels(networks, height):
    with torch.inference_mode():
        offsets, log_odds = networks["pnet"](torch.zeros(2, 3, height, 40))
    rows = -(-(height - 2) // 2) - 4
    assert offsets.shape == (2, 4, rows, 15)
    assert log_odds.shape == (2, rows, 15)


@pytest.mark.parametrize("size", [(12, 12), (24, 40), (31, 22)])
def test_the_vectorised_p_net_gives_p_nets_numbers(networks, size):
    images = torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, (2, 3, *size))).float()
    with torch.inference_mode():
        offsets, log_odds = networks["pnet"](images)
        outputs = VectorisedPNet(networks["pnet"])(images)
    torch.testing.assert_close(outputs[..., :4].permute(0, 3, 1, 2), offsets, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(outputs[..., 4], log_odds, rtol=1e-4, atol=1e-5)


def test_r_and_o_net_give_one_row_per_crop(networks):
    with torch.inference_mode():
        assert [output.shape for output in networks["rnet"](torch.zeros(3, 3, 24, 24))] == [(3, 4), (3,)]
        assert [output.shape for output in networks["onet"](torch.zeros(3, 3, 48, 48))] == [(3, 4), (3, 10), (3,)]


def test_loaded_networks_are_frozen_and_need_no_tensorflow(networks):
    for network in networks.values():
        assert not network.training
        assert not any(parameter.requires_grad for parameter in network.parameters())
    assert "mtcnn" not in sys.modules
    assert "tensorflow" not in sys.modules


class Payload:
    """Unpickling it makes a file, as a hostile weight file could do anything."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_file_with_another_digest_is_refused_before_it_is_unpickled(tmp_path):
    for name in WEIGHTS_SHA256:
        (tmp_path / name).write_bytes((PACKAGE / name).read_bytes())
    (tmp_path / "rnet.lz4").write_bytes(pickle.dumps(Payload(tmp_path / "harm")))
    digest = hashlib.sha256((tmp_path / "rnet.lz4").read_bytes()).hexdigest()
    with pytest.raises(ValueError, match=rf"not unpickled.*{digest[:12]}.*cb00e6460f3c.*pip install"):
        load_mtcnn(tmp_path)
    assert not (tmp_path / "harm").exists()


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"pnet\.lz4 does not exist.*pip install"):
        load_mtcnn(tmp_path)


def test_a_missing_package_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install mtcnn==1\.0\.0"):
        load_mtcnn()
