"""Metrics and their intervals, computed from the targets and outputs of a finished prediction.

Everything is computed from arrays of a whole split, (n,) targets and (n, M) class probabilities or (n,) values, never
inside a training loop.
"""

from mien.metrics.bootstrap import INTERVAL_PERCENTILES
from mien.metrics.calibration import reliability_bins
from mien.metrics.classification import classification_metrics, confusion_counts
from mien.metrics.comparison import Difference, PairedComparison, holm, mean_and_sd, paired_comparison
from mien.metrics.curves import precision_recall_points, roc_curve_points
from mien.metrics.folds import fold_metrics
from mien.metrics.frechet import frechet_distance
from mien.metrics.regression import regression_metrics
from mien.metrics.subgroups import subgroup_errors, subgroup_metrics

__all__ = [
    "INTERVAL_PERCENTILES",
    "Difference",
    "PairedComparison",
    "classification_metrics",
    "confusion_counts",
    "fold_metrics",
    "frechet_distance",
    "holm",
    "mean_and_sd",
    "paired_comparison",
    "precision_recall_points",
    "regression_metrics",
    "reliability_bins",
    "roc_curve_points",
    "subgroup_errors",
    "subgroup_metrics",
]
