"""Scores of FER-former's heads, which of them is the primary one, and the node function that evaluates them."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mien.nodes.evaluation import METRIC_PREFIX, evaluate_classes
from mien.nodes.params import EvaluationParams
from mien.nodes.prediction import SCORE_PREFIX, softmax
from mien.nodes.training import validation_metrics

if TYPE_CHECKING:
    pass

HEAD_NAMES = ("class_head", "steering_head")
"""What the outputs (n, H, M) of the model are, in order; without text the first alone."""

MEAN = "mean_of_heads"


def head_scores(outputs: np.ndarray) -> dict[str, np.ndarray]:
    """Scores of each head, and the mean of both where there are two.

    Args:
        outputs: Logits (n, H, M).

    Returns:
        Scores (n, M) by head; each row adds up to 1.
    """
    by_head = softmax(outputs)
    scores = {name: by_head[:, number] for number, name in enumerate(HEAD_NAMES[: outputs.shape[1]])}
    return scores if len(scores) == 1 else {**scores, MEAN: by_head.mean(axis=1)}


def primary_head(scores: dict[str, np.ndarray], target: np.ndarray) -> str:
    """The head with the best accuracy; the first of equals, so the class head before the others.

    Args:
        scores: Scores (n, M) of validation samples by head. Never of test samples: the released code takes the better
            head on those.
        target: Class ids (n,).
    """
    return max(scores, key=lambda name: validation_metrics(scores[name], target)["accuracy"])


def head_metrics(outputs: np.ndarray, target: np.ndarray) -> dict[str, float]:
    """Metrics of the primary head, and the accuracy of each.

    Args:
        outputs: Logits (n, H, M) of validation samples.
        target: Class ids (n,).
    """
    scores = head_scores(outputs)
    primary = scores[primary_head(scores, target)]
    return {**validation_metrics(primary, target), **head_accuracies(scores, target)}


def head_accuracies(scores: dict[str, np.ndarray], target: np.ndarray) -> dict[str, float]:
    """``<head>_accuracy`` of each head; empty where there is one alone, whose accuracy needs no second name."""
    if len(scores) == 1:
        return {}
    return {f"{name}_accuracy": validation_metrics(each, target)["accuracy"] for name, each in scores.items()}


def evaluate(predictions: pd.DataFrame, evaluation: EvaluationParams) -> tuple[dict[str, float | None], pd.DataFrame]:
    """Metrics of the primary head, as of any classifier, and the accuracy of each head beside them.

    Args:
        predictions: The table of ``predict``.
        evaluation: Resamples and seed of the bootstrap intervals; attributes to group by.

    Returns:
        As ``mien.nodes.evaluation.evaluate_classes``, with ``class_head_accuracy``, ``steering_head_accuracy`` and
        ``mean_of_heads_accuracy`` of either split where there are two heads.
    """
    metrics, subgroups = evaluate_classes(predictions, evaluation)
    names = [column.removeprefix(SCORE_PREFIX) for column in predictions if column.startswith(SCORE_PREFIX)]
    heads = [head for head in (*HEAD_NAMES, MEAN) if f"{head}/{names[0]}" in predictions]
    for split in ("test", "val"):
        rows = predictions[predictions["split"] == split]
        scores = {head: rows[[f"{head}/{name}" for name in names]].to_numpy() for head in heads}
        if scores:
            accuracies = head_accuracies(scores, rows["target"].to_numpy())
            metrics |= {f"{METRIC_PREFIX[split]}/{name}": value for name, value in accuracies.items()}
    return metrics, subgroups
