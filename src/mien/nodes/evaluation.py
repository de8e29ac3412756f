"""Metrics of a classifier, all from its predictions table."""

from typing import Any

import numpy as np
import pandas as pd

from mien.errors import MienError
from mien.nodes.params import EvaluationParams
from mien.nodes.prediction import SCORE_PREFIX

WITHOUT_LEAKS = "test_without_leaks"
"""The test split less the rows whose image training has seen too."""

METRIC_PREFIX = {"test": "test", "val": "best/val"}
"""What leads a split's metrics: on split val they are the best epoch's; ``val/`` alone is an epoch's, in a history."""

BANDS = ("age",)
"""Attributes that are numbers; they are grouped in bands of ten."""


def evaluate_classes(
    predictions: pd.DataFrame, evaluation: EvaluationParams
) -> tuple[dict[str, float | None], pd.DataFrame]:
    """Metrics of the test and the val split, and of the test split's subgroups.

    Intervals draw whole subjects where every row names one. Where the dataset marks test images that training has seen
    too, the metrics without them stand beside those of all.

    Args:
        predictions: The table of ``predict_classes``.
        evaluation: Resamples and seed of the bootstrap intervals; attributes to group by.

    Returns:
        ``test/<metric>`` and, of the best epoch, ``best/val/<metric>`` → value; ``None`` where a metric is undefined,
        as the AUROC of an absent class is.
        ``synthetic_share`` is the part of the test samples that were drawn, so that a score says what it was measured
        on. And a table of subgroups: ``attribute``, ``value``, ``n`` and the metrics over all classes with their
            intervals;
        empty where the dataset has none of the attributes.

    Raises:
        MienError: There is no row of split test, or none of split val.
    """
    metrics: dict[str, float | None] = {}
    for split in ("test", "val"):
        rows = predictions[predictions["split"] == split]
        if rows.empty:
            split_scores(predictions, split)  # says what is missing
        metrics |= _named(METRIC_PREFIX[split], rows, evaluation)
    test = predictions[predictions["split"] == "test"]
    if "leaks" in test and test["leaks"].any() and not test["leaks"].all():
        metrics |= _named(WITHOUT_LEAKS, test[~test["leaks"].astype(bool)], evaluation)
    metrics["synthetic_share"] = float(test["synthetic"].mean())
    return metrics, subgroup_table(test, evaluation)


def _named(name: str, rows: pd.DataFrame, evaluation: EvaluationParams) -> dict[str, float | None]:
    """Metrics of some rows under ``<name>/``."""
    from mien.metrics import classification_metrics

    target, scores, names = _arrays(rows)
    measured = classification_metrics(
        target, scores, names, resamples=evaluation.resamples, seed=evaluation.seed, groups=subjects(rows)
    )
    return {f"{name}/{metric}": value for metric, value in measured.items()}


def subjects(rows: pd.DataFrame) -> np.ndarray | None:
    """Subject of each row, None where the dataset does not name every one."""
    if "subject" not in rows or rows["subject"].isna().any():
        return None
    return rows["subject"].astype(str).to_numpy()


def subgroup_table(test: pd.DataFrame, evaluation: EvaluationParams, *, number: bool = False) -> pd.DataFrame:
    """Metrics within each value of each attribute that the rows have; a missing value is ``unknown``.

    Args:
        test: Rows of a predictions table.
        evaluation: Attributes to group by; one that the rows lack is passed over.
        number: Whether ``target`` and ``value`` are numbers, such as ages; else scores of classes are evaluated.
    """
    from mien.metrics import subgroup_errors, subgroup_metrics

    evaluated = (test["target"].to_numpy(), test["value"].to_numpy()) if number else _arrays(test)
    measure: Any = subgroup_errors if number else subgroup_metrics
    tables = []
    for attribute in evaluation.subgroups:
        if attribute not in test or test[attribute].isna().all():
            continue
        values = _bands(test[attribute]) if attribute in BANDS else test[attribute].astype("string")
        table = measure(
            *evaluated,
            values.fillna("unknown").to_numpy(str),
            resamples=evaluation.resamples,
            seed=evaluation.seed,
            groups=subjects(test),
        )
        tables.append(table.rename(columns={"attribute": "value"}).assign(attribute=attribute))
    if not tables:
        return pd.DataFrame(columns=["attribute", "value", "n"])
    joined = pd.concat(tables, ignore_index=True)
    return joined[["attribute", *(name for name in joined if name != "attribute")]]


def _bands(values: pd.Series) -> pd.Series:
    decade = (values // 10 * 10).astype("Int64")
    return decade.astype("string").str.zfill(3) + " to " + (decade + 9).astype("string").str.zfill(3)


def split_rows(predictions: pd.DataFrame, split: str) -> pd.DataFrame:
    """Rows of one split; where the table has several models, those of the primary one."""
    return predictions[(predictions["split"] == split) & predictions.get("primary", True)]


def split_scores(predictions: pd.DataFrame, split: str) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Targets (n,), scores (n, M) and class names of one split of a predictions table.

    Raises:
        MienError: The split has no rows.
    """
    rows = split_rows(predictions, split)
    if rows.empty:
        raise MienError(
            f"No row of split {split} in the predictions table of {len(predictions)} rows: nothing to measure. "
            "The dataset has no such split, or none of its images kept a face: look at the samples table's reasons."
        )
    return _arrays(rows)


def _arrays(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    columns = [name for name in rows.columns if name.startswith(SCORE_PREFIX)]
    names = tuple(name.removeprefix(SCORE_PREFIX) for name in columns)
    return rows["target"].to_numpy(), rows[columns].to_numpy(), names


def intervals(metrics: dict[str, Any], metric: str, names: tuple[str, ...]) -> dict[str, tuple[float, float]]:
    """95 % interval of a test metric by class, and of its mean under ``macro average``, where they are defined."""
    from mien.figures import MACRO_AVERAGE

    bounds = {name: (f"{metric}/{name}_low", f"{metric}/{name}_high") for name in names}
    bounds[MACRO_AVERAGE] = (f"{metric}_low", f"{metric}_high")
    found = {name: tuple(metrics.get(f"test/{key}") for key in keys) for name, keys in bounds.items()}
    return {name: (low, high) for name, (low, high) in found.items() if low is not None and high is not None}
