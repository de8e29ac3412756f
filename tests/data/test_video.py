"""Frames come by their number, in the order in which they are shown, whatever was read before."""

import hashlib
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from mien.data.images import ImageError
from mien.data.video import VideoFrames, frame_times, write_video

N, FPS = 14, 10


def moving_frames(n: int = N) -> np.ndarray:
    """Smooth frames whose grey level says which one it is: 15 more with each."""
    x = np.tile(np.arange(64), (64, 1))
    wave = 10 * np.sin(x / 9.0)[..., None] * np.array([1.0, 0.5, -1.0])
    return np.stack([20 + 15 * number + np.roll(wave, 3 * number, axis=1) for number in range(n)]).astype(np.uint8)


def which(frame: np.ndarray) -> int:
    return round((frame.mean() - moving_frames(1)[0].mean()) / 15)


@pytest.fixture(scope="module", params=[".mp4", ".flv"])
def video(request, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("video") / f"clip{request.param}"
    voice = (8000 * np.sin(np.arange(44_100) / 20)).astype(np.int16)
    write_video(path, moving_frames(), FPS, voice, 44_100)
    return path


def test_frames_come_back_in_order_and_in_colour(video):
    frames = VideoFrames(video)
    written = moving_frames()
    for number in range(N):
        read = frames.read(number)
        assert read.shape == (64, 64, 3)
        assert read.dtype == np.uint8
        assert np.abs(read.astype(int) - written[number]).mean() < 5, number


def test_any_order_of_reading_gives_the_same_frames(video):
    forward = VideoFrames(video)
    expected = [forward.read(number) for number in range(N)]
    frames = VideoFrames(video)
    for number in (5, 5, 9, 3, 3, 13, 0, 1, 12):
        np.testing.assert_array_equal(frames.read(number), expected[number])
    frames.close()
    np.testing.assert_array_equal(frames.read(2), expected[2])


def test_frames_equal_those_of_an_independent_decoder(video):
    capture = cv2.VideoCapture(str(video))
    frames = VideoFrames(video)
    for number in range(N):
        there, bgr = capture.read()
        assert there
        difference = np.abs(frames.read(number).astype(int) - cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))
        assert difference.mean() < 1.5, number
    assert not capture.read()[0]


def test_times_are_those_of_the_frames_and_as_many(video):
    np.testing.assert_allclose(frame_times(video), np.arange(N) / FPS, atol=1e-3)


def test_a_number_past_the_end_is_refused_and_the_video_stays_readable(video):
    frames = VideoFrames(video)
    for number in (N, 500, -1):
        with pytest.raises(ImageError) as error:
            frames.read(number)
        assert error.value.reason == "frame_past_end"
    assert which(frames.read(4)) == 4


def test_equal_frames_give_equal_bytes(video, tmp_path):
    again = tmp_path / video.name
    voice = (8000 * np.sin(np.arange(44_100) / 20)).astype(np.int16)
    write_video(again, moving_frames(), FPS, voice, 44_100)
    assert hashlib.sha256(again.read_bytes()).digest() == hashlib.sha256(video.read_bytes()).digest()


def write_raw(path: Path, times: list[int], **stream_options) -> None:
    """A video with a frame at each time in milliseconds."""
    with av.open(str(path), "w", options=stream_options.get("container", {})) as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        if "rotation" in stream_options:
            stream.set_display_rotation(stream_options["rotation"])
        packets = []
        for pixels, time in zip(stream_options.get("frames", moving_frames(len(times))), times, strict=True):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            packets += stream.encode(frame)
        for packet in packets + stream.encode(None):
            container.mux(packet)


def test_a_variable_frame_rate_keeps_each_frames_own_time(tmp_path):
    times = [0, 40, 50, 400, 1000, 1010]
    write_raw(tmp_path / "variable.mp4", times)
    np.testing.assert_allclose(frame_times(tmp_path / "variable.mp4"), np.array(times) / 1000, atol=2e-3)
    frames = VideoFrames(tmp_path / "variable.mp4")
    assert [which(frames.read(number)) for number in range(6)] == list(range(6))


@pytest.mark.skipif(not hasattr(av.VideoStream, "set_display_rotation"), reason="this PyAV cannot write a rotation")
def test_a_video_held_sideways_is_read_upright(tmp_path):
    upright = np.zeros((2, 64, 64, 3), np.uint8)
    upright[:, :20, :40] = 255  # top left
    write_raw(tmp_path / "side.mp4", [0, 33], frames=np.ascontiguousarray(np.rot90(upright, -1, (1, 2))), rotation=90)
    read = VideoFrames(tmp_path / "side.mp4").read(1).astype(int)
    assert np.abs(read - upright[1]).mean() < 8


def test_a_file_that_announces_more_frames_than_it_has_is_truncated(tmp_path):
    write_raw(tmp_path / "whole.mp4", [40 * number for number in range(N)], container={"movflags": "faststart"})
    content = (tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(content[: content.index(b"mdat") + 300])
    with pytest.raises(ImageError) as error:
        VideoFrames(tmp_path / "cut.mp4").read(N - 1)
    assert error.value.reason in ("truncated", "undecodable")


def test_sound_alone_is_no_video(tmp_path):
    from mien.data.audio import write_wav

    write_wav(tmp_path / "voice.wav", np.zeros(1600, np.int16), 16_000)
    for read in (VideoFrames, frame_times):
        with pytest.raises(ImageError) as error:
            read(tmp_path / "voice.wav")
        assert error.value.reason == "no_video"


def test_a_track_without_its_frames_says_so(tmp_path):
    write_raw(tmp_path / "whole.mp4", [0, 40, 80], container={"movflags": "faststart"})
    content = (tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "none.mp4").write_bytes(content[: content.index(b"mdat") + 4])
    with pytest.raises(ImageError) as error:
        frame_times(tmp_path / "none.mp4")
    assert error.value.reason == "truncated"
    with pytest.raises(ImageError) as error:
        VideoFrames(tmp_path / "none.mp4").read(0)
    assert error.value.reason == "truncated"


def test_a_flash_video_that_announces_pictures_and_has_none_says_so(tmp_path):
    write_video(tmp_path / "a.flv", moving_frames(2), FPS)
    content = (tmp_path / "a.flv").read_bytes()
    (tmp_path / "none.flv").write_bytes(content[:13])
    for read in (frame_times, VideoFrames):
        with pytest.raises(ImageError) as error:
            read(tmp_path / "none.flv")
        assert error.value.reason == "truncated"
