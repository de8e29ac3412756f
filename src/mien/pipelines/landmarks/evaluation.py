"""Node functions of ``landmarks`` that evaluate what was predicted: errors, figures, sheets of faces."""

from typing import Any

import numpy as np
import pandas as pd

from mien import figures
from mien.errors import MienError
from mien.labels import LANDMARK_GROUPS
from mien.nodes.evaluation import METRIC_PREFIX
from mien.pipelines.landmarks.nodes import LANDMARK_COLUMNS, PREDICTED_COLUMNS, points_of
from mien.pipelines.landmarks.params import LandmarkEvaluationParams


def evaluate(
    predictions: pd.DataFrame, samples: pd.DataFrame, evaluation: LandmarkEvaluationParams
) -> dict[str, float | None]:
    """Errors of the predicted landmarks on synthetic faces of persons that training has not trained on.

    Args:
        predictions: The table of ``predict``.
        samples: Rows of split train and val: the train rows' mean shape is what a network must beat.
        evaluation: Resamples and seed of the intervals; what counts as missed.

    Returns:
        Under ``test/`` and ``best/val/``: ``nme_interocular`` and ``nme_box``, mean over the faces of the landmarks'
        mean distance, over that of the outer eye corners and over the landmarks' box; the former also by part of the
        face, as median, as ``failure_rate_<threshold>`` and ``auc_<threshold>``, and of the mean shape.
        ``synthetic_share`` is 1.

    Raises:
        MienError: A split has no face.
    """
    from mien.metrics.landmarks import mean_shape

    shape = mean_shape(_train_landmarks(samples))
    metrics: dict[str, float | None] = {}
    for split in ("test", "val"):
        rows = predictions[predictions["split"] == split]
        measured = _synthetic_errors(rows, split, shape, evaluation)
        metrics |= {f"{METRIC_PREFIX[split]}/{name}": value for name, value in measured.items()}
    return metrics | {"synthetic_share": float(predictions["synthetic"].mean())}


def _train_landmarks(samples: pd.DataFrame) -> np.ndarray:
    """Landmarks (n, 68, 2) of the train rows."""
    return points_of(samples[samples["split"] == "train"], LANDMARK_COLUMNS)


def _synthetic_errors(
    rows: pd.DataFrame, split: str, shape: np.ndarray, evaluation: LandmarkEvaluationParams
) -> dict[str, float | None]:
    from mien.metrics.landmarks import box_sides, error_metrics, interocular_distances, normalised_errors

    if rows.empty:
        raise MienError(
            f"No synthetic face of split {split} was predicted: nothing to measure. "
            "Set landmarks.synthetic_faces.num_faces or the split's fraction higher."
        )
    true, predicted = points_of(rows, LANDMARK_COLUMNS), points_of(rows, PREDICTED_COLUMNS)
    lengths, groups = interocular_distances(true), rows["subject"].to_numpy(str)
    options = {"resamples": evaluation.resamples, "seed": evaluation.seed, "groups": groups}
    errors = normalised_errors(true, predicted, lengths)
    summary = error_metrics(errors, threshold=evaluation.threshold, **options)
    by_box = error_metrics(normalised_errors(true, predicted, box_sides(true)), **options)
    nothing_seen = normalised_errors(true, np.broadcast_to(shape, true.shape), lengths)
    metrics: dict[str, float | None] = {"n": len(rows)}
    ends = ("", "_low", "_high")
    metrics |= {f"nme_interocular{end}": summary[f"mean{end}"] for end in ends}
    metrics["nme_interocular_median"] = summary["median"]
    for name in ("failure_rate", "auc"):
        metrics |= {f"{name}_{evaluation.threshold:g}{end}": summary[f"{name}{end}"] for end in ends}
    metrics |= {f"nme_box{end}": by_box[f"mean{end}"] for end in ends}
    for part, numbers in LANDMARK_GROUPS.items():
        some = list(numbers)
        metrics[f"nme_interocular/{part}"] = float(normalised_errors(true[:, some], predicted[:, some], lengths).mean())
    return metrics | {"nme_interocular_of_mean_shape": float(nothing_seen.mean())}


def plot_errors(predictions: pd.DataFrame, samples: pd.DataFrame, history: pd.DataFrame) -> dict[str, Any]:
    """Draw cumulative errors of the synthetic test faces, and training curves.

    Args:
        predictions: The table of ``predict``.
        samples: Rows of split train and val, for the mean shape.
        history: One row per epoch.

    Returns:
        Figures by name.
    """
    from mien.metrics.landmarks import interocular_distances, mean_shape, normalised_errors

    test = predictions[predictions["split"] == "test"]
    true, predicted = points_of(test, LANDMARK_COLUMNS), points_of(test, PREDICTED_COLUMNS)
    shape = mean_shape(_train_landmarks(samples))
    lengths = interocular_distances(true)
    errors = {
        "MobileFaceNet": normalised_errors(true, predicted, lengths),
        "mean shape": normalised_errors(true, np.broadcast_to(shape, true.shape), lengths),
    }
    return {
        "cumulative_error": figures.cumulative_error_plot(errors, "Landmark errors, test", synthetic=True),
        "training_curves": figures.training_curves_plot(history, "Training of the landmark network", synthetic=True),
    }


def show_points(predictions: pd.DataFrame, faces: np.ndarray) -> np.ndarray:
    """Sheet of synthetic test faces with true and predicted landmarks, from the least error to the largest.

    Args:
        predictions: The table of ``predict``.
        faces: Packed faces (n, H, H, 3) uint8.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    from mien.metrics.landmarks import interocular_distances, normalised_errors

    test = predictions[predictions["split"] == "test"]
    true, predicted = points_of(test, LANDMARK_COLUMNS), points_of(test, PREDICTED_COLUMNS)
    errors = normalised_errors(true, predicted, interocular_distances(true))
    return figures.landmarks_sheet(
        faces, test["face_index"].to_numpy(), true, predicted, errors, "Synthetic test faces"
    )
