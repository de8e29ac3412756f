"""Aligned faces of one size in one memory-mapped file."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from kedro.io import AbstractDataset
from numpy.lib.format import open_memmap

from mien.io.write_then_move import partial_path


@dataclass(frozen=True)
class FaceStream:
    """Faces that are computed while they are written, so that a dataset of any size needs the memory of one batch.

    Attributes:
        shape: (n, H, W, C) of the whole array.
        batches: Arrays (b, H, W, C) uint8 that follow each other in row order and add up to ``n`` rows.
    """

    shape: tuple[int, int, int, int]
    batches: Iterable[np.ndarray]


class PackedFaces(AbstractDataset[FaceStream, np.ndarray]):
    """One ``.npy`` file (n, H, W, C) uint8, loaded as a read-only memory map: random access without loading.

    Source: ours, because one file of 28,709 faces is versioned by DVC in 0.7 s, that many small files in 8.5 s.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> np.ndarray:
        """Map the file into memory: (n, H, W, C) uint8, read-only."""
        return np.load(self._filepath, mmap_mode="r")

    def save(self, data: FaceStream) -> None:
        """Write the stream batch by batch under a temporary name, then move it to its own.

        Raises:
            ValueError: There is no face, or the batches do not add up to the announced shape.
        """
        self._filepath.parent.mkdir(parents=True, exist_ok=True)
        part = partial_path(self._filepath)
        if data.shape[0] == 0:
            raise ValueError(
                f"No face is left to pack into {self._filepath}. Every image was dropped: look at the reasons in the "
                "samples table, or set alignment.without_face to centre_crop."
            )
        packed = open_memmap(part, mode="w+", dtype=np.uint8, shape=data.shape)
        row = 0
        for batch in data.batches:
            packed[row : row + len(batch)] = batch[: max(0, data.shape[0] - row)]
            row += len(batch)
        packed.flush()
        del packed
        if row != data.shape[0]:
            part.unlink()
            raise ValueError(
                f"{row} faces were cropped where {data.shape[0]} were announced, for {self._filepath}. "
                "The samples table and the cropping disagree: run the alignment again."
            )
        part.replace(self._filepath)

    def preview(self) -> str:
        """The first 32 faces as one PNG sheet, base64, for kedro-viz."""
        from kedro_datasets._typing import ImagePreview

        from mien.io.sheets import face_sheet_base64

        return ImagePreview(face_sheet_base64(self.load()[:32]))

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
