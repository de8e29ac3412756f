"""Metrics against scikit-learn, hand computation and published tables."""

import json
import time
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk
from tests.metrics.synthetic_predictions import MAIN, PER_CLASS, drawn, naive_bounds

from mien.data.raf_db import PUBLISHED_COUNTS
from mien.metrics import classification_metrics, confusion_counts

TABLE_COLUMNS = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "angry")
# SAE paper, Table 1: class accuracies in that order, the mean over classes as it should be, and Table 2's (for
# VTFF, its own paper's) overall accuracy. Two printed means are wrong: VTFF says 81.20 and SAE at 0.6 says 85.80.
PUBLISHED = {
    "VTFF": ((87.50, 94.09, 87.24, 85.41, 64.86, 68.12, 85.80), 81.86, 88.14),
    "TransFER": ((90.15, 95.95, 88.70, 89.06, 68.92, 79.37, 88.89), 85.86, 90.91),
    "POSTER++": ((92.06, 97.22, 92.89, 90.58, 68.92, 71.88, 88.27), 85.97, 92.21),
    "POSTER": ((92.35, 96.96, 91.21, 90.27, 67.57, 75.00, 88.89), 86.04, 92.05),
    "APViT": ((92.06, 97.30, 88.70, 93.31, 72.97, 73.75, 86.42), 86.36, 91.98),
    "BTN": ((92.21, 97.05, 92.26, 91.49, 72.97, 76.25, 88.89), 87.30, 92.54),
    "SAE 0.9": ((90.00, 95.78, 88.91, 89.06, 68.92, 75.00, 87.04), 84.96, 90.51),
    "SAE 0.6": ((92.21, 96.12, 90.79, 89.97, 63.51, 72.50, 85.19), 84.33, 91.17),
    "SAE 0.3": ((90.44, 96.03, 92.47, 87.54, 70.27, 75.00, 84.57), 85.19, 91.00),
    "SAE 0.1": ((91.18, 96.29, 89.96, 89.67, 70.27, 71.88, 88.27), 85.36, 91.13),
}


def independent(target, scores):
    """The metrics from scikit-learn, and from loops where it has none; NaN where undefined."""
    predicted, present = scores.argmax(axis=1), np.unique(target)
    rest = [(target == label, scores[:, label]) for label in range(scores.shape[1])]
    two_classes = len(present) > 1
    averaged = {"labels": present, "average": None, "zero_division": 0}
    per_class = {
        "recall": sk.recall_score(target, predicted, **averaged),
        "precision": sk.precision_score(target, predicted, **averaged),
        "f1": sk.f1_score(target, predicted, **averaged),
        "auroc": [sk.roc_auc_score(*rest[label]) if two_classes else np.nan for label in present],
        "average_precision": [sk.average_precision_score(*rest[label]) for label in present],
    }
    own = scores[np.arange(len(target)), target][:, None]
    ahead = (scores > own) | ((scores == own) & (np.arange(scores.shape[1]) < target[:, None]))
    confidence = scores.max(axis=1)
    in_bin = np.ceil(confidence * 15 - 1e-12)
    gaps = [(confidence - (predicted == target))[in_bin == number].sum() for number in range(1, 16)]
    either = len(np.union1d(target, predicted)) > 1
    overall = {
        "accuracy": sk.accuracy_score(target, predicted),
        "top2_accuracy": np.mean(ahead.sum(axis=1) < 2),
        "mean_class_accuracy": np.mean(per_class["recall"]),
        "macro_f1": np.mean(per_class["f1"]),
        "weighted_f1": sk.f1_score(target, predicted, average="weighted", labels=present),
        "kappa": sk.cohen_kappa_score(target, predicted) if either else np.nan,
        "auroc": np.mean(per_class["auroc"]),
        "average_precision": np.mean(per_class["average_precision"]),
        "log_loss": sk.log_loss(target, scores, labels=range(scores.shape[1])),
        "calibration_error": np.abs(gaps).sum() / len(target),
    }
    assert set(overall) == set(MAIN)
    values = {f"{key}/{label}": np.nan for key in per_class for label in range(scores.shape[1])}
    values |= {
        f"{key}/{label}": c for key, column in per_class.items() for label, c in zip(present, column, strict=True)
    }
    return overall | values


def undefined_as_nan(metrics, keys):
    return [np.nan if metrics[key] is None else metrics[key] for key in keys]


@settings(max_examples=10, deadline=None)
@given(n=st.integers(8, 80), M=st.integers(2, 8), seed=st.integers(0, 2**31), decimals=st.integers(0, 3))
def test_point_values_equal_scikit_learn(n, M, seed, decimals):
    target, scores = drawn(n, M, seed, decimals=decimals)
    ours = classification_metrics(target, scores, [str(label) for label in range(M)], resamples=1)
    expected = independent(target, scores)
    for key, value in expected.items():
        assert ours[key] == pytest.approx(value), key
    assert [ours[f"n/{label}"] for label in range(M)] == np.bincount(target, minlength=M).tolist()


@settings(max_examples=4, deadline=None)
@given(
    n=st.integers(12, 40),
    M=st.integers(2, 3),
    num_groups=st.integers(2, 40),
    decimals=st.integers(0, 2),
    seed=st.integers(0, 2**31),
)
def test_intervals_equal_those_of_a_loop_over_resamples(n, M, num_groups, decimals, seed):
    target, scores = drawn(n, M, seed, decimals=decimals)
    groups = np.random.default_rng(seed).integers(num_groups, size=n)
    groups[:2] = 0, 1
    names = [str(label) for label in range(M)]
    ours = classification_metrics(target, scores, names, resamples=10, seed=seed, groups=groups)
    loop = naive_bounds(lambda rows: independent(target[rows], scores[rows]), groups, 10, seed)
    low, high = loop["calibration_error"]
    value = ours["calibration_error"]
    loop["calibration_error"] = max(2 * value - high, 0), max(2 * value - low, 0)
    for key, bounds in loop.items():
        label = key.partition("/")[2]
        if label and len(np.unique(groups[target == int(label)])) < 2:
            assert ours[f"{key}_low"] is ours[f"{key}_high"] is None
        else:
            found = undefined_as_nan(ours, (f"{key}_low", f"{key}_high"))
            assert found == pytest.approx(bounds, abs=1e-12, nan_ok=True), key


@settings(max_examples=15, deadline=None)
@given(n=st.integers(8, 80), M=st.integers(3, 8), seed=st.integers(0, 2**31))
def test_top2_accuracy_equals_scikit_learn_where_scores_differ(n, M, seed):
    target, scores = drawn(n, M, seed, decimals=9)
    ours = classification_metrics(target, scores, [str(label) for label in range(M)], resamples=1)
    assert ours["top2_accuracy"] == pytest.approx(sk.top_k_accuracy_score(target, scores, k=2, labels=range(M)))


def test_two_classes_are_always_among_the_top_two():
    target, scores = drawn(30, 2, seed=0)
    m = classification_metrics(target, scores, ["no", "yes"], resamples=20)
    assert m["top2_accuracy"] == m["top2_accuracy_low"] == m["top2_accuracy_high"] == 1


def test_a_small_case_equals_hand_computation():
    target = np.array([0, 0, 0, 1, 1, 2])
    scores = np.array(
        [[0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.1, 0.8, 0.1], [0.5, 0.4, 0.1], [0.1, 0.6, 0.3]]
    )
    # Predicted 0 0 1 1 0 1: class 0 has 2 of 3 right and 3 predictions, class 1 has 1 of 2 and 3, class 2 none.
    m = classification_metrics(target, scores, ["a", "b", "c"], resamples=50)
    assert m["accuracy"] == pytest.approx(3 / 6)
    assert m["mean_class_accuracy"] == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)
    assert (m["precision/a"], m["precision/b"], m["precision/c"]) == pytest.approx((2 / 3, 1 / 3, 0))
    assert (m["f1/a"], m["f1/b"], m["f1/c"]) == pytest.approx((2 / 3, 2 / 5, 0))
    assert m["macro_f1"] == pytest.approx((2 / 3 + 2 / 5) / 3)
    assert m["weighted_f1"] == pytest.approx((3 * 2 / 3 + 2 * 2 / 5) / 6)
    # Class a: positives .7 .6 .2 against .1 .5 .1, 8 of 9 pairs won. Class c: .3 against one .3 and four .1: 4.5 of 5.
    assert m["auroc/a"] == pytest.approx(8 / 9)
    assert m["auroc/c"] == pytest.approx(4.5 / 5)
    assert m["average_precision/a"] == pytest.approx((1 + 1 + 3 / 4) / 3)
    assert m["log_loss"] == pytest.approx(-np.log([0.7, 0.6, 0.2, 0.8, 0.4, 0.3]).mean())
    assert [m[f"n/{name}"] for name in "abc"] == [3, 2, 1]
    assert m["n"] == 6
    # By chance 3 x 3 + 2 x 3 + 1 x 0 of 36 agree. The true class is last in the third row alone.
    assert m["kappa"] == pytest.approx((1 / 2 - 15 / 36) / (1 - 15 / 36))
    assert m["top2_accuracy"] == pytest.approx(5 / 6)
    # Fifteenths: .5 and .5 in the eighth, both wrong; .6 twice, one right, in the ninth; .7 and .8 alone and right.
    assert m["calibration_error"] == pytest.approx((2 * 0.5 + 0.2 + 0.3 + 0.2) / 6)


@pytest.mark.parametrize("method", PUBLISHED)
def test_published_class_accuracies_on_raf_db_give_the_published_overall_accuracy(method):
    percent, mean, overall = PUBLISHED[method]
    counts = np.array([PUBLISHED_COUNTS["test"][name] for name in TABLE_COLUMNS])
    correct = np.round(np.array(percent) / 100 * counts).astype(int)
    target = np.repeat(np.arange(7), counts)
    right = np.concatenate([np.arange(n) < k for n, k in zip(counts, correct, strict=True)])
    predicted = np.where(right, target, (target + 1) % 7)
    m = classification_metrics(target, np.eye(7)[predicted], list(TABLE_COLUMNS), resamples=1)
    assert m["n"] == 3068
    assert round(100 * m["accuracy"], 2) == overall
    assert 100 * m["mean_class_accuracy"] == pytest.approx(mean, abs=0.006)
    for name, published in zip(TABLE_COLUMNS, percent, strict=True):
        assert 100 * m[f"recall/{name}"] == pytest.approx(published, abs=0.00501)
    assert np.diag(confusion_counts(target, predicted, 7)).sum() == correct.sum()


def test_intervals_contain_the_value_and_are_reproduced_by_the_seed():
    target, scores = drawn(300, 7, seed=1)
    names = list("abcdefg")
    m = classification_metrics(target, scores, names, resamples=200, seed=3)
    for key in (*MAIN[:-1], *(f"{key}/{name}" for key in PER_CLASS for name in names)):
        assert m[f"{key}_low"] < m[key] < m[f"{key}_high"], key
    assert 0 <= m["calibration_error_low"] < m["calibration_error_high"]
    assert m == classification_metrics(target, scores, names, resamples=200, seed=3)
    assert m != classification_metrics(target, scores, names, resamples=200, seed=4)


def test_the_interval_of_the_accuracy_has_the_binomial_width():
    n, p = 2000, 0.8
    target = np.zeros(n, dtype=int)
    target[: n // 2] = 1
    predicted = np.where(np.arange(n) % 10 < 8, target, 1 - target)
    m = classification_metrics(target, np.eye(2)[predicted], ["no", "yes"], resamples=2000)
    assert m["accuracy"] == p
    assert m["accuracy_high"] - m["accuracy_low"] == pytest.approx(2 * 1.96 * np.sqrt(p * (1 - p) / n), rel=0.08)


def test_rows_of_one_subject_are_drawn_together():
    target, scores = drawn(40, 3, seed=2)
    subjects = np.repeat([f"subject {number}" for number in range(40)], 5)
    once = classification_metrics(target, scores, list("abc"), resamples=200)
    five_times = np.repeat(target, 5), np.repeat(scores, 5, axis=0), list("abc")
    clustered = classification_metrics(*five_times, resamples=200, groups=subjects)
    independent = classification_metrics(*five_times, resamples=200)
    for key in MAIN:
        # Five copies of a subject's row say nothing new, so the interval must be that of the single rows.
        assert clustered[f"{key}_low"] == pytest.approx(once[f"{key}_low"])
        assert clustered[f"{key}_high"] == pytest.approx(once[f"{key}_high"])
        width = clustered[f"{key}_high"] - clustered[f"{key}_low"]
        assert width > 1.5 * (independent[f"{key}_high"] - independent[f"{key}_low"])


def test_subjects_may_be_named_by_numbers_or_objects():
    target, scores = drawn(30, 3, seed=2)
    numbers = np.arange(30) // 3
    objects = np.array([f"s{number}" for number in numbers], dtype=object)
    results = [
        classification_metrics(target, scores, list("abc"), resamples=20, groups=groups)
        for groups in (numbers, numbers.astype(float), objects)
    ]
    assert results[0] == results[1] == results[2]


def test_a_class_without_rows_has_no_values_and_does_not_count_in_means():
    target, scores = drawn(60, 3, seed=5)
    widened = np.column_stack([scores * 0.9, np.full(60, 0.1)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        m = classification_metrics(target, widened, ["a", "b", "c", "absent"], resamples=50)
    without = classification_metrics(target, scores, ["a", "b", "c"], resamples=50)
    assert m["n/absent"] == 0
    assert [m[f"{key}/absent{end}"] for key in PER_CLASS for end in ("", "_low", "_high")] == [None] * 15
    for key in (*MAIN[:-2], "recall/a", "auroc/b"):
        assert m[key] == pytest.approx(without[key]), key
        assert m[f"{key}_low"] == pytest.approx(without[f"{key}_low"]), key


def test_a_class_that_some_resamples_lack_still_has_intervals():
    target, scores = drawn(50, 4, seed=6)
    target[target == 3] = 2
    target[0] = 3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        m = classification_metrics(target, scores, list("abcd"), resamples=200)
    assert all(m[f"{key}_low"] <= m[f"{key}_high"] for key in MAIN)
    # Its single row is in or out of a resample, so nothing about it can vary.
    assert m["n/d"] == 1
    assert all(m[f"{key}/d"] is not None and m[f"{key}/d_low"] is None for key in PER_CLASS)


def test_one_row_has_an_accuracy_but_neither_auroc_nor_intervals():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        m = classification_metrics(np.array([1]), np.array([[0.2, 0.5, 0.3]]), ["a", "b", "c"])
    assert m["accuracy"] == m["recall/b"] == m["f1/b"] == 1
    assert m["auroc"] is m["auroc/b"] is m["kappa"] is None
    assert m["log_loss"] == pytest.approx(np.log(2))
    assert all(m[f"{key}_{end}"] is None for key in (*MAIN, "recall/b") for end in ("low", "high"))


def test_rows_of_one_class_have_no_kappa_where_all_are_predicted_so():
    scores = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        same = classification_metrics(np.zeros(3, int), scores, ["a", "b"], resamples=20)
        mixed = classification_metrics(np.zeros(3, int), scores[:, ::-1][[0, 1, 2]], ["a", "b"], resamples=20)
    assert same["kappa"] is same["kappa_low"] is None
    assert (same["accuracy"], same["recall/a_low"], same["recall/a_high"]) == (1, 1, 1)
    assert mixed["kappa"] == mixed["kappa_low"] == 0


def test_the_dictionary_is_json_without_nan_and_complete():
    target, scores = drawn(40, 3, seed=0)
    m = classification_metrics(target, scores.astype(np.float32), ["a", "b", "c"], resamples=5)
    assert json.loads(json.dumps(m, allow_nan=False)) == m
    measured = [*MAIN, *(f"{key}/{name}" for key in PER_CLASS for name in "abc")]
    counts = ("n", "n/a", "n/b", "n/c")
    assert set(m) == {*counts, *(f"{key}{end}" for key in measured for end in ("", "_low", "_high"))}


def test_half_precision_scores_are_accepted_without_a_warning():
    target, scores = drawn(200, 7, seed=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        half = classification_metrics(target, scores.astype(np.float16), list("abcdefg"), resamples=20)
    assert half["log_loss"] == pytest.approx(
        classification_metrics(target, scores, list("abcdefg"))["log_loss"], rel=1e-3
    )


def test_a_thousand_resamples_of_raf_dbs_test_split_take_seconds():
    target, scores = drawn(3068, 7, seed=0, decimals=6)
    started = time.process_time()
    classification_metrics(target, scores, list("abcdefg"), resamples=1000)
    assert time.process_time() - started < 5


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_the_order_of_rows_does_not_change_the_values(seed):
    target, scores = drawn(50, 4, seed)
    order = np.random.default_rng(seed).permutation(50)
    first = classification_metrics(target, scores, list("abcd"), resamples=1)
    second = classification_metrics(target[order], scores[order], list("abcd"), resamples=1)
    for key in first:
        if not key.endswith(("_low", "_high")):
            assert second[key] == pytest.approx(first[key]), key


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target": np.array([0, 1])}, "2 targets and 3 rows"),
        ({"target": np.array([0, 1, 3])}, "ids from 0 to 3"),
        ({"target": np.array([0, 1, -1])}, "ids from -1 to 1"),
        ({"target": np.array([0.0, 1.0, 1.0])}, "target is float64"),
        ({"target": np.array([[0, 1, 1]])}, "shape \\(1, 3\\)"),
        ({"scores": np.full(3, 0.5)}, "shape \\(3,\\)"),
        ({"scores": np.ones((3, 1))}, "M at least 2"),
        ({"scores": np.eye(3, dtype=int)}, "scores are int64"),
        ({"scores": np.array([[1, 0, 0], [np.nan, 0.5, 0.5], [0, 0, 1.0]])}, "1 of 3 rows, the first is row 1"),
        ({"scores": np.array([[1, 0, 0], [0, 1, 0], [0, 0.5, np.inf]])}, "the first is row 2"),
        ({"scores": np.array([[1.5, -0.5, 0], [0, 1, 0], [0, 0, 1.0]])}, "apply a softmax"),
        ({"scores": np.full((3, 3), 0.5)}, "in 3 of 3 rows"),
        ({"target": np.zeros(0, int), "scores": np.zeros((0, 3))}, "no rows"),
        ({"class_names": ["a", "b"]}, "give 3 different names"),
        ({"class_names": ["a", "b", "b"]}, "give 3 different names"),
        ({"class_names": ["a", "a_low", "b"]}, "names .'a_low'. are also those of another class's interval"),
        ({"resamples": 0}, "at least 1 resample"),
        ({"seed": -1}, "seed of 0 or more"),
        ({"groups": np.array(["s1", "s2"])}, "one group for each of the 3"),
        ({"groups": np.array(["s1", None, "s2"], dtype=object)}, "groups are missing in 1 of 3"),
        ({"groups": np.array([1.0, np.nan, np.nan])}, "groups are missing in 2 of 3"),
    ],
)
def test_a_mistake_is_named(change, message):
    arguments = {"target": np.array([0, 1, 2]), "scores": np.eye(3) * 1.0, "class_names": ["a", "b", "c"]} | change
    with pytest.raises(ValueError, match=message):
        classification_metrics(**arguments)


def test_confusion_counts_put_the_truth_in_rows():
    counts = confusion_counts(np.array([0, 0, 1, 2, 2, 2]), np.array([0, 1, 1, 0, 2, 2]), 4)
    assert counts.tolist() == [[1, 1, 0, 0], [0, 1, 0, 0], [1, 0, 2, 0], [0, 0, 0, 0]]
    assert confusion_counts(np.zeros(0, int), np.zeros(0, int), 2).tolist() == [[0, 0], [0, 0]]
    # Narrow integers must not overflow when a cell is numbered.
    wide = confusion_counts(np.full(3, 99, np.int8), np.full(3, 98, np.uint8), 100)
    assert wide[99, 98] == 3


@pytest.mark.parametrize(
    ("target", "predicted", "message"),
    [
        ([0, 1], [0], "2 targets and 1 predictions"),
        ([0, 5], [0, 0], "target has ids"),
        ([0], [-1], "predicted has ids"),
    ],
)
def test_confusion_counts_name_a_mistake(target, predicted, message):
    with pytest.raises(ValueError, match=message):
        confusion_counts(np.array(target), np.array(predicted), 3)
