"""The linear classifier computes what scikit-learn's, fitted on standardised features, does."""

import numpy as np
import torch
from sklearn.svm import LinearSVC

from mien.models.standardised_linear import StandardisedLinear


def test_margins_are_those_of_the_fitted_machine():
    rng = np.random.default_rng(0)
    features, labels = rng.normal(3, 2, (40, 5)), np.arange(40) % 3
    mean, std = features.mean(axis=0), features.std(axis=0)
    machine = LinearSVC(C=0.1, random_state=0).fit((features - mean) / std, labels)
    model = StandardisedLinear(num_classes=3, num_features=5)
    model.take(mean, std, machine.coef_, machine.intercept_)
    with torch.no_grad():
        margins = model(torch.from_numpy(features).float()).numpy()
    np.testing.assert_allclose(margins, machine.decision_function((features - mean) / std), atol=1e-5)
