"""P-Net, R-Net and O-Net: the three small networks of the multi-task cascade that finds faces and five points.

Source: Zhang, Zhang, Li, Qiao, "Joint Face Detection and Alignment Using Multitask Cascaded Convolutional Networks",
IEEE Signal Processing Letters 2016, figure 2; widths, pooling and weights as the ``mtcnn`` package 1.0.0 has them.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from mien.errors import MienError

WEIGHTS_SHA256: dict[str, str] = {
    "pnet.lz4": "ea6b0c3e685ebee3165326ad6484acc95f2ef78f1c94fbf40a55704fa989f7b5",
    "rnet.lz4": "cb00e6460f3c98b0bfafaba3c0a0ded4bdf6e62cee7174d969e8670d7e757fee",
    "onet.lz4": "94f6ea2f4cf985275ee958cdd762d17b6009348a4fb9d8c6be39ba73ffd22ca3",
}
"""Digest of each weight file of ``mtcnn==1.0.0``. The files are pickles: nothing else is ever unpickled."""


class PNet(nn.Module):
    """Proposal network: is there a face in the 12 px square under each cell of a map, and where exactly.

    A cell (row, column) looks at the input's pixels [2 row, 2 row + 12) x [2 column, 2 column + 12). Fully
    convolutional; 6,632 parameters.

    Source: the paper's figure 2; the pool rounds its size up (TensorFlow's "same"), as the weights were trained.
    """

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *_conv_prelu(3, 10, kernel_size=3),
            nn.MaxPool2d(2, stride=2, ceil_mode=True),
            *_conv_prelu(10, 16, kernel_size=3),
            *_conv_prelu(16, 32, kernel_size=3),
        )
        self.box = nn.Conv2d(32, 4, kernel_size=1)
        self.face = nn.Conv2d(32, 2, kernel_size=1)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Map images to box offsets and face log-odds.

        Args:
            images: (B, 3, H, W) float RGB, (pixel - 127.5) / 128; H and W at least 12.

        Returns:
            offsets (B, 4, H', W') of the left, top, right and bottom edge in units of the 12 px square, and log-odds
            of a face (B, H', W'), with H' = ceil((H - 2) / 2) - 4.
        """
        features = self.features(images)
        return self.box(features), _log_odds(self.face(features))


class VectorisedPNet(nn.Module):
    """P-Net's numbers from fewer and fuller operations, a quarter faster on a CPU.

    The first layer's ten channels are filled up to sixteen, two or four whole vectors of a processor, with zeros that
    change nothing downstream; both heads and the difference of the two logits are one matrix product. It is in
    evaluation mode and frozen, as ``load_mtcnn`` gives the others.

    Source: ours.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, pnet: PNet) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *_conv_prelu(3, 16, kernel_size=3),
            nn.MaxPool2d(2, stride=2, ceil_mode=True),
            *_conv_prelu(16, 16, kernel_size=3),
            *_conv_prelu(16, 32, kernel_size=3),
        )
        published = pnet.state_dict()
        self.features.load_state_dict(
            {
                name: _filled_up(published[f"features.{name}"], wide.shape)
                for name, wide in self.features.state_dict().items()
            }
        )
        heads = {
            name: torch.cat([published[f"box.{name}"], published[f"face.{name}"].diff(dim=0)])
            for name in ("weight", "bias")
        }
        self.register_buffer("weight", heads["weight"].flatten(1).T)
        self.register_buffer("bias", heads["bias"])
        self.eval().requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        """Map images (B, 3, H, W), as P-Net takes them, to (B, H', W', 5): its four offsets, then its log-odds."""
        features = self.features(images).permute(0, 2, 3, 1)  # a view where channels lie last in memory
        return torch.addmm(self.bias, features.flatten(0, 2), self.weight).unflatten(0, features.shape[:3])


class RNet(nn.Module):
    """Refinement network: evaluates 24 px squares and corrects their box; 100,178 parameters.

    Source: the paper's figure 2; the first pool rounds its size up, and features are flattened column by column.
    """

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *_conv_prelu(3, 28, kernel_size=3),
            nn.MaxPool2d(3, stride=2, ceil_mode=True),
            *_conv_prelu(28, 48, kernel_size=3),
            nn.MaxPool2d(3, stride=2),
            *_conv_prelu(48, 64, kernel_size=2),
        )
        self.dense = nn.Sequential(nn.Linear(64 * 3 * 3, 128), nn.PReLU(128))
        self.box = nn.Linear(128, 4)
        self.face = nn.Linear(128, 2)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Map crops to box offsets and face log-odds.

        Args:
            crops: (B, 3, 24, 24) float RGB, (pixel - 127.5) / 128.

        Returns:
            offsets (B, 4) of the left, top, right and bottom edge in units of the square's side, and log-odds of a
            face (B,).
        """
        hidden = self.dense(_flatten_columns_first(self.features(crops)))
        return self.box(hidden), _log_odds(self.face(hidden))


class ONet(nn.Module):
    """Output network: evaluates 48 px squares, corrects their box and places five points; 389,040 parameters.

    Source: the paper's figure 2; the first and third pool round their size up, and features are flattened column by
    column.
    """

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *_conv_prelu(3, 32, kernel_size=3),
            nn.MaxPool2d(3, stride=2, ceil_mode=True),
            *_conv_prelu(32, 64, kernel_size=3),
            nn.MaxPool2d(3, stride=2),
            *_conv_prelu(64, 64, kernel_size=3),
            nn.MaxPool2d(2, stride=2, ceil_mode=True),
            *_conv_prelu(64, 128, kernel_size=2),
        )
        self.dense = nn.Sequential(nn.Linear(128 * 3 * 3, 256), nn.PReLU(256))
        self.box = nn.Linear(256, 4)
        self.points = nn.Linear(256, 10)
        self.face = nn.Linear(256, 2)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Map crops to box offsets, points and face log-odds.

        Args:
            crops: (B, 3, 48, 48) float RGB, (pixel - 127.5) / 128.

        Returns:
            offsets (B, 4) as R-Net's; points (B, 10), the five x then the five y, as fractions of the square's side
            from its left and top edge, ordered image-left eye, image-right eye, nose, image-left and image-right mouth
            corner; log-odds of a face (B,).
        """
        hidden = self.dense(_flatten_columns_first(self.features(crops)))
        return self.box(hidden), self.points(hidden), _log_odds(self.face(hidden))


def load_mtcnn(folder: Path | None = None) -> tuple[PNet, RNet, ONet]:
    """Build the three networks with the published weights, in evaluation mode on the CPU.

    The ``mtcnn`` package is only a carrier of files here: importing it would need TensorFlow.

    Args:
        folder: directory with ``pnet.lz4``, ``rnet.lz4`` and ``onet.lz4``; default: the installed package's.

    Raises:
        ModuleNotFoundError: no folder is given and the ``mtcnn`` package is not installed.
        MienError: a file is missing, or is not the published one by its SHA-256.
    """
    folder = _package_folder() if folder is None else folder
    pnet, rnet, onet = PNet(), RNet(), ONet()
    for network, name in ((pnet, "pnet.lz4"), (rnet, "rnet.lz4"), (onet, "onet.lz4")):
        _load_weights(network, folder / name)
        network.eval().requires_grad_(False)
    return pnet, rnet, onet


def _package_folder() -> Path:
    spec = importlib.util.find_spec("mtcnn")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(
            "Face detection has no weights: the package mtcnn is not in this Python environment. "
            "Run `pip install mtcnn==1.0.0` (2 MB, MIT; TensorFlow is not needed)."
        )
    return Path(spec.submodule_search_locations[0]) / "assets" / "weights"


def _load_weights(network: nn.Module, path: Path) -> None:
    """Copy a Keras list of weights into a network whose modules are declared in the order of Keras' layers."""
    import joblib

    remedy = "Run `pip install --force-reinstall mtcnn==1.0.0`, or name the folder that holds its weights."
    if not path.is_file():
        raise MienError(f"Face detection has no weights: {path} does not exist. {remedy}")
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if digest != WEIGHTS_SHA256[path.name]:
        raise MienError(
            f"Weights are not the published ones and were not unpickled: SHA-256 of {path} is {digest[:12]}..., "
            f"expected {WEIGHTS_SHA256[path.name][:12]}... {remedy}"
        )
    with torch.no_grad():
        for parameter, array in zip(network.parameters(), joblib.load(io.BytesIO(data)), strict=True):
            weight = torch.from_numpy(array)
            if weight.ndim == 4:
                weight = weight.permute(3, 2, 0, 1)  # (height, width, in, out) -> (out, in, height, width)
            elif weight.ndim == 2:
                weight = weight.T  # (in, out) -> (out, in)
            else:
                weight = weight.flatten()  # biases, and slopes stored as (1, 1, C)
            parameter.copy_(weight)


def _conv_prelu(in_channels: int, out_channels: int, kernel_size: int) -> list[nn.Module]:
    return [nn.Conv2d(in_channels, out_channels, kernel_size), nn.PReLU(out_channels)]


def _filled_up(values: Tensor, shape: Sequence[int]) -> Tensor:
    """Values in the low corner of an array of that shape, zero elsewhere."""
    filled = values.new_zeros(shape)
    filled[tuple(slice(length) for length in values.shape)] = values
    return filled


def _flatten_columns_first(features: Tensor) -> Tensor:
    # The networks were trained on column-major arrays: (B, C, H, W) -> (B, W, H, C) -> (B, W * H * C).
    return features.permute(0, 3, 2, 1).flatten(1)


def _log_odds(logits: Tensor) -> Tensor:
    # Of the two-way softmax's (no face, face): sigmoid(log-odds) is its second output, without saturating at 1.
    return logits[:, 1] - logits[:, 0]
