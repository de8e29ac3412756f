"""Waveforms of one sample rate in one memory-mapped file."""

import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from kedro.io import AbstractDataset

from mien.errors import MienError
from mien.io.packed_seal import check_header, closing_in_words, read_seal, write_seal
from mien.outputs import in_words, reading, replacing

_HEADER_BYTES = 128  # room for any length in the first array's header, a multiple of 64 as numpy aligns it
_INDEX = np.dtype([("samples", "<i8"), ("reason", "<U24")])


@dataclass(frozen=True)
class WaveformStream:
    """Waveforms that are read while they are written, so that a dataset of any size needs the memory of one clip.

    Attributes:
        sample_rate: In Hz, of all.
        waveforms: For every clip in turn, (N,) int16 and one word on how it was read; an empty waveform where it could
            not be.
    """

    sample_rate: int
    waveforms: Iterable[tuple[np.ndarray, str]]


@dataclass(frozen=True, eq=False)
class Waveforms:
    """Packed waveforms; ``waveforms[3]`` is that of the fourth clip.

    Attributes:
        samples: (total,) int16, mapped, all clips one after the other.
        start: (n,) int64, first sample of each clip.
        length: (n,) int64, samples of each clip; 0 where it has no sound.
        reason: (n,) words on how each was read.
        sample_rate: In Hz.
    """

    samples: np.ndarray
    start: np.ndarray
    length: np.ndarray
    reason: np.ndarray
    sample_rate: int

    def __len__(self) -> int:
        return len(self.start)

    def __getitem__(self, clip: int) -> np.ndarray:
        return self.samples[self.start[clip] : self.start[clip] + self.length[clip]]


class PackedAudio(AbstractDataset[WaveformStream, Waveforms]):
    """One ``.npy`` file with three arrays: all samples, length and reason of each clip, and the sample rate.

    ``numpy.load`` reads them by three calls on the open file. The samples are mapped, not loaded. Behind the arrays
    stands a seal, by which loading sees that the file is whole.

    Source: ours, as ``mien.io.packed_faces``: 1,440 clips of RAVDESS are one file of 170 MB.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> Waveforms:
        """Map the samples into memory, read-only, and read the index.

        Raises:
            FileError: The file is missing, ends early or late, is damaged, or is not packed audio.
        """
        with reading(self._filepath, "packed audio"):
            seal = read_seal(self._filepath)
            samples = np.load(self._filepath, mmap_mode="r")
            with self._filepath.open("rb") as file:
                header = file.read(samples.offset)
                file.seek(samples.offset + samples.nbytes)
                index, sample_rate = (np.lib.format.read_array(file, allow_pickle=False) for _ in range(2))
                end = file.tell()
                file.seek(samples.offset + samples.nbytes)
                check_header(seal, header + file.read(end - file.tell()))
            length = index["samples"]
            if samples.dtype != np.int16 or length.min(initial=0) < 0 or length.sum() != len(samples):
                raise MienError(f"{len(samples)} samples of {samples.dtype}, {length.sum()} by its index")
            if end != (self._filepath.stat().st_size if seal is None else seal["length"]):
                raise MienError(f"it goes on behind its {end} bytes")
            start = np.cumsum(length) - length
            return Waveforms(samples, start, length, index["reason"], int(sample_rate))

    def save(self, data: WaveformStream) -> None:
        """Write clip by clip under a temporary name, then move the file to its own.

        Raises:
            MienError: No clip has sound.
            FileError: The disk does not take it.
        """
        with replacing(self._filepath) as part:
            index = []
            with in_words(self._filepath):
                file = part.open("w+b")
            with closing_in_words(file, self._filepath):
                with in_words(self._filepath):
                    file.write(_header(0))
                for waveform, reason in data.waveforms:
                    with in_words(self._filepath):
                        file.write(np.ascontiguousarray(waveform, "<i2").data)
                    index.append((len(waveform), reason))
                rows = np.array(index, _INDEX)
                with in_words(self._filepath):
                    self._end(file, rows, data.sample_rate)
            if not rows["samples"].any():
                raise MienError(
                    f"No clip has sound, so there is nothing to pack into {self._filepath}. Look at the warnings "
                    "above, and check that the audio files are unpacked."
                )

    def _end(self, file: BinaryIO, rows: np.ndarray, sample_rate: int) -> None:
        """Write index, sample rate and seal behind the samples, and their number into the header."""
        header = _header(int(rows["samples"].sum()))
        behind = io.BytesIO()
        np.lib.format.write_array(behind, rows, version=(1, 0))
        np.lib.format.write_array(behind, np.array(sample_rate, "<i8"), version=(1, 0))
        file.write(behind.getvalue())
        write_seal(file, header + behind.getvalue())
        file.seek(0)
        file.write(header)

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


def _header(total: int) -> bytes:
    """Header of an array (total,) int16, of the same length whatever ``total`` is.

    Source: NumPy's format 1.0: magic string, version, length of the dictionary, the dictionary padded with spaces.
    """
    dictionary = f"{{'descr': '<i2', 'fortran_order': False, 'shape': ({total},), }}"
    text = dictionary.ljust(_HEADER_BYTES - 10 - 1) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()
