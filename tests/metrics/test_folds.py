"""Error rates of folds against the counts that CompCNN's tables imply, and a loop over resampled subjects."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.metrics.synthetic_predictions import drawn, naive_bounds

from mien.metrics import classification_metrics, fold_metrics

NAMES = ("posed", "spontaneous")
# CompCNN, Table 1 (both columns) and Table 2: error rates in percent of so many pairs from so many subjects.
NVIE_SUBSET = (1028, 80, (3.70, 2.82, 3.11, 3.79, 2.43, 2.33, 2.43, 2.33, 2.04))
NVIE = (4203, 148, (8.47, 7.47, 7.61, 7.35, 6.52, 6.40, 7.21, 6.83, 5.95))
SPOS = (234, 7, (21.37, 18.38, 17.95, 20.51))
PUBLISHED = [(n, subjects, rate) for n, subjects, rates in (NVIE_SUBSET, NVIE, SPOS) for rate in rates]


def cross_validated(n, errors, num_subjects, num_folds):
    """Targets, scores with so many errors, folds of whole subjects, and the subjects."""
    rng = np.random.default_rng(errors)
    subject = np.arange(n) % num_subjects
    target = rng.integers(2, size=n)
    wrong = rng.permutation(n) < errors
    scores = np.where(np.eye(2, dtype=bool)[np.where(wrong, 1 - target, target)], 0.8, 0.2)
    return target, scores, subject % num_folds, np.array([f"s{number:03}" for number in subject])


def measured(n, errors, num_subjects=8, num_folds=4, **options):
    target, scores, folds, subjects = cross_validated(n, errors, num_subjects, num_folds)
    return fold_metrics(target, scores, folds, NAMES, subjects=subjects, **options)


@pytest.mark.parametrize(("n", "num_subjects", "percent"), PUBLISHED)
def test_published_error_rates_are_those_of_whole_errors(n, num_subjects, percent):
    errors = round(percent / 100 * n)
    m = measured(n, errors, num_subjects, num_folds=min(10, num_subjects), resamples=1)
    assert (m["n"], m["errors"]) == (n, errors)
    assert round(100 * m["error_rate"], 2) == percent


def test_the_counts_of_the_best_rows_are_those_of_the_methods():
    assert [round(rate / 100 * 1028) for rate in NVIE_SUBSET[2]] == [38, 29, 32, 39, 25, 24, 25, 24, 21]
    assert round(100 * measured(4203, 250, 148, 10, resamples=1)["error_rate"], 2) == 5.95
    # Printed 16.66: cut, not rounded.
    assert 100 * measured(234, 39, 7, 7, resamples=1)["error_rate"] == pytest.approx(16.6667, abs=1e-4)


@pytest.mark.parametrize("percent", [19.49, 19.91, 19.06])
def test_rates_that_no_whole_number_of_errors_gives_are_means_over_seeds(percent):
    assert percent not in {round(100 * errors / 234, 2) for errors in range(235)}


def test_a_small_case_equals_hand_computation():
    target = np.array([0, 0, 1, 1, 1, 0])
    predicted = np.array([0, 1, 1, 1, 0, 1])
    folds, subjects = np.array([2, 2, 2, 2, 5, 5]), np.array(list("aabbcd"))
    m = fold_metrics(target, np.eye(2)[predicted], folds, NAMES, subjects=subjects, resamples=50)
    assert (m["n"], m["errors"], m["error_rate"]) == (6, 3, 0.5)
    assert (m["n/fold_2"], m["errors/fold_2"], m["error_rate/fold_2"]) == (4, 1, 0.25)
    assert (m["n/fold_5"], m["errors/fold_5"], m["error_rate/fold_5"]) == (2, 2, 1.0)
    assert (m["errors/posed"], m["error_rate/posed"]) == (2, pytest.approx(2 / 3))
    assert (m["errors/spontaneous"], m["error_rate/spontaneous"]) == (1, pytest.approx(1 / 3))
    assert m["error_rate_fold_mean"] == pytest.approx(0.625)
    assert m["error_rate_fold_sd"] == pytest.approx(np.sqrt(2 * 0.375**2))
    assert json.loads(json.dumps(m, allow_nan=False)) == m


@settings(max_examples=10, deadline=None)
@given(n=st.integers(10, 40), num_subjects=st.integers(2, 10), num_folds=st.integers(1, 5), seed=st.integers(0, 2**31))
def test_intervals_equal_those_of_a_loop_over_resampled_subjects(n, num_subjects, num_folds, seed):
    target, scores = drawn(n, 2, seed)
    rng = np.random.default_rng(seed)
    subjects = rng.permutation(np.arange(n) % num_subjects)
    folds = subjects % num_folds
    m = fold_metrics(target, scores, folds, NAMES, subjects=subjects, resamples=30, seed=seed)
    wrong = scores.argmax(axis=1) != target
    sets = {"error_rate": np.ones(n, bool)}
    sets |= {f"error_rate/fold_{fold}": folds == fold for fold in np.unique(folds)}
    sets |= {f"error_rate/{name}": target == label for label, name in enumerate(NAMES)}

    def measure(rows):
        return {key: wrong[rows][inside[rows]].mean() if inside[rows].any() else np.nan for key, inside in sets.items()}

    for key, bounds in naive_bounds(measure, subjects, 30, seed).items():
        known = len(np.unique(subjects[sets[key]])) > 1
        assert (m[f"{key}_low"], m[f"{key}_high"]) == (pytest.approx(bounds) if known else (None, None)), key


def test_the_pooled_rate_and_its_interval_are_those_of_the_accuracy():
    target, scores, folds, subjects = cross_validated(200, 30, 20, 10)
    m = fold_metrics(target, scores, folds, NAMES, subjects=subjects, seed=3)
    accuracy = classification_metrics(target, scores, NAMES, groups=subjects, seed=3)
    assert m["error_rate"] == pytest.approx(1 - accuracy["accuracy"])
    assert m["error_rate_low"] == pytest.approx(1 - accuracy["accuracy_high"])
    assert m["error_rate_high"] == pytest.approx(1 - accuracy["accuracy_low"])
    assert m["error_rate/posed"] == pytest.approx(1 - accuracy["recall/posed"])
    assert m["error_rate/posed_high"] == pytest.approx(1 - accuracy["recall/posed_low"])


def test_a_fold_of_one_subject_has_no_interval_and_a_single_fold_no_deviation():
    alone = measured(70, 9, num_subjects=7, num_folds=7)
    assert all(alone[f"error_rate/fold_{fold}_low"] is None for fold in range(7))
    assert alone["error_rate_low"] < alone["error_rate"] < alone["error_rate_high"]
    single = measured(70, 9, num_subjects=7, num_folds=1)
    assert (single["error_rate_fold_mean"], single["error_rate_fold_sd"]) == (single["error_rate"], None)
    assert single["error_rate/fold_0_low"] == single["error_rate_low"]


def test_errors_that_come_by_subject_widen_the_interval():
    subjects = np.repeat(np.arange(40), 10)
    target = np.tile([0, 1], 200)
    scores = np.eye(2)[np.where(subjects < 8, 1 - target, target)]  # eight subjects all wrong, the others all right
    clustered = fold_metrics(target, scores, subjects % 10, NAMES, subjects=subjects)
    by_row = fold_metrics(target, scores, subjects % 10, NAMES, subjects=np.arange(400))
    width, narrow = (m["error_rate_high"] - m["error_rate_low"] for m in (clustered, by_row))
    assert width == pytest.approx(np.sqrt(10) * narrow, rel=0.15)


@pytest.mark.slow
def test_intervals_over_subjects_cover_the_rate_of_people_who_differ():
    # Each person's error rate is drawn about 0.2; rows of one person are right and wrong together.
    hits, hits_by_row = 0, 0
    subjects = np.repeat(np.arange(60), 12)
    for trial in range(300):
        rng = np.random.default_rng(trial)
        wrong = rng.random(720) < rng.beta(0.8, 3.2, size=60)[subjects]
        target = rng.integers(2, size=720)
        arguments = target, np.eye(2)[np.where(wrong, 1 - target, target)], subjects % 10, NAMES
        m = fold_metrics(*arguments, subjects=subjects, resamples=300, seed=trial)
        hits += m["error_rate_low"] <= 0.2 <= m["error_rate_high"]
        m = fold_metrics(*arguments, subjects=np.arange(720), resamples=300, seed=trial)
        hits_by_row += m["error_rate_low"] <= 0.2 <= m["error_rate_high"]
    assert 0.90 <= hits / 300 <= 0.98
    assert hits_by_row / 300 < 0.8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"folds": np.array([0, 1])}, r"folds are int64 of shape \(2,\): give an integer for each of the 3"),
        ({"folds": np.array([0.0, 1.0, 1.0])}, "folds are float64"),
        ({"folds": np.array([0, -1, 1])}, "folds go down to -1"),
        ({"subjects": np.array(["a", None, "b"], dtype=object)}, "groups are missing in 1 of 3"),
        ({"class_names": ("posed", "fold_1")}, "classes .'fold_1'. have the name of a fold"),
        ({"class_names": ("posed",)}, "give 2 different names"),
        ({"scores": np.full((3, 2), np.nan)}, "no probabilities in 3 of 3"),
        ({"target": np.array([0, 1])}, "2 targets and 3 rows"),
        ({"resamples": 0}, "at least 1 resample"),
    ],
)
def test_a_mistake_is_named(change, message):
    arguments = {
        "target": np.array([0, 1, 1]),
        "scores": np.full((3, 2), 0.5),
        "folds": np.array([0, 1, 1]),
        "class_names": NAMES,
        "subjects": np.array(["a", "b", "b"]),
    } | change
    with pytest.raises(ValueError, match=message):
        fold_metrics(**arguments)
