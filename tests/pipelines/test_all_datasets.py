"""What every dataset must do, in a tiny run through Kedro from its synthetic folder to packed faces and a data report.

A new dataset joins with one row in ``TINY_DATA`` of ``tests/pipelines/tiny_systems.py``.
"""

import functools
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.pipelines.temporary_project import copy_project, open_catalog, run_session
from tests.pipelines.tiny_systems import TINY_DATA
from tests.project.project_config import data_entries

from mien.data.synthetic.folder import MARKER
from mien.io.figures import PaperFigure
from mien.io.raw_folder import CheckpointFolder, RawFolder
from mien.io.sheets import SheetImage
from mien.nodes.alignment import image_columns
from mien.pipeline_registry import is_dataset, register_pipelines

PIPELINES = register_pipelines()
DATASETS = sorted(name.removeprefix("data_") for name in PIPELINES if is_dataset(name))


class TinyDataset:
    """A project in which one dataset has been drawn and prepared once."""

    def __init__(self, dataset: str, project: Path) -> None:
        self.dataset, self.project = dataset, project
        self.pipeline = PIPELINES[f"data_{dataset}"]

    def run(self, params: dict[str, Any] | None = None, **options) -> None:
        params = {self.dataset: {**TINY_DATA[self.dataset], **(params or {})}}
        run_session(self.project, f"data_{self.dataset}", params=params, **options)

    @functools.cached_property
    def catalog(self):
        return open_catalog(self.project, params={self.dataset: TINY_DATA[self.dataset]})

    @property
    def samples(self) -> pd.DataFrame:
        return self.catalog.load(f"{self.dataset}_samples")

    @property
    def faces_entry(self) -> str:
        return sorted(entry for entry in data_entries(self.pipeline) if "_faces_" in entry)[-1]

    @property
    def listed_entry(self) -> str:
        return max(entry for entry in data_entries(self.pipeline) if entry.startswith(f"{self.dataset}.listed"))

    def files(self) -> dict[str, bytes]:
        """Every finished file of the dataset but the figures, which hold the library's own random ids."""
        entries = {entry: self.catalog.get(entry) for entry in data_entries(self.pipeline)}
        kept = {
            entry: Path(each._filepath)
            for entry, each in entries.items()
            if not isinstance(each, RawFolder | CheckpointFolder | PaperFigure) and "figure" not in entry
        }
        return {entry: path.read_bytes() for entry, path in kept.items()}


ALIKE = {"sfew": "raf_db", "spos": "nvie", "crema_d": "ravdess"}
"""Datasets whose line is another's: that other one is run with every `pytest`, these with the slow tests."""


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=[pytest.mark.slow] if name in ALIKE else []) for name in DATASETS],
)
def tiny(request, tmp_path_factory, mlflow_store, prepared_sources):
    before = Path.cwd()
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.delenv("KEDRO_ENV", raising=False)
        project = copy_project(tmp_path_factory.mktemp(request.param) / "project", mlflow_store)
        prepared_sources.copy_to(project, [f"data_{request.param}"])
        os.chdir(project)
        try:
            yield TinyDataset(request.param, project)
        finally:
            os.chdir(before)


def test_every_entry_is_written_and_can_be_read_back_as_its_schema_says(tiny):
    entries = data_entries(tiny.pipeline)
    assert {f"{tiny.dataset}_samples", f"{tiny.dataset}.summary", f"{tiny.dataset}.aligned_sheet"} <= entries
    for entry in entries:
        assert tiny.catalog.exists(entry), entry
        if not isinstance(tiny.catalog.get(entry), PaperFigure | SheetImage):  # pictures are written for people alone
            tiny.catalog.load(entry)


def test_the_samples_say_that_they_are_synthetic_and_every_face_is_in_its_row(tiny):
    samples = tiny.samples
    assert samples["synthetic"].all()
    assert (tiny.project / "data/demo/01_raw" / tiny.dataset / MARKER).is_file()
    rows = np.sort(samples.loc[samples["face_index"] >= 0, "face_index"])
    for entry in (entry for entry in data_entries(tiny.pipeline) if "_faces_" in entry):
        faces = tiny.catalog.load(entry)
        np.testing.assert_array_equal(rows, np.arange(len(faces)))
        assert faces.dtype == np.uint8
        pair = (2,) if len(image_columns(samples)) == 2 else ()
        assert faces.shape[1:-3] == pair
        assert all(face.std() > 5 for face in faces), "an empty face"


def test_no_subject_is_trained_on_and_tested_on(tiny):
    samples = tiny.samples.dropna(subset=["subject"])
    part = samples["fold"] if "fold" in samples else samples["split"]
    assert (part.groupby(samples["subject"]).nunique() <= 1).all()


def test_the_summary_counts_what_the_samples_hold(tiny):
    summary, samples = tiny.catalog.load(f"{tiny.dataset}.summary"), tiny.samples
    assert summary["synthetic_share"] == 1
    assert json.loads(json.dumps(summary)) == summary
    counts = tiny.catalog.load(f"{tiny.dataset}.counts")
    assert set(counts.columns) == {"split", "class", "found", "published", "difference"}
    assert counts["found"].sum() > 0
    assert any(value == len(samples) for value in summary.values())


def test_pictures_can_be_previewed(tiny):
    for entry in (tiny.faces_entry, f"{tiny.dataset}.aligned_sheet", f"{tiny.dataset}.rejected_sheet"):
        assert tiny.catalog.get(entry).preview().startswith("iVBOR")  # a PNG in base64


def test_nothing_half_written_and_nothing_to_resume_is_left(tiny):
    written = {path.name for path in tiny.project.iterdir()}
    assert written <= {"conf", "src", "pyproject.toml", "data", "mlflow.db", "mlartifacts", ".viz", "sessions"}
    assert not [path for path in (tiny.project / "data").rglob(".*") if path.is_file()]
    assert not list((tiny.project / "data").rglob("located-*"))


def test_the_same_run_again_gives_the_same_bytes(tiny):
    before = tiny.files()
    tiny.run()
    after = tiny.files()
    assert {entry for entry in before if before[entry] != after[entry]} == set()


def test_the_synthetic_folder_is_read_as_the_users_own_where_nothing_is_drawn(tiny, caplog):
    """Without the marker the folder is one in the published layout like any other."""
    caplog.set_level("INFO", "mien")
    marker = tiny.project / "data/demo/01_raw" / tiny.dataset / MARKER
    content = marker.read_bytes()
    marker.unlink()
    try:
        tiny.run({"synthetic": {"generate": False}}, to_outputs=[tiny.listed_entry])
        assert not tiny.catalog.load(tiny.listed_entry)["synthetic"].any()
        assert "is read from" in caplog.text
    finally:
        marker.write_bytes(content)


@pytest.mark.parametrize("dataset", DATASETS)
def test_a_missing_folder_is_reported_with_where_to_get_the_data_and_that_the_demo_needs_none(
    dataset, project, run_project
):
    with pytest.raises(Exception, match=dataset) as error:
        run_project(f"data_{dataset}", env="paper")
    message = str(error.value)
    assert "demo" in message
    assert f"data/01_raw/{dataset}" in message
    assert not (project / "data/01_raw").exists()
