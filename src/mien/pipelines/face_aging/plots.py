"""Node functions of ``face_aging`` that draw its numbers."""

from typing import Any

import numpy as np
import pandas as pd

from mien import figures
from mien.pipelines.face_aging.evaluation import critic_scores

_AGES = ("requested age, years", "evaluated age, years")
_CURVES = ("train/loss", "train/critic_loss", "train/diversity", "val/epoch_pearson", "val/epoch_frechet_distance")


def plot_faces(predictions: pd.DataFrame, metrics: dict[str, Any], history: pd.DataFrame) -> dict[str, Any]:
    """Draw evaluated against requested age of generated faces, the critic's reliability, and training.

    Args:
        predictions: The table of ``predict``.
        metrics: Of ``evaluate``, for the intervals.
        history: One row per epoch.

    Returns:
        Figures by name.
    """
    from mien.metrics import reliability_bins

    test = predictions[predictions["split"] == "test"]
    synthetic = bool(predictions["synthetic"].any())
    bounds = {
        short: (metrics[f"test/{name}_low"], metrics[f"test/{name}_high"])
        for short, name in (("mae", "mae_years"), ("pearson", "pearson"))
        if metrics[f"test/{name}_low"] is not None
    }
    requested, evaluated = test["target"].to_numpy(np.float64), test["value"].to_numpy(np.float64)
    title, curves = "Requested and evaluated age of generated faces", history[["epoch", *_CURVES]]
    return {
        "requested_age": figures.age_plot(
            requested, evaluated, title, intervals=bounds, names=_AGES, synthetic=synthetic
        ),
        "reliability": figures.reliability_plot(
            reliability_bins(*critic_scores(test)),
            metrics["test/critic_calibration_error"],
            "Critic on real and made faces, test",
            synthetic=synthetic,
        ),
        "training_curves": figures.training_curves_plot(
            curves, "Training of generator and critic", synthetic=synthetic
        ),
    }
