"""Images at falling resolutions, and squares cut from the resolution that suits them."""

from __future__ import annotations

import math

import cv2
import numpy as np
import torch
from torch.nn.functional import interpolate

_GREY = (128, 128, 128)  # next to zero once normalised: what TensorFlow's crop_and_resize puts outside the image


def pyramid_scales(shorter_side: int, window: int, min_face_size: float, scale_factor: float) -> list[float]:
    """List the scales of a pyramid, finest first.

    One scale turns ``min_face_size`` into ``window`` pixels. The coarser ones follow by ``scale_factor`` as long as the
    image's shorter side holds a window. The finer ones, up to but without 1, are those that crops are taken from.

    Example:
        >>> [round(scale, 2) for scale in pyramid_scales(48, window=12, min_face_size=20, scale_factor=0.709)]
        [0.85, 0.6, 0.43, 0.3]

    Source: Zhang et al. 2016, section II; the finer levels are ours.
    """
    first = window / min_face_size
    finer = math.ceil(math.log(first) / math.log(scale_factor)) - 1 if first < 1 else 0
    coarser = math.floor(math.log(window / (first * shorter_side)) / math.log(scale_factor))
    return [first * scale_factor**step for step in range(-finer, coarser + 1)]


class ImagePyramid:
    """Several images of one size, each at full and at reduced resolutions, antialiased.

    Args:
        images: (B, H, W, 3) uint8.
        scales: factors below 1, falling; a level's size is rounded up.

    Attributes:
        levels: (B, h, w, 3) uint8 arrays: the images themselves, then one array per scale.
        scales: 1, then the given factors.
    """

    def __init__(self, images: np.ndarray, scales: list[float]) -> None:
        H, W = images.shape[1:3]
        self.scales = [1.0, *scales]
        pixels = torch.from_numpy(images).permute(0, 3, 1, 2)
        self.levels = [images]
        for scale in scales:
            size = (math.ceil(H * scale), math.ceil(W * scale))
            level = interpolate(pixels, size, mode="bilinear", antialias=True, align_corners=False)
            self.levels.append(level.permute(0, 2, 3, 1).numpy())

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
        H, W = self.levels[0].shape[1:3]
        fine = 2 * size
        side = squares[:, 2] - squares[:, 0]
        enough = np.outer(side, self.scales) >= fine
        level = np.maximum(enough.sum(axis=1) - 1, 0)  # the full resolution where even that has too few pixels
        ratio = np.array([[pixels.shape[2] / W, pixels.shape[1] / H] for pixels in self.levels])[level]
        # Sample i lies amid the i-th of `fine` cells; half a pixel less, because OpenCV counts from pixels' centres.
        step = ratio * (side / fine)[:, None]
        matrices = np.zeros((len(squares), 2, 3))
        matrices[:, [0, 1], [0, 1]] = step
        matrices[:, :, 2] = ratio * squares[:, :2] + step / 2 - 0.5
        crops = np.empty((len(squares), size, size, 3), np.uint8)
        for k, matrix in enumerate(matrices):
            samples = cv2.warpAffine(
                self.levels[level[k]][image[k]],
                matrix,
                (fine, fine),
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_CONSTANT,
                borderValue=_GREY,
            )
            cv2.resize(samples, (size, size), dst=crops[k], interpolation=cv2.INTER_AREA)
        return crops
