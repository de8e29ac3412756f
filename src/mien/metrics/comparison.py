"""Whether the difference between two classifiers of the same rows stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mien.errors import MienError
from mien.metrics.bootstrap import (
    INTERVAL_PERCENTILES,
    bootstrap_bounds,
    json_number,
    mean_where_defined,
    summing_matrix,
)
from mien.metrics.checks import check_resampling, checked_scores, unit_ids

SIGNIFICANCE_LEVEL = (100 - INTERVAL_PERCENTILES[1] + INTERVAL_PERCENTILES[0]) / 100
"""A p-value below this and an interval without 0 say the same: 0.05 beside a 95 % interval."""


@dataclass(frozen=True)
class Difference:
    """A metric of b minus that of a.

    Attributes:
        value: -1 to 1.
        low: Lower bound of the 95 % interval; None with fewer than two rows or groups.
        high: Upper bound.
    """

    value: float
    low: float | None
    high: float | None

    @property
    def excludes_zero(self) -> bool:
        """Whether there is an interval and 0 lies outside it."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high

    def __str__(self) -> str:
        """In percentage points, with the interval."""
        if self.low is None or self.high is None:
            return f"{100 * self.value:+.2f} points (no interval)"
        return f"{100 * self.value:+.2f} points (95 % interval {100 * self.low:+.2f} to {100 * self.high:+.2f})"


@dataclass(frozen=True)
class PairedComparison:
    """Two classifiers, a and b, on the same rows.

    Attributes:
        n: Rows.
        accuracy_a: Accuracy of a, 0 to 1.
        accuracy_b: Accuracy of b.
        difference: Difference in accuracy.
        class_difference: Difference in mean class accuracy.
        only_a_right: Rows that a alone has right.
        only_b_right: Rows that b alone has right.
        p_value: Two-sided, of the difference in accuracy where a and b are equally good.
        num_groups: Groups that were resampled together, None where rows were.
    """

    n: int
    accuracy_a: float
    accuracy_b: float
    difference: Difference
    class_difference: Difference
    only_a_right: int
    only_b_right: int
    p_value: float
    num_groups: int | None

    @property
    def stands(self) -> bool:
        """Whether the interval of the difference in accuracy excludes 0 and the p-value is below 0.05.

        Both, because with few discordant rows or groups the bootstrap interval alone is too narrow.
        """
        return self.difference.excludes_zero and self.p_value < SIGNIFICANCE_LEVEL

    def sentence(self, name_a: str = "a", name_b: str = "b") -> str:
        """The comparison in words, accuracies in percent and differences in percentage points."""
        counted = f"n = {self.n}" if self.num_groups is None else f"n = {self.n} in {self.num_groups} groups"
        test = "exact McNemar" if self.num_groups is None else "exact sign flips by group"
        verdict = "stands" if self.stands else "does not stand"
        return (
            f"{name_b} against {name_a}: accuracy {100 * self.accuracy_b:.2f} % against {100 * self.accuracy_a:.2f} % "
            f"({counted}), a difference of {self.difference}; mean class accuracy {self.class_difference}; "
            f"only {name_b} right in {self.only_b_right} rows, only {name_a} in {self.only_a_right} "
            f"({test} p = {self.p_value:.2g}). The difference in accuracy {verdict}."
        )


def paired_comparison(
    target: np.ndarray,
    scores_a: np.ndarray,
    scores_b: np.ndarray,
    *,
    groups: np.ndarray | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> PairedComparison:
    """Compare two classifiers that were applied to the same rows.

    Intervals are 95 % percentile bootstrap of the difference: each resample takes the same rows, or whole groups, for
    both, so what makes a row hard for both cancels. The p-value is that of McNemar's exact test. With ``groups`` its
    rows would not be independent; then a and b are exchanged for whole groups at once, and p is the exact share of
    these exchanges whose difference is at least as large. With every row a group of its own the two are the same.
    All this is about two trained networks; how much training itself varies, only several seeds of each say.

    Args:
        target: (n,) true class ids, 0 to M - 1.
        scores_a: (n, M) probabilities of a.
        scores_b: (n, M) probabilities of b, rows in the same order.
        groups: (n,) subject of each row.
        resamples: at least 1.
        seed: of the resampling; the same seed gives the same intervals.

    Returns:
        The comparison; ``stands`` and ``sentence()`` say what it means.

    Raises:
        MienError: wrong arrays, different shapes of scores, or bad options.

    Source: McNemar, Psychometrika 12, 1947; exchanges: Fisher, The Design of Experiments, 1935, sect. 21.

    Example:
        >>> right, wrong = np.array([[0.9, 0.1]] * 8), np.array([[0.1, 0.9]] * 8)
        >>> comparison = paired_comparison(np.zeros(8, int), wrong, right)
        >>> comparison.difference.value, comparison.p_value, comparison.stands
        (1.0, 0.0078125, True)
    """
    target, scores_a = checked_scores(target, scores_a)
    target, scores_b = checked_scores(target, scores_b)
    if scores_a.shape != scores_b.shape:
        raise MienError(f"scores_a are {scores_a.shape}, scores_b {scores_b.shape}: give both for the same classes.")
    check_resampling(resamples, seed)
    n, M = scores_a.shape
    units = unit_ids(groups, n)
    right_a, right_b = (scores.argmax(axis=1) == target for scores in (scores_a, scores_b))
    gain = right_b.astype(np.int64) - right_a
    differences = _differences(target, gain, M, units, resamples=resamples, seed=seed)
    return PairedComparison(
        n=n,
        accuracy_a=float(right_a.mean()),
        accuracy_b=float(right_b.mean()),
        difference=differences["accuracy"],
        class_difference=differences["mean_class_accuracy"],
        only_a_right=int((gain < 0).sum()),
        only_b_right=int((gain > 0).sum()),
        p_value=_mcnemar(gain) if groups is None else _sign_flips(np.bincount(units, weights=gain).astype(np.int64)),
        num_groups=None if groups is None else int(units.max()) + 1,
    )


def mean_and_sd(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and standard deviation of a metric over seeds, folds or other repetitions.

    Args:
        values: the metric of each repetition, at least one.

    Returns:
        The mean, and the standard deviation with n - 1 in the denominator; None for one value.

    Raises:
        MienError: no values, or values that are no finite numbers.

    Example:
        >>> mean_and_sd([70.0, 80.0, 90.0])
        (80.0, 10.0)
    """
    numbers = np.array(values, dtype=np.float64)  # None becomes NaN
    if numbers.ndim != 1 or len(numbers) == 0 or not np.isfinite(numbers).all():
        raise MienError(
            f"values are {list(values)}: give at least one number and only finite ones. Leave out a metric that is "
            "undefined in a repetition."
        )
    return float(numbers.mean()), float(numbers.std(ddof=1)) if len(numbers) > 1 else None


def holm(p_values: np.ndarray) -> np.ndarray:
    """p-values corrected for their number: the chance of any false difference among them stays below the level.

    Args:
        p_values: (k,) of k comparisons that are looked at together.

    Returns:
        (k,) in the same order, none below its own p and none above 1.

    Raises:
        MienError: A p-value is not between 0 and 1.

    Source: Holm, Scandinavian Journal of Statistics 6, 1979.

    Example:
        >>> holm(np.array([0.01, 0.04, 0.03])).tolist()
        [0.03, 0.06, 0.06]
    """
    if not ((p_values >= 0) & (p_values <= 1)).all():
        raise MienError(f"p_values are {p_values.tolist()}: give numbers between 0 and 1, none of them undefined.")
    order = np.argsort(p_values, kind="stable")
    steps = np.maximum.accumulate(p_values[order] * np.arange(len(p_values), 0, -1))
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum(steps, 1)
    return corrected


def _differences(
    target: np.ndarray, gain: np.ndarray, M: int, units: np.ndarray, *, resamples: int, seed: int
) -> dict[str, Difference]:
    """Differences by metric, from each row's gain (n,): 1 where b alone is right, -1 where a alone is."""
    n = len(target)
    matrices = {"n": summing_matrix(target, (M, n)), "gain": summing_matrix(target, (M, n), values=gain)}
    values = _differences_of_sums({name: matrix @ np.ones((n, 1)) for name, matrix in matrices.items()})
    bounds = bootstrap_bounds(matrices, _differences_of_sums, units, resamples=resamples, seed=seed)
    return {
        name: Difference(float(value[0]), *(json_number(bound) for bound in bounds[name]))
        for name, value in values.items()
    }


def _differences_of_sums(sums: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """(R,) difference in accuracy and in mean class accuracy, from the rows and the gain of each class (M, R)."""
    n, gain = sums["n"], sums["gain"]
    by_class = np.where(n > 0, gain / np.maximum(n, 1), np.nan)
    return {"accuracy": gain.sum(axis=0) / n.sum(axis=0), "mean_class_accuracy": mean_where_defined(by_class)}


def _mcnemar(gain: np.ndarray) -> float:
    """Two-sided exact p of as uneven a share of the discordant rows; 1 without any."""
    from scipy.stats import binomtest

    discordant = int((gain != 0).sum())
    return float(binomtest(int((gain > 0).sum()), discordant).pvalue) if discordant else 1.0


def _sign_flips(gains: np.ndarray) -> float:
    """Share of all 2^G signs of the groups' gains (G,) whose sum is at least as far from 0 as that of the gains.

    The distribution of the sum is built group by group, so none of the 2^G has to be listed.
    """
    sizes = np.abs(gains[gains != 0])
    reach = int(sizes.sum())
    probability = np.zeros(2 * reach + 1)  # of the sums -reach to reach
    probability[reach] = 1
    for size in sizes:
        shifted = np.zeros_like(probability)
        shifted[size:] = probability[:-size] / 2
        shifted[:-size] += probability[size:] / 2
        probability = shifted
    as_far = np.abs(np.arange(-reach, reach + 1)) >= abs(int(gains.sum()))
    return float(min(probability[as_far].sum(), 1.0))
