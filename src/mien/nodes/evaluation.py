"""Metrics and figures of a classifier, all from its predictions table."""

import numpy as np
import pandas as pd

from mien.nodes.params import EvaluationParams
from mien.nodes.prediction import SCORE_PREFIX


def evaluate_classes(predictions: pd.DataFrame, evaluation: EvaluationParams) -> dict[str, float | None]:
    """Metrics of the test and the val split.

    Args:
        predictions: The table of ``predict_classes``.
        evaluation: Resamples and seed of the bootstrap intervals.

    Returns:
        ``<split>/<metric>`` → value; ``None`` where a metric is undefined, as the AUROC of an absent class is.
        ``drawn_share`` is the part of the test samples that were drawn, so that a score says what it was measured on.

    Raises:
        ValueError: There is no test row.
    """
    from mien.metrics import classification_metrics

    metrics: dict[str, float | None] = {}
    for split in ("test", "val"):
        target, scores, names = split_scores(predictions, split)
        measured = classification_metrics(target, scores, names, resamples=evaluation.resamples, seed=evaluation.seed)
        metrics |= {f"{split}/{name}": value for name, value in measured.items()}
    metrics["drawn_share"] = float(predictions.loc[predictions["split"] == "test", "drawn"].mean())
    return metrics


def split_scores(predictions: pd.DataFrame, split: str) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Targets (n,), scores (n, M) and class names of one split of a predictions table.

    Raises:
        ValueError: The split has no rows.
    """
    rows = predictions[predictions["split"] == split]
    if rows.empty:
        raise ValueError(
            f"No row of split {split} in the predictions table of {len(predictions)} rows: nothing to measure. "
            "The dataset has no such split, or none of its images kept a face: look at the samples table's reasons."
        )
    columns = [name for name in predictions.columns if name.startswith(SCORE_PREFIX)]
    names = tuple(name.removeprefix(SCORE_PREFIX) for name in columns)
    return rows["target"].to_numpy(), rows[columns].to_numpy(), names
