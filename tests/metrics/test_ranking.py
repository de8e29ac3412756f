"""AUROC and average precision of weighted rows against scikit-learn on the repeated rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from mien.metrics.ranking import ranking_matrices, ranking_metrics


def measured(positive, score, weights):
    matrices, tied_steps = ranking_matrices(positive, score)
    sums = {name: matrix @ weights for name, matrix in matrices.items()}
    return ranking_metrics(sums, tied_steps, positive @ weights, ~positive @ weights)


@settings(max_examples=25, deadline=None)
@given(n=st.integers(2, 40), steps=st.integers(1, 30), share=st.floats(0.05, 0.95), seed=st.integers(0, 2**31))
def test_weighted_rows_equal_scikit_learn_on_the_repeated_rows(n, steps, share, seed):
    rng = np.random.default_rng(seed)
    positive, score = rng.random(n) < share, rng.integers(steps, size=n) / steps
    weights = rng.integers(3, size=(n, 4)).astype(float)
    weights[0] += 1
    auroc, average_precision = measured(positive, score, weights)
    for r in range(4):
        rows = np.repeat(np.arange(n), weights[:, r].astype(int))
        if positive[rows].any() and not positive[rows].all():
            assert auroc[r] == pytest.approx(roc_auc_score(positive[rows], score[rows]))
        else:
            assert np.isnan(auroc[r])
        if positive[rows].any():
            assert average_precision[r] == pytest.approx(average_precision_score(positive[rows], score[rows]))
        else:
            assert np.isnan(average_precision[r])


def test_ties_are_half_a_win():
    # .9 beats all four negatives, .5 beats the two below and ties with one of the two others: 4 + 2.5 of 8 pairs.
    positive = np.array([True, False, True, False, False, False])
    score = np.array([0.9, 0.7, 0.5, 0.5, 0.2, 0.1])
    auroc, average_precision = measured(positive, score, np.ones((6, 1)))
    assert auroc[0] == pytest.approx(6.5 / 8)
    assert average_precision[0] == pytest.approx((1 + 2 / 4) / 2)


def test_a_class_without_rows_has_matrices_without_rows_and_no_values():
    matrices, tied_steps = ranking_matrices(np.zeros(3, bool), np.array([0.1, 0.2, 0.3]))
    assert {name: matrix.shape for name, matrix in matrices.items()} == dict.fromkeys(
        ("gained", "passed", "tied"), (0, 3)
    )
    assert len(tied_steps) == 0
    assert np.isnan(measured(np.zeros(3, bool), np.array([0.1, 0.2, 0.3]), np.ones((3, 2)))).all()
