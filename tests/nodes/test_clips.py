"""From clips to frames and waveforms: which frames, where the sound lies, what becomes of files that cannot be read."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mien.data.audio import to_int16, write_wav
from mien.data.video import VideoFrames, write_video
from mien.io.packed_audio import PackedAudio
from mien.io.schemas import Clips, Listed, ListedClips
from mien.nodes.clips import (
    AudioParams,
    FrameParams,
    clip_dataset_pipeline,
    index_audio,
    list_clips,
    list_frames,
    pack_audio,
)

FPS, FRAMES = 10, 20
AUDIO = AudioParams(sample_rate=16_000, workers=1)


def tone(seconds: float, rate: int) -> np.ndarray:
    return to_int16(0.5 * np.sin(2 * np.pi * 300 * np.arange(int(seconds * rate)) / rate))


@pytest.fixture(scope="module")
def raw(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("raw")
    levels = (10 + 12 * np.arange(FRAMES)).astype(np.uint8)
    frames = np.broadcast_to(levels[:, None, None, None], (FRAMES, 64, 64, 3))
    write_video(folder / "long.mp4", frames, FPS, tone(2.0, 48_000), 48_000)
    write_video(folder / "short.mp4", frames[:1], FPS)
    (folder / "broken.mp4").write_bytes((folder / "long.mp4").read_bytes()[:900])
    write_wav(folder / "voice.wav", tone(1.5, 48_000), 48_000)
    write_wav(folder / "silence.wav", np.zeros(800, np.int16), 16_000)
    (folder / "empty.wav").touch()
    return folder


@pytest.fixture
def clips() -> pd.DataFrame:
    rows = [
        ("a", "long.mp4", "long.mp4"),
        ("b", None, "voice.wav"),
        ("c", "short.mp4", None),
        ("d", "broken.mp4", "empty.wav"),
        ("e", "long.mp4", "silence.wav"),
    ]
    table = pd.DataFrame(rows, columns=["sample_id", "video", "audio"]).astype("string")
    return table.assign(
        sample_id=table["sample_id"].astype(str),
        label=[0, 1, 2, 0, 1],
        expression=["surprise", "fear", "disgust", "surprise", "fear"],
        split=["train", "train", "val", "test", "test"],
        subject=["s1", "s1", "s2", "s3", "s3"],
        gender=["male", "male", None, "female", "female"],
        intensity="normal",
        synthetic=True,
    )


@pytest.mark.parametrize(
    ("rate", "most", "numbers"),
    [
        (2.0, 16, [2, 7, 12, 17]),  # four parts of half a second, their middles at 0.25, 0.75 ... s
        (5.0, 4, [2, 7, 12, 17]),
        (0.1, 16, [10]),
        (10.0, 100, list(range(FRAMES))),
        (1000.0, 1000, list(range(FRAMES))),
    ],
)
def test_frames_are_chosen_evenly_over_the_clip(raw, clips, rate, most, numbers):
    frames = list_frames(clips.iloc[:1], raw, FrameParams(rate=rate, max_frames=most))
    assert [int(name.rpartition("_f")[2]) for name in frames["sample_id"]] == numbers
    np.testing.assert_allclose(frames["time_seconds"], np.array(numbers) / FPS, atol=1e-3)
    video = VideoFrames(raw / "long.mp4")
    for number, reference in zip(numbers, frames["image"], strict=True):
        assert reference == f"long.mp4#frame={number}"
        assert video.read(number).mean() == pytest.approx(10 + 12 * number, abs=4)


def test_frames_take_over_what_is_known_of_their_clip(raw, clips, caplog):
    with caplog.at_level(logging.WARNING, "mien"):
        frames = list_frames(clips, raw, FrameParams(rate=2.0, max_frames=16))
    Listed.validate(frames)
    assert frames["clip"].tolist() == ["a"] * 4 + ["c"] + ["d"] + ["e"] * 4
    assert frames["sample_id"].iloc[4] == "c_f000"
    merged = frames.merge(clips, left_on="clip", right_on="sample_id", suffixes=("", "_of_clip"))
    for column in ("label", "expression", "split", "subject", "synthetic"):
        assert (merged[column] == merged[f"{column}_of_clip"]).all(), column
    assert "1 of 4 videos cannot be read, the first d: truncated" in caplog.text


def test_clips_without_any_video_are_refused_with_what_to_do(raw, clips):
    with pytest.raises(ValueError, match=r"no frames to list\. Unpack the videos.*index_audio"):
        list_frames(clips.iloc[1:2], raw, FrameParams(rate=2.0, max_frames=16))


def test_sound_is_packed_by_clip_with_a_word_on_each(raw, clips, tmp_path, caplog):
    entry = PackedAudio(filepath=str(tmp_path / "audio.npy"))
    with caplog.at_level(logging.WARNING, "mien"):
        entry.save(pack_audio(clips, raw, AUDIO))
    packed = entry.load()
    assert packed.reason.tolist() == ["read", "read", "no_audio", "empty", "silent"]
    assert packed.length.tolist()[1:] == [24_000, 0, 0, 800]
    assert 32_000 <= packed.length[0] < 34_000
    expected = 0.5 * np.sin(2 * np.pi * 300 * np.arange(24_000) / 16_000)
    assert np.abs(packed[1][500:-500] / 32768 - expected[500:-500]).max() < 2e-3
    assert "2 of 5 clips is silent or unreadable, the first d (empty)" in caplog.text
    table = index_audio(clips, packed)
    Clips.validate(table)
    assert table["audio_start"].tolist() == [0, packed.length[0], -1, -1, packed.length[0] + 24_000]
    assert table["audio_samples"].tolist() == packed.length.tolist()
    assert table["audio_seconds"].iloc[1] == 1.5
    start = table["audio_start"].iloc[1]
    np.testing.assert_array_equal(packed.samples[start : start + 24_000], packed[1])


def test_the_bytes_do_not_depend_on_the_number_of_processes(raw, clips, tmp_path):
    for name, workers in (("one", 1), ("two", 2)):
        entry = PackedAudio(filepath=str(tmp_path / name))
        entry.save(pack_audio(clips, raw, AudioParams(sample_rate=16_000, workers=workers)))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_waveforms_of_another_table_are_refused(raw, clips, tmp_path):
    entry = PackedAudio(filepath=str(tmp_path / "audio.npy"))
    entry.save(pack_audio(clips.iloc[:2], raw, AUDIO))
    with pytest.raises(ValueError, match="2 waveforms are packed of 5 clips"):
        index_audio(clips, entry.load())


def test_clips_are_counted_over_all_splits_and_keep_their_own(raw, clips, caplog):
    ListedClips.validate(clips)
    published = {"all": {"surprise": 2, "fear": 2, "disgust": 2}}
    with caplog.at_level(logging.WARNING, "mien"):
        listed = list_clips(clips.drop(columns="synthetic"), raw, name="It", published=published)
    assert listed["split"].tolist() == clips["split"].tolist()
    assert not listed["synthetic"].any()
    assert "It: The class disgust of the all split has 1 samples, 1 fewer than the 2 published." in caplog.text
    assert "fear" not in caplog.text


def test_the_pipeline_gives_systems_the_six_entries_that_they_read():
    pipeline = clip_dataset_pipeline("it", provide=lambda synthetic: None, read=lambda raw, reader: None, published={})
    outputs = {name for name in pipeline.all_outputs() if "." not in name}
    read = ("clips", "samples", "faces_48", "audio", "faces_lopes", "jittered_lopes")
    assert outputs == {f"it_{name}" for name in read}
    parameters = {name for name in pipeline.inputs() if name.startswith("params:")}
    sections = ("synthetic", "reader", "reader.max_passed_over", "frames", "audio", "alignment", "lopes")
    assert parameters == {f"params:it.{name}" for name in sections}
