"""The validation split is stratified, reproducible and independent of the order of rows."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.data.raf_db import PUBLISHED_COUNTS
from mien.data.splits import stratified_split, stratified_validation


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
