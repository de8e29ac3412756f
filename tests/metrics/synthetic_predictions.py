"""Drawn targets and scores, and a bootstrap that goes through its resamples one by one."""

from collections.abc import Callable, Mapping

import numpy as np

MAIN = (
    "accuracy",
    "top2_accuracy",
    "mean_class_accuracy",
    "macro_f1",
    "weighted_f1",
    "kappa",
    "auroc",
    "average_precision",
    "log_loss",
    "calibration_error",
)
PER_CLASS = ("recall", "precision", "f1", "auroc", "average_precision")


def softmax(logits: np.ndarray) -> np.ndarray:
    exp = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exp / exp.sum(axis=1, keepdims=True)


def drawn(n: int, M: int, seed: int, signal: float = 1.5, decimals: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Targets with every class and scores with ties."""
    rng = np.random.default_rng(seed)
    target = np.concatenate([np.arange(M), rng.integers(M, size=n - M)])
    logits = rng.normal(size=(n, M))
    logits[np.arange(n), target] += signal
    return target, softmax(logits.round(decimals))


def naive_bounds(
    measure: Callable[[np.ndarray], Mapping[str, float]], groups: np.ndarray, resamples: int, seed: int
) -> dict[str, tuple[float, float]]:
    """95 % percentile bounds of ``measure(rows)``, each resample measured on its repeated rows; NaN is left out."""
    rng = np.random.default_rng(seed)
    names = list(dict.fromkeys(groups.tolist()))
    rows_of = [np.flatnonzero(groups == name) for name in names]
    measured = [
        measure(np.concatenate([rows_of[unit] for unit in rng.integers(len(names), size=len(names))]))
        for _ in range(resamples)
    ]
    bounds = {}
    for key in measured[0]:
        values = [one[key] for one in measured if np.isfinite(one[key])]
        low, high = np.percentile(values, [2.5, 97.5]) if values else (np.nan, np.nan)
        bounds[key] = (low, high)
    return bounds


def found_bounds(metrics: Mapping[str, float | int | None], keys: Mapping[str, object]) -> dict[str, tuple]:
    """The bounds of those keys in a dictionary of metrics."""
    return {key: (metrics[f"{key}_low"], metrics[f"{key}_high"]) for key in keys}
