"""The plot step of a classifier: which figures are drawn from its predictions, metrics and history."""

from typing import Any

import numpy as np
import pandas as pd

from mien.nodes import figures
from mien.nodes.evaluation import intervals, split_rows, split_scores

DRAWN = ("confusion_matrix", "roc", "precision_recall", "reliability", "class_recall", "training_curves")
"""Figures of a classifier, in the order in which the functions below return them."""


def plot_classes(predictions: pd.DataFrame, metrics: dict[str, Any], history: pd.DataFrame) -> tuple[Any, ...]:
    """Interactive figures of the test split, and training curves.

    Args:
        predictions: The table of ``predict_classes``.
        metrics: Of ``evaluate_classes``, for the intervals.
        history: One row per epoch.

    Returns:
        Plotly figures, in the order of ``DRAWN``.
    """
    return _draw(predictions, metrics, history, "figure")


def print_classes(predictions: pd.DataFrame, metrics: dict[str, Any], history: pd.DataFrame) -> tuple[Any, ...]:
    """The same figures at a paper's column width.

    Args:
        predictions: The table of ``predict_classes``.
        metrics: Of ``evaluate_classes``, for the intervals.
        history: One row per epoch.

    Returns:
        Matplotlib figures, in the order of ``DRAWN``.
    """
    return _draw(predictions, metrics, history, "plot")


def _draw(predictions: pd.DataFrame, metrics: dict[str, Any], history: pd.DataFrame, kind: str) -> tuple[Any, ...]:
    from mien.metrics import confusion_counts, reliability_bins

    def draw(name: str, *arguments: Any, **options: Any) -> Any:
        return getattr(figures, f"{name}_{kind}")(*arguments, synthetic=synthetic, **options)

    target, scores, names = split_scores(predictions, "test")
    synthetic = bool(predictions["synthetic"].any())
    counts = confusion_counts(target, scores.argmax(axis=1), len(names))
    error = [metrics[f"test/calibration_error{end}"] for end in ("", "_low", "_high")]
    recall = [[metrics[f"test/recall/{name}{end}"] for name in names] for end in ("", "_low", "_high")]
    each = {"class_names": names, "target": target, "scores": scores}
    return (
        draw("confusion_matrix", counts, names, "Confusion matrix, test"),
        draw("roc", **each, title="ROC curves, test", intervals=intervals(metrics, "auroc", names)),
        draw(
            "precision_recall",
            **each,
            title="Precision and recall, test",
            intervals=intervals(metrics, "average_precision", names),
        ),
        draw(
            "reliability",
            reliability_bins(target, scores),
            error[0],
            "Reliability, test",
            interval=None if None in error else (error[1], error[2]),
        ),
        draw("class_bars", names, *recall, counts.sum(axis=1), "Recall by class, test"),
        draw("training_curves", history, "Training"),
    )


def show_mistakes(predictions: pd.DataFrame, samples: pd.DataFrame, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sheets of mislabelled test faces: the most confident mistakes, and one of each kind by truth and prediction.

    Args:
        predictions: The table of ``predict_classes``.
        samples: The samples table, which says where each face is.
        faces: Packed faces (n, H, W, C) uint8.

    Returns:
        Two sheets (H, W, 3) uint8 RGB.
    """
    predictions = split_rows(predictions, "test").drop_duplicates("sample_id")  # one of several seeds
    target, scores, names = split_scores(predictions, "test")
    row_of = samples.drop_duplicates("sample_id").set_index("sample_id")["face_index"]
    rows = row_of.loc[predictions["sample_id"]].to_numpy()
    shown = faces[rows], target, scores.argmax(axis=1), scores.max(axis=1), names, "Mislabelled test faces"
    synthetic = bool(predictions["synthetic"].any())
    return figures.mistakes_sheet(*shown, synthetic=synthetic), figures.mistakes_grid(*shown, synthetic=synthetic)
