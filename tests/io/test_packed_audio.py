"""Packed audio: waveforms of many clips in one memory-mapped file, written clip by clip."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kedro.io import DatasetError

from mien.io.packed_audio import PackedAudio, WaveformStream


def noise(samples: int) -> np.ndarray:
    return np.random.default_rng(samples).integers(-32768, 32768, samples).astype(np.int16)


@settings(max_examples=30)
@given(lengths=st.lists(st.integers(0, 300), min_size=1, max_size=12).filter(any))
def test_waveforms_come_back_by_their_clips_number(tmp_path_factory, lengths):
    entry = PackedAudio(filepath=str(tmp_path_factory.mktemp("packed") / "audio.npy"))
    entry.save(WaveformStream(16_000, ((noise(n), "read" if n else "no_audio") for n in lengths)))
    loaded = entry.load()
    assert len(loaded) == len(lengths)
    assert loaded.sample_rate == 16_000
    assert loaded.length.tolist() == lengths
    assert loaded.reason.tolist() == ["read" if n else "no_audio" for n in lengths]
    for clip, n in enumerate(lengths):
        np.testing.assert_array_equal(loaded[clip], noise(n))
    np.testing.assert_array_equal(loaded.samples, np.concatenate([noise(n) for n in lengths]))


def test_numpy_reads_the_file_without_the_project(tmp_path):
    entry = PackedAudio(filepath=str(tmp_path / "audio.npy"))
    entry.save(WaveformStream(8_000, [(noise(5), "read"), (noise(70_000), "read")]))
    with (tmp_path / "audio.npy").open("rb") as file:
        samples, index, sample_rate = (np.load(file) for _ in range(3))
    np.testing.assert_array_equal(samples[5:], noise(70_000))
    assert index["samples"].tolist() == [5, 70_000]
    assert sample_rate == 8_000


def test_samples_are_mapped_not_loaded_and_cannot_be_changed(tmp_path):
    entry = PackedAudio(filepath=str(tmp_path / "audio.npy"))
    entry.save(WaveformStream(16_000, [(noise(9), "read")]))
    loaded = entry.load()
    assert isinstance(loaded[0], np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        loaded[0][0] = 1


def test_waveforms_are_written_while_they_are_read_and_nothing_shows_before_the_end(tmp_path):
    path = tmp_path / "audio.npy"

    def waveforms():
        for number in range(1, 4):
            yield np.full(50_000, number, np.int16), "read"
            assert not path.exists()
            (part,) = tmp_path.glob(".audio.npy.*.part")
            assert part.stat().st_size >= (number - 1) * 100_000
        assert entry.exists() is False

    entry = PackedAudio(filepath=str(path))
    entry.save(WaveformStream(16_000, waveforms()))
    assert [int(entry.load()[clip][0]) for clip in range(3)] == [1, 2, 3]
    assert [one.name for one in tmp_path.iterdir()] == ["audio.npy"]


def test_an_interruption_leaves_the_former_file(tmp_path):
    entry = PackedAudio(filepath=str(tmp_path / "audio.npy"))
    entry.save(WaveformStream(16_000, [(noise(9), "read")]))

    def cut_off():
        yield noise(4), "read"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        entry.save(WaveformStream(16_000, cut_off()))
    np.testing.assert_array_equal(entry.load()[0], noise(9))
    entry.save(WaveformStream(16_000, [(noise(7), "read")]))
    np.testing.assert_array_equal(entry.load()[0], noise(7))


def test_clips_without_any_sound_are_refused_with_what_to_do(tmp_path):
    entry = PackedAudio(filepath=str(tmp_path / "audio.npy"))
    for waveforms in ([], [(noise(0), "no_audio")] * 2):
        with pytest.raises(DatasetError, match=r"No clip has sound.*check that the audio files are unpacked"):
            entry.save(WaveformStream(16_000, waveforms))
        assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_cut_off_or_something_else_is_reported(tmp_path):
    path = tmp_path / "audio.npy"
    entry = PackedAudio(filepath=str(path))
    entry.save(WaveformStream(16_000, [(noise(900), "read")]))
    content = path.read_bytes()
    np.save(tmp_path / "other.npy", np.zeros(3))
    for broken in (content[:-9], content[:1000], b"", (tmp_path / "other.npy").read_bytes()):
        path.write_bytes(broken)
        with pytest.raises(DatasetError, match="Delete it and run its pipeline again"):
            entry.load()
