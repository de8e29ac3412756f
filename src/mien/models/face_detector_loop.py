"""The cascade one image and one scale after another: what batching is measured against."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.utils import convert_conv2d_weight_memory_format

from mien.models.face_detector import FaceDetections, FaceDetector
from mien.models.level_sheet import STRIDE
from mien.models.mtcnn import load_mtcnn


class FaceDetectorLoop(FaceDetector):
    """``FaceDetector``'s cascade as MTCNN is mostly written: P-Net goes through each image at each scale on its own.

    R-Net and O-Net see all squares of an image in one pass of that many. Levels, crops, suppression and thresholds are
    the same code, so any gap in time is that between ways of batching. Squares at the edge of a level of odd size are
    the one difference in numbers: see ``LevelSheet``.

    Example:
        >>> [len(faces) for faces in FaceDetectorLoop(min_face_size=40).detect(np.zeros((2, 60, 60, 3), np.uint8))]
        [0, 0]

    Args:
        **settings: as ``FaceDetector``'s.

    Source: ours, after the shape of the ``mtcnn`` package 1.0.0 and of facenet-pytorch's detector on one image.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        pnet, _, _ = load_mtcnn()
        self._pnet_on_level = convert_conv2d_weight_memory_format(pnet.to(self.device), torch.channels_last)

    def detect(self, images: np.ndarray | Sequence[np.ndarray]) -> list[FaceDetections]:
        """Find the faces in each image; arguments, result and errors as ``FaceDetector.detect``."""
        return [super(FaceDetectorLoop, self).detect([image])[0] for image in images]

    def _likely_squares(self, levels: Sequence[Sequence[np.ndarray]]) -> tuple[np.ndarray, ...]:
        (of_image,) = levels
        parts = []
        for k, pixels in enumerate(of_image):
            offsets, log_odds = self._run(self._pnet_on_level, pixels[None], 1)
            outputs = torch.cat([offsets[0], log_odds], dim=0).permute(1, 2, 0).cpu().numpy()
            row, column = np.nonzero(1 / (1 + np.exp(-outputs[..., 4])) > self.thresholds[0])
            corner = STRIDE * np.stack([column, row], axis=1)
            parts.append((np.zeros_like(row), np.full_like(row, k), corner, outputs[row, column]))
        return tuple(np.concatenate(part) for part in zip(*parts, strict=True))

    def _in_passes(
        self, network: nn.Module, crops: Callable[[slice], np.ndarray], n: int, pass_size: int
    ) -> list[np.ndarray]:
        return super()._in_passes(network, crops, n, n)
