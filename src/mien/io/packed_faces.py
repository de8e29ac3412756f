"""Aligned faces of one size in one memory-mapped file."""

import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from kedro.io import AbstractDataset

from mien.io.write_then_move import partial_path

PREVIEWED = 32
"""Faces on a preview: four rows of the sheet."""


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

    A file that was cut off while it was written is continued from its last whole row.

    Source: ours, because one file of 28,709 faces is versioned by DVC in 0.7 s, that many small files in 8.5 s.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> np.ndarray:
        """Map the file into memory: (n, ..., H, W, C) uint8, read-only."""
        return np.load(self._filepath, mmap_mode="r")

    def save(self, data: FaceStream) -> None:
        """Write the stream batch by batch under a temporary name, then move it to its own.

        Raises:
            ValueError: There is no face, or the batches do not add up to the announced shape.
        """
        self._filepath.parent.mkdir(parents=True, exist_ok=True)
        if data.shape[0] == 0:
            raise ValueError(
                f"No face is left to pack into {self._filepath}. Every image was dropped: look at the reasons in the "
                "samples table, or set alignment.without_face to centre_crop."
            )
        part = partial_path(self._filepath)
        key_file = part.with_suffix(".key")
        key = f"{data.key} {data.shape}"
        if not (part.is_file() and key_file.is_file() and key_file.read_text(encoding="utf-8") == key):
            part.unlink(missing_ok=True)
            key_file.write_text(key, encoding="utf-8")
        # Plain writes: the pages of a written memory map would count as the process's own memory.
        with part.open("ab") as file:
            row = _first_missing_row(file, data.shape)
            for batch in data.batches(row):
                row += len(batch)
                if row <= data.shape[0]:
                    file.write(np.ascontiguousarray(batch, np.uint8).data)
        if row != data.shape[0]:
            part.unlink()
            key_file.unlink()
            raise ValueError(
                f"{row} faces were cropped where {data.shape[0]} were announced, for {self._filepath}. "
                "The samples table and the cropping disagree: run the alignment again."
            )
        part.replace(self._filepath)
        key_file.unlink()

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


def _first_missing_row(file: BinaryIO, shape: tuple[int, ...]) -> int:
    """Write the header into an empty file, or cut a begun one back to its last whole row."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
    length, row_bytes = len(header.getvalue()), int(np.prod(shape[1:]))
    rows = max(0, file.tell() - length) // row_bytes
    if rows == 0:
        file.truncate(0)
        file.write(header.getvalue())
    else:
        file.truncate(length + rows * row_bytes)
    return rows
