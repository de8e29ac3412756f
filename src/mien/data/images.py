"""Image files to arrays."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np

MAX_SIDE = 20_000
"""Pixels per side above which a file is taken for a mistake."""

# All three together mean: keep depth and alpha, as IMREAD_UNCHANGED does, but turn by the EXIF orientation.
_FLAGS = cv2.IMREAD_COLOR | cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH
_SIGNATURE = re.compile(
    rb"\xff\xd8\xff|\x89PNG|GIF8|RIFF.{4}WEBP|II\*\0|MM\0\*|BM.{4}\0\0\0\0|P[1-6]\s|\0\0\0\x0cjP", re.DOTALL
)


class ImageError(ValueError):
    """An image file that cannot be read; ``reason`` names why in one word for the samples table.

    One of missing, directory, empty, not_an_image, truncated, too_large, unsupported_depth.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def read_image(path: Path, max_side: int = MAX_SIDE) -> np.ndarray:
    """Read an image file as RGB, upright.

    The EXIF orientation is honoured. Grey becomes three equal channels. Alpha is flattened on white, because the
    colours below transparent pixels are arbitrary and portraits are cut out for a white page. 16 bits are rounded to
    8. CMYK is converted as OpenCV does, without its colour profile. Of an animation, the first frame.

    Args:
        path: any format that OpenCV decodes: JPEG, PNG, WebP, TIFF, BMP, GIF ...
        max_side: largest accepted height and width in pixels.

    Returns:
        (H, W, 3) uint8, red first.

    Raises:
        ImageError: a ValueError whose ``reason`` says that the file is missing, a directory, empty, not an image,
            truncated, larger than ``max_side``, or of floating-point pixels.
    """
    if path.is_dir():
        raise ImageError("directory", f"Not an image: {path} is a directory. Give a file in it.")
    if not path.is_file():
        raise ImageError(
            "missing", f"No image: {path} does not exist. Check the path and that the dataset is unpacked."
        )
    data = path.read_bytes()
    if not data:
        raise ImageError("empty", f"Empty image: {path} has zero bytes. Copy it again.")
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), _FLAGS)
    except cv2.error as error:
        # The one check that OpenCV does not answer with None: its own limit of 2^20 pixels a side, 2^30 in all.
        raise ImageError(
            "too_large", f"Image too large: OpenCV refuses {path} ({error.err}). Scale it down."
        ) from error
    if pixels is None:
        if _SIGNATURE.match(data):
            raise ImageError("truncated", f"Broken image: {path} begins well but is cut off or damaged. Copy it again.")
        raise ImageError(
            "not_an_image", f"Not an image: {path} is of no format that OpenCV reads. Remove or convert it."
        )
    H, W = pixels.shape[:2]
    if max(H, W) > max_side:
        raise ImageError("too_large", f"Image too large: {path} is {W}x{H}, above {max_side} a side. Scale it down.")
    return _to_rgb(_to_8_bits(pixels, path))


def _to_8_bits(pixels: np.ndarray, path: Path) -> np.ndarray:
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype == np.uint16:
        return cv2.convertScaleAbs(pixels, alpha=1 / 257)  # 65535 / 255, rounded to nearest
    raise ImageError("unsupported_depth", f"Pixels of {path} are {pixels.dtype}, not 8 or 16 bits. Convert the file.")


def _to_rgb(pixels: np.ndarray) -> np.ndarray:
    if pixels.ndim == 2:
        return cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB)
    if pixels.shape[2] == 3:
        return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    alpha = pixels[..., 3:].astype(np.float32) / 255
    flat = pixels[..., :3] * alpha + 255 * (1 - alpha)
    return cv2.cvtColor(flat.round().astype(np.uint8), cv2.COLOR_BGR2RGB)
