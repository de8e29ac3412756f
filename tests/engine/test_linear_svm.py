"""A linear support vector machine on standardised features, its cost chosen by other subjects."""

import numpy as np
import pytest

from mien.engine.linear_svm import _group_folds, fit_linear_svm

RNG = np.random.default_rng(0)
TARGET = np.repeat([0, 1], 40)
GROUPS = np.tile(np.arange(10), 8)
FEATURES = RNG.normal(size=(80, 4)) * [1, 10, 0.1, 0] + TARGET[:, None] * [3, 0, 0, 0] + [5, 0, 0, 2]


def margins(fitted, features=FEATURES) -> np.ndarray:
    return ((features - fitted.mean) / fitted.scale) @ fitted.weight + fitted.bias


def test_it_is_the_pipeline_of_sklearn():
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC

    fitted = fit_linear_svm(FEATURES, TARGET, GROUPS, costs=(0.5,), num_folds=3)
    expected = make_pipeline(StandardScaler(), LinearSVC(C=0.5, dual=False)).fit(FEATURES, TARGET)
    np.testing.assert_allclose(margins(fitted), expected.decision_function(FEATURES), atol=1e-3)


def test_a_feature_that_does_not_vary_counts_for_nothing():
    fitted = fit_linear_svm(FEATURES, TARGET, GROUPS, costs=(1.0,), num_folds=3)
    assert fitted.scale[3] == 1
    assert fitted.weight[3] == pytest.approx(0, abs=1e-6)


def test_folds_share_no_subject_and_train_on_both_classes():
    folds = _group_folds(TARGET, GROUPS, 5, 0)
    assert len(folds) == 5
    for train, held_out in folds:
        assert not set(GROUPS[train]) & set(GROUPS[held_out])
        assert set(TARGET[train]) == {0, 1}
    assert _group_folds(TARGET, np.zeros(80), 5, 0) == []


def test_a_cost_is_chosen_by_subjects_that_were_not_fitted_on():
    # A mark of each subject tells its class where it was seen, and misleads where it was not.
    subject = np.repeat(np.arange(16), 5)
    target = subject % 2
    marks = np.eye(16)[subject] * 4
    weak = target[:, None] + RNG.normal(size=(80, 1))
    features = np.concatenate([weak, marks], axis=1)
    fitted = fit_linear_svm(features, target, subject, costs=(1e-4, 100.0), num_folds=4)
    assert fitted.cost == 1e-4


def test_equal_errors_take_the_smallest_cost():
    separable = TARGET[:, None] * 10.0 + RNG.normal(size=(80, 1)) * 0.1
    assert fit_linear_svm(separable, TARGET, GROUPS, costs=(4.0, 0.25, 1.0), num_folds=4).cost == 0.25


def test_one_class_is_refused():
    with pytest.raises(ValueError, match="give rows of both classes"):
        fit_linear_svm(FEATURES, np.zeros(80, int), GROUPS, costs=(1.0,), num_folds=2)
    with pytest.raises(ValueError, match="at least one cost"):
        fit_linear_svm(FEATURES, TARGET, GROUPS, costs=(), num_folds=2)
