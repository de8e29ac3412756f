"""Figures of the catalog: interactive ones for kedro-viz and MLflow, printed ones for papers."""

from pathlib import Path
from typing import Any

from kedro_datasets.matplotlib import MatplotlibDataset
from kedro_datasets.plotly import JSONDataset

from mien.io.write_then_move import WriteThenMove, partial_path


class PlotlyFigure(WriteThenMove, JSONDataset):
    """An interactive figure that kedro-viz shows."""


class PaperFigure(WriteThenMove, MatplotlibDataset):
    """A figure at a paper's column width, as PNG for the screen and, beside it, as SVG for print."""

    @property
    def vector(self) -> Path:
        """Where the SVG lies."""
        return Path(self._filepath).with_suffix(".svg")

    def save(self, data: Any) -> None:
        """Save both; the SVG has no date and no random ids, so that equal figures are equal files."""
        import matplotlib

        super().save(data)
        vector = self.vector
        with matplotlib.rc_context({"svg.hashsalt": vector.stem}):
            data.savefig(partial_path(vector), format="svg", metadata={"Date": None})
        partial_path(vector).replace(vector)
