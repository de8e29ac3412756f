"""Folds: no subject in two, about equal, and the same whatever the order of the rows.

Trials of a cross-validation: no person is in two parts, every sample is tested once, faults are named.
"""

import logging

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.data.folds import fold_trials, leave_one_subject_out, subject_folds


@st.composite
def tables(draw) -> tuple[pd.DataFrame, int]:
    """Up to 40 subjects with 0 to 8 samples of each of two kinds, and a number of folds that they can fill."""
    counts = draw(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)).filter(any), min_size=2, max_size=40))
    rows = [
        (f"s{number:02d}", label)
        for number, kinds in enumerate(counts)
        for label in (0, 1)
        for _ in range(kinds[label])
    ]
    table = pd.DataFrame(rows, columns=["subject", "label"])
    return table, draw(st.integers(2, min(len(counts), 10)))


@given(tables(), st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_no_subject_is_in_two_folds_and_no_fold_is_empty(case, seed):
    table, num_folds = case
    folds = subject_folds(table, num_folds, seed)
    assert (folds.groupby("subject")["fold"].nunique() == 1).all()
    assert sorted(folds["fold"].unique()) == list(range(num_folds))
    assert folds["fold"].dtype == "int64"
    pd.testing.assert_frame_equal(folds[["subject", "label"]], table)


@given(tables(), st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_folds_spread_no_more_than_the_subjects_do(case, seed):
    table, num_folds = case
    folds = subject_folds(table, num_folds, seed)
    spread = bound = 0.0
    for _, samples in folds.groupby("label"):
        total = len(samples)
        sizes = np.bincount(samples["fold"], minlength=num_folds)
        spread += ((sizes - total / num_folds) ** 2).sum() / total**2
        bound += (samples.groupby("subject").size() ** 2).sum() / total**2
    assert spread <= bound * (1 - 1 / num_folds) + 1e-9


@given(tables(), st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_the_order_of_the_rows_and_their_index_do_not_matter(case, random):
    table, num_folds = case
    order = list(range(len(table)))
    random.shuffle(order)
    shuffled = subject_folds(table.iloc[order], num_folds)
    pd.testing.assert_frame_equal(shuffled.sort_index(), subject_folds(table, num_folds))


def nvie_like(num_subjects: int = 148) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = [(f"{s:03d}", k) for s in range(num_subjects) for k in (0, 1) for _ in range(rng.integers(4, 25))]
    return pd.DataFrame(rows, columns=["subject", "label"])


def test_ten_folds_of_the_published_size_differ_by_less_than_one_subject():
    folds = subject_folds(nvie_like())
    by_kind = folds.groupby(["fold", "label"]).size().unstack()
    largest = folds.groupby(["subject", "label"]).size().max()
    assert (by_kind.max() - by_kind.min()).max() <= largest
    assert folds["fold"].value_counts().max() - folds["fold"].value_counts().min() <= largest


def test_one_kind_alone_is_dealt_as_by_hand():
    # 5, 4, 3, 3, 2 samples into two folds: 5 | 4, then 3 to the lighter, 3 to the lighter, 2 to the lighter.
    sizes = {"a": 5, "b": 4, "c": 3, "d": 3, "e": 2}
    table = pd.DataFrame([(s, 0) for s, n in sizes.items() for _ in range(n)], columns=["subject", "label"])
    for seed in range(4):
        folds = subject_folds(table, 2, seed).drop_duplicates().set_index("subject")["fold"]
        assert folds["a"] == 0
        assert folds["b"] == 1
        assert {folds["c"], folds["d"]} == {0, 1}
        assert folds["e"] == folds[folds == 1].iloc[0]


def test_the_seed_decides_between_subjects_of_equal_size():
    table = pd.DataFrame({"subject": [f"s{n:02d}" for n in range(30) for _ in (0, 1)], "label": [0, 1] * 30})
    assert subject_folds(table, 10, 0)["fold"].tolist() == subject_folds(table, 10, 0)["fold"].tolist()
    assert subject_folds(table, 10, 0)["fold"].tolist() != subject_folds(table, 10, 1)["fold"].tolist()
    assert (subject_folds(table, 10, 1)["fold"].value_counts() == 6).all()


def test_every_subject_left_out_is_a_fold_of_its_own():
    table = pd.DataFrame({"subject": pd.Series(["7", "10", "7", "2"], dtype="string")})
    assert leave_one_subject_out(table)["fold"].tolist() == [2, 0, 2, 1]
    assert leave_one_subject_out(table)["fold"].dtype == "int64"


TABLE = pd.DataFrame({"subject": ["a", "b", "c"], "label": [0, 1, 0]})


@pytest.mark.parametrize(
    ("fold", "message"),
    [
        (lambda: subject_folds(TABLE, 1), "1 folds of 3 subjects cannot be made.*from 2 to 3"),
        (lambda: subject_folds(TABLE, 4), "4 folds of 3 subjects cannot be made.*from 2 to 3"),
        (lambda: subject_folds(TABLE, 2, -1), "seed of the folds is -1"),
        (lambda: subject_folds(TABLE.drop(columns="label"), 2), "lacks label, it has subject: add"),
        (lambda: subject_folds(TABLE.assign(subject=["a", None, "b"]), 2), "1 rows .* the first is row 1: name it"),
        (lambda: subject_folds(TABLE.head(0), 2), "is empty"),
        (lambda: leave_one_subject_out(TABLE.head(1)), "Only subject a .* add samples of another"),
        (lambda: leave_one_subject_out(TABLE.drop(columns="subject")), "lacks subject"),
    ],
)
def test_folds_that_cannot_be_made_say_why(fold, message):
    with pytest.raises(ValueError, match=message):
        fold()


def samples(subjects: int = 20, per_kind: int = 3, folds: int = 5) -> pd.DataFrame:
    rows = [
        {"sample_id": f"{subject}_{label}_{n}", "subject": f"s{subject}", "label": label, "row": 0, "reason": "aligned"}
        for subject in range(subjects)
        for label in (0, 1)
        for n in range(per_kind)
    ]
    table = subject_folds(pd.DataFrame(rows), folds)
    return table.assign(face_index=np.arange(len(table)), split="folds")


@settings(max_examples=20, deadline=None)
@given(subjects=st.integers(6, 25), folds=st.integers(2, 6), fraction=st.floats(0.1, 0.5), seed=st.integers(0, 99))
def test_no_subject_is_in_two_parts_of_a_trial_and_every_sample_is_tested_once(subjects, folds, fraction, seed):
    table = samples(subjects, folds=folds)
    trials = fold_trials(table, validation_fraction=fraction, seed=seed)
    parts = trials.groupby(["trial", "subject"])["split"].nunique()
    assert (parts == 1).all()
    assert sorted(trials.loc[trials["split"] == "test", "sample_id"]) == sorted(table["sample_id"])
    for trial, rows in trials.groupby("trial"):
        assert set(rows["split"]) == {"train", "val", "test"}
        assert len(rows) == len(table)
        assert set(rows.loc[rows["split"] == "test", "fold"]) == {int(trial.removeprefix("fold_"))}


def test_the_validation_part_is_about_the_requested_fraction_and_has_every_class():
    trials = fold_trials(samples(40, folds=5), validation_fraction=0.125)
    for _, rows in trials.groupby("trial"):
        val = rows[rows["split"] == "val"]
        assert val["subject"].nunique() == 4
        assert set(val["label"]) == {0, 1}


def test_leaving_one_subject_out_keeps_another_for_the_epoch():
    table = leave_one_subject_out(samples(7, folds=2).drop(columns="fold"))
    trials = fold_trials(table, validation_fraction=0.17)
    sizes = trials.groupby(["trial", "split"])["subject"].nunique().unstack()
    assert len(sizes) == 7
    assert (sizes["test"] == 1).all()
    assert (sizes["val"] == 1).all()
    assert (sizes["train"] == 5).all()


def test_a_learning_curve_tests_the_same_subjects_and_trains_on_more_and_more():
    table = samples(20, folds=5)
    trials = fold_trials(table, validation_fraction=0.25, train_subjects=(4, 8, 12), test_folds=(0, 1))
    tested = set(table.loc[table["fold"].isin([0, 1]), "sample_id"])
    before: set[str] = set()
    for n in (4, 8, 12):
        rows = trials[trials["trial"] == f"subjects_{n}"]
        assert set(rows.loc[rows["split"] == "test", "sample_id"]) == tested
        trained = set(rows.loc[rows["split"] != "test", "subject"])
        assert len(trained) == n
        assert before < trained
        assert not trained & set(rows.loc[rows["split"] == "test", "subject"])
        before = trained


def test_samples_without_a_face_are_counted_by_reason(caplog):
    table = samples()
    table.loc[:1, "face_index"], table.loc[:1, "reason"] = -1, "unreadable"
    table.loc[2, "face_index"], table.loc[2, "reason"] = -1, "unequal_sizes"
    with caplog.at_level(logging.WARNING):
        trials = fold_trials(table, validation_fraction=0.2)
    assert trials["sample_id"].nunique() == len(table) - 3
    assert "2 of 120 samples are left out of every fold: unreadable" in caplog.text
    assert "1 of 120 samples are left out of every fold: unequal_sizes" in caplog.text


def test_a_class_missing_among_a_folds_test_rows_is_said(caplog):
    table = samples()
    table = table[~((table["fold"] == 2) & (table["label"] == 1))]
    with caplog.at_level(logging.WARNING):
        fold_trials(table, validation_fraction=0.2)
    assert "1 trials test no sample of some class: fold_2" in caplog.text


def _without_a_fold(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(fold=table["fold"].where(table["subject"] != "s3", -1))


def _in_two_folds(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(fold=[(fold + 1) % 5 if n == 0 else fold for n, fold in enumerate(table["fold"])])


def _one_class_to_train_on(table: pd.DataFrame) -> pd.DataFrame:
    return table[(table["label"] == 0) | (table["fold"] == 0)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_without_a_fold, "1 subjects are in no fold, the first is s3, .* Prepare the dataset again"),
        (_in_two_folds, "is in 2 folds of the samples table, .* Give every subject one fold"),
        (_one_class_to_train_on, "Trial fold_0 has no train row of class 1 .* Set protocol.validation_fraction"),
        (lambda table: table[table["fold"] == 0], "are in 1 fold, and nothing is left to train on"),
        (lambda table: table[table["subject"].isin(["s1", "s2"])], "has 1 subject to train on|are in 1 fold"),
    ],
)
def test_faults_of_the_folds_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        fold_trials(change(samples()), validation_fraction=0.2)


@pytest.mark.parametrize(
    ("curve", "message"),
    [
        ({"train_subjects": (17,), "test_folds": (0,)}, "where 16 are not tested"),
        ({"train_subjects": (4, 4), "test_folds": (0,)}, "Give different numbers"),
        ({"train_subjects": (4,), "test_folds": (9,)}, r"of which \[9\] are not among the folds"),
        ({"train_subjects": (4,), "test_folds": ()}, "tests folds"),
    ],
)
def test_faults_of_the_learning_curve_are_named(curve, message):
    with pytest.raises(ValueError, match=message):
        fold_trials(samples(), validation_fraction=0.2, **curve)
