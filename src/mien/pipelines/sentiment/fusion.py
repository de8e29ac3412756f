"""Arithmetic of ``sentiment``'s scores: linear classifiers, temperatures, the weighted sum, the learned fusion."""

import numpy as np

from mien.errors import MienError

_LEAST = 1e-6
"""Below this a score counts as this: its logarithm stays finite."""

NEVER = -10.0
"""Output of a class that a linear classifier has not seen: margins of the others are about -1 to 1."""


def calibrated(log_scores: np.ndarray, temperature: float) -> np.ndarray:
    """Softmax of log scores (n, M) over a temperature; rows of NaN stay so.

    Example:
        >>> calibrated(np.log([[0.8, 0.2]]), 2.0).round(3).tolist()  # the square roots, normalised
        [[0.667, 0.333]]
    """
    scaled = log_scores / temperature
    scaled = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return scaled / scaled.sum(axis=1, keepdims=True)


def log_scores(scores: np.ndarray) -> np.ndarray:
    """Natural logarithm of scores, finite where they are 0."""
    return np.log(np.maximum(scores, _LEAST))


def fit_temperature(log_scores: np.ndarray, target: np.ndarray) -> float:
    """Temperature in 0.05 to 20 with the least log loss; 1 without rows.

    Args:
        log_scores: (n, M); rows of NaN are passed over.
        target: (n,) class ids.

    Source: Guo et al., ICML 2017, by bounded search over its logarithm.
    """
    from scipy.optimize import minimize_scalar

    known = np.isfinite(log_scores).all(axis=1)
    if not known.any():
        return 1.0
    found = minimize_scalar(
        lambda exponent: _log_loss(calibrated(log_scores[known], float(np.exp(exponent))), target[known]),
        bounds=(np.log(0.05), np.log(20.0)),
        method="bounded",
    )
    return float(np.exp(found.x))


def fuse(first: np.ndarray, second: np.ndarray, weight: float) -> np.ndarray:
    """Weighted sum of scores (n, M): weight times the first, the rest of the second; one alone where the other is NaN.

    Example:
        >>> fuse(np.array([[1.0, 0.0], [np.nan, np.nan]]), np.array([[0.5, 0.5], [0.2, 0.8]]), 0.6).tolist()
        [[0.8, 0.2], [0.2, 0.8]]
    """
    total = weight * first + (1 - weight) * second
    return np.where(np.isnan(first), second, np.where(np.isnan(second), first, total))


def fused_and_calibrated(first: np.ndarray, second: np.ndarray, weight: float, temperature: float) -> np.ndarray:
    """``fuse``, then ``calibrated`` where both are known: a sum is less sure than its parts, and right more often.

    Where one is missing the other keeps its own calibration.
    """
    fused = fuse(first, second, weight)
    both = np.isfinite(first).all(axis=1) & np.isfinite(second).all(axis=1)
    return np.where(both[:, None], calibrated(log_scores(fused), temperature), fused)


def fit_weight(first: np.ndarray, second: np.ndarray, target: np.ndarray) -> float:
    """Weight of the first in 0 to 1, in hundredths, with the best accuracy where both are known; 0.5 without rows.

    Of weights with equal accuracy the one with the least log loss. The log loss alone would prefer the surer of the two
    long after the sum has begun to mistake what the other tells apart.
    """
    both = np.isfinite(first).all(axis=1) & np.isfinite(second).all(axis=1)
    if not both.any():
        return 0.5
    weights = np.linspace(0, 1, 101)
    sums = [fuse(first[both], second[both], weight) for weight in weights]
    accuracy = [(scores.argmax(axis=1) == target[both]).mean() for scores in sums]
    losses = [_log_loss(scores, target[both]) for scores in sums]
    return float(weights[np.lexsort([losses, -np.array(accuracy)])[0]])


def fit_learned(
    first: np.ndarray, second: np.ndarray, target: np.ndarray, regularisation: float
) -> tuple[np.ndarray, np.ndarray]:
    """Logistic regression on both log scores: weight (M, 2 M) and bias (M,), zero for a class that no row has.

    Raises:
        MienError: Rows with both are of fewer than two classes.
    """
    from sklearn.linear_model import LogisticRegression

    both = np.isfinite(first).all(axis=1) & np.isfinite(second).all(axis=1)
    M = first.shape[1]
    seen = np.unique(target[both])
    if len(seen) < 2:
        raise MienError(
            f"Validation clips with face and voice are of {len(seen)} class: a fusion cannot be trained on them. "
            "Leave fused_learned out of model.members."
        )
    model = LogisticRegression(C=regularisation, max_iter=1000)
    model.fit(_joined(first[both], second[both]), target[both])
    weight, bias = np.zeros((M, 2 * M)), np.full(M, -10.0)
    if len(seen) == 2:
        weight[seen] = np.concatenate([-model.coef_, model.coef_]) / 2
        bias[seen] = np.concatenate([-model.intercept_, model.intercept_]) / 2
    else:
        weight[seen], bias[seen] = model.coef_, model.intercept_
    return weight, bias


def fuse_learned(first: np.ndarray, second: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Scores (n, M) of the learned fusion; one alone where the other is NaN."""
    fused = calibrated(_joined(first, second) @ weight.T + bias, 1.0)
    return np.where(np.isnan(first), second, np.where(np.isnan(second), first, fused))


def _joined(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.concatenate([log_scores(first), log_scores(second)], axis=1)


def _log_loss(scores: np.ndarray, target: np.ndarray) -> float:
    return float(-log_scores(scores)[np.arange(len(target)), target].mean())


def fit_linear(
    name: str, features: np.ndarray, labels: np.ndarray, strength: float, num_classes: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Fit a linear classifier of standardised features: mean, std (D,), weight (M, D), bias (M,).

    Args:
        name: ``rules`` is a logistic regression, anything else a linear support vector machine, one class against the
            rest.
        features: (n, D).
        labels: (n,) class ids.
        strength: scikit-learn's C.
        num_classes: M. One that no row has is never chosen.

    Raises:
        MienError: The rows are of fewer than two classes.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import LinearSVC

    seen = np.unique(labels)
    if len(seen) < 2:
        raise MienError(
            f"{name} cannot be fitted: its {len(labels)} training clips are of {len(seen)} class. Look at the columns "
            "num_faces and heard of the samples, or leave the row out of model.members."
        )
    mean, std = features.mean(axis=0), np.maximum(features.std(axis=0), 1e-6)
    kind = LogisticRegression(C=strength, max_iter=2000) if name == "rules" else LinearSVC(C=strength, random_state=0)
    kind.fit((features - mean) / std, labels)
    coefficients, intercepts = kind.coef_, kind.intercept_
    if len(seen) == 2:  # scikit-learn keeps the second class alone
        coefficients = np.concatenate([-coefficients, coefficients])
        intercepts = np.concatenate([-intercepts, intercepts])
    weight, bias = np.zeros((num_classes, features.shape[1])), np.full(num_classes, NEVER)
    weight[seen], bias[seen] = coefficients, intercepts
    return mean, std, weight, bias
