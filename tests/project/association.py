"""Whether random things that are built of parts are as independent as they should be: joint tables and pairs."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np
from scipy import stats

FALSE_ALARMS = 1e-3
"""Probability that one call finds a fault where there is none, over all that it compares (Bonferroni)."""

CLASSES = 6
"""Whole numbers with at most so many values are classes; others are ranked."""

QUARTERS = 4
"""Into so many equal parts a number is cut beside a class, so that its spread is compared as well as its mean."""


def joint_table(states: Mapping[str, np.ndarray]) -> dict[tuple[bool, ...], int]:
    """How often each combination of states occurs, those that never do included.

    Args:
        states: name → (n,) bool.

    Example:
        >>> joint_table({"a": np.array([True, False, True]), "b": np.array([True, False, False])})
        {(False, False): 1, (False, True): 0, (True, False): 1, (True, True): 1}
    """
    columns = np.stack(list(states.values()), axis=1)
    every = np.array(list(np.ndindex(*[2] * columns.shape[1])), bool)
    return {tuple(row.tolist()): int((columns == row).all(axis=1).sum()) for row in every}


def joint_faults(states: Mapping[str, np.ndarray], shares: Mapping[tuple[bool, ...], float]) -> list[str]:
    """Combinations of states that come up too often or too seldom, and a table that is unlikely as a whole.

    Args:
        states: name → (n,) bool.
        shares: Probability of each combination, in the order of ``states``.
    """
    counts = joint_table(states)
    total = sum(counts.values())
    faults = []
    for combination, count in counts.items():
        share = shares[combination]
        rare = 2 * min(stats.binom.cdf(count, total, share), stats.binom.sf(count - 1, total, share))
        if rare < FALSE_ALARMS / len(counts):
            on = " and ".join(name for name, state in zip(states, combination, strict=True) if state) or "nothing"
            faults.append(f"{on}: {count} of {total}, where {share * total:.0f} are due (p {rare:.1e})")
    possible = [combination for combination, share in shares.items() if share > 0]
    found = [counts[combination] for combination in possible]
    if len(possible) > 1 and sum(found) == total:
        due = [shares[combination] * total for combination in possible]
        p = stats.chisquare(found, due).pvalue
        if p < FALSE_ALARMS / 10:
            faults.append(f"the whole table of {', '.join(states)}: chi-square p {p:.1e}")
    return faults


def dependent_pairs(groups: Mapping[str, Mapping[str, np.ndarray]]) -> list[str]:
    """Pairs of factors of different groups that are associated, each with how strongly.

    Two classes are compared by a chi-square test, two numbers by Spearman's rank correlation, a class and a number by
    a chi-square test of the number's quarters.

    Args:
        groups: group → factor → (n,) values; NaN where a factor is not at work. Factors of one group may depend on each
            other, as a person's beard and gender do.
    """
    pairs = list(_pairs(groups))
    faults = []
    for (first, a), (second, b) in pairs:
        known = ~(_missing(a) | _missing(b))
        strength, p = _association(a[known], b[known])
        if p < FALSE_ALARMS / len(pairs):
            faults.append(f"{first} and {second}: association {strength:.2f} over {known.sum()}, p {p:.1e}")
    return faults


Named = tuple[str, np.ndarray]


def _pairs(groups: Mapping[str, Mapping[str, np.ndarray]]) -> Iterator[tuple[Named, Named]]:
    for one, other in combinations(groups, 2):
        for first, a in groups[one].items():
            for second, b in groups[other].items():
                yield (f"{one}: {first}", np.asarray(a)), (f"{other}: {second}", np.asarray(b))


def _missing(values: np.ndarray) -> np.ndarray:
    return np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), bool)


def _association(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Cramér's V or Spearman's correlation, and the probability of as much by chance."""
    if not (_is_class(a) or _is_class(b)):
        found = stats.spearmanr(a, b)
        return float(found.statistic), float(found.pvalue)
    table = _cross_table(_classes(a), _classes(b))
    if min(table.shape) < 2:
        return 0.0, 1.0
    found = stats.chi2_contingency(table, correction=False)
    return float(np.sqrt(found.statistic / table.sum() / (min(table.shape) - 1))), float(found.pvalue)


def _is_class(values: np.ndarray) -> bool:
    return values.dtype.kind in "bOU" or len(np.unique(values)) <= CLASSES


def _classes(values: np.ndarray) -> np.ndarray:
    """(n,) number of the class, or of the quarter."""
    if _is_class(values):
        return np.unique(values, return_inverse=True)[1]
    return np.searchsorted(np.quantile(values, np.arange(1, QUARTERS) / QUARTERS), values)


def _cross_table(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Counts of both, the rows and columns left out in which fewer than five are due in some cell."""
    table = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(table, (a, b), 1)
    rows, columns = table.sum(axis=1), table.sum(axis=0)
    total = max(table.sum(), 1.0)
    table = table[rows * columns.max() / total >= 5][:, columns * rows.max() / total >= 5]
    return table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]


def equal_share(values: Sequence[np.ndarray]) -> float:
    """Share of (n,) arrays' values that some other array has as well: streams that are shared.

    Example:
        >>> equal_share([np.array([1.0, 2.0]), np.array([2.0, 3.0])])
        0.5
    """
    every = np.concatenate([np.unique(each) for each in values])
    _, counts = np.unique(every, return_counts=True)
    return float(counts[counts > 1].sum() / len(every))
