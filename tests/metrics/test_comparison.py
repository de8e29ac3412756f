"""Paired comparisons against closed forms, listed sign flips, a loop over resamples and simulation."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.metrics.synthetic_predictions import drawn, naive_bounds

from mien.metrics import Difference, classification_metrics, holm, mean_and_sd, paired_comparison


def outcomes(both, only_a, only_b, neither=0):
    """Targets of class 0 and the scores of two classifiers with so many rows right."""
    right_a = np.repeat([1, 1, 0, 0], [both, only_a, only_b, neither])
    right_b = np.repeat([1, 0, 1, 0], [both, only_a, only_b, neither])
    scores = [np.where(np.eye(2, dtype=bool)[1 - right], 0.9, 0.1) for right in (right_a, right_b)]
    return np.zeros(len(right_a), int), *scores


def mean_class_accuracy(target, predicted):
    return np.mean([(predicted == target)[target == label].mean() for label in np.unique(target)])


@settings(max_examples=50, deadline=None)
@given(only_a=st.integers(0, 30), only_b=st.integers(0, 30), both=st.integers(1, 50))
def test_p_is_the_binomial_chance_of_as_uneven_a_split_of_the_discordant_rows(only_a, only_b, both):
    comparison = paired_comparison(*outcomes(both, only_a, only_b), resamples=1)
    assert (comparison.only_a_right, comparison.only_b_right) == (only_a, only_b)
    discordant, smaller = only_a + only_b, min(only_a, only_b)
    tail = sum(math.comb(discordant, k) for k in range(smaller + 1)) / 2**discordant
    assert comparison.p_value == pytest.approx(min(2 * tail, 1))
    by_row = paired_comparison(*outcomes(both, only_a, only_b), resamples=1, groups=np.arange(both + discordant))
    assert by_row.p_value == pytest.approx(comparison.p_value)


@settings(max_examples=50, deadline=None)
@given(n=st.integers(1, 40), num_groups=st.integers(1, 8), seed=st.integers(0, 2**31))
def test_p_by_group_is_the_share_of_all_exchanges_that_differ_as_much(n, num_groups, seed):
    rng = np.random.default_rng(seed)
    groups, right_a, right_b = rng.integers(num_groups, size=n), rng.integers(2, size=n), rng.integers(2, size=n)
    gains = [(right_b - right_a)[groups == group].sum() for group in np.unique(groups)]
    sums = [abs(np.dot(signs, gains)) for signs in itertools.product((-1, 1), repeat=len(gains))]
    expected = np.mean(np.array(sums) >= abs(sum(gains)))
    comparison = paired_comparison(
        np.zeros(n, int), np.eye(2)[1 - right_a], np.eye(2)[1 - right_b], groups=groups, resamples=1
    )
    assert comparison.p_value == pytest.approx(expected)
    assert comparison.num_groups == len(gains)


@settings(max_examples=50, deadline=None)
@given(values=st.lists(st.floats(0, 1), max_size=8), level=st.floats(0.001, 0.999))
def test_corrected_p_values_reject_what_holms_steps_reject(values, level):
    rejected = set()
    for place in sorted(range(len(values)), key=lambda place: values[place]):
        if values[place] * (len(values) - len(rejected)) > level:
            break
        rejected.add(place)
    corrected = holm(np.array(values))
    assert set(np.flatnonzero(corrected <= level)) == rejected
    assert (corrected >= np.array(values)).all()


def test_an_undefined_p_value_is_refused():
    with pytest.raises(ValueError, match="give numbers between 0 and 1"):
        holm(np.array([0.5, np.nan]))


@settings(max_examples=10, deadline=None)
@given(n=st.integers(8, 40), M=st.integers(2, 4), num_groups=st.integers(2, 40), seed=st.integers(0, 2**31))
def test_intervals_equal_those_of_a_loop_over_the_same_rows_for_both(n, M, num_groups, seed):
    target, scores_a = drawn(n, M, seed)
    scores_b = drawn(n, M, seed + 1)[1]
    groups = np.random.default_rng(seed).integers(num_groups, size=n)
    groups[:2] = 0, 1
    ours = paired_comparison(target, scores_a, scores_b, groups=groups, resamples=30, seed=seed)
    a, b = scores_a.argmax(axis=1), scores_b.argmax(axis=1)

    def measure(rows):
        return {
            "accuracy": (b == target)[rows].mean() - (a == target)[rows].mean(),
            "class": mean_class_accuracy(target[rows], b[rows]) - mean_class_accuracy(target[rows], a[rows]),
        }

    loop = naive_bounds(measure, groups, 30, seed)
    assert (ours.difference.low, ours.difference.high) == pytest.approx(loop["accuracy"], abs=1e-12)
    assert (ours.class_difference.low, ours.class_difference.high) == pytest.approx(loop["class"], abs=1e-12)
    whole = measure(np.arange(n))
    assert ours.difference.value == pytest.approx(whole["accuracy"])
    assert ours.class_difference.value == pytest.approx(whole["class"])
    assert ours.accuracy_b - ours.accuracy_a == pytest.approx(whole["accuracy"])


def test_differences_equal_those_of_the_metrics():
    target, scores_a = drawn(200, 5, seed=0)
    scores_b = drawn(200, 5, seed=1)[1]
    comparison = paired_comparison(target, scores_a, scores_b, resamples=5)
    a, b = (classification_metrics(target, scores, list("abcde"), resamples=5) for scores in (scores_a, scores_b))
    assert comparison.difference.value == pytest.approx(b["accuracy"] - a["accuracy"])
    assert comparison.class_difference.value == pytest.approx(b["mean_class_accuracy"] - a["mean_class_accuracy"])


def test_a_classifier_does_not_differ_from_itself():
    target, scores = drawn(100, 3, seed=0)
    comparison = paired_comparison(target, scores, scores)
    assert (comparison.difference, comparison.p_value, comparison.stands) == (Difference(0, 0, 0), 1, False)


def test_exchanging_the_two_turns_the_sign():
    target, scores_a, scores_b = outcomes(50, 4, 20, 10)
    forth, back = (paired_comparison(target, *pair) for pair in ((scores_a, scores_b), (scores_b, scores_a)))
    assert back.difference == Difference(-forth.difference.value, -forth.difference.high, -forth.difference.low)
    assert back.p_value == forth.p_value
    assert back.stands
    assert forth.stands


def test_the_interval_has_the_width_of_paired_proportions():
    comparison = paired_comparison(*outcomes(1000, 100, 160, 200), resamples=4000)
    n, gained, discordant = 1460, 60, 260
    expected = 1.96 * np.sqrt(discordant - gained**2 / n) / n
    assert comparison.difference.value == pytest.approx(gained / n)
    assert (comparison.difference.high - comparison.difference.low) / 2 == pytest.approx(expected, rel=0.06)


def test_four_rows_of_difference_do_not_make_it_stand():
    # The interval alone would: a resample without any of the four rows has a chance of 1.8 %.
    comparison = paired_comparison(*outcomes(90, 0, 4, 6))
    assert comparison.difference.excludes_zero
    assert comparison.p_value == 0.125
    assert not comparison.stands


def test_rows_of_one_group_count_once():
    target, scores_a, scores_b = (np.repeat(array, 10, axis=0) for array in outcomes(20, 1, 5, 4))
    groups = np.repeat(np.arange(30), 10)
    by_group = paired_comparison(target, scores_a, scores_b, groups=groups)
    once = paired_comparison(*outcomes(20, 1, 5, 4))
    assert paired_comparison(target, scores_a, scores_b).stands
    assert not by_group.stands
    assert by_group.p_value == pytest.approx(once.p_value)
    assert (by_group.difference.low, by_group.difference.high) == pytest.approx(
        (once.difference.low, once.difference.high)
    )


def test_one_row_or_group_gives_no_interval_and_nothing_stands():
    alone = paired_comparison(*outcomes(0, 0, 1))
    grouped = paired_comparison(*outcomes(0, 0, 30), groups=np.zeros(30, int))
    for comparison in (alone, grouped):
        assert comparison.difference == Difference(1, None, None)
        assert comparison.p_value == 1
        assert not comparison.stands
        assert "no interval" in comparison.sentence()


def test_the_sentence_says_whether_the_difference_stands():
    comparison = paired_comparison(*outcomes(880, 20, 60, 40), seed=1)
    low, high = 100 * comparison.difference.low, 100 * comparison.difference.high
    interval = f"+4.00 points (95 % interval {low:+.2f} to {high:+.2f})"
    assert comparison.sentence("keep 0.1", "keep 0.6") == (
        f"keep 0.6 against keep 0.1: accuracy 94.00 % against 90.00 % (n = 1000), a difference of {interval}; mean "
        f"class accuracy {interval}; only keep 0.6 right in 60 rows, only keep 0.1 in 20 (exact McNemar p = 8.6e-06). "
        "The difference in accuracy stands."
    )
    grouped = paired_comparison(*outcomes(80, 2, 3, 15), groups=np.arange(100) // 5).sentence()
    assert grouped.startswith("b against a: accuracy 83.00 % against 82.00 % (n = 100 in 20 groups)")
    assert "(exact sign flips by group p = 1)" in grouped
    assert grouped.endswith("does not stand.")


@pytest.mark.slow
@pytest.mark.parametrize("by_group", [False, True])
def test_equals_seldom_stand_and_a_real_difference_often_does(by_group):
    stands = {0.0: 0, 0.12: 0}
    subjects = np.repeat(np.arange(40), 10)
    for trial, better in itertools.product(range(300), stands):
        rng = np.random.default_rng(trial)
        ease = rng.beta(4, 2, size=40)[subjects] * 0.85
        lean = rng.normal(scale=0.1, size=40)[subjects] if by_group else 0  # subjects that suit one of the two
        right_a, right_b = rng.random(400) < ease - lean, rng.random(400) < ease + lean + better
        scores = [np.eye(2)[1 - right.astype(int)] for right in (right_a, right_b)]
        groups = subjects if by_group else None
        comparison = paired_comparison(np.zeros(400, int), *scores, groups=groups, resamples=300, seed=trial)
        stands[better] += comparison.stands
    assert stands[0.0] / 300 < 0.08
    assert stands[0.12] / 300 > 0.6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scores_b": np.full((3, 3), 1 / 3)}, r"scores_a are \(3, 2\), scores_b \(3, 3\)"),
        ({"scores_b": np.full((2, 2), 0.5)}, "3 targets and 2 rows"),
        ({"scores_a": np.full((3, 2), np.nan)}, "no probabilities in 3 of 3"),
        ({"target": np.array([0, 1, 2])}, "ids from 0 to 2"),
        ({"groups": np.array(["a", "b"])}, "one group for each of the 3"),
        ({"resamples": 0}, "at least 1 resample"),
        ({"seed": -1}, "seed of 0 or more"),
    ],
)
def test_a_mistake_is_named(change, message):
    even = np.full((3, 2), 0.5)
    arguments = {"target": np.array([0, 1, 1]), "scores_a": even, "scores_b": even} | change
    with pytest.raises(ValueError, match=message):
        paired_comparison(**arguments)


def test_no_rows_are_refused():
    with pytest.raises(ValueError, match="no rows"):
        paired_comparison(np.zeros(0, int), np.zeros((0, 2)), np.zeros((0, 2)))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=10))
def test_mean_and_sd_equal_numpy(values):
    mean, sd = mean_and_sd(values)
    assert mean == pytest.approx(np.mean(values))
    assert sd is None if len(values) == 1 else sd == pytest.approx(np.std(values, ddof=1))


def test_mean_and_sd_equal_hand_computation():
    # Deviations -0.3, 0.1, 0.2 of the mean 91.0: squares sum to 0.14, over two 0.07.
    assert mean_and_sd([90.7, 91.1, 91.2]) == (pytest.approx(91.0), pytest.approx(np.sqrt(0.07)))
    assert mean_and_sd((0.5,)) == (0.5, None)


@pytest.mark.parametrize("values", [[], [0.9, np.nan], [0.9, None], [[0.9, 0.8]], [np.inf]])
def test_mean_and_sd_name_undefined_values(values):
    with pytest.raises(ValueError, match="only finite ones"):
        mean_and_sd(values)
