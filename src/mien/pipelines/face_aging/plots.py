"""Node functions of ``face_aging`` that draw its numbers."""

from typing import Any

import numpy as np
import pandas as pd

from mien.nodes import figures
from mien.pipelines.face_aging.evaluation import critic_scores

DRAWN = ("requested_age", "reliability", "training_curves")
"""Figures, in the order in which the functions below return them."""

_AGES = ("requested age, years", "evaluated age, years")
_CURVES = ("train/loss", "train/critic_loss", "train/diversity", "val/epoch_pearson", "val/epoch_frechet_distance")


def plot_faces(predictions: pd.DataFrame, metrics: dict[str, Any], history: pd.DataFrame) -> tuple[Any, ...]:
    """Interactive figures: evaluated against requested age of generated faces, the critic's reliability.

    Training curves.

    Args:
        predictions: The table of ``predict``.
        metrics: Of ``evaluate``, for the intervals.
        history: One row per epoch.

    Returns:
        Plotly figures, in the order of ``DRAWN``.
    """
    return _draw(predictions, metrics, history, "figure")


def print_faces(predictions: pd.DataFrame, metrics: dict[str, Any], history: pd.DataFrame) -> tuple[Any, ...]:
    """The same figures at a paper's column width; arguments as in ``plot_faces``."""
    return _draw(predictions, metrics, history, "plot")


def _draw(predictions: pd.DataFrame, metrics: dict[str, Any], history: pd.DataFrame, kind: str) -> tuple[Any, ...]:
    from mien.metrics import reliability_bins

    def draw(name: str, *arguments: Any, **options: Any) -> Any:
        return getattr(figures, f"{name}_{kind}")(*arguments, synthetic=synthetic, **options)

    test = predictions[predictions["split"] == "test"]
    synthetic = bool(predictions["synthetic"].any())
    bounds = {
        short: (metrics[f"test/{name}_low"], metrics[f"test/{name}_high"])
        for short, name in (("mae", "mae_years"), ("pearson", "pearson"))
        if metrics[f"test/{name}_low"] is not None
    }
    requested, evaluated = test["target"].to_numpy(np.float64), test["value"].to_numpy(np.float64)
    return (
        draw(
            "age", requested, evaluated, "Requested and evaluated age of generated faces", intervals=bounds, names=_AGES
        ),
        draw(
            "reliability",
            reliability_bins(*critic_scores(test)),
            metrics["test/critic_calibration_error"],
            "Critic on real and made faces, test",
        ),
        draw("training_curves", history[["epoch", *_CURVES]], "Training of generator and critic"),
    )
