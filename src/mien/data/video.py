"""Video files: frames by their number, the time of each, and the writing of synthetic ones."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from mien.data.images import ImageError
from mien.data.media_file import open_media

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream


class VideoFrames:
    """Reads frames of one video by number; those that follow each other are decoded once.

    Numbers count the frames in the order in which they are shown. A number above the last one read is reached by
    decoding forward, a lower one by opening the file anew, since few videos can be entered at any frame exactly.

    Args:
        path: Of the video; any format that FFmpeg decodes.

    Raises:
        ImageError: ``reason`` is missing, directory, empty, git_lfs_pointer, unreadable, truncated, not_a_video or
            no_video (the file holds sound alone).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._container: InputContainer | None = None
        self._frames: Iterator[np.ndarray] = iter(())
        self._next = 0
        self._last: np.ndarray | None = None
        self._open()

    def read(self, number: int) -> np.ndarray:
        """Read a frame.

        Args:
            number: 0 or more, in the order of presentation.

        Returns:
            (H, W, 3) uint8 RGB, upright.

        Raises:
            ImageError: ``reason`` is frame_past_end, or truncated where the file announces the frame but lacks it, or
                undecodable where its data are damaged.
        """
        import av

        if number < 0:
            raise ImageError("frame_past_end", f"No frame {number} in {self.path}: frames are counted from 0.")
        if number == self._next - 1 and self._last is not None:
            return self._last
        if number < self._next or self._container is None:
            self.close()
            self._open()
        try:
            while self._next <= number:
                self._last = next(self._frames)
                self._next += 1
        except StopIteration:
            raise self._past_end(number) from None
        except av.error.FFmpegError as error:
            raise ImageError(
                "undecodable", f"Damaged video: frame {self._next} of {self.path} cannot be decoded. Copy it again."
            ) from error
        return self._last  # type: ignore[return-value]

    def close(self) -> None:
        """Close the file; reading opens it again."""
        if self._container is not None:
            self._container.close()
        self._container, self._frames, self._last, self._next = None, iter(()), None, 0

    def _open(self) -> None:
        self._container = open_media(self.path, ImageError, "video")
        try:
            stream = _video_stream(self._container, self.path)
        except ImageError:
            self.close()
            raise
        self._announced = stream.frames
        self._frames = _decode(self._container, stream)

    def _past_end(self, number: int) -> ImageError:
        found, announced = self._next, self._announced
        self.close()
        if number < announced:
            return ImageError(
                "truncated", f"Broken video: {self.path} announces {announced} frames and has {found}. Copy it again."
            )
        return ImageError("frame_past_end", f"No frame {number} in {self.path}: it has {found} frames, from 0.")


def frame_times(path: Path) -> np.ndarray:
    """List when each frame of a video is shown, without decoding it.

    Args:
        path: Of the video.

    Returns:
        (n,) float64 seconds after the first frame, rising; ``n`` frames, whatever their rate. Frames without a time
        of their own follow at the video's mean rate.

    Raises:
        ImageError: As ``VideoFrames``, and no_frames where the video has none.
    """
    import av

    container = open_media(path, ImageError, "video")
    with container:
        stream = _video_stream(container, path)
        times: list[float | None] = []
        try:
            for packet in container.demux(stream):
                if packet.size and not packet.is_discard:
                    seconds = None if packet.pts is None else float(packet.pts * packet.time_base)
                    times.append(seconds)
        except av.error.FFmpegError as error:
            why = f"Broken video: {path} is damaged after {len(times)} frames. Copy it again."
            raise ImageError("truncated", why) from error
        rate, announced = float(stream.average_rate or stream.guessed_rate or 0), stream.frames
    if not times and announced:
        raise ImageError("truncated", f"Broken video: {path} has none of its {announced} frames. Copy it again.")
    if not times:
        raise ImageError("no_frames", f"No frame: {path} has a video track of zero frames. Remove it.")
    known = [seconds for seconds in times if seconds is not None]
    if len(known) < len(times):
        if rate <= 0:
            raise ImageError("no_times", f"No times: frames of {path} say neither when nor at which rate. Convert it.")
        return np.arange(len(times)) / rate
    return np.sort(np.array(known)) - min(known)


def write_video(
    path: Path, frames: np.ndarray, fps: int, waveform: np.ndarray | None = None, sample_rate: int = 48_000
) -> None:
    """Encode frames, and a voice if there is one, into a file of the format that its suffix names.

    ``.mp4`` holds H.264 and AAC as RAVDESS does, ``.flv`` Sorenson H.263 as CREMA-D does, and AAC. Encoders run on one
    thread and write no time or version of their own where they can be kept from it: equal arguments give equal bytes on
    one machine with one build of FFmpeg, not across builds.

    Args:
        path: Ending in .mp4 or .flv.
        frames: (n, H, W, 3) uint8 RGB, n at least 1, H and W even.
        fps: Frames per second.
        waveform: (N,) int16 mono, or None for a video without sound.
        sample_rate: Of ``waveform``, in Hz; 44,100 at most in .flv.
    """
    import av

    codec, options = _VIDEO_CODECS[path.suffix]
    with av.open(str(path), "w", format=path.suffix[1:], options={"fflags": "+bitexact"}) as container:
        video = cast("VideoStream", container.add_stream(codec, rate=fps, options=options))
        video.height, video.width = frames.shape[1:3]
        video.pix_fmt = "yuv420p"
        video.thread_count = 1
        video.codec_context.flags |= av.codec.context.Flags.bitexact
        audio = None
        if waveform is not None:
            added = container.add_stream("aac", rate=sample_rate, layout="mono", options={"b": "96k"})
            audio = cast("AudioStream", added)
            audio.codec_context.flags |= av.codec.context.Flags.bitexact
        packets: list[Packet] = []
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            packets += video.encode(frame)
        packets += video.encode(None)
        if audio is not None and waveform is not None:
            sound = av.AudioFrame.from_ndarray(waveform[None].astype(np.float32) / 32768, "fltp", "mono")
            sound.sample_rate, sound.pts, sound.time_base = sample_rate, 0, Fraction(1, sample_rate)
            packets += audio.encode(sound)
            packets += audio.encode(None)
        for packet in sorted(packets, key=lambda one: float((one.dts or 0) * (one.time_base or 0))):
            container.mux(packet)


_VIDEO_CODECS = {
    # without looking ahead, which gives equal frames now and then other bytes (x264 in PyAV 18.1)
    ".mp4": ("libx264", {"preset": "veryfast", "crf": "18", "tune": "zerolatency"}),
    ".flv": ("flv", {"b": "800k"}),
}


def _video_stream(container: InputContainer, path: Path) -> VideoStream:
    if not container.streams.video:
        raise ImageError("no_video", f"No picture: {path} has no video track. Give the file that shows the face.")
    stream = container.streams.video[0]
    stream.thread_count = 1
    stream.thread_type = "NONE"
    return stream


def _decode(container: InputContainer, stream: VideoStream) -> Iterator[np.ndarray]:
    for frame in container.decode(stream):
        pixels = frame.to_ndarray(format="rgb24")
        # Counter-clockwise quarter turns that the camera asks of the player.
        quarters = round(frame.rotation / 90) % 4
        yield np.ascontiguousarray(np.rot90(pixels, quarters)) if quarters else pixels
