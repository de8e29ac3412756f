"""FER+'s rules, by hand, against an independent implementation, and by the counts that are known.

Rows of FER2013 that are not in the order of FER+'s votes are found out by FER2013's own labels.
"""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.data import small_datasets as small

from mien.data.ferplus import read_ferplus
from mien.data.ferplus_votes import (
    BLOCK,
    BOUND,
    FER2013_EMOTIONS,
    IN_ORDER,
    VOTE_COLUMNS,
    VOTED_EXPRESSIONS,
    OrderCheck,
    check_emotion,
    check_order,
    label_votes,
)
from mien.labels import FERPLUS_EXPRESSIONS

FOLDER = Path(os.environ.get("MIEN_TEST_DATA", Path(__file__).parents[2] / "../shared/data")) / "ferplus"
MODES = ["majority", "probability", "crossentropy", "multi_target"]
LARGEST_FIRST = ["probability", "crossentropy"]

# Columns: neutral happy surprise sad angry disgust fear contempt unknown NF


def label(votes: list[int], mode: str) -> dict[str, float] | None:
    """The distribution without its zeros, rounded; None without a label. The label has to be its first maximum."""
    labels, targets = label_votes(np.array([votes]), mode)
    if labels[0] < 0:
        assert labels[0] == -1
        assert (targets == 0).all()
        return None
    named = dict(zip(FERPLUS_EXPRESSIONS, targets[0], strict=True))
    assert named[FERPLUS_EXPRESSIONS[labels[0]]] == max(named.values())
    return {name: round(share, 3) for name, share in named.items() if share}


@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        ([6, 4, 0, 0, 0, 0, 0, 0, 0, 0], {"neutral": 1}),
        ([5, 5, 0, 0, 0, 0, 0, 0, 0, 0], None),  # half is not more than half
        ([5, 1, 1, 1, 1, 1, 0, 0, 0, 0], {"neutral": 1}),  # single votes do not count against it
        ([0, 4, 0, 0, 3, 0, 0, 0, 0, 0], {"happy": 1}),
        ([0, 4, 0, 2, 2, 0, 0, 0, 0, 0], None),
        ([0, 0, 0, 0, 0, 0, 0, 7, 3, 0], {"contempt": 1}),
        ([0, 3, 0, 0, 0, 0, 0, 0, 7, 0], None),  # most cannot tell
        ([0, 3, 0, 0, 0, 0, 0, 0, 0, 7], None),  # most see no face
        ([1, 1, 1, 1, 1, 1, 1, 1, 1, 1], None),
    ],
)
def test_majority_wants_more_than_half_of_the_votes_that_are_not_single(votes, expected):
    assert label(votes, "majority") == expected


@pytest.mark.parametrize("mode", LARGEST_FIRST)
@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        ([8, 2, 0, 0, 0, 0, 0, 0, 0, 0], {"neutral": 1}),  # 8 of 10 are three quarters
        ([7, 3, 0, 0, 0, 0, 0, 0, 0, 0], {"neutral": 0.7, "happy": 0.3}),
        ([6, 2, 0, 2, 0, 0, 0, 0, 0, 0], {"neutral": 0.6, "happy": 0.2, "sad": 0.2}),  # equal ones come together
        ([4, 2, 0, 2, 2, 0, 0, 0, 0, 0], None),  # so these are four
        ([4, 3, 0, 2, 0, 0, 0, 0, 0, 0], {"neutral": 0.571, "happy": 0.429}),  # 7 of 9 is enough
        ([3, 3, 2, 2, 0, 0, 0, 0, 0, 0], None),
        ([0, 5, 0, 0, 0, 0, 0, 0, 5, 0], None),  # the happy half alone is not more than half
        ([0, 6, 0, 0, 0, 0, 0, 0, 4, 0], {"happy": 1}),  # unknown ends it and is dropped
        ([0, 4, 0, 3, 0, 0, 0, 0, 3, 0], {"happy": 0.571, "sad": 0.429}),  # sad stands before it
        ([0, 4, 0, 2, 0, 0, 0, 0, 3, 0], None),  # 4 of 9
        ([0, 2, 0, 2, 0, 0, 0, 0, 6, 0], None),  # unknown first
        ([2, 2, 0, 0, 0, 0, 0, 0, 0, 6], None),  # no face first
        ([1, 1, 1, 1, 1, 1, 1, 1, 1, 1], None),
    ],
)
def test_the_largest_columns_are_accepted_until_three_quarters_or_three(mode, votes, expected):
    assert label(votes, mode) == expected


@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        ([7, 3, 0, 0, 0, 0, 0, 0, 0, 0], {"neutral": 0.7, "happy": 0.3}),  # 3 are three tenths of 10, exactly
        ([6, 2, 0, 2, 0, 0, 0, 0, 0, 0], {"neutral": 1}),
        ([4, 4, 0, 2, 0, 0, 0, 0, 0, 0], {"neutral": 0.5, "happy": 0.5}),
        ([4, 2, 0, 2, 2, 0, 0, 0, 0, 0], None),  # 4 of 10 are kept
        ([5, 0, 0, 0, 0, 0, 0, 0, 5, 0], {"neutral": 1}),  # the first of equals is an expression; unknown is left out
        ([4, 0, 0, 0, 0, 0, 0, 0, 5, 0], None),
        ([1, 1, 1, 1, 1, 1, 1, 1, 1, 1], None),
    ],
)
def test_multi_target_keeps_columns_of_three_tenths(votes, expected):
    assert label(votes, "multi_target") == expected


def test_of_equal_counts_the_first_in_the_files_order_is_the_label():
    assert VOTED_EXPRESSIONS == ("neutral", "happy", "surprise", "sad", "angry", "disgust", "fear", "contempt")
    labels, _ = label_votes(np.array([[0, 0, 4, 4, 0, 0, 0, 0, 0, 0], [4, 0, 4, 0, 0, 0, 0, 0, 0, 0]]), "multi_target")
    assert [FERPLUS_EXPRESSIONS[each] for each in labels] == ["surprise", "neutral"]


def one_by_one(votes: tuple[int, ...], mode: str) -> list[float] | None:
    """The rules once more, with sorted pairs and without numpy; distribution in the files' order."""
    votes = [count if count > 1 else 0 for count in votes]
    total = sum(votes)
    kept: dict[int, int] = {}
    if mode == "majority":
        column = max(range(10), key=lambda each: (votes[each], -each))
        kept = {column: votes[column]} if votes[column] > total / 2 else {}
    elif mode == "multi_target":
        kept = {column: count for column, count in enumerate(votes) if count and count >= total * 3 / 10}
        kept = kept if sum(kept.values()) > total / 2 else {}
    else:
        waiting = sorted((-count, column) for column, count in enumerate(votes) if count)
        while waiting and sum(kept.values()) < total * 3 / 4 and len(kept) < 3:
            level = [column for count, column in waiting if count == waiting[0][0]]
            waiting = waiting[len(level) :]
            kept |= {column: votes[column] for column in level if column < 8}
            if max(level) >= 8:
                if not kept:
                    kept = {min(column for column in level if column >= 8): 1 + total}
                break
        kept = kept if sum(kept.values()) > total / 2 and len(kept) <= 3 else {}
    if not kept or max(kept, key=lambda each: (kept[each], -each)) >= 8:
        return None
    mass = sum(count for column, count in kept.items() if column < 8)
    return [kept.get(column, 0) / mass for column in range(8)]


def splits_of_ten() -> st.SearchStrategy:
    """Ten votes or nine, often on few columns, so that ties and limits are met."""
    columns = st.lists(st.integers(0, 9), min_size=1, max_size=5).flatmap(
        lambda few: st.lists(st.sampled_from(few), min_size=9, max_size=10)
    )
    return columns.map(lambda chosen: tuple(chosen.count(column) for column in range(10)))


@settings(max_examples=400, deadline=None)
@given(votes=splits_of_ten(), mode=st.sampled_from(MODES))
def test_every_split_of_the_votes_is_labelled_as_the_rules_say_one_image_at_a_time(votes, mode):
    labels, targets = label_votes(np.array([votes]), mode)
    expected = one_by_one(votes, mode)
    if expected is None:
        assert labels[0] == -1
        assert (targets == 0).all()
    else:
        by_file = [targets[0, FERPLUS_EXPRESSIONS.index(name)] for name in VOTED_EXPRESSIONS]
        np.testing.assert_allclose(by_file, expected, rtol=0, atol=1e-12)
        assert targets.sum() == pytest.approx(1)
        assert FERPLUS_EXPRESSIONS[labels[0]] == VOTED_EXPRESSIONS[expected.index(max(expected))]


@settings(max_examples=30, deadline=None)
@given(rows=st.lists(splits_of_ten(), min_size=2, max_size=12), mode=st.sampled_from(MODES))
def test_images_are_labelled_independently_of_one_another(rows, mode):
    together = label_votes(np.array(rows), mode)
    for row, votes in enumerate(rows):
        alone = label_votes(np.array([votes]), mode)
        assert alone.labels[0] == together.labels[row]
        np.testing.assert_array_equal(alone.targets[0], together.targets[row])


def test_no_images_give_no_labels():
    labels, targets = label_votes(np.empty((0, 10), int), "crossentropy")
    assert (labels.shape, targets.shape) == ((0,), (0, 8))


@pytest.mark.parametrize(
    ("votes", "mode", "message"),
    [
        (np.zeros((2, 8)), "majority", r"shape \(2, 8\) .*neutral, happiness"),
        (np.zeros(10), "majority", r"shape \(10,\)"),
        (-np.ones((1, 10)), "majority", "numbers from 0"),
        (np.ones((1, 10)), "plurality", "label_mode 'plurality' .*choose one of majority, probability"),
    ],
)
def test_mistakes_are_named(votes, mode, message):
    with pytest.raises(ValueError, match=message):
        label_votes(votes, mode)


def real_votes(source: str) -> dict[str, np.ndarray]:
    """Votes of the real files by split, of images with a name."""
    if not FOLDER.is_dir():
        pytest.skip(f"{FOLDER} is absent; MIEN_TEST_DATA names the folder of real development data")
    votes = {}
    for usage, folder, split in (
        ("Training", "Train", "train"),
        ("PublicTest", "Valid", "val"),
        ("PrivateTest", "Test", "test"),
    ):
        name = f"label_{folder}.csv" if source == "label_csv" else "fer2013new.csv"
        with (FOLDER / name).open(newline="") as file:
            rows = list(csv.reader(file))
        kept = rows if source == "label_csv" else [row for row in rows if row[0] == usage and row[1]]
        votes[split] = np.array([row[2:] for row in kept], dtype=int)
    return votes


@pytest.mark.data
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("source", ["label_csv", "new_csv"])
def test_the_real_votes_give_the_published_counts(source, mode):
    published = {
        ("majority", "label_csv"): ([25045, 3191, 3137], [1083, 892, 394, 382, 269, 16, 86, 15]),
        ("majority", "new_csv"): ([25060, 3199, 3153], [1090, 893, 396, 384, 273, 18, 83, 16]),
        ("crossentropy", "label_csv"): ([27947, 3508, 3507], [1250, 925, 438, 437, 315, 20, 96, 26]),
        ("crossentropy", "new_csv"): ([27956, 3505, 3505], [1251, 925, 435, 435, 320, 22, 92, 25]),
        ("multi_target", "label_csv"): ([27667, 3472, 3466], [1238, 921, 440, 435, 298, 18, 93, 23]),
    }
    votes = real_votes(source)
    labels = {split: label_votes(each, mode).labels for split, each in votes.items()}
    totals = [int((each >= 0).sum()) for each in labels.values()]
    per_class = [int((labels["test"] == FERPLUS_EXPRESSIONS.index(name)).sum()) for name in VOTED_EXPRESSIONS]
    known = published.get(("crossentropy" if mode == "probability" else mode, source))
    if known is None:
        assert all(0.95 < total / len(each) < 0.98 for total, each in zip(totals, votes.values(), strict=True))
    else:
        assert (totals, per_class) == known


@pytest.mark.data
def test_the_real_votes_give_the_published_counts_by_the_largest_column():
    """What is published of the plain votes, so that the files are known to be the published ones."""
    votes = real_votes("new_csv")
    of_ten = [each.argmax(axis=1) for each in votes.values()]
    assert [int((top < 8).sum()) for top in of_ten] == [28_389, 3_553, 3_546]
    assert np.bincount(of_ten[2], minlength=10)[:8].tolist() == [1262, 928, 444, 444, 325, 23, 93, 27]
    faces = [each[each[:, VOTE_COLUMNS.index("NF")] < 10] for each in votes.values()]
    assert [len(each) for each in faces] == [28_559, 3_579, 3_573]
    assert np.bincount(faces[2][:, :8].argmax(axis=1)).tolist() == [1278, 929, 446, 448, 326, 23, 94, 29]


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
