"""Batched face detection: P-Net proposes squares, R-Net sifts them, O-Net places box and five points."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import convert_conv2d_weight_memory_format

from mien.errors import MienError
from mien.models.box_suppression import non_maximum_suppression
from mien.models.image_pyramid import ImagePyramid
from mien.models.level_sheet import STRIDE, WINDOW, lay_out
from mien.models.mtcnn import VectorisedPNet, load_mtcnn

REFINE_SIZE, OUTPUT_SIZE = 24, 48
"""Pixels per side of the squares that R-Net and O-Net look at; P-Net's are WINDOW."""

# Convolutions round differently for different batch sizes, so every network always runs at one batch size per shape of
# its input, padded: an image's result then cannot depend on its company. These sizes keep activations in the cache.
PIXELS_PER_PROPOSAL_PASS, MAX_TILES_PER_PROPOSAL_PASS = 2**14, 16
CROPS_PER_REFINE_PASS, CROPS_PER_OUTPUT_PASS = 16, 4

PIXELS_PER_BLOCK = 2**22
"""Images go through the cascade in blocks of this many pixels, and at least one image: that bounds memory."""

STAGES = ("pyramid", "pnet", "nms", "rnet", "onet")
"""Names under which the cascade's work is timed. Cutting crops belongs to the network that looks at them."""

Stopwatch = Callable[[str], AbstractContextManager[None]]


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


class _Tile(NamedTuple):
    """A tile of an image's sheet: its top and left pixel there, and which level each of P-Net's squares lies on."""

    image: int
    pixels: np.ndarray
    corner: tuple[int, int]
    level: np.ndarray


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

    Attributes:
        stopwatch: called with the name of a stage, one of STAGES, gives the context in which a piece of that stage's
            work is done. Does nothing unless replaced.

    Raises:
        MienError: an argument is outside its range, or the weights are not the published ones.
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
        if not WINDOW <= min_face_size < math.inf:
            raise MienError(
                f"FaceDetector(min_face_size={min_face_size}): P-Net sees no face below {WINDOW} px. "
                f"Give {WINDOW} or more, or enlarge the images."
            )
        if not 0 < scale_factor < 1:
            raise MienError(f"FaceDetector(scale_factor={scale_factor}): outside (0, 1). Give the published 0.709.")
        if len(thresholds) != 3 or not all(0 < threshold < 1 for threshold in thresholds):
            raise MienError(f"FaceDetector(thresholds={thresholds}): give three in (0, 1), for P-Net, R-Net, O-Net.")
        if len(nms_thresholds) != 4 or not all(0 < threshold <= 1 for threshold in nms_thresholds):
            raise MienError(
                f"FaceDetector(nms_thresholds={nms_thresholds}): give four in (0, 1], for P-Net within and across "
                "scales, R-Net, O-Net."
            )
        self.min_face_size = min_face_size
        self.scale_factor = scale_factor
        self.thresholds = thresholds
        self.nms_thresholds = nms_thresholds
        self.device = torch.device(device)
        self.stopwatch: Stopwatch = lambda stage: nullcontext()
        pnet, rnet, onet = load_mtcnn()
        self._pnet, self._rnet, self._onet = (
            convert_conv2d_weight_memory_format(network.to(self.device), torch.channels_last)
            for network in (VectorisedPNet(pnet), rnet, onet)
        )

    @torch.inference_mode()
    def detect(self, images: np.ndarray | Sequence[np.ndarray]) -> list[FaceDetections]:
        """Find the faces in each image.

        Args:
            images: (B, H, W, 3) uint8 RGB, or a sequence of (H, W, 3) of any sizes.

        Returns:
            One FaceDetections per image, in the order given; empty where nothing is found and where the image's
            shorter side is below ``min_face_size``.

        Raises:
            MienError: an image is not uint8 of shape (H, W, 3), H and W at least 1.
        """
        for position, image in enumerate(images):
            _check_image(image, position)
        found = [FaceDetections(*(np.zeros(shape, np.float32) for shape in ((0, 4), 0, (0, 5, 2))))] * len(images)
        for block in _blocks(images, self.min_face_size):
            faces = self._detect_block([images[position] for position in block])
            for position, of_image in zip(block, faces, strict=True):
                found[position] = of_image
        return found

    @torch.inference_mode()
    def rescore(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Let O-Net alone look at squares, each holding one face upright as its own squares do.

        Args:
            crops: (n, 48, 48, 3) uint8 RGB.

        Returns:
            boxes (n, 4) and points (n, 5, 2), in fractions of the square's side from its left and top edge, and
            log-odds of a face (n,).
        """
        offsets, fractions, log_odds = self._in_passes(
            self._onet, lambda part: crops[part], len(crops), CROPS_PER_OUTPUT_PASS
        )
        return np.array([0.0, 0.0, 1.0, 1.0]) + offsets, fractions.reshape(-1, 2, 5).transpose(0, 2, 1), log_odds

    def _detect_block(self, images: Sequence[np.ndarray]) -> list[FaceDetections]:
        """Take images (H, W, 3), none too small, through the cascade together."""
        with self.stopwatch("pyramid"):
            pyramid = ImagePyramid(images, WINDOW, self.min_face_size, self.scale_factor)
        faces, points = self._propose(pyramid), np.zeros((0, 5, 2))
        if len(faces):
            faces = self._refine(pyramid, faces)
        if len(faces):
            faces, points = self._locate(pyramid, faces)
        bounds = np.searchsorted(faces.image, np.arange(len(images) + 1))
        scores = 1 / (1 + np.exp(-faces.log_odds.astype(np.float64)))
        return [
            FaceDetections(*(part[start:stop].astype(np.float32) for part in (faces.boxes, scores, points)))
            for start, stop in itertools.pairwise(bounds)
        ]

    def _propose(self, pyramid: ImagePyramid) -> _Candidates:
        """P-Net over every image at every scale that a face may have."""
        # Levels before the first are for crops: on them even the smallest face is larger than P-Net's square.
        first = next(k for k in range(1, len(pyramid.scales)) if pyramid.scales[k] * self.min_face_size < WINDOW + 1e-6)
        levels = [of_image[first:] for of_image in pyramid.levels]
        with self.stopwatch("pnet"):
            image, level, corner, outputs = self._likely_squares(levels)
            to_image = np.array(
                [
                    np.divide(whole.shape[1::-1], pixels.shape[1::-1])
                    for (whole, *_), of_image in zip(pyramid.levels, levels, strict=True)
                    for pixels in of_image
                ]
            )
            row = np.cumsum([0, *map(len, levels)])[image] + level
            boxes = _corrected(np.hstack([corner, corner + WINDOW]), outputs[:, :4]) * np.tile(to_image[row], 2)
        with self.stopwatch("nms"):
            candidates = _Candidates(image, boxes, outputs[:, 4])
            within_level = replace(candidates, image=image * len(pyramid.scales) + level)
            candidates = candidates[within_level.surviving(self.thresholds[0], self.nms_thresholds[0])]
            return candidates[candidates.surviving(self.thresholds[0], self.nms_thresholds[1])]

    def _likely_squares(self, levels: Sequence[Sequence[np.ndarray]]) -> tuple[np.ndarray, ...]:
        """P-Net over the levels (h, w, 3) of each image, on sheets.

        Returns:
            Of the n likely squares the image (n,), the level (n,), the left and top pixel on the level (n, 2) and
            P-Net's five outputs (n, 5).
        """
        sheets = [lay_out(tuple(pixels.shape[:2] for pixels in of_image)) for of_image in levels]
        tiles: dict[tuple[int, int], list[_Tile]] = {}
        for position, (sheet, of_image) in enumerate(zip(sheets, levels, strict=True)):
            places = zip(sheet.draw(of_image), sheet.tiles, sheet.level, strict=True)
            tiles.setdefault(sheet.tile_size, []).extend(_Tile(position, *place) for place in places)
        passes = []
        for (h, w), of_size in tiles.items():
            pass_size = max(1, min(MAX_TILES_PER_PROPOSAL_PASS, PIXELS_PER_PROPOSAL_PASS // (h * w)))
            for start in range(0, len(of_size), pass_size):
                passes.append(self._propose_in_pass(of_size[start : start + pass_size], pass_size))
        image, level, corner, outputs = (np.concatenate(parts) for parts in zip(*passes, strict=True))
        on_sheet = np.array([corner[::-1] for sheet in sheets for corner in sheet.corners])
        return image, level, corner - on_sheet[np.cumsum([0, *map(len, levels)])[image] + level], outputs

    def _propose_in_pass(self, tiles: list[_Tile], pass_size: int) -> tuple[np.ndarray, ...]:
        """P-Net over tiles of one size.

        Returns:
            Of its n likely squares the image (n,), the level (n,), the left and top pixel on the sheet (n, 2) and
            P-Net's five outputs (n, 5).
        """
        (maps,) = self._run(self._pnet, np.stack([tile.pixels for tile in tiles]), pass_size)
        outputs, level = maps.cpu().numpy(), np.stack([tile.level for tile in tiles])
        tile, row, column = np.nonzero((outputs[..., 4] > _log_odds(self.thresholds[0])) & (level >= 0))
        top_left = np.array([tile.corner for tile in tiles])[tile] + STRIDE * np.stack([row, column], axis=1)
        image = np.array([tile.image for tile in tiles])[tile]
        return image, level[tile, row, column].astype(np.int64), top_left[:, ::-1], outputs[tile, row, column]

    def _refine(self, pyramid: ImagePyramid, candidates: _Candidates) -> _Candidates:
        """R-Net over the candidates of all images together."""
        squares = _squares(candidates.boxes)
        with self.stopwatch("rnet"):
            offsets, log_odds = self._run_on_crops(
                self._rnet, pyramid, candidates.image, squares, REFINE_SIZE, CROPS_PER_REFINE_PASS
            )
        refined = _Candidates(candidates.image, _corrected(squares, offsets), log_odds)
        with self.stopwatch("nms"):
            return refined[refined.surviving(self.thresholds[1], self.nms_thresholds[2])]

    def _locate(self, pyramid: ImagePyramid, candidates: _Candidates) -> tuple[_Candidates, np.ndarray]:
        """O-Net over the candidates of all images together; returns the faces and their points (n, 5, 2)."""
        squares = _squares(candidates.boxes)
        with self.stopwatch("onet"):
            offsets, fractions, log_odds = self._run_on_crops(
                self._onet, pyramid, candidates.image, squares, OUTPUT_SIZE, CROPS_PER_OUTPUT_PASS
            )
        side = (squares[:, 2] - squares[:, 0])[:, None, None]
        # Half a pixel from edges to centres: without it a mirrored picture's points come back 1.1 px aside.
        points = squares[:, None, :2] + side * fractions.reshape(-1, 2, 5).transpose(0, 2, 1) - 0.5
        faces = _Candidates(candidates.image, _corrected(squares, offsets), log_odds)
        with self.stopwatch("nms"):
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
        return self._in_passes(
            network, lambda part: pyramid.crop(image[part], squares[part], size), len(squares), pass_size
        )

    def _in_passes(
        self, network: nn.Module, crops: Callable[[slice], np.ndarray], n: int, pass_size: int
    ) -> list[np.ndarray]:
        """Outputs of a network on n crops, pass by pass, each output concatenated."""
        passes = []
        for start in range(0, n, pass_size):
            part = crops(slice(start, start + pass_size))
            passes.append([output.cpu().numpy() for output in self._run(network, part, pass_size)])
        return [np.concatenate(outputs) for outputs in zip(*passes, strict=True)]

    def _run(self, network: nn.Module, pixels: np.ndarray, pass_size: int) -> list[Tensor]:
        """Outputs of a network on uint8 pixels (b, h, w, 3), b <= pass_size, computed at batch size pass_size."""
        b = len(pixels)
        padded = np.concatenate([pixels, np.zeros((pass_size - b, *pixels.shape[1:]), np.uint8)])
        images = torch.from_numpy(padded).to(self.device).permute(0, 3, 1, 2)  # (b, 3, h, w), channels last in memory
        outputs = network((images.float() - 127.5) / 128)
        return [output[:b] for output in (outputs if isinstance(outputs, tuple) else (outputs,))]


def _blocks(images: np.ndarray | Sequence[np.ndarray], smallest: float) -> Iterator[list[int]]:
    """Positions of the images whose shorter side is at least the smallest, those of one size together, in blocks."""
    large = [position for position, image in enumerate(images) if min(image.shape[:2]) >= smallest]
    block: list[int] = []
    pixels = 0
    for position in sorted(large, key=lambda position: images[position].shape[:2]):
        pixels += images[position].shape[0] * images[position].shape[1]
        if block and pixels > PIXELS_PER_BLOCK:
            yield block
            block, pixels = [], images[position].shape[0] * images[position].shape[1]
        block.append(position)
    if block:
        yield block


def _check_image(image: np.ndarray, position: int) -> None:
    if not isinstance(image, np.ndarray) or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        what = f"an array of shape {image.shape}" if isinstance(image, np.ndarray) else f"a {type(image).__name__}"
        raise MienError(
            f"detect: image {position} is {what}, not (H, W, 3). Repeat a grey channel three times with "
            "cv2.cvtColor(image, cv2.COLOR_GRAY2RGB); pass one image as [image]."
        )
    if image.dtype != np.uint8:
        raise MienError(
            f"detect: image {position} has dtype {image.dtype}, not uint8. Scale its pixels to 0..255 and convert."
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
