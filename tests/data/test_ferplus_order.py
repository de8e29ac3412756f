"""Rows of FER2013 that are not in the order of FER+'s votes are found out by FER2013's own labels."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.data import small_datasets as small

from mien.data.ferplus import read_ferplus
from mien.data.ferplus_labels import VOTE_COLUMNS
from mien.data.ferplus_order import BLOCK, BOUND, FER2013_EMOTIONS, IN_ORDER, OrderCheck, check_emotion, check_order

PIXELS, VOTES = Path("fer2013.csv"), Path("fer2013new.csv")


def agreements(share: float, count: int, seed: int = 0, first: int = 2) -> list[OrderCheck]:
    agreeing = np.random.default_rng(seed).random(count) < share
    return [OrderCheck(first + number, bool(agrees)) for number, agrees in enumerate(agreeing)]


def write_faces(root: Path, per_class: int, *, sorted_by_emotion: bool) -> None:
    """Faces of every class in each part, FER2013's label as the votes have it; sorted within each part if requested."""
    rng = np.random.default_rng(0)
    emotions = {VOTE_COLUMNS.index(name): code for code, name in enumerate(FER2013_EMOTIONS)}
    pixels, votes = ["emotion,pixels,Usage"], [small.NEW_VOTES_HEADER]
    number = 0
    for part in small.FER_PARTS:
        columns = rng.permutation(np.repeat(np.arange(8), per_class)).tolist()
        rows = []
        for column in columns:
            counts = ",".join("10" if place == column else "0" for place in range(10))
            votes.append(f"{part},fer{number:07d}.png,{counts}")
            rows.append((emotions.get(column, 6), f"{' '.join([str(number % 256)] * 2304)},{part}"))
            number += 1
        rows = sorted(rows, key=lambda row: row[0]) if sorted_by_emotion else rows
        pixels += [f"{emotion},{rest}" for emotion, rest in rows]
    small.put(root / "fer2013.csv", "\n".join(pixels) + "\n")
    small.put(root / "fer2013new.csv", "\n".join(votes) + "\n")


def test_faces_sorted_by_emotion_within_each_part_are_refused_and_unsorted_ones_read(tmp_path):
    write_faces(tmp_path / "unsorted", 6, sorted_by_emotion=False)
    assert len(read_ferplus(tmp_path / "unsorted")) == 144
    write_faces(tmp_path / "sorted", 6, sorted_by_emotion=True)
    with pytest.raises(ValueError, match=r"not in one order: of 126 images .*fer2013.csv.*copy both again, unsorted"):
        read_ferplus(tmp_path / "sorted")


def test_a_row_is_evaluated_by_its_majority_alone():
    assert check_emotion("3", (0, 9, 1, 0, 0, 0, 0, 0, 0, 0), 5, PIXELS) == OrderCheck(5, True)
    assert check_emotion("0", (0, 9, 1, 0, 0, 0, 0, 0, 0, 0), 5, PIXELS) == OrderCheck(5, False)
    assert check_emotion("3", (0, 5, 5, 0, 0, 0, 0, 0, 0, 0), 5, PIXELS) is None
    assert (
        check_emotion("3", (0, 0, 0, 0, 0, 0, 0, 9, 0, 0), 5, PIXELS) is None
    )  # contempt, of which FER2013 has no label
    assert check_emotion("3", (0, 0, 0, 0, 0, 0, 0, 0, 0, 10), 5, PIXELS) is None
    for wrong in ("-1", "7", "3.0", "x"):
        with pytest.raises(ValueError, match=rf"line 5 of fer2013.csv says '{wrong}' in the column emotion"):
            check_emotion(wrong, (10, 0, 0, 0, 0, 0, 0, 0, 0, 0), 5, PIXELS)


@settings(max_examples=40, deadline=None)
@given(count=st.integers(0, 3000), seed=st.integers(0, 10**6))
def test_rows_in_order_are_never_refused(count, seed):
    check_order(agreements(IN_ORDER, count, seed), PIXELS, VOTES)


@settings(max_examples=40, deadline=None)
@given(before=st.integers(0, 2000), seed=st.integers(0, 10**6))
def test_rows_of_which_a_part_is_shuffled_are_refused_with_its_lines(before, seed):
    rows = agreements(IN_ORDER, before, seed)
    rows += agreements(0.19, 3 * BLOCK, seed + 1, first=2 + before)
    with pytest.raises(ValueError, match=r"not in one order: of \d+ images with a majority in lines \d+ to \d+"):
        check_order(rows, PIXELS, VOTES)


def test_the_bound_is_half_way_and_few_rows_need_more_than_chance():
    assert pytest.approx(0.455) == BOUND
    check_order([OrderCheck(2 + number, number < 3) for number in range(21)], PIXELS, VOTES)
    with pytest.raises(ValueError, match=r"agrees with the votes of fer2013new\.csv in 0"):
        check_order([OrderCheck(2 + number, False) for number in range(21)], PIXELS, VOTES)
