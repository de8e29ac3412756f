"""Class scores of FER-former's heads, and which of them to go by."""

import numpy as np

from mien.nodes.prediction import softmax
from mien.nodes.training import validation_metrics

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
