"""Sound files, and the sound tracks of videos, as mono waveforms at one sample rate."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mien.data.images import first_bytes
from mien.data.media_file import open_media
from mien.errors import MienError

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer

SAMPLE_RATE = 16_000
"""Hz. Twice the 8 kHz below which nearly all of speech lies; the rate of CREMA-D's WAV files."""

RATES = (1_000, 768_000)
"""Hz, least and most that a file may say of itself: the telephone has 8,000, and no converter has more."""

MAX_SECONDS = 3_600
"""Longest sound that is read: clips last seconds, and an hour takes 0.7 GB at 48 kHz."""

_UNKNOWN_LENGTH = 0x7FFF_0000  # bytes; programs that write into a pipe announce about 2 or 4 GB
_ESTIMATED = frozenset({"mp3", "mp2", "aac", "ac3", "eac3", "amr", "dts", "loas"})  # lengths guessed by the bit rate
_EXACT_MP3 = (b"Xing", b"Info", b"VBRI")  # headers that count an MP3's frames
_HEADER_BYTES = 8_192
_MISSING_SECONDS = 0.25  # a compressed track may announce a frame more than it has


class AudioError(MienError):
    """A sound that cannot be read; ``reason`` names why in one word for the table of clips.

    One of missing, directory, empty, git_lfs_pointer, unreadable, not_an_audio, truncated, no_audio, no_samples,
    not_finite, undecodable, unsupported, absurd_rate, too_long.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason

    def __reduce__(self) -> tuple[type[AudioError], tuple[str, str]]:
        """Travel between processes with both arguments."""
        return AudioError, (self.reason, str(self))


def read_waveform(path: Path, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """Read a sound file, or the sound of a video, as one channel.

    Channels are averaged, then resampled by FFmpeg's polyphase filter with its standard settings; a file that already
    has ``sample_rate`` keeps its samples. Equal files give equal samples.

    Args:
        path: WAV, MP3, FLAC ... or MP4, FLV ... with a sound track, of any bit depth, rate and number of channels.
        sample_rate: Of the result, in Hz, 1,000 to 192,000.

    Returns:
        (N,) float32, 1 being full scale. Compressed or floating-point sound may go a little beyond.

    Raises:
        AudioError: The file is missing, a directory, empty, a Git LFS pointer, not a sound, cut off or damaged, longer
            than ``MAX_SECONDS``, has no sound track, no sample in it, samples that are no numbers, or an absurd sample
            rate; ``reason`` names which.
        MienError: ``sample_rate`` is out of range.
    """
    import av

    if not 1_000 <= sample_rate <= 192_000:
        raise MienError(f"sample_rate {sample_rate} is out of range, in read_waveform: give 1000 to 192000 Hz.")
    container = open_media(path, AudioError, "audio")
    with container:
        if not container.streams.audio:
            raise AudioError("no_audio", f"No sound: {path} has no sound track. Give a file that has one.")
        stream = container.streams.audio[0]
        rate = _sample_rate(stream, path)
        parts: list[np.ndarray] = []
        num_samples = 0
        try:
            for part in _decode(container, stream):
                parts.append(part)
                num_samples += len(part)
                if num_samples > MAX_SECONDS * rate:
                    raise AudioError(
                        "too_long", f"Sound too long: {path} has more than {MAX_SECONDS:,} s. Cut it into clips."
                    )
        except (av.error.FFmpegError, OverflowError) as error:
            raise AudioError("undecodable", f"Damaged sound: {path} cannot be decoded. Copy it again.") from error
        announced = _announced_seconds(container, stream, path)
        byte_rate = (stream.codec_context.bit_rate or 0) / 8
    samples = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    if len(samples) == 0:
        raise AudioError("no_samples", f"No sound: the sound track of {path} has no sample. Copy the file again.")
    seconds = len(samples) / rate
    missing = max(announced - seconds, _bytes_cut_off(path) / byte_rate if byte_rate else 0.0)
    if missing > _MISSING_SECONDS:
        raise AudioError(
            "truncated", f"Broken sound: {path} has {seconds:.2f} s, {missing:.2f} s are cut off. Copy it again."
        )
    if not np.isfinite(samples).all():
        raise AudioError("not_finite", f"Broken sound: {path} has samples that are no numbers. Export it again.")
    return samples if rate == sample_rate else resample(samples, rate, sample_rate)


def read_or_reason(path: Path | None, sample_rate: int = SAMPLE_RATE) -> tuple[np.ndarray, str, str]:
    """Read the sound of a clip as 16 bits, or say why there is none.

    Args:
        path: Of the sound, or None where the clip has none.
        sample_rate: Of the result, in Hz.

    Returns:
        (N,) int16, N 0 where there is no sound; one word: ``read``, ``silent`` (all samples are equal), ``no_audio``
        (no file) or the reason of the ``AudioError``; and the message, empty where all is well.
    """
    nothing = np.zeros(0, np.int16)
    if path is None:
        return nothing, "no_audio", ""
    try:
        waveform = to_int16(read_waveform(path, sample_rate))
    except AudioError as error:
        return nothing, error.reason, str(error)
    if (waveform == waveform[0]).all():
        return waveform, "silent", f"All samples of {path} are equal."
    return waveform, "read", ""


def resample(waveform: np.ndarray, rate: int, sample_rate: int) -> np.ndarray:
    """Bring a waveform from one sample rate to another, by FFmpeg's polyphase filter.

    Args:
        waveform: (N,) float32.
        rate: Its samples per second.
        sample_rate: Those of the result.

    Returns:
        (M,) float32, M about N * sample_rate / rate.
    """
    import av

    resampler = av.AudioResampler(format="fltp", layout="mono", rate=sample_rate)
    frame = av.AudioFrame.from_ndarray(waveform[None], "fltp", "mono")
    frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
    parts = [part.to_ndarray()[0] for given in (frame, None) for part in resampler.resample(given)]
    return np.concatenate(parts)


def write_wav(path: Path, waveform: np.ndarray, sample_rate: int) -> None:
    """Write a mono WAV file of 16 bits, bytes depending on the arguments alone.

    Args:
        path: Of the file.
        waveform: (N,) int16.
        sample_rate: In Hz.
    """
    import wave

    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(waveform.astype("<i2").tobytes())


def to_int16(waveform: np.ndarray) -> np.ndarray:
    """Round samples of full scale 1 to 16 bits, cutting what lies beyond.

    Example:
        >>> to_int16(np.array([0.0, 0.5, -1.0, 2.0])).tolist()
        [0, 16384, -32768, 32767]
    """
    return np.clip(np.rint(waveform * 32768.0), -32768, 32767).astype(np.int16)


def _decode(container: InputContainer, stream: AudioStream) -> Iterator[np.ndarray]:
    """Yield the mean of the channels, frame by frame."""
    import av

    to_float = av.AudioResampler(format="fltp")
    for frame in container.decode(stream):
        for converted in to_float.resample(frame):
            yield converted.to_ndarray().mean(axis=0, dtype=np.float32)


def _sample_rate(stream: AudioStream, path: Path) -> int:
    context = stream.codec_context
    if context is None:
        raise AudioError("unsupported", f"Sound not supported: FFmpeg knows no decoder for {path}. Convert it to WAV.")
    if not RATES[0] <= context.sample_rate <= RATES[1]:
        raise AudioError(
            "absurd_rate",
            f"Broken sound: the header of {path} says {context.sample_rate:,} samples a second, none of {RATES[0]:,} "
            f"to {RATES[1]:,}. Copy it again, or correct its header.",
        )
    return context.sample_rate


def _announced_seconds(container: InputContainer, stream: AudioStream, path: Path) -> float:
    """The length that a file says it has, 0 where it says none that can be believed.

    Of a WAV file the header's own count of bytes is requested instead, see ``_bytes_cut_off``.
    """
    form = container.format.name
    if form == "wav":
        return 0.0
    if form in _ESTIMATED and not any(word in first_bytes(path, _HEADER_BYTES) for word in _EXACT_MP3):
        return 0.0
    seconds = float((stream.duration or 0) * (stream.time_base or 0))
    return seconds if seconds <= MAX_SECONDS else 0.0


def _bytes_cut_off(path: Path) -> int:
    """How many bytes a WAV file lacks of those its header announces, which FFmpeg does not mind."""
    with path.open("rb") as file:
        header = file.read(8)
    announced = int.from_bytes(header[4:8], "little")
    if header[:4] != b"RIFF" or announced == 0 or announced >= _UNKNOWN_LENGTH:
        return 0
    return max(0, announced + 8 - path.stat().st_size)
