"""No actor is in two splits, and nothing but files inside the folder is listed."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


def test_hidden_files_other_kinds_and_subfolders_are_passed_over(tmp_path):
    folder = tmp_path / "b"
    (folder / "deeper").mkdir(parents=True)
    (tmp_path / "a").mkdir()
    for name in ("b/2.WAV", "b/1.wav", "b/._1.wav", "b/readme.txt", "b/deeper/3.wav", "a/9.wav"):
        (tmp_path / name).touch()
    found = list_media(tmp_path, [folder, tmp_path / "a"], (".wav",), "It")
    assert [path.relative_to(tmp_path).as_posix() for path in found] == ["a/9.wav", "b/1.wav", "b/2.WAV"]


def test_links_out_of_the_folder_and_folders_in_the_place_of_files_are_refused(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "1.wav").touch()
    root = tmp_path / "root"
    (root / "in").mkdir(parents=True)
    (root / "in" / "1.wav").symlink_to(outside / "1.wav")
    with pytest.raises(ValueError, match=r"leads out of its folder: .*1\.wav"):
        list_media(root, [root / "in"], (".wav",), "It")
    (root / "linked").symlink_to(outside)
    with pytest.raises(ValueError, match="leads out of its folder"):
        list_media(root, [root / "linked"], (".wav",), "It")
    (root / "gone").mkdir()
    (root / "gone" / "2.wav").symlink_to(root / "nothing")
    with pytest.raises(ValueError, match="a folder or a link to nothing"):
        list_media(root, [root / "gone"], (".wav",), "It")
    (root / "dir" / "3.wav").mkdir(parents=True)
    with pytest.raises(ValueError, match="a folder or a link to nothing"):
        list_media(root, [root / "dir"], (".wav",), "It")
    (tmp_path / "alias").symlink_to(root)
    (root / "ok").mkdir()
    (root / "ok" / "4.wav").touch()
    assert len(list_media(tmp_path / "alias", [tmp_path / "alias" / "ok"], (".wav",), "It")) == 1


def test_wrong_names_are_counted_and_the_first_is_named(tmp_path):
    check_names([], "It", "a number")
    with pytest.raises(ValueError, match=r"2 of them, the first .*x\.wav\. Names are a number; rename"):
        check_names([tmp_path / "x.wav", tmp_path / "y.wav"], "It", "a number")
