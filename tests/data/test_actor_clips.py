"""No actor is in two splits, and nothing but files inside the folder is listed."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.data.small_datasets import put

from mien.data.actor_clips import check_names, list_media, split_actors


def clips(num_men: int, num_women: int, per_actor: int = 2) -> pd.DataFrame:
    genders = ["male"] * num_men + ["female"] * num_women
    rows = [
        {"subject": f"a{number:02d}", "gender": gender, "expression": name, "sample_id": f"{number}-{name}"}
        for number, gender in enumerate(genders)
        for name in ("happy", "sad")[:per_actor]
    ]
    return pd.DataFrame(rows)


@settings(max_examples=20)
@given(st.integers(4, 30), st.integers(4, 30), st.floats(0.13, 0.3), st.floats(0.13, 0.3), st.integers(0, 9))
def test_every_actor_is_in_one_split_and_both_genders_in_their_shares(men, women, validation, test, seed):
    split = split_actors(clips(men, women), validation, test, seed, "It")
    of_actor = split.groupby("subject")["split"].agg(["nunique", "first"])
    assert (of_actor["nunique"] == 1).all()
    for gender, n in (("male", men), ("female", women)):
        counts = split[split["gender"] == gender].groupby("split")["subject"].nunique()
        assert abs(counts.get("test", 0) - test * n) <= 2
        assert abs(counts.get("val", 0) - validation * n) <= 2
    assert set(of_actor["first"]) == {"train", "val", "test"}


def test_the_split_depends_on_the_seed_not_on_the_order_of_the_rows():
    table = clips(12, 12)
    one = split_actors(table, 0.15, 0.2, 0, "It")
    shuffled = split_actors(table.sample(frac=1, random_state=1), 0.15, 0.2, 0, "It")
    assert dict(zip(one["sample_id"], one["split"], strict=True)) == dict(
        zip(shuffled["sample_id"], shuffled["split"], strict=True)
    )
    assert split_actors(table, 0.15, 0.2, 1, "It")["split"].tolist() != one["split"].tolist()


def test_actors_of_unknown_gender_are_divided_all_the_same():
    table = clips(9, 0).assign(gender=pd.Series([pd.NA] * 18, dtype="string"))
    assert set(split_actors(table, 0.2, 0.2, 0, "It")["split"]) == {"train", "val", "test"}


def test_too_few_actors_and_classes_without_training_clips_are_refused():
    with pytest.raises(ValueError, match="The 2 actors of It cannot be divided into train, val and test"):
        split_actors(clips(1, 1), 0.2, 0.2, 0, "It")
    table = clips(3, 3)
    tested = split_actors(table, 0.2, 0.2, 0, "It").query("split == 'test'").index
    table.loc[tested, "expression"] = "fear"
    with pytest.raises(ValueError, match="It is incomplete: no clip of fear is left to train on"):
        split_actors(table, 0.2, 0.2, 0, "It")


def test_media_files_of_any_format_and_depth_are_listed_and_other_kinds_are_not(tmp_path):
    names = (
        "b/2.WAV",
        "b/1.wav",
        "b/._1.wav",
        "b/readme.txt",
        "b/deeper/3.mov",
        "a/9.Mkv",
        "a/1.jpg",
        "__MACOSX/1.wav",
    )
    for name in names:
        put(tmp_path / name, "")
    put(tmp_path / "b/without_an_ending", b"RIFF....WAVEfmt ")
    put(tmp_path / "b/without_an_ending_too", b"text")
    found = list_media(tmp_path, "It")
    assert [path.relative_to(tmp_path).as_posix() for path in found] == [
        "a/9.Mkv",
        "b/1.wav",
        "b/2.WAV",
        "b/without_an_ending",
        "b/deeper/3.mov",
    ]


def test_links_are_followed_and_folders_in_the_place_of_files_are_refused(tmp_path):
    root = tmp_path / "root"
    put(tmp_path / "outside/1.wav", "")
    put(root / "in/2.wav", "")
    (root / "in" / "3.wav").symlink_to(tmp_path / "outside/1.wav")
    (root / "linked").symlink_to(tmp_path / "outside")
    (root / "circle").symlink_to(root)
    assert [path.relative_to(root).as_posix() for path in list_media(root, "It")] == [
        "in/2.wav",
        "in/3.wav",
        "linked/1.wav",
    ]
    (root / "gone.wav").symlink_to(root / "nothing")
    with pytest.raises(ValueError, match=r"gone\.wav is a folder or a link to nothing"):
        list_media(root, "It")
    (root / "gone.wav").unlink()
    (root / "dir/3.wav").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"dir/3\.wav is a folder or a link to nothing"):
        list_media(root, "It")


def test_wrong_names_are_counted_and_the_first_is_named(tmp_path):
    check_names([], "It", "a number")
    with pytest.raises(ValueError, match=r"2 of them, the first .*x\.wav\. Names are a number; rename"):
        check_names([tmp_path / "x.wav", tmp_path / "y.wav"], "It", "a number")
