"""What a samples table says of its targets, and what is refused because it could mean two things."""

import numpy as np
import pandas as pd
import pytest

from mien.data.target_shares import TARGET_MODES, add_target_shares, target_mode, target_shares

NAMES = ("happy", "sad", "neutral")
SHARES = np.array([[0.6, 0.4, 0.0], [0.0, 0.0, 1.0], [0.2, 0.3, 0.5]])


def table(*modes: str) -> pd.DataFrame:
    bare = pd.DataFrame({"sample_id": list("abc"), "label": [0, 2, 2]})
    return add_target_shares(bare, SHARES, NAMES, modes or ["crossentropy"] * 3)


@pytest.mark.parametrize("mode", TARGET_MODES)
def test_what_was_added_is_read_back(mode):
    rows = table(mode, mode, mode)
    assert target_mode(rows) == mode
    np.testing.assert_array_equal(target_shares(rows, NAMES), SHARES)


def test_shares_follow_the_classes_by_name_not_by_place():
    shuffled = table()[["target/neutral", "target/happy", "target_mode", "target/sad"]]
    np.testing.assert_array_equal(target_shares(shuffled, NAMES[::-1]), SHARES[:, ::-1])


def test_a_table_that_says_nothing_has_labels():
    assert target_mode(table().drop(columns="target_mode")) == "majority"
    assert target_mode(table()[:0]) == "majority"


@pytest.mark.parametrize("modes", [("majority", "crossentropy", "crossentropy"), ("soft",) * 3])
def test_rows_of_two_modes_or_an_unknown_one_are_refused(modes):
    with pytest.raises(ValueError, match=rf"target_mode .*{modes[0]}.*one of majority, probability.* in the reader"):
        target_mode(table(*modes))


def test_a_class_without_shares_is_refused():
    with pytest.raises(ValueError, match=r"do not fit the 3 classes .*: no column target/sad\..*look at the reader"):
        target_shares(table().drop(columns="target/sad"), NAMES)


def test_votes_for_a_class_that_the_network_does_not_know_are_refused_and_an_empty_column_is_not():
    with pytest.raises(ValueError, match=r"votes in target/sad, which labels no sample"):
        target_shares(table(), ("happy", "neutral"))
    nobody_sad = table().assign(**{"target/sad": 0.0})
    assert target_shares(nobody_sad, ("happy", "neutral")).shape == (3, 2)
