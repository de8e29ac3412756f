"""Every dataset class of the catalog: a save that fails leaves the old file or none, never a part of the new one."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kedro.io import DatasetError

from mien.io.figures import PaperFigure, PlotlyFigure
from mien.io.network_file import NetworkFile
from mien.io.packed_faces import FaceStream, PackedFaces
from mien.io.tables import CsvTable, JsonDocument, ParquetTable
from mien.models.network import Network
from mien.outputs import part_path

LIMIT = 300
"""Bytes after which the disk is full; every example below is longer."""


def table(seed: int) -> pd.DataFrame:
    return pd.DataFrame({"value": np.random.default_rng(seed).normal(size=500)})


def faces(seed: int) -> FaceStream:
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 16, 16, 3), dtype=np.uint8)
    return FaceStream(pixels.shape, lambda start: (pixels[k : k + 2] for k in range(start, 6, 2)), str(seed))


def network(seed: int) -> Network:
    from tests.pipelines.tiny_systems import TINY_SAE

    from mien.engine.seed import seed_everything
    from mien.models import create_model

    seed_everything(seed)
    return Network("sae", {**TINY_SAE, "num_classes": 2}, ("no", "yes"), create_model("sae", **TINY_SAE, num_classes=2))


def plotly_figure(seed: int) -> Any:
    import plotly.graph_objects as go

    return go.Figure(go.Scatter(y=table(seed)["value"].tolist()))


def paper_figure(seed: int) -> Any:
    from matplotlib.figure import Figure

    figure = Figure()
    figure.subplots().plot(table(seed)["value"])
    return figure


EXAMPLES = {
    ParquetTable: ("table.parquet", table),
    CsvTable: ("table.csv", table),
    JsonDocument: ("document.json", lambda seed: table(seed)["value"].tolist()),
    PlotlyFigure: ("figure.plotly.json", plotly_figure),
    PaperFigure: ("figure.png", paper_figure),
    PackedFaces: ("faces.npy", faces),
    NetworkFile: ("network.safetensors", network),
}
each_class = pytest.mark.parametrize("dataset", EXAMPLES, ids=lambda dataset: dataset.__name__)


@contextmanager
def full_disk() -> Iterator[None]:
    """Every file stops growing at LIMIT bytes, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


ALSO = {PaperFigure: ["figure.svg"]}
"""What an entry writes beside the file that it is named by."""


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


@each_class
def test_a_save_that_fails_half_way_leaves_no_file_under_the_final_name(tmp_path, dataset):
    name, example = EXAMPLES[dataset]
    entry, data = dataset(filepath=str(tmp_path / name)), example(0)
    with full_disk(), pytest.raises(DatasetError):
        entry.save(data)
    assert visible(tmp_path) == []
    assert not entry.exists()


@each_class
def test_a_save_that_fails_half_way_leaves_the_old_file_and_the_next_save_replaces_it(tmp_path, dataset):
    name, example = EXAMPLES[dataset]
    path = tmp_path / name
    dataset(filepath=str(path)).save(example(0))
    old = path.read_bytes()
    assert len(old) > LIMIT
    newer = example(1)
    with full_disk(), pytest.raises(DatasetError):
        dataset(filepath=str(path)).save(newer)
    assert path.read_bytes() == old
    dataset(filepath=str(path)).save(example(1))
    assert path.read_bytes() != old
    assert visible(tmp_path) == [name, *ALSO.get(dataset, [])]
    assert sorted(each.name for each in tmp_path.iterdir()) == visible(tmp_path), "nothing under a temporary name"


def test_a_table_can_be_read_while_its_successor_is_written(tmp_path):
    path = tmp_path / "table.parquet"
    ParquetTable(filepath=str(path)).save(table(0))
    part_path(path).write_bytes(b"half of the next one")
    pd.testing.assert_frame_equal(ParquetTable(filepath=str(path)).load(), table(0))


@pytest.mark.parametrize(("dataset", "name"), [(ParquetTable, "t.parquet"), (CsvTable, "t.csv")])
def test_tables_come_back_as_they_were_saved(tmp_path, dataset, name):
    options = {"save_args": {"index": False}} if dataset is CsvTable else {}
    entry = dataset(filepath=str(tmp_path / "new" / "folders" / name), **options)
    entry.save(table(3))
    pd.testing.assert_frame_equal(entry.load(), table(3))


def test_documents_keep_numbers_and_missing_values(tmp_path):
    entry = JsonDocument(filepath=str(tmp_path / "metrics.json"))
    entry.save({"test/accuracy": 0.1 + 0.2, "test/auroc/fear": None})
    assert entry.load() == {"test/accuracy": 0.1 + 0.2, "test/auroc/fear": None}


def test_figures_are_written_in_the_format_of_their_name(tmp_path):
    PaperFigure(filepath=str(tmp_path / "p.png"), save_args={"format": "png", "dpi": 300}).save(paper_figure(0))
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    entry = PlotlyFigure(filepath=str(tmp_path / "f.plotly.json"))
    entry.save(plotly_figure(0))
    assert entry.load().data[0].y[:3] == tuple(table(0)["value"][:3])
