"""Batched face detection: P-Net proposes squares, R-Net sifts them, O-Net places box and five points."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from mien.models.box_suppression import non_maximum_suppression
from mien.models.image_pyramid import ImagePyramid, pyramid_scales
from mien.models.mtcnn import load_mtcnn

PROPOSAL_SIZE, REFINE_SIZE, OUTPUT_SIZE = 12, 24, 48
"""Pixels per side of the squares that P-Net, R-Net and O-Net look at."""

PROPOSAL_STRIDE = 2
"""Pixels between neighbouring squares of P-Net: its one pool halves the resolution."""

# Convolutions round differently for different batch sizes, so every network always runs at one batch size per image
# size, padded: an image's result then cannot depend on its company. These sizes also keep activations in the cache.
PIXELS_PER_PROPOSAL_PASS, MAX_IMAGES_PER_PROPOSAL_PASS = 2**17, 8
CROPS_PER_REFINE_PASS, CROPS_PER_OUTPUT_PASS = 32, 8

PIXELS_PER_BLOCK = 2**20
"""Images go through the cascade in blocks of this many pixels, and at least one image: that bounds memory."""


@dataclass(frozen=True, eq=False)
class FaceDetections:
    """The n faces found in one image, highest score first.

    Attributes:
        boxes: (n, 4) float32, left, top, right and bottom edge in pixels; pixel i covers [i, i + 1). May reach beyond
            the image.
        scores: (n,) float32, O-Net's probability of a face in [0, 1].
        points: (n, 5, 2) float32, x and y in pixels, the centre of the top-left pixel being (0, 0) as in OpenCV:
            image-left eye, image-right eye, nose, image-left mouth corner, image-right mouth corner.
    """

    boxes: np.ndarray
    scores: np.ndarray
    points: np.ndarray

    def __len__(self) -> int:
        """Count the faces."""
        return len(self.scores)


@dataclass(frozen=True, eq=False)
class _Candidates:
    """Boxes between two stages: image (n,) positions in the block, boxes (n, 4) in its pixels, log-odds (n,)."""

    image: np.ndarray
    boxes: np.ndarray
    log_odds: np.ndarray

    def __len__(self) -> int:
        return len(self.image)

    def __getitem__(self, index: np.ndarray) -> _Candidates:
        return _Candidates(self.image[index], self.boxes[index], self.log_odds[index])

    def surviving(
        self, probability: float, overlap: float, relative_to: Literal["union", "smaller"] = "union"
    ) -> np.ndarray:
        """Return indices of likely boxes that no likelier box of the same image covers, by image and falling odds."""
        # A correction can turn a box inside out; such a box has no area to compare.
        has_area = (self.boxes[:, 2:] - self.boxes[:, :2] > 0).all(axis=1)
        likely = np.flatnonzero((self.log_odds > _log_odds(probability)) & has_area)
        some = self[likely]
        return likely[non_maximum_suppression(some.boxes, some.log_odds, some.image, overlap, relative_to)]


class FaceDetector:
    """MTCNN's cascade over many images at once.

    Images of one size share the passes of the networks. On the CPU what is found in an image is the same, bit for bit,
    whichever images it is detected with.

    Example:
        >>> detector = FaceDetector(min_face_size=40)
        >>> [len(faces) for faces in detector.detect(np.zeros((2, 120, 160, 3), np.uint8))]
        [0, 0]

    Args:
        min_face_size: side in pixels of the smallest face looked for, at least 12. Time falls with its square.
        scale_factor: ratio between neighbouring levels of the image pyramid, in (0, 1).
        thresholds: probability of a face that a box must exceed to pass P-Net, R-Net and O-Net, each in (0, 1).
        nms_thresholds: overlap above which the weaker of two boxes is dropped, in (0, 1]: P-Net within a scale, P-Net
            across scales, R-Net (three times intersection over union), O-Net (intersection over the smaller area, which
            also removes a box inside another).
        device: where the networks run. Resizing and cropping always happen on the CPU.

    Raises:
        ValueError: an argument is outside its range, or the weights are not the published ones.
        ModuleNotFoundError: the ``mtcnn`` package, which carries the weights, is not installed.

    Source: Zhang et al. 2016, section II; weights and default thresholds of the ``mtcnn`` package 1.0.0, save O-Net's,
    which is the paper's authors'. Ours: every square is cut from a pyramid level of about its size,
    because sampling a large face directly at 24 px skips most of its pixels.
    """

    def __init__(
        self,
        min_face_size: float = 20,
        scale_factor: float = 0.709,
        thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7),
        nms_thresholds: tuple[float, float, float, float] = (0.5, 0.7, 0.7, 0.7),
        device: str | torch.device = "cpu",
    ) -> None:
        if not PROPOSAL_SIZE <= min_face_size < math.inf:
            raise ValueError(
                f"FaceDetector(min_face_size={min_face_size}): P-Net sees no face below {PROPOSAL_SIZE} px. "
                f"Give {PROPOSAL_SIZE} or more, or enlarge the images."
            )
        if not 0 < scale_factor < 1:
            raise ValueError(f"FaceDetector(scale_factor={scale_factor}): outside (0, 1). Give the published 0.709.")
        if len(thresholds) != 3 or not all(0 < threshold < 1 for threshold in thresholds):
            raise ValueError(f"FaceDetector(thresholds={thresholds}): give three in (0, 1), for P-Net, R-Net, O-Net.")
        if len(nms_thresholds) != 4 or not all(0 < threshold <= 1 for threshold in nms_thresholds):
            raise ValueError(
                f"FaceDetector(nms_thresholds={nms_thresholds}): give four in (0, 1], for P-Net within and across "
                "scales, R-Net, O-Net."
            )
        self.min_face_size = min_face_size
        self.scale_factor = scale_factor
        self.thresholds = thresholds
        self.nms_thresholds = nms_thresholds
        self.device = torch.device(device)
        self._pnet, self._rnet, self._onet = (network.to(self.device) for network in load_mtcnn())

    @torch.inference_mode()
    def detect(self, images: np.ndarray | Sequence[np.ndarray]) -> list[FaceDetections]:
        """Find the faces in each image.

        Args:
            images: (B, H, W, 3) uint8 RGB, or a sequence of (H, W, 3) of any sizes.

        Returns:
            One FaceDetections per image, in the order given; empty where nothing is found and where the image's
            shorter side is below ``min_face_size``.

        Raises:
            ValueError: an image is not uint8 of shape (H, W, 3), H and W at least 1.
        """
        by_size: dict[tuple[int, int], list[int]] = {}
        for position, image in enumerate(images):
            _check_image(image, position)
            by_size.setdefault(image.shape[:2], []).append(position)
        found: dict[int, FaceDetections] = {}
        for (H, W), positions in by_size.items():
            block_size = max(1, PIXELS_PER_BLOCK // (H * W))
            for start in range(0, len(positions), block_size):
                block = positions[start : start + block_size]
                found.update(zip(block, self._detect_block(np.stack([images[i] for i in block])), strict=True))
        return [found[position] for position in range(len(images))]

    def _detect_block(self, images: np.ndarray) -> list[FaceDetections]:
        """Take (B, H, W, 3) images of one size through the cascade."""
        B, H, W, _ = images.shape
        faces = _Candidates(np.zeros(0, np.int64), np.zeros((0, 4)), np.zeros(0))
        points = np.zeros((0, 5, 2))
        if min(H, W) >= self.min_face_size:
            scales = pyramid_scales(min(H, W), PROPOSAL_SIZE, self.min_face_size, self.scale_factor)
            pyramid = ImagePyramid(images, scales)
            faces = self._propose(pyramid)
            if len(faces):
                faces = self._refine(pyramid, faces)
            if len(faces):
                faces, points = self._locate(pyramid, faces)
        bounds = np.searchsorted(faces.image, np.arange(B + 1))
        scores = 1 / (1 + np.exp(-faces.log_odds.astype(np.float64)))
        return [
            FaceDetections(*(part[start:stop].astype(np.float32) for part in (faces.boxes, scores, points)))
            for start, stop in itertools.pairwise(bounds)
        ]

    def _propose(self, pyramid: ImagePyramid) -> _Candidates:
        """P-Net over every image at every scale that a face may have."""
        B, H, W, _ = pyramid.levels[0].shape
        pass_size = max(1, min(MAX_IMAGES_PER_PROPOSAL_PASS, PIXELS_PER_PROPOSAL_PASS // (H * W)))
        parts = []
        for scale, level in zip(pyramid.scales, pyramid.levels, strict=True):
            if scale * self.min_face_size > PROPOSAL_SIZE + 1e-6:
                continue  # a level for crops: on it even the smallest face is larger than P-Net's square
            of_level = [
                self._propose_in_pass(level[start : start + pass_size], pass_size, start, (H, W))
                for start in range(0, B, pass_size)
            ]
            candidates = _join(of_level)
            parts.append(candidates[candidates.surviving(self.thresholds[0], self.nms_thresholds[0])])
        candidates = _join(parts)
        return candidates[candidates.surviving(self.thresholds[0], self.nms_thresholds[1])]

    def _propose_in_pass(
        self, pixels: np.ndarray, pass_size: int, first: int, full_size: tuple[int, int]
    ) -> _Candidates:
        """P-Net over images (b, h, w, 3) of one level, the first of them being image ``first`` of the block."""
        offsets, log_odds = self._run(self._pnet, pixels, pass_size)
        image, row, column = torch.nonzero(log_odds > _log_odds(self.thresholds[0]), as_tuple=True)
        corner = PROPOSAL_STRIDE * torch.stack([column, row], dim=1).cpu().numpy()
        boxes = _corrected(np.hstack([corner, corner + PROPOSAL_SIZE]), offsets[image, :, row, column].cpu().numpy())
        to_full_size = np.array(full_size[::-1]) / pixels.shape[2:0:-1]
        return _Candidates(
            first + image.cpu().numpy(), boxes * np.tile(to_full_size, 2), log_odds[image, row, column].cpu().numpy()
        )

    def _refine(self, pyramid: ImagePyramid, candidates: _Candidates) -> _Candidates:
        """R-Net over the candidates of all images together."""
        squares = _squares(candidates.boxes)
        offsets, log_odds = self._run_on_crops(
            self._rnet, pyramid, candidates.image, squares, REFINE_SIZE, CROPS_PER_REFINE_PASS
        )
        refined = _Candidates(candidates.image, _corrected(squares, offsets), log_odds)
        return refined[refined.surviving(self.thresholds[1], self.nms_thresholds[2])]

    def _locate(self, pyramid: ImagePyramid, candidates: _Candidates) -> tuple[_Candidates, np.ndarray]:
        """O-Net over the candidates of all images together; returns the faces and their points (n, 5, 2)."""
        squares = _squares(candidates.boxes)
        offsets, fractions, log_odds = self._run_on_crops(
            self._onet, pyramid, candidates.image, squares, OUTPUT_SIZE, CROPS_PER_OUTPUT_PASS
        )
        side = (squares[:, 2] - squares[:, 0])[:, None, None]
        # Half a pixel from edges to centres: without it a mirrored picture's points come back 1.1 px aside.
        points = squares[:, None, :2] + side * fractions.reshape(-1, 2, 5).transpose(0, 2, 1) - 0.5
        faces = _Candidates(candidates.image, _corrected(squares, offsets), log_odds)
        kept = faces.surviving(self.thresholds[2], self.nms_thresholds[3], relative_to="smaller")
        return faces[kept], points[kept]

    def _run_on_crops(
        self,
        network: nn.Module,
        pyramid: ImagePyramid,
        image: np.ndarray,
        squares: np.ndarray,
        size: int,
        pass_size: int,
    ) -> list[np.ndarray]:
        """Outputs of a network on squares (n, 4), each concatenated over all passes."""
        passes = []
        for start in range(0, len(squares), pass_size):
            part = slice(start, start + pass_size)
            crops = pyramid.crop(image[part], squares[part], size)
            passes.append([output.cpu().numpy() for output in self._run(network, crops, pass_size)])
        return [np.concatenate(outputs) for outputs in zip(*passes, strict=True)]

    def _run(self, network: nn.Module, pixels: np.ndarray, pass_size: int) -> list[Tensor]:
        """Outputs of a network on uint8 pixels (b, h, w, 3), b <= pass_size, computed at batch size pass_size."""
        b = len(pixels)
        padded = np.concatenate([pixels, np.zeros((pass_size - b, *pixels.shape[1:]), np.uint8)])
        images = torch.from_numpy(padded).to(self.device).permute(0, 3, 1, 2)  # (b, 3, h, w), channels last in memory
        return [output[:b] for output in network((images.float() - 127.5) / 128)]


def _check_image(image: np.ndarray, position: int) -> None:
    if not isinstance(image, np.ndarray) or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        what = f"an array of shape {image.shape}" if isinstance(image, np.ndarray) else f"a {type(image).__name__}"
        raise ValueError(
            f"detect: image {position} is {what}, not (H, W, 3). Repeat a grey channel three times with "
            "cv2.cvtColor(image, cv2.COLOR_GRAY2RGB); pass one image as [image]."
        )
    if image.dtype != np.uint8:
        raise ValueError(
            f"detect: image {position} has dtype {image.dtype}, not uint8. Scale its pixels to 0..255 and convert."
        )


def _join(parts: list[_Candidates]) -> _Candidates:
    return _Candidates(
        np.concatenate([part.image for part in parts]),
        np.concatenate([part.boxes for part in parts]),
        np.concatenate([part.log_odds for part in parts]),
    )


def _corrected(squares: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Move each edge of squares (n, 4) by its offset (n, 4), a fraction of the side."""
    return squares + offsets.astype(np.float64) * (squares[:, 2:3] - squares[:, :1])


def _squares(boxes: np.ndarray) -> np.ndarray:
    """Grow the shorter side of boxes (n, 4) about its middle."""
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True) / 2
    return np.hstack([centre - half, centre + half])


def _log_odds(probability: float) -> float:
    return math.log(probability / (1 - probability))
