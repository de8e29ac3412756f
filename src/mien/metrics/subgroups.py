"""The same metrics within each group of rows: by gender, age band, ethnicity or subject."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mien.errors import MienError
from mien.metrics.classification import classification_metrics
from mien.metrics.regression import regression_metrics

if TYPE_CHECKING:
    import pandas as pd


def subgroup_metrics(
    target: np.ndarray,
    scores: np.ndarray,
    class_names: Sequence[str],
    attribute: np.ndarray,
    *,
    resamples: int = 1000,
    seed: int = 0,
    groups: np.ndarray | None = None,
) -> pd.DataFrame:
    """Metrics of a classifier within each value of an attribute.

    Args:
        target: (n,) true class ids, 0 to M - 1.
        scores: (n, M) probabilities.
        class_names: the M names, in the order of the ids.
        attribute: (n,) value of each row, such as a gender.
        resamples: at least 1.
        seed: of the resampling; the same seed gives the same intervals.
        groups: (n,) subject of each row.

    Returns:
        One row per value, in alphabetical order: ``attribute``, ``n``, and those metrics of ``classification_metrics``
        that are over all classes, each with ``_low`` and ``_high``. NaN where a metric is undefined, as an interval is
        for a single row. Means are over the classes that a value's rows have: compare values with the same classes.

    Raises:
        MienError: as ``classification_metrics``, or the attribute is missing in a row.

    Example:
        >>> scores = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]])
        >>> table = subgroup_metrics(np.array([0, 1, 1]), scores, ["no", "yes"], np.array(["f", "m", "m"]))
        >>> table[["attribute", "n", "accuracy"]].values.tolist()
        [['f', 1, 1.0], ['m', 2, 0.5]]
    """

    def measure(rows: np.ndarray) -> Mapping[str, float | int | None]:
        chosen = None if groups is None else np.asarray(groups)[rows]
        return classification_metrics(
            np.asarray(target)[rows],
            np.asarray(scores)[rows],
            class_names,
            resamples=resamples,
            seed=seed,
            groups=chosen,
        )

    return _by_value(attribute, {"target": target, "scores": scores, "groups": groups}, measure)


def subgroup_errors(
    target: np.ndarray,
    predicted: np.ndarray,
    attribute: np.ndarray,
    *,
    resamples: int = 1000,
    seed: int = 0,
    groups: np.ndarray | None = None,
) -> pd.DataFrame:
    """Metrics of a regression within each value of an attribute.

    Args:
        target: (n,) true values.
        predicted: (n,) predicted values.
        attribute: (n,) value of each row, such as a gender.
        resamples: at least 1.
        seed: of the resampling; the same seed gives the same intervals.
        groups: (n,) subject of each row.

    Returns:
        As ``subgroup_metrics``, with the metrics of ``regression_metrics``.

    Raises:
        MienError: as ``regression_metrics``, or the attribute is missing in a row.
    """

    def measure(rows: np.ndarray) -> Mapping[str, float | int | None]:
        chosen = None if groups is None else np.asarray(groups)[rows]
        return regression_metrics(
            np.asarray(target)[rows], np.asarray(predicted)[rows], resamples=resamples, seed=seed, groups=chosen
        )

    return _by_value(attribute, {"target": target, "predicted": predicted, "groups": groups}, measure)


def _by_value(
    attribute: np.ndarray,
    arrays: Mapping[str, np.ndarray | None],
    measure: Callable[[np.ndarray], Mapping[str, float | int | None]],
) -> pd.DataFrame:
    """One row per value of the attribute, with what ``measure`` says of its rows (n,) bool."""
    import pandas as pd

    attribute = np.asarray(attribute)
    lengths = {name: len(np.asarray(array)) for name, array in arrays.items() if array is not None}
    if attribute.ndim != 1 or set(lengths.values()) != {len(attribute)}:
        raise MienError(f"attribute has shape {attribute.shape} beside rows {lengths}: give one value for each row.")
    if len(attribute) == 0:
        raise MienError("attribute has no rows: there is nothing to measure. Check what was predicted.")
    missing = pd.isna(attribute)
    if missing.any():
        raise MienError(
            f"attribute is missing in {missing.sum()} of {len(attribute)} rows: leave them out, or give them a value "
            "of their own, such as 'unknown'."
        )
    values = attribute.astype(str)
    table = []
    for value in np.unique(values):
        metrics = {key: number for key, number in measure(values == value).items() if "/" not in key}
        table.append({"attribute": str(value), **metrics})
    frame = pd.DataFrame(table)
    return frame.astype({key: np.float64 for key in frame.columns if key not in ("attribute", "n")})
