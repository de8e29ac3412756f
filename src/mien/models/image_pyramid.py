"""Images at falling resolutions, and squares cut from the resolution that suits them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch.nn.functional import interpolate

_GREY = (128, 128, 128)  # next to zero once normalised: what TensorFlow's crop_and_resize puts outside the image


def pyramid_scales(shorter_side: int, window: int, min_face_size: float, scale_factor: float) -> list[float]:
    """List the scales of a pyramid, finest first.

    One scale turns ``min_face_size`` into ``window`` pixels. The coarser ones follow by ``scale_factor`` as long as the
    image's shorter side holds a window. The finer ones, up to but without 1, are those that crops are taken from. So
    the pyramids of two images begin with the same scales, and the larger image's goes further.

    Example:
        >>> [round(scale, 2) for scale in pyramid_scales(48, window=12, min_face_size=20, scale_factor=0.709)]
        [0.85, 0.6, 0.43, 0.3]

    Source: Zhang et al. 2016, section II; the finer levels are ours.
    """
    first = window / min_face_size
    finer = math.ceil(math.log(first) / math.log(scale_factor)) - 1 if first < 1 else 0
    # An image of just the smallest face has one level, whichever way the division was rounded.
    coarser = math.floor(math.log(window / (first * shorter_side)) / math.log(scale_factor) + 1e-9)
    return [first * scale_factor**step for step in range(-finer, coarser + 1)]


class ImagePyramid:
    """Several images, each at full and at reduced resolutions, antialiased.

    Args:
        images: (H, W, 3) uint8 each, of any sizes; images of one size are resized together.
        window: pixels that the shorter side of the coarsest level holds at least.
        min_face_size: pixels of the full resolution that one of the levels shows as ``window``.
        scale_factor: ratio between neighbouring levels, in (0, 1).

    Attributes:
        levels: for each image its levels (h, w, 3) uint8: the image itself, then one per scale.
        scales: 1, then the falling scales of the image with most levels; a level's size is rounded up.
    """

    def __init__(self, images: Sequence[np.ndarray], window: int, min_face_size: float, scale_factor: float) -> None:
        self.levels: list[list[np.ndarray]] = [[image] for image in images]
        self.scales = [1.0]
        by_size: dict[tuple[int, int], list[int]] = {}
        for position, image in enumerate(images):
            by_size.setdefault(image.shape[:2], []).append(position)
        for (H, W), positions in by_size.items():
            scales = pyramid_scales(min(H, W), window, min_face_size, scale_factor)
            self.scales = max(self.scales, [1.0, *scales], key=len)
            pixels = torch.from_numpy(np.stack([images[position] for position in positions])).permute(0, 3, 1, 2)
            for scale in scales:
                size = (math.ceil(H * scale), math.ceil(W * scale))
                level = interpolate(pixels, size, mode="bilinear", antialias=True, align_corners=False)
                for position, of_image in zip(positions, level.permute(0, 2, 3, 1).numpy(), strict=True):
                    self.levels[position].append(of_image)

    def crop(self, image: np.ndarray, squares: np.ndarray, size: int) -> np.ndarray:
        """Cut squares and resample them to one size.

        Each square is sampled bilinearly, at its exact place and at twice the size, from the coarsest level on which it
        still has that many pixels, and 2 x 2 samples are averaged: no pixel is skipped. Outside the image is grey.

        Args:
            image: (n,) which image each square belongs to.
            squares: (n, 4) left, top, right and bottom edge in pixels of the full resolution.
            size: pixels per side of the result.

        Returns:
            (n, size, size, 3) uint8.
        """
        fine = 2 * size
        side = squares[:, 2] - squares[:, 0]
        enough = np.outer(side, self.scales) >= fine
        coarsest = np.array([len(self.levels[i]) - 1 for i in image], dtype=np.int64)
        level = np.clip(enough.sum(axis=1) - 1, 0, coarsest)  # full resolution where even that has too few pixels
        sources = [self.levels[i][k] for i, k in zip(image, level, strict=True)]
        shown = np.array([source.shape[1::-1] for source in sources], np.float64).reshape(-1, 2)  # width, height
        ratio = shown / np.array([self.levels[i][0].shape[1::-1] for i in image]).reshape(-1, 2)
        # Sample i lies amid the i-th of `fine` cells; half a pixel less, because OpenCV counts from pixels' centres.
        step = ratio * (side / fine)[:, None]
        matrices = np.zeros((len(squares), 2, 3))
        matrices[:, [0, 1], [0, 1]] = step
        matrices[:, :, 2] = ratio * squares[:, :2] + step / 2 - 0.5
        crops = np.empty((len(squares), size, size, 3), np.uint8)
        for source, matrix, result in zip(sources, matrices, crops, strict=True):
            samples = cv2.warpAffine(
                source,
                matrix,
                (fine, fine),
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_CONSTANT,
                borderValue=_GREY,
            )
            cv2.resize(samples, (size, size), dst=result, interpolation=cv2.INTER_AREA)
        return crops
