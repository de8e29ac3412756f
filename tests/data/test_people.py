"""People's names: spellings of one name are one person in every dataset; look-alikes are refused."""

import logging

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.small_datasets import lenient

from mien.data.people import canonical_name, one_name_each
from mien.data.sfew import hold_out_movies
from mien.data.spos import read_spos
from mien.data.synthetic_spos import draw_spos


def names(*given: str) -> pd.Series:
    return pd.Series(given, dtype="string")


@pytest.mark.parametrize(
    "spellings",
    [
        ("1", "01", "1.0", " 1 ", "+1", "1.", "\u0661", "\uff11", "\u0967"),
        ("Ann Lee", "ann  lee", " ANN LEE", "ann\tlee", "\uff21\uff4e\uff4e \uff2c\uff45\uff45"),
        ("S07", "s7", "s007", "S\u0667"),
        ("Straße", "STRASSE"),
    ],
    ids=["numbers", "words", "letter and number", "case"],
)
def test_all_spellings_of_one_name_have_one_canonical_form(spellings):
    assert len({canonical_name(name) for name in spellings}) == 1


def test_names_that_differ_stay_apart():
    apart = ["1", "2", "10", "1.5", "-1", "1-1", "11", "1_1", "a", "b", "ann", "anne", "s1", "t1", "1001", "1010", ""]
    assert len({canonical_name(name) for name in apart}) == len(apart)


@given(st.text(max_size=12))
def test_a_canonical_form_is_its_own(name):
    assert canonical_name(canonical_name(name)) == canonical_name(name)


@given(st.lists(st.integers(0, 2000), min_size=1, max_size=12))
def test_numbers_keep_their_order_and_as_many_people_as_there_are(numbers):
    written = [spelling for number in numbers for spelling in (str(number), f"{number}.0", f"0{number}")]
    given_once = one_name_each(names(*written), "It")
    assert given_once.nunique() == len(set(numbers))
    assert sorted(set(given_once), key=int) == sorted(set(given_once))


def test_names_that_are_one_way_already_stay_as_they_are():
    clean = names("01", "24", "07", "Ann", "1001")
    assert one_name_each(names("01", "24", "07"), "RAVDESS").tolist() == ["01", "24", "07"]
    assert one_name_each(clean[[3]], "It").tolist() == ["Ann"]
    assert one_name_each(names("1001", "1091"), "CREMA-D").tolist() == ["1001", "1091"]
    missing = pd.Series(["1", pd.NA, "1.0"], dtype="string")
    assert one_name_each(missing, "It").fillna("-").tolist() == ["1", "-", "1"]


def test_joined_spellings_are_reported(caplog):
    with caplog.at_level(logging.INFO, "mien"):
        one_name_each(names("1", "1.0", "2", "Ann", "ann "), "It")
    assert "It: 2 names are other spellings of one met before: 3 people" in caplog.text


@pytest.mark.parametrize(
    "pair",
    [
        ("O1", "01"),
        ("l2", "12"),
        ("s_01", "s01"),
        ("s-1", "s 1"),
        ("\u0410nna", "Anna"),
        ("p.1", "p1"),
        ("1OO1", "1001"),
    ],
    ids=" ".join,
)
def test_names_that_look_alike_are_refused_with_both_of_them(pair):
    with pytest.raises(ValueError, match="It has people whose names look alike") as refused:
        one_name_each(names(*pair, "zoe"), "It")
    assert all(repr(name) in str(refused.value) for name in pair)
    assert "rename one" in str(refused.value)


@pytest.mark.parametrize("clean", [["1-1", "11", "1_1_1"], ["ali", "all"], ["bob", "b0b8"], ["s1", "t1", "1"]], ids=str)
def test_names_that_people_give_are_not_taken_for_look_alikes(clean):
    assert one_name_each(names(*clean), "It").tolist() == clean


def test_a_subject_of_spos_with_two_spellings_is_one_fold(tmp_path):
    """At c9e5a3c: 14 folds for 7 people."""
    draw_spos(tmp_path, share=0.5, image_size=96, num_frames=2, seed=0)
    manifest = tmp_path / "manifest.csv"
    header, *lines = manifest.read_text().splitlines()
    column = header.split(",").index("subject")
    people = {line.split(",")[column] for line in lines}
    for number, line in enumerate(lines):
        fields = line.split(",")
        fields[column] = (str(int(fields[column])), f"{int(fields[column])}.0")[number % 2]
        lines[number] = ",".join(fields)
    manifest.write_text("\n".join([header, *lines]) + "\n")
    pairs = read_spos(tmp_path, account=lenient(tmp_path))
    assert pairs["fold"].nunique() == pairs["subject"].nunique() == len(people)


def test_a_movie_of_sfew_with_two_spellings_is_held_out_whole():
    movies = [*["Airheads", "airheads "] * 10, *["Babel"] * 20, *["Chaos"] * 20]
    samples = pd.DataFrame(
        {"split": "train", "label": [0, 1] * 30, "movie": pd.Series(movies, dtype="string"), "image": "x.png"}
    )
    for seed in range(6):
        held = hold_out_movies(samples, 0.34, seed)
        splits = held["split"].groupby(held["movie"].str.strip().str.lower()).nunique()
        assert (splits == 1).all()


def test_a_number_without_end_is_a_name_like_another():
    endless = "9" * 5000
    assert canonical_name(f"00{endless}.0") == endless
    assert one_name_each(names("1", endless, "12"), "It").tolist() == ["01", endless, "12"]
