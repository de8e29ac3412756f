"""Tables and documents of the catalog."""

from typing import Any, ClassVar

from kedro_datasets.json import JSONDataset
from kedro_datasets.pandas import CSVDataset, ParquetDataset
from kedro_datasets.text import TextDataset

from mien.io.write_then_move import WriteThenMove

CHECKED = {"page_checksum_verification": True}
"""How a Parquet file is read: a changed bit is an error, not another number."""


class ParquetTable(WriteThenMove, ParquetDataset):
    """A pandas table in one Parquet file, with a checksum for every page."""

    KIND = "a Parquet table"
    DEFAULT_LOAD_ARGS: ClassVar[dict[str, Any]] = CHECKED
    DEFAULT_SAVE_ARGS: ClassVar[dict[str, Any]] = {"write_page_checksum": True}


class JsonDocument(WriteThenMove, JSONDataset):
    """A dictionary in one JSON file, readable by ``dvc metrics``."""

    KIND = "a JSON document"


class CsvTable(WriteThenMove, CSVDataset):
    """A pandas table in one CSV file, readable by ``dvc plots``."""

    KIND = "a CSV table"


class TextDocument(WriteThenMove, TextDataset):
    """A text in one file: Markdown, HTML, LaTeX."""

    KIND = "a text"
