"""The synthetic version is a CREMA-D to the reader: names, streams, demographics, equal bytes."""

import csv
from collections import Counter
from pathlib import Path

import av
import numpy as np
import pytest

from mien.data.audio import read_waveform
from mien.data.crema_d import CODES, DEMOGRAPHICS, read_crema_d
from mien.data.crema_d import SENTENCES as TEXTS
from mien.data.synthetic import crema_d as synthetic_crema_d
from mien.data.synthetic.crema_d import SENTENCES, synthesize_crema_d
from mien.data.synthetic.voice import VOWELS
from mien.data.video import frame_times

SMALL = {"num_actors": 3, "clips_per_actor": 6, "seed": 1, "image_size": 64, "fps": 4}
DRAWN = 3  # of the 18: the others' names are enough


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("synthetic") / "crema_d"
    every = synthetic_crema_d._clips
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthetic_crema_d, "_clips", lambda arguments: list(every(arguments))[:DRAWN])
        synthesize_crema_d(root, **SMALL)
    return root


def test_every_clip_is_a_flash_video_with_sound_and_the_same_sound_alone(drawn):
    videos, voices = sorted((drawn / "VideoFlash").iterdir()), sorted((drawn / "AudioWAV").iterdir())
    assert [path.stem for path in videos] == [path.stem for path in voices]
    assert len(videos) == DRAWN
    for video, voice in zip(videos, voices, strict=True):
        with av.open(str(video)) as container:
            assert container.format.name == "flv"
            assert container.streams.video[0].codec_context.name == "flv"
            assert container.streams.audio[0].codec_context.sample_rate == 44_100
        with av.open(str(voice)) as container:
            assert container.streams.audio[0].codec_context.sample_rate == 16_000
        sound, alone = read_waveform(video), read_waveform(voice)
        lag = np.correlate(sound[: len(alone)], alone, "full").argmax() - (len(alone) - 1)
        assert abs(lag) < 0.09 * 16_000, "AAC begins a block or two before its sound"
        moved = sound[max(lag, 0) :][: len(alone)]
        assert np.corrcoef(moved, alone[max(-lag, 0) :][: len(moved)])[0, 1] > 0.95
        assert len(frame_times(video)) == np.ceil(len(alone) / 16_000 * 4)


def test_the_demographics_are_those_of_the_synthetic_actors(drawn):
    with (drawn / DEMOGRAPHICS).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["ActorID"] for row in rows] == ["1001", "1002", "1003"]
    assert [row["Sex"] for row in rows] == ["Male", "Female", "Male"]
    for row in rows:
        identity = synthetic_crema_d._actor(SMALL["seed"], int(row["ActorID"])).face.identity
        assert float(row["Age"]) == round(identity.age)
        assert 20 <= float(row["Age"]) <= 74


def test_equal_arguments_give_equal_bytes(drawn, tmp_path):
    actor, sentence, emotion, level = sorted((drawn / "AudioWAV").iterdir())[0].stem.split("_")
    for name in ("AudioWAV", "VideoFlash"):
        (tmp_path / name).mkdir()
    synthetic_crema_d._write_clip(tmp_path, synthetic_crema_d._Clip(int(actor), sentence, emotion, level, 1, 64, 4))
    again = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(again) == 2
    for path in again:
        assert path.read_bytes() == (drawn / path.relative_to(tmp_path)).read_bytes(), path.name


@pytest.mark.parametrize(("num_actors", "clips_per_actor"), [(3, 6), (8, 12)])
def test_emotions_take_turns_and_the_reader_reads_the_names(tmp_path, num_actors, clips_per_actor):
    (tmp_path / "AudioWAV").mkdir()
    for clip in synthetic_crema_d._clips({**SMALL, "num_actors": num_actors, "clips_per_actor": clips_per_actor}):
        (tmp_path / "AudioWAV" / f"{clip.actor}_{clip.sentence}_{clip.emotion}_{clip.level}.wav").touch()
    read = read_crema_d(tmp_path, 0.3, 0.3)
    assert len(read) == num_actors * clips_per_actor
    assert read.groupby(["subject", "expression"]).size().nunique() == 1


def test_as_many_clips_as_can_be_are_each_sentence_in_each_emotion_and_one_at_three_levels():
    clips = list(synthetic_crema_d._clips({**SMALL, "num_actors": 91, "clips_per_actor": 82}))
    assert len({(clip.actor, clip.sentence, clip.emotion, clip.level) for clip in clips}) == 91 * 82
    levels = Counter((clip.sentence == "IEO", clip.emotion == "NEU", clip.level) for clip in clips)
    assert levels == {
        (False, False, "XX"): 91 * 11 * 5,
        (False, True, "XX"): 91 * 11,
        (True, True, "XX"): 91,
        **{(True, False, level): 91 * 5 for level in ("LO", "MD", "HI")},
    }


def test_every_sentence_is_drawn_with_vowels_the_voice_knows():
    assert list(SENTENCES) == list(TEXTS)
    assert {vowel for vowels in SENTENCES.values() for vowel in vowels} <= set(VOWELS)
    assert len(set(CODES.values())) == 6


@pytest.mark.parametrize(("argument", "value"), [("num_actors", 92), ("clips_per_actor", 5), ("image_size", 101)])
def test_an_argument_out_of_range_is_refused_before_anything_is_drawn(tmp_path, argument, value):
    with pytest.raises(ValueError, match=rf"{argument} of the synthetic CREMA-D is {value}: give an? .*number from"):
        synthesize_crema_d(tmp_path / "crema_d", **{**SMALL, argument: value})
    assert list(tmp_path.iterdir()) == []
