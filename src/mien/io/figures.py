"""Figures of the catalog: interactive ones for kedro-viz and MLflow, printed ones for papers."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError
from kedro_datasets.matplotlib import MatplotlibDataset
from kedro_datasets.plotly import JSONDataset

from mien.io.sheets import pictures_base64
from mien.io.write_then_move import WriteThenMove
from mien.outputs import FileError, in_words, replacing

_JSON = ".plotly.json"


class PlotlyFigure(WriteThenMove, JSONDataset):
    """An interactive figure that kedro-viz shows."""

    KIND = "a figure of Plotly's"


class PaperFigure(WriteThenMove, MatplotlibDataset):
    """A figure at a paper's column width, as PNG for the screen and, beside it, as SVG for print."""

    @property
    def vector(self) -> Path:
        """Where the SVG lies."""
        return Path(self._filepath).with_suffix(".svg")

    def load(self) -> Any:
        """Refuse, in Kedro's words: a printed figure is not read again."""
        return MatplotlibDataset.load(self)

    def save(self, data: Any) -> None:
        """Save both; the SVG has no date and no random ids, so that equal figures are equal files."""
        import matplotlib

        vector = self.vector
        with replacing(vector) as part:
            super().save(data)
            with matplotlib.rc_context({"svg.hashsalt": vector.stem}), in_words(vector):
                data.savefig(part, format="svg", metadata={"Date": None})


class FigureFolder(AbstractDataset[dict[str, Any], dict[str, Any]]):
    """Figures by name in one folder, as many as a run has: matplotlib's as PNG and SVG, Plotly's as JSON.

    Args:
        filepath: The folder.
        dpi: Of the PNG.
    """

    def __init__(self, *, filepath: str, dpi: int = 300, metadata: dict[str, Any] | None = None) -> None:
        self._filepath, self._dpi = Path(filepath), dpi
        self.metadata = metadata

    def load(self) -> dict[str, Any]:
        """Plotly's figures by name; of matplotlib's, which are not read again, the PNG."""
        return {
            name: PlotlyFigure(filepath=str(file)).load() if file.name.endswith(_JSON) else file
            for name, file in self.files().items()
        }

    def save(self, data: dict[str, Any]) -> None:
        """Write them all under another folder's name, then put it in the place of the one before."""
        with replacing(self._filepath) as part:
            with in_words(self._filepath):
                part.mkdir()
            for name, figure in data.items():
                self._save_entry(part, name, figure)

    def files(self) -> dict[str, Path]:
        """The PNG or JSON file of each figure."""
        files = (file for file in sorted(self._filepath.glob("*")) if file.name.endswith((".png", _JSON)))
        return {file.name.removesuffix(_JSON).removesuffix(".png"): file for file in files}

    def preview(self) -> str:
        """The matplotlib figures side by side, base64, for kedro-viz."""
        from kedro_datasets._typing import ImagePreview

        return ImagePreview(pictures_base64([file for file in self.files().values() if file.suffix == ".png"]))

    def _save_entry(self, part: Path, name: str, figure: Any) -> None:
        """Save one figure; a fault of the disk is reported with the folder's own name, not the temporary one."""
        try:
            self._entry(part, name, figure).save(figure)
        except DatasetError as error:
            reported = error.__cause__
            if isinstance(reported, FileError):
                raise FileError(str(reported).replace(str(part), str(self._filepath))) from reported.__cause__
            raise

    def _entry(self, folder: Path, name: str, figure: Any) -> Any:
        if hasattr(figure, "savefig"):  # matplotlib's, known without importing it
            return PaperFigure(filepath=str(folder / f"{name}.png"), save_args={"format": "png", "dpi": self._dpi})
        return PlotlyFigure(filepath=str(folder / f"{name}{_JSON}"))

    def _exists(self) -> bool:
        return self._filepath.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
