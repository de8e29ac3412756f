"""Figures of the catalog: interactive ones for kedro-viz and MLflow, printed ones for papers."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError
from kedro_datasets.matplotlib import MatplotlibDataset
from kedro_datasets.plotly import JSONDataset

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
        with replacing(self._filepath) as part:
            with in_words(self._filepath):
                part.mkdir()
            for name, figure in data.items():
                self._save_entry(part, name, figure)

    def files(self) -> dict[str, Path]:
        """The PNG or JSON file of each figure."""
        suffix = ".png" if self._printed else _JSON
        return {file.name.removesuffix(suffix): file for file in sorted(self._filepath.glob(f"*{suffix}"))}

    def _save_entry(self, part: Path, name: str, figure: Any) -> None:
        """Save one figure; a fault of the disk is reported with the folder's own name, not the temporary one."""
        try:
            self._entry(part, name).save(figure)
        except DatasetError as error:
            reported = error.__cause__
            if isinstance(reported, FileError):
                raise FileError(str(reported).replace(str(part), str(self._filepath))) from reported.__cause__
            raise

    def _entry(self, folder: Path, name: str) -> Any:
        if self._printed:
            return PaperFigure(filepath=str(folder / f"{name}.png"), save_args={"format": "png", "dpi": self._dpi})
        return PlotlyFigure(filepath=str(folder / f"{name}{_JSON}"))

    def _exists(self) -> bool:
        return self._filepath.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "printed": self._printed}
