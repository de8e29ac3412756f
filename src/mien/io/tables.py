"""Tables and documents of the catalog."""

from kedro_datasets.json import JSONDataset
from kedro_datasets.pandas import CSVDataset, ParquetDataset
from kedro_datasets.text import TextDataset

from mien.io.write_then_move import WriteThenMove


class ParquetTable(WriteThenMove, ParquetDataset):
    """A pandas table in one Parquet file."""


class JsonDocument(WriteThenMove, JSONDataset):
    """A dictionary in one JSON file, readable by ``dvc metrics``."""


class CsvTable(WriteThenMove, CSVDataset):
    """A pandas table in one CSV file, readable by ``dvc plots``."""


class TextDocument(WriteThenMove, TextDataset):
    """A text in one file: Markdown, HTML, LaTeX."""
