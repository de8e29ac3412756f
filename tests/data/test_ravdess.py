"""RAVDESS' names say all about a clip; wrong, doubled and missing files are reported."""

import itertools
import os
from pathlib import Path

import pandas as pd
import pytest

from mien.data.file_account import count_deviations, count_table
from mien.data.ravdess import PUBLISHED_COUNTS, find_ravdess, read_ravdess
from mien.labels import RAVDESS_EXPRESSIONS


def names(modality: int, actor: int, channel: int = 1) -> list[str]:
    """The published names of one actor, without suffix."""
    emotions = range(1, 9) if channel == 1 else range(1, 7)
    codes = itertools.product(emotions, (1, 2), (1, 2), (1, 2))
    return [
        f"{modality:02d}-{channel:02d}-{emotion:02d}-{intensity:02d}-{statement:02d}-{repetition:02d}-{actor:02d}"
        for emotion, intensity, statement, repetition in codes
        if (emotion, intensity) != (1, 2)
    ]


def make(root: Path, actors=range(1, 25), modalities=(1, 3), channel: int = 1, archive: str = "") -> Path:
    for actor, modality in itertools.product(actors, modalities):
        folder = root / archive.format(actor) / f"Actor_{actor:02d}"
        folder.mkdir(parents=True, exist_ok=True)
        for name in names(modality, actor, channel):
            (folder / f"{name}.{'wav' if modality == 3 else 'mp4'}").touch()
    return root


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    return make(tmp_path_factory.mktemp("ravdess"))


@pytest.fixture(scope="module")
def clips(whole) -> pd.DataFrame:
    return read_ravdess(whole)


def test_the_published_files_give_the_published_counts_to_the_digit(clips):
    assert len(clips) == sum(PUBLISHED_COUNTS["all"].values()) == 1440
    assert count_deviations(count_table(clips.assign(split="all"), PUBLISHED_COUNTS, "expression")) == []
    assert (clips.groupby("subject").size() == 60).all()
    assert clips["emotion"].value_counts().to_dict() == {
        **dict.fromkeys(("calm", "happy", "sad", "angry", "fear", "disgust", "surprise"), 192),
        "neutral": 96,
    }
    assert clips["sample_id"].is_unique


def test_a_name_is_read_as_published(clips):
    row = clips.set_index("sample_id").loc["01-06-01-02-01-12"]
    assert row.to_dict() == {
        "video": "Actor_12/01-01-06-01-02-01-12.mp4",
        "audio": "Actor_12/03-01-06-01-02-01-12.wav",
        "label": 1,
        "expression": "fear",
        "emotion": "fear",
        "intensity": "normal",
        "statement": 2,
        "repetition": 1,
        "channel": "speech",
        "subject": "actor_12",
        "gender": "female",
        "split": row["split"],
    }
    calm = clips[clips["emotion"] == "calm"]
    assert set(calm["expression"]) == {"neutral"}
    assert [RAVDESS_EXPRESSIONS[label] for label in clips["label"]] == clips["expression"].tolist()
    assert (clips["gender"] == "male").sum() == 720


def test_no_actor_is_in_two_splits(clips):
    assert (clips.groupby("subject")["split"].nunique() == 1).all()
    actors = clips.groupby("split")["subject"].nunique()
    assert abs(actors["test"] - 0.2 * 24) < 1
    assert abs(actors["val"] - 0.15 * 24) < 1
    assert set(clips.loc[clips["split"] == "test", "gender"]) == {"male", "female"}


@pytest.mark.parametrize(
    ("modalities", "video", "audio"),
    [
        ((1,), "01-01-03-01-01-01-02.mp4", "01-01-03-01-01-01-02.mp4"),
        ((2,), "02-01-03-01-01-01-02.mp4", None),
        ((3,), None, "03-01-03-01-01-01-02.wav"),
        ((1, 2), "01-01-03-01-01-01-02.mp4", "01-01-03-01-01-01-02.mp4"),
        ((2, 3), "02-01-03-01-01-01-02.mp4", "03-01-03-01-01-01-02.wav"),
        ((1, 2, 3), "01-01-03-01-01-01-02.mp4", "03-01-03-01-01-01-02.wav"),
    ],
)
def test_files_of_one_recording_are_one_row(tmp_path, modalities, video, audio):
    clips = read_ravdess(make(tmp_path, range(1, 4), modalities), ("speech",), 0.3, 0.3)
    assert len(clips) == 180
    row = clips.set_index("sample_id").loc["01-03-01-01-01-02"]
    for column, name in (("video", video), ("audio", audio)):
        assert (pd.isna(row[column]) and name is None) or row[column] == f"Actor_02/{name}"


def test_archives_unpacked_each_into_its_own_folder_are_found(tmp_path):
    make(tmp_path, range(1, 4), (1,), archive="Video_Speech_Actor_{:02d}")
    make(tmp_path, range(1, 4), (3,), archive="Audio_Speech_Actors_01-24")
    row = read_ravdess(tmp_path, ("speech",), 0.3, 0.3).iloc[0]
    assert row["video"] == "Video_Speech_Actor_01/Actor_01/01-01-01-01-01-01-01.mp4"
    assert row["audio"] == "Audio_Speech_Actors_01-24/Actor_01/03-01-01-01-01-01-01.wav"


def test_song_is_listed_when_requested(tmp_path):
    make(tmp_path, range(1, 4), (3,))
    make(tmp_path, range(1, 4), (3,), channel=2)
    assert set(read_ravdess(tmp_path, ("speech",), 0.3, 0.3)["channel"]) == {"speech"}
    assert len(read_ravdess(tmp_path, ("song",), 0.3, 0.3)) == 3 * 44
    assert len(read_ravdess(tmp_path, ("speech", "song"), 0.3, 0.3)) == 3 * 104


@pytest.mark.parametrize(
    "wrong",
    [
        "Actor_02/01-01-03-01-01-01.mp4",
        "Actor_02/04-01-03-01-01-01-02.mp4",
        "Actor_02/01-03-03-01-01-01-02.mp4",
        "Actor_02/01-01-09-01-01-01-02.mp4",
        "Actor_02/01-01-01-02-01-01-02.mp4",
        "Actor_02/01-01-03-01-03-01-02.mp4",
        "Actor_02/01-01-03-01-01-01-25.mp4",
        "Actor_02/01-01-03-01-01-01-01.mp4",
        "Actor_02/01-01-03-01-01-01-02.wav",
        "Actor_02/happy.wav",
        os.fsdecode(b"Actor_02/01-01-03-01-01-01-\xe9.wav"),
    ],
)
def test_a_name_that_is_not_of_the_published_form_is_named(tmp_path, wrong):
    make(tmp_path, range(1, 4), (3,))
    (tmp_path / wrong).touch()
    with pytest.raises(ValueError, match=r"RAVDESS has file names.*1 of them, the first .*Actor_02") as error:
        read_ravdess(tmp_path)
    str(error.value).encode("utf-8")


def test_a_copy_packed_within_itself_is_reported(tmp_path):
    make(tmp_path, range(1, 4), (3,))
    make(tmp_path, range(1, 4), (3,), archive="audio_speech_actors_01-24")
    with pytest.raises(ValueError, match=r"a recording twice: .*audio_speech_actors_01-24.*Remove one"):
        read_ravdess(tmp_path)


def test_a_missing_or_foreign_folder_says_where_to_get_the_data_and_that_the_demo_needs_none(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "other").mkdir()
    (tmp_path / "bare" / "Actor_01").mkdir(parents=True)
    for read, folder, what in (
        (find_ravdess, "absent", "folder is missing"),
        (find_ravdess, "file", "folder is missing"),
        (find_ravdess, "other", "recordings are missing"),
        (read_ravdess, "bare", "recordings are missing"),
    ):
        with pytest.raises(ValueError, match=what) as error:
            read(tmp_path / folder)
        assert "Zenodo record 1188976" in str(error.value)
        assert "The demo draws its own" in str(error.value)


def test_unknown_channels_are_refused(whole):
    for channels in ((), ("whisper",)):
        with pytest.raises(ValueError, match="choose speech, song or both"):
            read_ravdess(whole, channels)
