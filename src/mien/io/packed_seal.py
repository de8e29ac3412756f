"""The end of a packed file, by which loading sees that the file is whole; numpy reads what stands before it."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from mien.errors import MienError
from mien.outputs import in_words

_MAGIC = b"mien_end"
_MOST = 4096
"""Longest seal in bytes: what stands in the place of its length is not believed beyond."""


def write_seal(file: BinaryIO, header: bytes, key: str = "") -> None:
    """Append length, digest of the header and key to a file that is complete up to here."""
    content = {"header": _digest(header), "length": file.seek(0, 2), "key": key}
    text = json.dumps(content, sort_keys=True).encode()
    file.write(text + len(text).to_bytes(4, "little") + _MAGIC)


def read_seal(path: Path) -> dict[str, object] | None:
    """The seal of a file; None where its end is none, as in one that another program wrote or that was cut off."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        end = 4 + len(_MAGIC)
        if size < end:
            return None
        file.seek(size - end)
        length, magic = int.from_bytes(file.read(4), "little"), file.read()
        if magic != _MAGIC or length > min(_MOST, size - end):
            return None
        file.seek(size - end - length)
        content: dict[str, object] = json.loads(file.read(length))
    if content["length"] != size - end - length:
        raise MienError(f"{content['length']} bytes were written, {size - end - length} are there")
    return content


def check_header(seal: dict[str, object] | None, header: bytes) -> None:
    """Compare the header of a file with its seal.

    Raises:
        MienError: It is not the header that was written.
    """
    if seal is not None and seal["header"] != _digest(header):
        raise MienError("its header is not the one that was written: the checksum differs")


def _digest(header: bytes) -> str:
    return hashlib.blake2b(header, digest_size=16).hexdigest()


@contextmanager
def closing_in_words(file: BinaryIO, final: Path) -> Iterator[BinaryIO]:
    """Close a file at the end of the block; a fault of closing, which writes what is left, is reported in words."""
    try:
        yield file
    finally:
        with in_words(final):
            file.close()
