"""The synthetic version is a RAVDESS to the reader: names, streams, sound that equals the audio-only file.

Equal bytes.
"""

import itertools
import json
from pathlib import Path

import av
import numpy as np
import pytest

from mien.data.audio import read_waveform
from mien.data.ravdess import read_ravdess
from mien.data.synthetic import ravdess as synthetic_ravdess
from mien.data.synthetic.folder import MARKER
from mien.data.synthetic.ravdess import synthesize_ravdess
from mien.data.video import VideoFrames, frame_times

SMALL = {"num_actors": 3, "clips_per_actor": 8, "seed": 1, "image_size": 64, "fps": 4}
DRAWN = 4  # of the 24: the others' names are enough


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("synthetic") / "ravdess"
    every = synthetic_ravdess._clips
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthetic_ravdess, "_clips", lambda arguments: list(every(arguments))[:DRAWN])
        synthesize_ravdess(root, **SMALL)
    return root


def files(root: Path, suffix: str) -> list[Path]:
    return sorted(root.rglob(f"*{suffix}"))


def test_every_clip_is_a_video_with_sound_and_the_same_sound_alone(drawn):
    videos, voices = files(drawn, ".mp4"), files(drawn, ".wav")
    assert [path.name[3:-4] for path in videos] == [path.name[3:-4] for path in voices]
    assert len(videos) == DRAWN
    assert {path.name[:2] for path in videos} == {"01"}
    assert {path.name[:2] for path in voices} == {"03"}
    for video, voice in zip(videos, voices, strict=True):
        with av.open(str(video)) as container:
            assert container.streams.video[0].codec_context.name == "h264"
            assert container.streams.audio[0].codec_context.name == "aac"
            assert container.streams.audio[0].codec_context.sample_rate == 48_000
        sound, alone = read_waveform(video), read_waveform(voice)
        assert np.abs(alone).max() > 0.02
        assert np.corrcoef(sound[: len(alone)], alone[: len(sound)])[0, 1] > 0.95
        assert len(frame_times(video)) == np.ceil(len(alone) / 16_000 * 4)
        assert VideoFrames(video).read(2).shape == (64, 64, 3)


def test_equal_arguments_give_equal_bytes_and_another_seed_other_clips(drawn, tmp_path):
    clip = synthetic_ravdess._Clip(1, *(int(code) for code in files(drawn, ".wav")[0].stem.split("-")[2:6]), 1, 64, 4)
    folder = tmp_path / "Actor_01"
    folder.mkdir()
    synthetic_ravdess._write_clip(tmp_path, clip)
    again = sorted(folder.iterdir())
    assert len(again) == 2
    for path in again:
        assert path.read_bytes() == (drawn / "Actor_01" / path.name).read_bytes(), path.name
    synthetic_ravdess._write_clip(tmp_path, synthetic_ravdess._Clip(**{**vars(clip), "seed": 2}))
    assert all(path.read_bytes() != (drawn / "Actor_01" / path.name).read_bytes() for path in again)


def test_the_marker_says_what_was_drawn_and_a_second_call_draws_nothing(drawn):
    marker = json.loads((drawn / MARKER).read_text())
    assert marker["arguments"] == SMALL
    assert len(marker["files"]) == 2 * DRAWN
    before = {path: path.stat().st_mtime_ns for path in files(drawn, ".mp4")}
    synthesize_ravdess(drawn, **SMALL)
    assert {path: path.stat().st_mtime_ns for path in files(drawn, ".mp4")} == before


@pytest.mark.parametrize(("num_actors", "clips_per_actor"), [(3, 8), (8, 16)])
def test_emotions_intensities_and_statements_take_turns_and_the_reader_reads_the_names(
    tmp_path, num_actors, clips_per_actor
):
    arguments = {**SMALL, "num_actors": num_actors, "clips_per_actor": clips_per_actor}
    clips = list(synthetic_ravdess._clips(arguments))
    for clip in clips:
        folder = tmp_path / f"Actor_{clip.actor:02d}"
        folder.mkdir(exist_ok=True)
        (folder / f"{clip.name(3)}.wav").touch()
    read = read_ravdess(tmp_path, ("speech",), 0.3, 0.3)
    assert len(read) == num_actors * clips_per_actor
    per_emotion = read.groupby(["subject", "emotion"]).size()
    assert per_emotion.max() - per_emotion.min() <= 1
    if clips_per_actor > 8:
        loud = read[read["emotion"] != "neutral"]
        assert (loud["intensity"] == "strong").mean() == pytest.approx(0.5, abs=0.02)
        assert read["statement"].mean() == pytest.approx(1.5, abs=0.15)


def test_as_many_clips_as_are_published_are_the_published_ones():
    drawn = {clip.name(3) for clip in synthetic_ravdess._clips({**SMALL, "num_actors": 24, "clips_per_actor": 60})}
    codes = itertools.product(range(1, 9), (1, 2), (1, 2), (1, 2), range(1, 25))
    published = {"-".join(f"{code:02d}" for code in (3, 1, *clip)) for clip in codes if clip[:2] != (1, 2)}
    assert drawn == published
    assert len(drawn) == 1440


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("num_actors", 2),
        ("num_actors", 25),
        ("clips_per_actor", 7),
        ("clips_per_actor", 61),
        ("image_size", 65),
        ("image_size", 62),
        ("fps", 0),
        ("seed", -1),
    ],
)
def test_an_argument_out_of_range_is_refused_before_anything_is_drawn(tmp_path, argument, value):
    with pytest.raises(ValueError, match=rf"{argument} of the synthetic RAVDESS is {value}: give an? .*number from"):
        synthesize_ravdess(tmp_path / "ravdess", **{**SMALL, argument: value})
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_was_not_drawn_is_left_alone(tmp_path):
    (tmp_path / "Actor_01").mkdir()
    (tmp_path / "Actor_01" / "01-01-03-01-01-01-01.mp4").write_bytes(b"real")
    with pytest.raises(ValueError, match="is not replaced by synthetic faces"):
        synthesize_ravdess(tmp_path, **SMALL)
    assert (tmp_path / "Actor_01" / "01-01-03-01-01-01-01.mp4").read_bytes() == b"real"
