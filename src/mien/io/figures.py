"""Figures of the catalog: interactive ones for kedro-viz and MLflow, printed ones for papers."""

from kedro_datasets.matplotlib import MatplotlibDataset
from kedro_datasets.plotly import JSONDataset

from mien.io.write_then_move import WriteThenMove


class PlotlyFigure(WriteThenMove, JSONDataset):
    """An interactive figure that kedro-viz shows."""


class PaperFigure(WriteThenMove, MatplotlibDataset):
    """A figure at a paper's column width, as PNG."""
