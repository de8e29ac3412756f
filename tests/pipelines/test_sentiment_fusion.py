"""Temperatures, weights and learned fusions by closed forms and by what they must beat."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mien.pipelines.sentiment.fusion import (
    calibrated,
    fit_learned,
    fit_temperature,
    fit_weight,
    fuse,
    fuse_learned,
    log_scores,
)

LACKING = np.full((1, 3), np.nan)


def ambiguous(n: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three classes: the first scores cannot tell 0 from 1, the second cannot tell 1 from 2."""
    target = np.random.default_rng(seed).integers(0, 3, n)
    first = np.where(target[:, None] == 2, [[0.1, 0.1, 0.8]], [[0.45, 0.45, 0.1]])
    second = np.where(target[:, None] == 0, [[0.8, 0.1, 0.1]], [[0.1, 0.45, 0.45]])
    noise = np.random.default_rng(seed + 1).uniform(0.9, 1.1, (2, n, 3))
    first, second = (each * factor for each, factor in zip((first, second), noise, strict=True))
    return first / first.sum(axis=1, keepdims=True), second / second.sum(axis=1, keepdims=True), target


@given(arrays(float, (4, 3), elements=st.floats(-20, 20)), st.floats(0.1, 10))
def test_calibrated_scores_add_up_to_one_and_keep_the_first_class(logs, temperature):
    scores = calibrated(logs, temperature)
    np.testing.assert_allclose(scores.sum(axis=1), 1)
    assert (scores.max(axis=1) >= scores[np.arange(4), logs.argmax(axis=1)] - 1e-12).all()


def test_the_temperature_of_scores_that_were_sharpened_undoes_it():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1.5, (4000, 4))
    target = np.array([rng.choice(4, p=row) for row in calibrated(logits, 1.0)])
    assert fit_temperature(logits, target) == pytest.approx(1, abs=0.1)
    assert fit_temperature(3 * logits, target) == pytest.approx(3, abs=0.3)


def test_rows_without_scores_do_not_count_for_the_temperature():
    rng = np.random.default_rng(0)
    logits, target = rng.normal(size=(50, 3)), rng.integers(0, 3, 50)
    padded = np.concatenate([logits, np.full((10, 3), np.nan)])
    assert fit_temperature(padded, np.append(target, np.zeros(10, int))) == fit_temperature(logits, target)
    assert fit_temperature(LACKING, np.array([0])) == 1.0


def test_a_weighted_sum_of_two_that_each_confuse_a_pair_confuses_none():
    first, second, target = ambiguous()
    assert (first.argmax(axis=1) == target).mean() < 0.9
    weight = fit_weight(first, second, target)
    assert 0.25 < weight < 0.75
    assert (fuse(first, second, weight).argmax(axis=1) == target).all()


def test_the_weight_of_a_useless_partner_is_none():
    target = np.arange(60) % 3
    right, useless = np.eye(3)[target] * 0.97 + 0.01, np.roll(np.eye(3)[target], 1, axis=1) * 0.97 + 0.01
    assert fit_weight(right, useless, target) == 1.0
    assert fit_weight(useless, right, target) == 0.0


def test_where_one_sense_is_missing_the_other_stands_alone():
    scores = np.array([[0.2, 0.3, 0.5]])
    for weight in (0.0, 0.4, 1.0):
        np.testing.assert_array_equal(fuse(LACKING, scores, weight), scores)
        np.testing.assert_array_equal(fuse(scores, LACKING, weight), scores)
    assert np.isnan(fuse(LACKING, LACKING, 0.5)).all()
    weight, bias = np.ones((3, 6)), np.zeros(3)
    np.testing.assert_array_equal(fuse_learned(LACKING, scores, weight, bias), scores)
    assert fit_weight(LACKING, scores, np.array([0])) == 0.5


@pytest.mark.parametrize("classes", [(0, 1, 2), (0, 2)])
def test_the_learned_fusion_is_scikit_learns(classes):
    from sklearn.linear_model import LogisticRegression

    first, second, target = ambiguous()
    some = np.isin(target, classes)
    first, second, target = first[some], second[some], target[some]
    weight, bias = fit_learned(first, second, target, 1.0)
    features = np.concatenate([log_scores(first), log_scores(second)], axis=1)
    expected = LogisticRegression(C=1.0, max_iter=1000).fit(features, target).predict_proba(features)
    fused = fuse_learned(first, second, weight, bias)
    np.testing.assert_allclose(fused[:, list(classes)], expected, atol=1e-3)


def test_a_fusion_cannot_be_trained_on_one_class():
    scores = np.full((4, 3), 1 / 3)
    with pytest.raises(ValueError, match=r"of 1 class: a fusion cannot be trained .* Leave fused_learned out"):
        fit_learned(scores, scores, np.zeros(4, int), 1.0)
