"""The plot step of a classifier: which figures are drawn from its predictions, metrics and history."""

from typing import Any

import numpy as np
import pandas as pd

from mien import figures
from mien.nodes.evaluation import intervals, split_rows, split_scores


def plot_classes(predictions: pd.DataFrame, metrics: dict[str, Any], history: pd.DataFrame) -> dict[str, Any]:
    """Draw what a classifier scored on the test split, and its training.

    Args:
        predictions: The table of ``predict_classes``.
        metrics: Of ``evaluate_classes``, for the intervals.
        history: One row per epoch.

    Returns:
        Figures by name; ``roc_thresholds`` is Plotly's, the others are matplotlib's.
    """
    from mien.metrics import confusion_counts, reliability_bins

    target, scores, names = split_scores(predictions, "test")
    synthetic = bool(predictions["synthetic"].any())
    counts = confusion_counts(target, scores.argmax(axis=1), len(names))
    error = [metrics[f"test/calibration_error{end}"] for end in ("", "_low", "_high")]
    recall = [[metrics[f"test/recall/{name}{end}"] for name in names] for end in ("", "_low", "_high")]
    each: dict[str, Any] = {"class_names": names, "target": target, "scores": scores, "synthetic": synthetic}
    roc = {"title": "ROC curves, test", "intervals": intervals(metrics, "auroc", names)}
    return {
        "confusion_matrix": figures.confusion_matrix_plot(counts, names, "Confusion matrix, test", synthetic=synthetic),
        "roc": figures.roc_plot(**each, **roc),
        "roc_thresholds": figures.roc_figure(**each, **roc),
        "precision_recall": figures.precision_recall_plot(
            **each,
            title="Precision and recall, test",
            intervals=intervals(metrics, "average_precision", names),
        ),
        "reliability": figures.reliability_plot(
            reliability_bins(target, scores),
            error[0],
            "Reliability, test",
            interval=None if None in error else (error[1], error[2]),
            synthetic=synthetic,
        ),
        "class_recall": figures.class_bars_plot(
            names, *recall, counts.sum(axis=1), "Recall by class, test", synthetic=synthetic
        ),
        "training_curves": figures.training_curves_plot(history, "Training", synthetic=synthetic),
    }


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
