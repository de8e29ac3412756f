"""The size that an image file's header declares, read before anything is decoded."""

from __future__ import annotations

import struct

_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # the other three are tables, not frames
_JPEG_BARE = frozenset(range(0xD0, 0xD8)) | {0x01}  # markers without a length
_PNG = b"\x89PNG\r\n\x1a\n"
_TIFF_WIDTH, _TIFF_HEIGHT = 256, 257


def declared_size(data: bytes) -> tuple[int, int] | None:
    """Read height and width off the header of a PNG, JPEG, GIF, BMP, WebP or TIFF file.

    A file of a few kilobytes may declare a picture of many gigabytes, so this is requested before it is decoded.

    Args:
        data: the file, or its beginning.

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
        data: the whole file.

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
