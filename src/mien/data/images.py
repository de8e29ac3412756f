"""Image files to arrays: size by the header, decoding, and what decoders print about damage."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import stat
import struct
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from mien.errors import MienError

logger = logging.getLogger(__name__)

_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # the other three are tables, not frames
_JPEG_BARE = frozenset(range(0xD0, 0xD8)) | {0x01}  # markers without a length
_PNG = b"\x89PNG\r\n\x1a\n"
_TIFF_WIDTH, _TIFF_HEIGHT = 256, 257


def declared_size(data: bytes) -> tuple[int, int] | None:
    """Read height and width off the header of a PNG, JPEG, GIF, BMP, WebP or TIFF file.

    A file of a few kilobytes may declare a picture of many gigabytes, so this is requested before it is decoded.

    Args:
        data: The file, or its beginning.

    Returns:
        Height and width in pixels, before any turn by the EXIF orientation; None for other formats and for headers that
        are cut off.

    Source: the formats' specifications; ours, because OpenCV tells the size only once it has decoded.

    Example:
        >>> declared_size(b"GIF89a" + bytes([3, 0, 2, 0]))
        (2, 3)
    """
    try:
        if data.startswith(_PNG):
            W, H = struct.unpack_from(">II", data, 16)
        elif data.startswith(b"\xff\xd8\xff"):
            return _jpeg_size(data)
        elif data.startswith((b"GIF87a", b"GIF89a")):
            W, H = struct.unpack_from("<HH", data, 6)
        elif data.startswith(b"BM") and data[6:10] == bytes(4):
            W, H = struct.unpack_from("<ii", data, 18)
        elif data.startswith(b"RIFF") and data[8:12] == b"WEBP":
            return _webp_size(data)
        elif data.startswith((b"II*\0", b"MM\0*")):
            return _tiff_size(data)
        else:
            return None
    except struct.error:  # the header is cut off
        return None
    return abs(H), abs(W)  # a bitmap stored from the top down has a negative height


def png_is_cut_off(data: bytes) -> bool:
    r"""Whether a PNG file has a chunk that says it is longer than what is left of the file.

    A decoder may take memory for what a chunk announces, up to 2 GB, before it finds that it is not there.

    Args:
        data: The whole file.

    Returns:
        False for other formats, and for a file that ends between two chunks.

    Source: the PNG specification, 5.3; ours, because OpenCV takes that memory.

    Example:
        >>> png_is_cut_off(b"\x89PNG\r\n\x1a\n" + bytes([127, 255, 255, 255]) + b"IDAT" + bytes(9))
        True
    """
    if not data.startswith(_PNG):
        return False
    place = len(_PNG)
    while place + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        if kind == b"IEND":
            return False
        place += 12 + length  # length, kind, content, checksum
    return place > len(data)


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    place = 2
    while True:
        lead, marker = struct.unpack_from("BB", data, place)
        if lead != 0xFF:
            return None
        if marker == 0xFF:  # padding
            place += 1
        elif marker in _JPEG_BARE:
            place += 2
        elif marker in _JPEG_FRAMES:
            H, W = struct.unpack_from(">HH", data, place + 5)
            return H, W
        else:
            place += 2 + struct.unpack_from(">H", data, place + 2)[0]


def _webp_size(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8X":
        W, H = (int.from_bytes(data[start : start + 3], "little") + 1 for start in (24, 27))
        return H, W
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        return (bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1
    if kind == b"VP8 ":
        W, H = struct.unpack_from("<HH", data, 26)
        return H & 0x3FFF, W & 0x3FFF
    return None


def _tiff_size(data: bytes) -> tuple[int, int] | None:
    order = "<" if data.startswith(b"II") else ">"
    start = struct.unpack_from(f"{order}I", data, 4)[0]
    sides = {}
    for number in range(struct.unpack_from(f"{order}H", data, start)[0]):
        tag, kind = struct.unpack_from(f"{order}HH", data, start + 2 + 12 * number)
        if tag in (_TIFF_WIDTH, _TIFF_HEIGHT):
            sides[tag] = struct.unpack_from(f"{order}{'H' if kind == 3 else 'I'}", data, start + 10 + 12 * number)[0]
    return (sides[_TIFF_HEIGHT], sides[_TIFF_WIDTH]) if len(sides) == 2 else None


_LOCK = threading.Lock()
_MAX_BYTES = 10_000


@contextlib.contextmanager
def caught_stderr() -> Iterator[list[str]]:
    """Catch what is written to file descriptor 2 in a block; the list that is yielded has its lines afterwards.

    Decoders of images warn there without saying of which file. One block at a time; where there is no descriptor 2, as
    in a process without a console, nothing is caught.

    Example:
        >>> with caught_stderr() as reported:
        ...     _ = os.write(2, b"Corrupt JPEG data")
        >>> reported
        ['Corrupt JPEG data']
    """
    reported: list[str] = []
    with _LOCK:
        try:
            kept = os.dup(2)
        except OSError:
            yield reported
            return
        try:
            with tempfile.TemporaryFile(buffering=0) as file:
                os.dup2(file.fileno(), 2)
                try:
                    yield reported
                finally:
                    os.dup2(kept, 2)
                if os.fstat(file.fileno()).st_size:
                    file.seek(0)
                    text = file.read(_MAX_BYTES).decode("utf-8", "replace")
                    reported += [line.strip() for line in text.splitlines() if line.strip()]
        finally:
            os.close(kept)


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


class ImageError(MienError):
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
        path: Any format that OpenCV decodes: JPEG, PNG, WebP, TIFF, BMP, GIF ...
        max_side: Largest accepted height and width in pixels.
        max_pixels: Largest accepted number of pixels.

    Returns:
        (H, W, 3) uint8, red first.

    Raises:
        ImageError: A MienError whose ``reason`` says that the file is missing, a directory, a pipe or device,
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
