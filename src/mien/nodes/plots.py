"""The plot step of a classifier: which figures are drawn from its predictions and history."""

from typing import Any

import pandas as pd

from mien.nodes import figures
from mien.nodes.evaluation import split_scores


def plot_classes(predictions: pd.DataFrame, history: pd.DataFrame) -> tuple[Any, Any, Any]:
    """Interactive figures of the test split: confusion matrix, ROC curves; and training curves.

    Args:
        predictions: The table of ``predict_classes``.
        history: One row per epoch.

    Returns:
        Three Plotly figures.
    """
    return _draw(
        predictions,
        history,
        figures.confusion_matrix_figure,
        figures.roc_figure,
        figures.training_curves_figure,
    )


def print_classes(predictions: pd.DataFrame, history: pd.DataFrame) -> tuple[Any, Any, Any]:
    """The same three figures at a paper's column width.

    Args:
        predictions: The table of ``predict_classes``.
        history: One row per epoch.

    Returns:
        Three matplotlib figures.
    """
    return _draw(predictions, history, figures.confusion_matrix_plot, figures.roc_plot, figures.training_curves_plot)


def _draw(
    predictions: pd.DataFrame, history: pd.DataFrame, confusion: Any, roc: Any, curves: Any
) -> tuple[Any, Any, Any]:
    from mien.metrics import confusion_counts

    target, scores, names = split_scores(predictions, "test")
    synthetic = bool(predictions["drawn"].any())
    counts = confusion_counts(target, scores.argmax(axis=1), len(names))
    return (
        confusion(counts, names, "Confusion matrix, test", synthetic=synthetic),
        roc(target, scores, names, "ROC curves, one against the rest, test", synthetic=synthetic),
        curves(history, "Training", synthetic=synthetic),
    )
