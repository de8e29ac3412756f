"""Aligned faces of one size in one memory-mapped file."""

import hashlib
import io
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from kedro.io import AbstractDataset, DatasetError

from mien.errors import MienError
from mien.io.packed_seal import check_header, closing_in_words, read_seal, write_seal
from mien.outputs import in_words, is_own_host, is_stale, part_path, reading, sole_use

logger = logging.getLogger(__name__)

PREVIEWED = 32
"""Faces on a preview: four rows of the sheet."""

_BEGUN = ".begun"  # no ``.part``, which the next run removes: this one it continues


@dataclass(frozen=True)
class FaceStream:
    """Faces that are computed while they are written, so that a dataset of any size needs the memory of one batch.

    Attributes:
        shape: (n, H, W, C) of the whole array, or (n, k, H, W, C) with k faces per sample.
        batches: ``batches(start)`` yields arrays (b, ...) uint8 that follow each other in row order, from row
            ``start`` to the last.
        key: Digest of all that decides the bytes: an interrupted file with the same key is continued.
    """

    shape: tuple[int, ...]
    batches: Callable[[int], Iterable[np.ndarray]]
    key: str


class PackedFaces(AbstractDataset[FaceStream, np.ndarray]):
    """One ``.npy`` file (n, ..., H, W, C) uint8, loaded as a read-only memory map: random access without loading.

    Behind the array stands a seal, which numpy passes over: loading sees by it that the file is whole. A file that was
    cut off while it was written is continued from its last whole row.

    Source: ours, because one file of 28,709 faces is versioned by DVC in 0.7 s, that many small files in 8.5 s.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> np.ndarray:
        """Map the file into memory: (n, ..., H, W, C) uint8, read-only.

        Raises:
            FileError: The file is missing, ends early or late, or its header is not what was written.
        """
        with reading(self._filepath, "a file of packed faces"):
            seal = read_seal(self._filepath)
            faces = np.load(self._filepath, mmap_mode="r")
            if faces.dtype != np.uint8 or faces.ndim < 4 or not faces.flags.c_contiguous:
                raise MienError(f"it holds {faces.dtype} of shape {faces.shape}")
            with self._filepath.open("rb") as file:
                check_header(seal, file.read(faces.offset))
            whole = faces.offset + faces.nbytes
            length = self._filepath.stat().st_size if seal is None else seal["length"]
            if length != whole:
                raise MienError(f"{len(faces)} faces are {whole} bytes, {length} are there")
            return faces

    def save(self, data: FaceStream) -> None:
        """Write the stream batch by batch under a temporary name, then move it to its own.

        If another run was writing the same faces, its file is taken when it is done.

        Raises:
            MienError: There is no face, or the batches do not add up to the announced shape.
            FileError: The disk does not take it.
        """
        if data.shape[0] == 0:
            raise MienError(
                f"No face is left to pack into {self._filepath}. Every image was dropped: look at the reasons in the "
                "samples table, or set alignment.without_face to centre_crop."
            )
        key = hashlib.blake2b(f"{data.key} {data.shape}".encode(), digest_size=16).hexdigest()
        with sole_use(self._filepath) as hold:
            if hold.waited and self._holds(key):
                logger.info("%s was packed by the other run: it is taken", self._filepath)
                return
            self._write(data, key)

    def _holds(self, key: str) -> bool:
        """Whether the file is there and whole, with the faces of this key."""
        try:
            self.load()
            seal = read_seal(self._filepath)
        except (DatasetError, OSError, ValueError):
            return False
        return seal is not None and seal["key"] == key

    def _write(self, data: FaceStream, key: str) -> None:
        begun = self._begun(key)
        header = _header(data.shape)
        # Plain writes: the pages of a written memory map would count as the process's own memory.
        with in_words(self._filepath):
            opened = begun.open("ab")
        with closing_in_words(opened, self._filepath) as file:
            with in_words(self._filepath):
                row = _first_missing_row(file, header, data.shape)
            for batch in data.batches(row):
                row += len(batch)
                if row <= data.shape[0]:
                    with in_words(self._filepath):
                        file.write(np.ascontiguousarray(batch, np.uint8).data)
            with in_words(self._filepath):
                write_seal(file, header, key)
        if row != data.shape[0]:
            begun.unlink()
            raise MienError(
                f"{row} faces were cropped where {data.shape[0]} were announced, for {self._filepath}. "
                "The samples table and the cropping disagree: run the alignment again."
            )
        with in_words(self._filepath):
            begun.replace(self._filepath)

    def _begun(self, key: str) -> Path:
        """This process's temporary file: what a run that has ended left of the same faces, or a new one.

        The lock is held, so another file of this machine is nobody's; one of another machine is, when nobody writes it.
        """
        own = part_path(self._filepath).with_suffix(f".{key}{_BEGUN}")
        for begun in sorted(self._filepath.parent.glob(f".*{_BEGUN}")):
            mine = begun.name.startswith(f".{self._filepath.name}.") and (is_own_host(begun.name) or is_stale(begun))
            if mine and begun.name.endswith(f".{key}{_BEGUN}") and not own.exists():
                begun.replace(own)
            elif mine:
                begun.unlink()
        return own

    def preview(self) -> str:
        """The first faces as one PNG sheet, base64, for kedro-viz."""
        from kedro_datasets._typing import ImagePreview

        from mien.io.sheets import face_sheet_base64

        faces = self.load()
        size = faces.shape[-3:]
        per_sample = int(np.prod(faces.shape[1:-3]))
        return ImagePreview(face_sheet_base64(faces[: -(-PREVIEWED // per_sample)].reshape(-1, *size)[:PREVIEWED]))

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


def _header(shape: tuple[int, ...]) -> bytes:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return header.getvalue()


def _first_missing_row(file: BinaryIO, header: bytes, shape: tuple[int, ...]) -> int:
    """Write the header into an empty file, or cut a begun one back to its last whole row."""
    row_bytes = int(np.prod(shape[1:]))
    rows = min(shape[0], max(0, file.tell() - len(header)) // row_bytes)
    if rows == 0:
        file.truncate(0)
        file.write(header)
    else:
        file.truncate(len(header) + rows * row_bytes)
    return rows
