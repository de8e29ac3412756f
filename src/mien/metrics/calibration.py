"""How far a classifier's confidence is from how often it is right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mien.errors import MienError
from mien.metrics.checks import checked_scores

if TYPE_CHECKING:
    import pandas as pd

NUM_BINS = 15
"""Bins of the confidence, as Guo et al. (2017) use."""


def reliability_bins(target: np.ndarray, scores: np.ndarray, bins: int = NUM_BINS) -> pd.DataFrame:
    """Confidence and accuracy by bins of the confidence, for a reliability diagram.

    The confidence of a row is its largest score; the bins are of equal width, open below and closed above.

    Args:
        target: (n,) true class ids, 0 to M - 1.
        scores: (n, M) probabilities.
        bins: number of bins, at least 1.

    Returns:
        One row per bin, lowest first: ``low`` and ``high`` edge, ``n`` rows, their mean ``confidence`` and their
        ``accuracy`` (NaN without rows). The sum of n |accuracy - confidence| over the sum of n is the expected
        calibration error.

    Raises:
        MienError: wrong arrays, or no bins.

    Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017, eq. 2 and 3 and figure 1.

    Example:
        >>> table = reliability_bins(np.array([0, 1]), np.array([[0.9, 0.1], [0.8, 0.2]]), bins=2)
        >>> table[["n", "accuracy"]].values.tolist()
        [[0.0, nan], [2.0, 0.5]]
    """
    import pandas as pd

    target, scores = checked_scores(target, scores)
    if bins < 1:
        raise MienError(f"bins={bins}: give at least 1 bin.")
    confidence, right = top_confidence(target, scores)
    in_bin = bin_numbers(confidence, bins)
    edges = bin_edges(bins)
    counts = np.bincount(in_bin, minlength=bins)
    means = [np.bincount(in_bin, weights=values, minlength=bins) for values in (confidence, right)]
    means = [np.divide(total, counts, out=np.full(bins, np.nan), where=counts > 0) for total in means]
    return pd.DataFrame(
        {"low": edges[:-1], "high": edges[1:], "n": counts, "confidence": means[0], "accuracy": means[1]}
    )


def expected_calibration_error(target: np.ndarray, scores: np.ndarray, bins: int = NUM_BINS) -> float:
    """Mean over rows of the distance between confidence and accuracy of the row's bin.

    Args:
        target: (n,) int64 true class ids.
        scores: (n, M) float64 probabilities.
        bins: number of bins of equal width.

    Returns:
        0 to 1. A sample's value lies above that of the population, since noise in a bin counts as a distance.

    Source: Guo et al., ICML 2017, eq. 3.
    """
    confidence, right = top_confidence(target, scores)
    gaps = np.bincount(bin_numbers(confidence, bins), weights=right - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(target))


def top_confidence(target: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The largest score of each row, and 1 where it is the true class's, else 0: (n,) float64 each."""
    return scores.max(axis=1), (scores.argmax(axis=1) == target).astype(np.float64)


def bin_numbers(confidence: np.ndarray, bins: int = NUM_BINS) -> np.ndarray:
    """(n,) the bin of each confidence in (0, 1]: bin b is (b / bins, (b + 1) / bins]."""
    return np.digitize(confidence, bin_edges(bins)[1:-1], right=True)


def bin_edges(bins: int) -> np.ndarray:
    """(bins + 1,) edges from 0 to 1; divided one by one, so that 9 / 15 is the 0.6 that a score may be."""
    return np.arange(bins + 1) / bins
