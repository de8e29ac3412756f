"""Image files to arrays."""

from __future__ import annotations

import logging
import os
import re
import stat
from pathlib import Path

import cv2
import numpy as np

from mien.data.image_header import declared_size, png_is_cut_off
from mien.data.native_stderr import caught_stderr

logger = logging.getLogger(__name__)

MAX_SIDE = 20_000
"""Pixels per side above which a file is taken for a mistake."""

MAX_PIXELS = 100_000_000
"""Pixels of an image above which it is not decoded: the largest cameras' photographs pass, 0.3 GB each as an array."""

MAX_BYTES = 1 << 30
"""Size of a file above which it is not opened: 100 million pixels of any kind take less."""

_IMAGE = "jpg jpeg jpe jfif png apng bmp dib tif tiff webp gif jp2 avif ppm pgm pbm pnm pam ras sr heic heif jxl tga"
IMAGE_SUFFIXES = frozenset(f".{suffix}" for suffix in _IMAGE.split())
"""Endings, in lower case, by which a file counts as an image; with any other, what it begins with decides."""

_DOCUMENT = (
    "txt csv tsv json yml yaml xml md pdf doc docx xls xlsx html htm log py m mat npy npz pkl parquet zip "
    "rar 7z tar gz tgz bz2 xz pts lst db ini part textgrid"
)
DOCUMENT_SUFFIXES = frozenset(f".{suffix}" for suffix in _DOCUMENT.split())
"""Endings of files that are not opened to see whether they are images or recordings."""

POINTER = b"version https://git-lfs"
POINTER_BYTES = 1024
"""How the note begins that Git LFS leaves in the place of a file that is not fetched, and what it is shorter than.

Source: the Git LFS specification.
"""

_DEPTHS = (8, 10, 12)  # bits that scanners and cameras store in 16

# All three together mean: keep depth and alpha, as IMREAD_UNCHANGED does, but turn by the EXIF orientation.
_FLAGS = cv2.IMREAD_COLOR | cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH
_SIGNATURE = re.compile(
    rb"\xff\xd8\xff|\x89PNG|GIF8|RIFF.{4}WEBP|II\*\0|MM\0\*|BM.{4}\0\0\0\0|P[1-6]\s|\0\0\0\x0cjP|.{4}ftypavi[fs]",
    re.DOTALL,
)


class ImageError(ValueError):
    """An image file that cannot be read; ``reason`` names why in one word for the samples table.

    Of a file: missing, directory, not_a_file, unreadable, empty, git_lfs_pointer, not_an_image, truncated, too_large or
    unsupported_depth. What reads images out of other files adds reasons of its own.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason

    def __reduce__(self) -> tuple[type[ImageError], tuple[str, str]]:
        """Travel between processes with both arguments."""
        return ImageError, (self.reason, str(self))


def read_image(path: Path, max_side: int = MAX_SIDE, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Read an image file as RGB, upright.

    The EXIF orientation is honoured. Grey becomes three equal channels. Alpha is flattened on white, because the
    colours below transparent pixels are arbitrary and portraits are cut out for a white page. 16 bits are rounded to
    8, and fewer that 16 hold are scaled to 8. CMYK is converted as OpenCV does, without its colour profile. Of an
    animation, the first frame. The name's ending does not count, the content does. Damage amid a JPEG that leaves its
    end in place still gives a picture; what the decoder says of it is logged with the file's name.

    Args:
        path: any format that OpenCV decodes: JPEG, PNG, WebP, TIFF, BMP, GIF ...
        max_side: largest accepted height and width in pixels.
        max_pixels: largest accepted number of pixels.

    Returns:
        (H, W, 3) uint8, red first.

    Raises:
        ImageError: a ValueError whose ``reason`` says that the file is missing, a directory, a pipe or device,
            forbidden or failing to be read, empty, not an image, truncated, too large, or of floating-point pixels.
    """
    data = _read_file(path)
    _check_size(declared_size(data), path, max_side, max_pixels)
    reported: list[str] = []
    pixels = None
    try:
        if not png_is_cut_off(data):
            with caught_stderr() as reported:
                pixels = cv2.imdecode(np.frombuffer(data, np.uint8), _FLAGS)
    except cv2.error as error:
        # The one check that OpenCV does not answer with None: its own limit of 2^20 pixels a side, 2^30 in all.
        raise ImageError(
            "too_large", f"Image too large: OpenCV refuses {printable(path)} ({error.err}). Scale it down."
        ) from error
    if reported and pixels is not None:
        logger.warning("Damaged image, read as far as it goes: %s (%s)", printable(path), "; ".join(reported))
    if pixels is None:
        if _SIGNATURE.match(data):
            raise ImageError(
                "truncated", f"Broken image: {printable(path)} begins well but is cut off or damaged. Copy it again."
            )
        raise ImageError(
            "not_an_image",
            f"Not an image: {printable(path)} is of no format that OpenCV reads. Remove or convert it.",
        )
    _check_size(pixels.shape[:2], path, max_side, max_pixels)
    return _to_rgb(_to_8_bits(pixels, path))


def is_image(path: Path) -> bool:
    """Whether a file counts as an image: by its ending, or, with an unknown ending or none, by what it begins with."""
    suffix = path.suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        return True
    if suffix in DOCUMENT_SUFFIXES:
        return False
    return _SIGNATURE.match(first_bytes(path)) is not None


def first_bytes(path: Path, num: int = 16) -> bytes:
    """The first bytes of a file; none of what is no file or cannot be opened."""
    try:
        if not path.is_file():
            return b""
        with path.open("rb") as file:
            return file.read(num)
    except (OSError, ValueError):
        return b""


def printable(path: Path) -> str:
    r"""A path for a message: bytes of its name that are not UTF-8 are written as escapes, which every log can hold.

    Example:
        >>> printable(Path("caf\udce9.jpg"))
        'caf\\xe9.jpg'
    """
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _read_file(path: Path) -> bytes:
    where = printable(path)
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise ImageError("directory", f"Not an image: {where} is a directory. Give a file in it.")
        if not stat.S_ISREG(status.st_mode):
            raise ImageError("not_a_file", f"Not an image: {where} is a pipe, socket or device. Give a file.")
        if status.st_size > MAX_BYTES:
            raise ImageError(
                "too_large",
                f"Image too large: {where} has {status.st_size:,} bytes, above {MAX_BYTES:,}. Scale it down.",
            )
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ImageError(
            "missing", f"No image: {where} does not exist. Check the path and that the dataset is unpacked."
        ) from error
    except OSError as error:
        raise ImageError(
            "unreadable", f"Image not readable: {where} ({error.strerror}). Check its rights and the disk."
        ) from error
    except ValueError as error:
        if isinstance(error, ImageError):
            raise
        raise ImageError("missing", f"No image: {where!r} is no file name ({error}). Correct it.") from error
    if len(data) < POINTER_BYTES and data.startswith(POINTER):
        raise ImageError(
            "git_lfs_pointer", f"Not fetched: {where} is a Git LFS pointer. Run `git lfs pull` in its repository."
        )
    if not data:
        raise ImageError("empty", f"Empty image: {where} has zero bytes. Copy it again.")
    return data


def _check_size(size: tuple[int, ...] | None, path: Path, max_side: int, max_pixels: int) -> None:
    if size is None:
        return
    H, W = size
    num_pixels = H * W
    if max(H, W) > max_side or num_pixels > max_pixels:
        raise ImageError(
            "too_large",
            f"Image too large: {printable(path)} is {W}x{H}, above {max_side:,} a side or {max_pixels:,} pixels. "
            "Scale it down.",
        )


def _to_8_bits(pixels: np.ndarray, path: Path) -> np.ndarray:
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype == np.uint16:
        # A picture of 8, 10 or 12 bits in a container of 16 would be black: a portrait reaches its own depth's half.
        largest = int(pixels.max())
        white = next((2**bits - 1 for bits in _DEPTHS if largest < 2**bits), 65535)
        return cv2.convertScaleAbs(pixels, alpha=255 / white)  # rounded to nearest
    raise ImageError(
        "unsupported_depth", f"Pixels of {printable(path)} are {pixels.dtype}, not 8 or 16 bits. Convert the file."
    )


def _to_rgb(pixels: np.ndarray) -> np.ndarray:
    if pixels.ndim == 2:
        return cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB)
    if pixels.shape[2] == 3:
        return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    # 255 - (255 - colour) * alpha / 255, rounded to nearest, in whole numbers: floats would take four times the memory.
    darkness = (255 - pixels[..., :3]).astype(np.uint16)
    darkness *= pixels[..., 3:]
    darkness += 127
    darkness //= 255
    return cv2.cvtColor(255 - darkness.astype(np.uint8), cv2.COLOR_BGR2RGB)
