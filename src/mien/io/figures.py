"""Figures of the catalog: interactive ones for kedro-viz and MLflow, printed ones for papers."""

import shutil
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset
from kedro_datasets.matplotlib import MatplotlibDataset
from kedro_datasets.plotly import JSONDataset

from mien.io.write_then_move import WriteThenMove, partial_path

_JSON = ".plotly.json"


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


class FigureFolder(AbstractDataset[dict[str, Any], dict[str, Any]]):
    """Figures by name in one folder, as many as a run has: Plotly's as JSON, or printed ones as PNG and SVG.

    Args:
        filepath: The folder.
        printed: Whether they are matplotlib's.
        dpi: Of the PNG.
    """

    def __init__(
        self, *, filepath: str, printed: bool = False, dpi: int = 300, metadata: dict[str, Any] | None = None
    ) -> None:
        self._filepath, self._printed, self._dpi = Path(filepath), printed, dpi
        self.metadata = metadata

    def load(self) -> dict[str, Any]:
        """Interactive figures by name; of printed ones their files."""
        files = self.files()
        return (
            files if self._printed else {name: PlotlyFigure(filepath=str(file)).load() for name, file in files.items()}
        )

    def save(self, data: dict[str, Any]) -> None:
        """Write them all under another folder's name, then put it in the place of the one before."""
        part = partial_path(self._filepath)
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        for name, figure in data.items():
            self._entry(part, name).save(figure)
        shutil.rmtree(self._filepath, ignore_errors=True)
        part.replace(self._filepath)

    def files(self) -> dict[str, Path]:
        """The PNG or JSON file of each figure."""
        suffix = ".png" if self._printed else _JSON
        return {file.name.removesuffix(suffix): file for file in sorted(self._filepath.glob(f"*{suffix}"))}

    def _entry(self, folder: Path, name: str) -> Any:
        if self._printed:
            return PaperFigure(filepath=str(folder / f"{name}.png"), save_args={"format": "png", "dpi": self._dpi})
        return PlotlyFigure(filepath=str(folder / f"{name}{_JSON}"))

    def _exists(self) -> bool:
        return self._filepath.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "printed": self._printed}
