"""CREMA-D's names say all about a clip; files that Git LFS has not fetched are reported from recordings."""

import itertools
from pathlib import Path

import pandas as pd
import pytest

from mien.data.crema_d import CODES, DEMOGRAPHICS, MEDIA, PUBLISHED_COUNTS, SENTENCES, find_crema_d, read_crema_d
from mien.data.file_account import count_deviations, count_table
from mien.labels import CREMA_D_EXPRESSIONS

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:c6f94b\nsize 72862\n"


def names(actor: int) -> list[str]:
    """The 82 names that one actor should have."""
    clips = []
    for sentence, emotion in itertools.product(SENTENCES, CODES):
        levels = ("LO", "MD", "HI") if sentence == "IEO" and emotion != "NEU" else ("XX",)
        clips += [f"{actor}_{sentence}_{emotion}_{level}" for level in levels]
    return clips


def make(root: Path, actors=range(1001, 1004), folders=("AudioWAV", "VideoFlash"), content: bytes = b"") -> Path:
    for folder in folders:
        (root / folder).mkdir(parents=True)
        for actor in actors:
            for name in names(actor):
                (root / folder / f"{name}{MEDIA[folder]}").write_bytes(content)
    return root


def read(root: Path, **arguments) -> pd.DataFrame:
    return read_crema_d(root, **{"validation_fraction": 0.3, "test_fraction": 0.3, **arguments})


def test_91_actors_less_the_missing_clips_are_the_published_counts(tmp_path):
    root = make(tmp_path, range(1001, 1092), ("AudioWAV",))
    for emotion in CODES:  # which ones are missing is not published, only how many
        for sentence in list(SENTENCES)[1 : 6 if emotion == "NEU" else 4]:
            (root / "AudioWAV" / f"1050_{sentence}_{emotion}_XX.wav").unlink()
    (root / "AudioWAV" / "1040_ITH_SAD_XX.wav").rename(root / "AudioWAV" / "1040_ITH_SAD_X.wav")
    clips = read_crema_d(root)
    assert len(clips) == sum(PUBLISHED_COUNTS["all"].values()) == 7442
    assert count_deviations(count_table(clips.assign(split="all"), PUBLISHED_COUNTS, "expression")) == []
    assert (clips["intensity"] == "unspecified").sum() == 6077  # 6,076 with XX in the name, one with X
    assert clips["subject"].nunique() == 91
    assert (clips.groupby("subject")["split"].nunique() == 1).all()
    assert [CREMA_D_EXPRESSIONS[label] for label in clips["label"]] == clips["expression"].tolist()


def test_a_name_is_read_as_published_and_the_actors_gender_looked_up(tmp_path):
    make(tmp_path)
    lines = ['"ActorID","Age","Sex","Race","Ethnicity"', '1001,51,"Male","Caucasian","Not Hispanic"']
    (tmp_path / DEMOGRAPHICS).write_text("\n".join([*lines, '1002,21,"Female","Asian","Hispanic"']))
    clips = read(tmp_path).set_index("sample_id")
    row = clips.loc["1002_IEO_ANG_HI"]
    assert row.to_dict() == {
        "video": "VideoFlash/1002_IEO_ANG_HI.flv",
        "audio": "AudioWAV/1002_IEO_ANG_HI.wav",
        "label": 4,
        "expression": "angry",
        "intensity": "high",
        "sentence": "IEO",
        "subject": "1002",
        "gender": "female",
        "split": row["split"],
    }
    assert clips.loc["1001_DFA_NEU_XX", "gender"] == "male"
    assert pd.isna(clips.loc["1003_DFA_NEU_XX", "gender"])


def test_sound_is_the_wav_else_the_mp3_else_the_videos_own(tmp_path):
    make(tmp_path, folders=tuple(MEDIA))
    (tmp_path / "AudioWAV" / "1001_DFA_ANG_XX.wav").unlink()
    for folder, suffix in (("AudioWAV", ".wav"), ("AudioMP3", ".mp3")):
        (tmp_path / folder / f"1001_DFA_DIS_XX{suffix}").unlink()
    (tmp_path / "VideoFlash" / "1001_DFA_FEA_XX.flv").unlink()
    clips = read(tmp_path).set_index("sample_id")
    assert clips.loc["1001_DFA_ANG_XX", "audio"] == "AudioMP3/1001_DFA_ANG_XX.mp3"
    assert clips.loc["1001_DFA_DIS_XX", "audio"] == "VideoFlash/1001_DFA_DIS_XX.flv"
    assert clips.loc["1001_DFA_FEA_XX", "audio"] == "AudioWAV/1001_DFA_FEA_XX.wav"
    assert pd.isna(clips.loc["1001_DFA_FEA_XX", "video"])


def test_the_level_that_is_written_with_one_x_joins_its_video(tmp_path):
    make(tmp_path)
    (tmp_path / "AudioWAV" / "1001_ITH_SAD_XX.wav").rename(tmp_path / "AudioWAV" / "1001_ITH_SAD_X.wav")
    row = read(tmp_path).set_index("sample_id").loc["1001_ITH_SAD_XX"]
    assert (row["video"], row["audio"]) == ("VideoFlash/1001_ITH_SAD_XX.flv", "AudioWAV/1001_ITH_SAD_X.wav")
    (tmp_path / "AudioWAV" / "1001_ITH_SAD_XX.wav").touch()
    with pytest.raises(ValueError, match="has a recording twice"):
        read(tmp_path)


def test_files_that_git_lfs_has_not_fetched_are_reported_with_the_command(tmp_path, caplog):
    make(tmp_path / "none", content=POINTER)
    with pytest.raises(ValueError, match=r"246 files in .*AudioWAV are Git LFS pointers.*run `git lfs pull`"):
        read(tmp_path / "none")
    make(tmp_path / "sound", folders=("AudioWAV",))
    make(tmp_path / "sound", folders=("VideoFlash",), content=POINTER)
    clips = read(tmp_path / "sound")
    assert clips["video"].isna().all()
    assert "VideoFlash holds Git LFS pointers only" in caplog.text
    (tmp_path / "sound" / "AudioWAV" / "1001_DFA_ANG_XX.wav").write_bytes(POINTER)
    with pytest.raises(ValueError, match=r"fetched in part: 1 of the 246 files in .*1001_DFA_ANG_XX\.wav"):
        read(tmp_path / "sound")


@pytest.mark.parametrize(
    "wrong",
    [
        "1001_DFA_ANG.wav",
        "1000_DFA_ANG_XX.wav",
        "1092_DFA_ANG_XX.wav",
        "1001_XYZ_ANG_XX.wav",
        "1001_DFA_SUR_XX.wav",
        "1001_DFA_ANG_MAX.wav",
        "1001_DFA_NEU_HI.wav",
        "anger.wav",
    ],
)
def test_a_name_that_is_not_of_the_published_form_is_named(tmp_path, wrong):
    make(tmp_path)
    (tmp_path / "AudioWAV" / wrong).touch()
    with pytest.raises(ValueError, match=rf"CREMA-D has file names.*1 of them, the first .*{wrong}"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"ActorID,Age\n1001,51\n", "lacks the column Sex"),
        (b"Actor,Sex\n1001,Male\n", "lacks the column ActorID"),
        (b"ActorID,Sex\n1001,Unknown\n", "line 2 of .* has 'Unknown' in the column Sex"),
        (b"ActorID,Sex\n1001,Male\xff\n", "label file is not text"),
    ],
)
def test_malformed_demographics_are_reported(tmp_path, content, message):
    make(tmp_path)
    (tmp_path / DEMOGRAPHICS).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read(tmp_path)


def test_a_missing_or_foreign_folder_says_where_to_get_the_data_and_that_the_demo_needs_none(tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "bare" / "AudioWAV").mkdir(parents=True)
    for find, folder, what in (
        (find_crema_d, "absent", "folder is missing"),
        (find_crema_d, "other", "recordings are missing"),
        (read_crema_d, "bare", "has no clip"),
    ):
        with pytest.raises(ValueError, match=what) as error:
            find(tmp_path / folder)
        assert "github.com/CheyneyComputerScience/CREMA-D" in str(error.value)
        assert "The demo draws its own" in str(error.value)
