"""Figures of a run, each drawn from numbers that were computed elsewhere.

``*_plot`` is matplotlib's: one column of a paper wide, no type below 7 pt, 300 dots per inch. ``*_figure`` is Plotly's,
where hovering says what a still picture cannot: the threshold at a point of a ROC curve, which face a point is. Where
the faces are synthetic, figures say so under the title, so that no picture of a demo passes for a result. Sheets of
faces are pictures, and panels of several runs are for a page's whole width.
"""

from mien.figures.attributes import (
    attributes_plot,
    explained_variance_plot,
)
from mien.figures.bars import class_bars_plot
from mien.figures.calibration import reliability_plot
from mien.figures.clips import (
    Timeline,
    cues_plot,
    fusion_weight_plot,
    timeline_plot,
)
from mien.figures.confusion import confusion_matrix_plot
from mien.figures.curves import (
    MACRO_AVERAGE,
    precision_recall_plot,
    roc_figure,
    roc_plot,
)
from mien.figures.embedding import embedding_figure, embedding_plot, tsne_points
from mien.figures.feature_maps import feature_maps_plot
from mien.figures.intervals import intervals_plot
from mien.figures.landmarks import (
    LANDMARK_TILE,
    cumulative_error_plot,
    landmarks_sheet,
)
from mien.figures.learning_curve import learning_curve_plot
from mien.figures.mistakes import mistakes_grid, mistakes_sheet
from mien.figures.panels import MapPanel, MatrixPanel, confusion_panels, embedding_panels
from mien.figures.regression import age_bands_plot, age_plot
from mien.figures.style import COLORS, COLUMN_WIDTH, layout
from mien.figures.tokens import kept_frequency_plot, tokens_sheet
from mien.figures.training import training_curves_plot

__all__ = [
    "COLORS",
    "COLUMN_WIDTH",
    "LANDMARK_TILE",
    "MACRO_AVERAGE",
    "MapPanel",
    "MatrixPanel",
    "Timeline",
    "age_bands_plot",
    "age_plot",
    "attributes_plot",
    "class_bars_plot",
    "confusion_matrix_plot",
    "confusion_panels",
    "cues_plot",
    "cumulative_error_plot",
    "embedding_figure",
    "embedding_panels",
    "embedding_plot",
    "explained_variance_plot",
    "feature_maps_plot",
    "fusion_weight_plot",
    "intervals_plot",
    "kept_frequency_plot",
    "landmarks_sheet",
    "layout",
    "learning_curve_plot",
    "mistakes_grid",
    "mistakes_sheet",
    "precision_recall_plot",
    "reliability_plot",
    "roc_figure",
    "roc_plot",
    "timeline_plot",
    "tokens_sheet",
    "training_curves_plot",
    "tsne_points",
]
