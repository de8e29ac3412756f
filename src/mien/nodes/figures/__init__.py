"""Figures of a run, each drawn from numbers that were computed elsewhere.

Each exists twice, from the same numbers: ``*_figure`` is interactive (Plotly; kedro-viz and MLflow show it), ``*_plot``
is for a paper (matplotlib, one column wide, no type below 7 pt, 300 dots per inch). Where the faces are synthetic ones,
both say so under the title, so that no picture of a demo passes for a result. Sheets of faces are pictures, and panels
of several runs are for a page's whole width.
"""

from mien.nodes.figures.attributes import (
    attributes_figure,
    attributes_plot,
    explained_variance_figure,
    explained_variance_plot,
)
from mien.nodes.figures.bars import class_bars_figure, class_bars_plot
from mien.nodes.figures.calibration import reliability_figure, reliability_plot
from mien.nodes.figures.clips import (
    Timeline,
    cues_figure,
    cues_plot,
    fusion_weight_figure,
    fusion_weight_plot,
    timeline_figure,
    timeline_plot,
)
from mien.nodes.figures.confusion import confusion_matrix_figure, confusion_matrix_plot
from mien.nodes.figures.curves import (
    MACRO_AVERAGE,
    precision_recall_figure,
    precision_recall_plot,
    roc_figure,
    roc_plot,
)
from mien.nodes.figures.embedding import embedding_figure, embedding_plot, tsne_points
from mien.nodes.figures.feature_maps import feature_maps_figure, feature_maps_plot
from mien.nodes.figures.intervals import intervals_figure, intervals_plot
from mien.nodes.figures.landmarks import (
    LANDMARK_TILE,
    cumulative_error_figure,
    cumulative_error_plot,
    landmarks_sheet,
)
from mien.nodes.figures.learning_curve import learning_curve_figure, learning_curve_plot
from mien.nodes.figures.mistakes import mistakes_grid, mistakes_sheet
from mien.nodes.figures.panels import MapPanel, MatrixPanel, confusion_panels, embedding_panels
from mien.nodes.figures.regression import age_bands_figure, age_bands_plot, age_figure, age_plot
from mien.nodes.figures.style import COLORS, COLUMN_WIDTH, layout
from mien.nodes.figures.tokens import kept_frequency_figure, kept_frequency_plot, tokens_sheet
from mien.nodes.figures.training import training_curves_figure, training_curves_plot

__all__ = [
    "COLORS",
    "COLUMN_WIDTH",
    "LANDMARK_TILE",
    "MACRO_AVERAGE",
    "MapPanel",
    "MatrixPanel",
    "Timeline",
    "age_bands_figure",
    "age_bands_plot",
    "age_figure",
    "age_plot",
    "attributes_figure",
    "attributes_plot",
    "class_bars_figure",
    "class_bars_plot",
    "confusion_matrix_figure",
    "confusion_matrix_plot",
    "confusion_panels",
    "cues_figure",
    "cues_plot",
    "cumulative_error_figure",
    "cumulative_error_plot",
    "embedding_figure",
    "embedding_panels",
    "embedding_plot",
    "explained_variance_figure",
    "explained_variance_plot",
    "feature_maps_figure",
    "feature_maps_plot",
    "fusion_weight_figure",
    "fusion_weight_plot",
    "intervals_figure",
    "intervals_plot",
    "kept_frequency_figure",
    "kept_frequency_plot",
    "landmarks_sheet",
    "layout",
    "learning_curve_figure",
    "learning_curve_plot",
    "mistakes_grid",
    "mistakes_sheet",
    "precision_recall_figure",
    "precision_recall_plot",
    "reliability_figure",
    "reliability_plot",
    "roc_figure",
    "roc_plot",
    "timeline_figure",
    "timeline_plot",
    "tokens_sheet",
    "training_curves_figure",
    "training_curves_plot",
    "tsne_points",
]
