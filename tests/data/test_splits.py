"""The validation split is stratified, reproducible and independent of the order of rows.

People's names: spellings of one name are one person in every dataset; look-alikes are refused.
"""

import logging

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.data.small_datasets import lenient

from mien.data.raf_db import PUBLISHED_COUNTS
from mien.data.sfew import hold_out_movies
from mien.data.splits import canonical_name, one_name_each, stratified_split, stratified_validation
from mien.data.spos import read_spos
from mien.data.synthetic.spos import synthesize_spos


def table(counts: list[int], num_test: int = 5) -> pd.DataFrame:
    labels = np.repeat(np.arange(len(counts)), counts)
    return pd.DataFrame(
        {
            "sample_id": [f"train_{n:05d}" for n in range(len(labels))] + [f"test_{n:04d}" for n in range(num_test)],
            "label": np.concatenate([labels, np.zeros(num_test, int)]),
            "split": ["train"] * len(labels) + ["test"] * num_test,
        }
    )


def test_raf_db_gives_ten_percent_of_every_class():
    counts = list(PUBLISHED_COUNTS["train"].values())
    samples = stratified_validation(table(counts))
    found = samples[samples["split"] == "val"]["label"].value_counts().sort_index().tolist()
    assert found == [
        129,
        28,
        72,
        477,
        198,
        70,
        252,
    ]  # rounded to even where a half is left: 705 and 2524 give .5 and .4
    assert sum(found) == 1226


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(1, 30), min_size=1, max_size=8),
    fraction=st.floats(0.001, 0.999),
    seed=st.integers(0, 2**31),
)
def test_every_class_keeps_a_row_and_gives_its_share(counts, fraction, seed):
    samples = table(counts)
    out = stratified_validation(samples, fraction, seed)
    for label, n in enumerate(counts):
        splits = out[(out["label"] == label) & (out["split"] != "test")]["split"]
        num_val = (splits == "val").sum()
        assert (splits == "train").sum() == n - num_val >= 1
        assert num_val == (0 if n == 1 else min(max(round(fraction * n), 1), n - 1))
    assert (out["split"] == "test").sum() == 5
    pd.testing.assert_frame_equal(out.drop(columns="split"), samples.drop(columns="split"))
    assert (samples["split"] != "val").all(), "the table that was given has changed"


@settings(max_examples=25, deadline=None)
@given(counts=st.lists(st.integers(2, 20), min_size=2, max_size=5), seed=st.integers(0, 1000))
def test_neither_the_order_nor_the_index_of_rows_matters(counts, seed):
    samples = table(counts)
    shuffled = samples.sample(frac=1, random_state=seed).set_index(pd.Index(range(100, 100 + len(samples))))
    first, second = (
        stratified_validation(rows, 0.3, seed).set_index("sample_id")["split"] for rows in (samples, shuffled)
    )
    assert first.to_dict() == second.to_dict()


def test_a_duplicate_index_does_not_matter():
    samples = table([10, 10])
    out = stratified_validation(samples.set_index(pd.Index([0] * len(samples))))
    assert out["split"].tolist() == stratified_validation(samples)["split"].tolist()


def test_the_seed_decides_which_rows():
    samples = table([50, 50])
    chosen = [frozenset(np.flatnonzero(stratified_validation(samples, 0.1, s)["split"] == "val")) for s in (0, 0, 1)]
    assert chosen[0] == chosen[1] != chosen[2]


def test_one_class_changing_leaves_the_other_classes_rows_where_they_were():
    samples = table([20, 20])
    first = stratified_validation(samples)
    second = stratified_validation(samples.drop(index=[0, 1, 2]))
    of_class_1 = samples.index[samples["label"] == 1]
    assert first.loc[of_class_1, "split"].tolist() == second.loc[of_class_1, "split"].tolist()


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, float("nan")])
def test_a_bad_fraction_is_named(fraction):
    with pytest.raises(ValueError, match=r"fraction of the validation split is .*above 0 and below 1"):
        stratified_validation(table([5]), fraction)


def test_other_mistakes_are_named():
    samples = table([5, 5])
    with pytest.raises(ValueError, match="seed of the validation split is -1"):
        stratified_validation(samples, seed=-1)
    with pytest.raises(ValueError, match=r"lacks \['label', 'split'\]"):
        stratified_validation(samples[["sample_id"]])
    with pytest.raises(ValueError, match="repeats 15 sample ids, the first 'train_00000'"):
        stratified_validation(pd.concat([samples, samples]))
    with pytest.raises(ValueError, match="no row of split 'train'"):
        stratified_validation(samples[samples["split"] == "test"])
    with pytest.raises(ValueError, match="rows of split 'val' already"):
        stratified_validation(stratified_validation(samples))


def test_rows_of_named_subjects_are_refused_because_they_would_be_in_both_splits():
    samples = table([5, 5])
    assert (stratified_validation(samples.assign(subject=pd.NA))["split"] == "val").sum() == 2
    with pytest.raises(ValueError, match="names subjects"):
        stratified_validation(samples.assign(subject=["s1"] * 15))


def strata_table(counts: dict[tuple[int, int], int]) -> pd.DataFrame:
    rows = [key for key, count in counts.items() for _ in range(count)]
    table = pd.DataFrame(rows, columns=["gender", "band"])
    return table.assign(sample_id=[f"row_{n:05d}" for n in range(len(rows))])


def test_ten_rows_of_a_stratum_give_one_to_val_and_one_to_test():
    out = stratified_split(strata_table({(0, 0): 10, (0, 1): 20, (1, 0): 30}), ["gender", "band"])
    counts = out.groupby(["gender", "band"])["split"].value_counts().unstack()
    assert counts[["train", "val", "test"]].to_numpy().tolist() == [[8, 1, 1], [16, 2, 2], [24, 3, 3]]


def test_strata_too_small_for_a_row_of_their_own_share_one_with_their_neighbours():
    samples = strata_table({(gender, band): 2 for gender in (0, 1) for band in range(50)})
    out = stratified_split(samples, ["gender", "band"])
    counts = out.groupby("gender")["split"].value_counts().unstack()
    assert counts[["train", "val", "test"]].to_numpy().tolist() == [[80, 10, 10]] * 2
    # Of five neighbouring bands with ten rows one goes to val, whichever it is.
    fifths = (
        out.assign(fifth=out["band"] // 5).groupby(["gender", "fifth"])["split"].value_counts().unstack(fill_value=0)
    )
    assert fifths["train"].tolist() == [8] * 20


@settings(max_examples=60, deadline=None)
@given(
    counts=st.dictionaries(st.tuples(st.integers(0, 2), st.integers(0, 5)), st.integers(1, 25), min_size=1),
    fractions=st.tuples(st.floats(0.05, 0.45), st.floats(0.05, 0.45)),
    seed=st.integers(0, 1000),
)
def test_any_run_of_strata_gives_its_share_to_within_two_rows(counts, fractions, seed):
    counts[0, 0] = counts.get((0, 0), 0) + 50  # enough for each split to get one
    samples = strata_table(dict(sorted(counts.items())))
    out = stratified_split(samples, ["gender", "band"], *fractions, seed)
    pd.testing.assert_frame_equal(out.drop(columns="split"), samples)
    genders = sorted({gender for gender, _ in counts})
    walk = sorted(counts, key=lambda key: (key[0], key[1] * (-1) ** genders.index(key[0])))  # bands up, down, up
    by_stratum = out.groupby(["gender", "band"])["split"].value_counts().unstack(fill_value=0).loc[walk]
    sizes = np.array([counts[key] for key in walk])
    for name, fraction in zip(("val", "test"), fractions, strict=True):
        off = np.concatenate([[0], np.cumsum(by_stratum[name] - fraction * sizes)])
        assert abs(off[-1]) <= 1
        assert abs(off[:, None] - off).max() < 2


def test_values_that_meet_the_quotas_in_step_are_not_held_out_by_their_place():
    """A hundred rows of each of ten groups, in decades of ten: val and test would each take always the same ones."""
    samples = strata_table({(gender, band): 10 for gender in range(10) for band in range(10)})
    samples["band"] = np.arange(len(samples)) % 100 // 9  # eleven bands of nine and one row
    means = stratified_split(samples, ["gender", "band"]).groupby("split")["band"].mean()
    assert abs(means - samples["band"].mean()).max() < 0.1


def test_which_rows_are_held_out_is_random_within_a_stratum_and_decided_by_the_seed():
    samples = strata_table({(0, 0): 50, (1, 0): 50})
    chosen = [
        frozenset(np.flatnonzero(stratified_split(samples, ["gender"], seed=s)["split"] == "test")) for s in range(40)
    ]
    assert chosen[0] == frozenset(np.flatnonzero(stratified_split(samples, ["gender"], seed=0)["split"] == "test"))
    often = np.bincount([row for rows in chosen for row in rows], minlength=100)
    assert often.sum() == 400
    assert often.max() <= 14, "some rows are held out whatever the seed"
    assert (often > 0).mean() > 0.9


def test_neither_the_order_nor_the_index_of_rows_matters_to_the_three_splits():
    samples = strata_table({(0, 0): 13, (0, 1): 4, (1, 1): 29})
    shuffled = samples.sample(frac=1, random_state=0).set_index(pd.Index([0] * len(samples)))
    first, second = (
        stratified_split(rows, ["gender", "band"]).set_index("sample_id")["split"].to_dict()
        for rows in (samples, shuffled)
    )
    assert first == second


@pytest.mark.parametrize("fractions", [(0, 0.1), (0.1, 0), (0.5, 0.5), (-0.1, 0.2), (float("nan"), 0.1)])
def test_fractions_that_leave_a_split_empty_are_named(fractions):
    with pytest.raises(ValueError, match=r"do not divide the rows.*sum below 1"):
        stratified_split(strata_table({(0, 0): 50}), ["gender"], *fractions)


def test_other_mistakes_of_a_division_are_named():
    samples = strata_table({(0, 0): 50})
    with pytest.raises(ValueError, match=r"seed of the .*split is -1"):
        stratified_split(samples, ["gender"], seed=-1)
    with pytest.raises(ValueError, match=r"lacks \['age'\]"):
        stratified_split(samples, ["gender", "age"])
    with pytest.raises(ValueError, match="repeats 50 sample ids"):
        stratified_split(pd.concat([samples, samples]), ["gender"])
    with pytest.raises(ValueError, match=r"4 rows leave split test(, val)? empty"):
        stratified_split(samples.head(4), ["gender"])


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
    synthesize_spos(tmp_path, share=0.5, image_size=96, num_frames=2, seed=0)
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
