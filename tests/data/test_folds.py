"""Folds: no subject in two, about equal, and the same whatever the order of the rows."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.data.folds import leave_one_subject_out, subject_folds


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
