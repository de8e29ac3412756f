"""Sound of any kind becomes one waveform at one rate; what cannot be read says why."""

import pickle
import struct
import wave

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import resample_poly

from mien.data.audio import AudioError, read_waveform, resample, to_int16, write_wav
from mien.data.video import write_video


def tone(rate: int, seconds: float = 0.5, hertz: float = 440.0) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)


def wav_bytes(samples: np.ndarray, rate: int, kind: int = 1) -> bytes:
    """A WAV file of (N, C) samples; kind 1 whole numbers, 3 floating point."""
    data, (_, channels) = samples.tobytes(), samples.shape
    width = samples.dtype.itemsize * channels
    form = struct.pack("<IHHIIHH", 16, kind, channels, rate, rate * width, width, samples.dtype.itemsize * 8)
    return (
        b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + form + b"data" + struct.pack("<I", len(data)) + data
    )


def test_a_file_at_the_wanted_rate_keeps_its_samples(tmp_path):
    samples = np.random.default_rng(0).integers(-32768, 32768, 3001).astype(np.int16)
    write_wav(tmp_path / "a.wav", samples, 16_000)
    read = read_waveform(tmp_path / "a.wav")
    assert read.dtype == np.float32
    np.testing.assert_array_equal(to_int16(read), samples)
    with wave.open(str(tmp_path / "a.wav")) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 16_000)
        np.testing.assert_array_equal(np.frombuffer(file.readframes(3001), "<i2"), samples)


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000, 96_000])
def test_a_tone_keeps_pitch_level_and_place_at_another_rate(tmp_path, rate):
    (tmp_path / "a.wav").write_bytes(wav_bytes(to_int16(tone(rate))[:, None], rate))
    read = read_waveform(tmp_path / "a.wav")
    assert abs(len(read) - 8_000) <= 2
    inner = slice(400, 7_600)
    assert np.abs(read[inner] - tone(16_000)[inner]).max() < 2e-3


def test_resampling_agrees_with_an_independent_filter():
    noise = np.random.default_rng(1).normal(size=9_600)
    smooth = np.convolve(noise, np.hanning(31) / 15, "same").astype(np.float32)  # within the new band
    ours, theirs = resample(smooth, 48_000, 16_000), resample_poly(smooth, 1, 3)
    assert np.abs(ours[100:3_100] - theirs[100:3_100]).max() < 0.01 * np.abs(theirs).max()


def test_channels_are_averaged_not_added(tmp_path):
    left, right = tone(16_000), tone(16_000, hertz=900.0)
    stereo = np.stack([left, right], axis=1)
    (tmp_path / "a.wav").write_bytes(wav_bytes(to_int16(stereo), 16_000))
    np.testing.assert_allclose(read_waveform(tmp_path / "a.wav"), (left + right) / 2, atol=4e-5)
    (tmp_path / "b.wav").write_bytes(wav_bytes(np.repeat(left[:, None], 6, axis=1).astype("<f4"), 16_000, kind=3))
    np.testing.assert_allclose(read_waveform(tmp_path / "b.wav"), left, atol=1e-6)


def test_eight_bits_and_floating_point_are_read_at_their_own_precision(tmp_path):
    (tmp_path / "u8.wav").write_bytes(wav_bytes(np.uint8(128 + np.rint(tone(16_000) * 127))[:, None], 16_000))
    (tmp_path / "f4.wav").write_bytes(wav_bytes(tone(16_000).astype("<f4")[:, None], 16_000, kind=3))
    np.testing.assert_allclose(read_waveform(tmp_path / "u8.wav"), tone(16_000), atol=1 / 120)
    np.testing.assert_array_equal(read_waveform(tmp_path / "f4.wav"), tone(16_000).astype(np.float32))


def test_silence_is_sound(tmp_path):
    write_wav(tmp_path / "a.wav", np.zeros(8_000, np.int16), 48_000)
    assert not read_waveform(tmp_path / "a.wav").any()


@pytest.mark.parametrize(("suffix", "rate"), [(".mp4", 48_000), (".flv", 44_100)])
def test_the_sound_of_a_video_is_read_in_step_with_its_frames(tmp_path, suffix, rate):
    voice = np.zeros(rate, np.int16)
    voice[rate // 2 :] = to_int16(tone(rate, 0.5))
    write_video(tmp_path / f"a{suffix}", np.zeros((10, 64, 64, 3), np.uint8), 10, voice, rate)
    read = read_waveform(tmp_path / f"a{suffix}")
    assert 16_000 <= len(read) < 16_000 + 2_000
    loud = np.flatnonzero(np.abs(read) > 0.2)
    assert abs(loud[0] / 16_000 - 0.5) < 0.08


def broken(tmp_path) -> dict[str, bytes]:
    whole = wav_bytes(to_int16(tone(16_000, 1.0))[:, None], 16_000)
    numberless = tone(16_000).astype("<f4")[:, None]
    numberless[77] = np.nan
    write_video(tmp_path / "mute.mp4", np.zeros((4, 64, 64, 3), np.uint8), 10)
    return {
        "missing": b"",
        "empty": b"",
        "truncated": whole[: len(whole) // 2],
        "no_samples": wav_bytes(np.zeros((0, 1), np.int16), 16_000),
        "not_finite": wav_bytes(numberless, 16_000, kind=3),
        "not_an_audio": b"spoken words " * 30,
        "no_audio": (tmp_path / "mute.mp4").read_bytes(),
    }


@pytest.mark.parametrize(
    "reason", ["missing", "empty", "truncated", "no_samples", "not_finite", "not_an_audio", "no_audio"]
)
def test_a_sound_that_cannot_be_read_has_a_reason(tmp_path, reason):
    path = tmp_path / "a.wav"
    if reason != "missing":
        path.write_bytes(broken(tmp_path)[reason])
    with pytest.raises(AudioError) as error:
        read_waveform(path)
    assert error.value.reason == reason
    assert str(path) in str(error.value)
    again = pickle.loads(pickle.dumps(error.value))
    assert (again.reason, str(again)) == (reason, str(error.value))


def test_a_damaged_track_is_undecodable_or_shorter_never_noise_without_a_word(tmp_path):
    write_video(tmp_path / "a.mp4", np.zeros((10, 64, 64, 3), np.uint8), 10, to_int16(tone(48_000, 1.0)), 48_000)
    content = bytearray((tmp_path / "a.mp4").read_bytes())
    start = content.index(b"mdat") + 2_000
    content[start : start + 4_000] = b"\xff" * 4_000
    (tmp_path / "b.mp4").write_bytes(bytes(content))
    with pytest.raises(AudioError) as error:
        read_waveform(tmp_path / "b.mp4")
    assert error.value.reason in ("undecodable", "truncated")


def test_an_impossible_rate_is_refused(tmp_path):
    with pytest.raises(ValueError, match="give 1000 to 192000"):
        read_waveform(tmp_path / "a.wav", 0)


@given(st.lists(st.floats(-2, 2), min_size=1, max_size=50))
def test_rounding_to_16_bits_cuts_at_full_scale_and_is_exact_within(values):
    rounded = to_int16(np.array(values))
    inside = np.abs(values) <= 32767 / 32768
    assert np.abs(rounded / 32768 - values)[inside].max(initial=0) <= 0.5 / 32768 + 1e-12
    assert (rounded[np.array(values) >= 1] == 32767).all()
    assert (rounded[np.array(values) <= -1] == -32768).all()


def wav_with(path, riff: int | None = None, data: int | None = None, rate: int | None = None) -> None:
    """A second of sound of which the header says otherwise."""
    write_wav(path, (np.sin(np.arange(16_000) / 20) * 9_000).astype(np.int16), 16_000)
    content = bytearray(path.read_bytes())
    for place, value in ((4, riff), (40, data), (24, rate)):
        if value is not None:
            content[place : place + 4] = value.to_bytes(4, "little")
    path.write_bytes(content)


@pytest.mark.parametrize("length", [0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000, 0x80000024, 0])
def test_a_wav_from_a_pipe_is_read_whole_whatever_length_it_announces(tmp_path, length):
    wav_with(tmp_path / "a.wav", riff=length, data=0xFFFFFFFF if length == 0 else length)
    assert len(read_waveform(tmp_path / "a.wav")) == 16_000


@pytest.mark.parametrize("rate", [0, 1, 999, 1_000_000, 2**31 - 1, 2**32 - 1])
def test_an_absurd_sample_rate_is_reported_before_anything_is_allocated(tmp_path, rate):
    wav_with(tmp_path / "a.wav", rate=rate)
    with pytest.raises(AudioError, match=r"a\.wav") as error:
        read_waveform(tmp_path / "a.wav")
    assert error.value.reason in ("absurd_rate", "not_an_audio", "truncated", "undecodable")


def test_an_mp3_without_a_count_of_its_frames_is_not_called_truncated(tmp_path):
    """FFmpeg guesses the length of such a file by the bit rate of its first frames."""
    import av

    path = tmp_path / "a.mp3"
    sound = np.zeros(64_000, np.float32)
    sound[16_000:] = np.random.default_rng(0).normal(0, 0.3, 48_000)
    with av.open(str(path), "w", options={"write_xing": "0", "id3v2_version": "0"}) as container:
        stream = container.add_stream("mp3", rate=16_000, layout="mono", options={"q": "4"})
        frame = av.AudioFrame.from_ndarray(sound[None], "fltp", "mono")
        frame.sample_rate = 16_000
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    assert abs(len(read_waveform(path)) - 64_000) < 4_000
