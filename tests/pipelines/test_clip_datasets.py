"""RAVDESS and CREMA-D, the datasets of clips: their nodes.

And their pipelines from synthetic clips to faces and sound.
"""

import inspect
import itertools
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.pipelines.temporary_project import open_catalog

from mien.data.crema_d import CODES, SENTENCES
from mien.data.synthetic.crema_d import synthesize_crema_d
from mien.data.synthetic.folder import MARKER
from mien.data.synthetic.ravdess import synthesize_ravdess
from mien.io.schemas import ListedClips
from mien.pipelines import data_crema_d, data_ravdess
from mien.pipelines.data_crema_d.params import CremaDReader, SyntheticCremaD
from mien.pipelines.data_ravdess.params import RavdessReader, SyntheticRavdess

SIZES = {"num_actors": 3, "clips_per_actor": 8, "seed": 0, "image_size": 64, "fps": 1}
PARTS = {"validation_fraction": 0.3, "test_fraction": 0.3}


def crema_d_names() -> list[str]:
    """Three actors in every sentence and emotion."""
    every = itertools.product(range(1001, 1004), SENTENCES, CODES)
    return [f"AudioWAV/{actor}_{sentence}_{emotion}_XX.wav" for actor, sentence, emotion in every]


def ravdess_names() -> list[str]:
    """Three actors' speech, complete; neutral has no strong intensity."""
    every = itertools.product(range(1, 9), (1, 2), (1, 2), (1, 2), range(1, 4))
    return [
        f"Actor_{actor:02d}/03-01-{emotion:02d}-{intensity:02d}-{statement:02d}-{repetition:02d}-{actor:02d}.wav"
        for emotion, intensity, statement, repetition, actor in every
        if (emotion, intensity) != (1, 2)
    ]


@dataclass(frozen=True)
class ClipDataset:
    key: str
    name: str
    missing: str
    counted: str
    draw: Callable[..., None]
    provide: Callable[[Any], Callable[[Path], Any]]
    read: Callable[[Path, Any], Any]
    synthetic: type
    reader: Any
    names: Callable[[], list[str]]

    @property
    def tiny(self) -> dict[str, Any]:
        alignment = {"method": "given", "workers": 1}
        return {self.key: {"synthetic": {"generate": True, **SIZES}, "reader": PARTS, "alignment": alignment}}


CREMA_D = ClipDataset(
    key="crema_d",
    name="CREMA-D",
    missing="CREMA-D's folder is missing",
    counted="CREMA-D: The all split has 216 samples, 7,226 fewer than the 7,442 published.",
    draw=synthesize_crema_d,
    provide=data_crema_d.nodes.provide_crema_d,
    read=data_crema_d.nodes.read_listed_clips,
    synthetic=SyntheticCremaD,
    reader=CremaDReader(max_passed_over=0.01, **PARTS, seed=0),
    names=crema_d_names,
)
RAVDESS = ClipDataset(
    key="ravdess",
    name="RAVDESS",
    missing="RAVDESS' folder is missing",
    counted="RAVDESS: The all split has 180 samples, 1,260 fewer than the 1,440 published.",
    draw=synthesize_ravdess,
    provide=data_ravdess.nodes.provide_ravdess,
    read=data_ravdess.nodes.read_listed_clips,
    synthetic=SyntheticRavdess,
    reader=RavdessReader(max_passed_over=0.01, channels=("speech",), **PARTS, seed=0),
    names=ravdess_names,
)


@pytest.fixture(params=[CREMA_D, RAVDESS], ids=lambda dataset: dataset.key)
def dataset(request) -> ClipDataset:
    return request.param


@pytest.fixture
def named(dataset, tmp_path) -> Path:
    """A folder of the dataset's file names, without content."""
    for name in dataset.names():
        path = tmp_path / dataset.key / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / dataset.key


def test_drawing_passes_every_parameter_of_the_synthetic_dataset_on(dataset, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        f"{dataset.draw.__module__}.{dataset.draw.__name__}", lambda folder, **sizes: drawn.append((folder, sizes))
    )
    dataset.provide(dataset.synthetic(generate=True, **SIZES))(tmp_path)
    assert drawn == [(tmp_path, SIZES)]


def test_the_users_own_folder_is_found_and_named_never_written_over(dataset, named, tmp_path, caplog):
    check = dataset.provide(dataset.synthetic(generate=False, **SIZES))
    with caplog.at_level(logging.INFO, "mien"):
        check(named)
    assert f"{dataset.name} is read from {named}" in caplog.text
    with pytest.raises(ValueError, match=dataset.missing):
        check(tmp_path / "absent")
    assert not (tmp_path / "absent").exists()


def test_a_real_folder_is_compared_with_the_published_counts_over_all_splits(dataset, named, caplog):
    with caplog.at_level(logging.WARNING, "mien"):
        listed, _ = dataset.read(named, dataset.reader)
    ListedClips.validate(listed)
    assert not listed["synthetic"].any()
    assert dataset.counted in caplog.text
    assert set(listed["split"]) == {"train", "val", "test"}


def test_synthetic_clips_are_marked_and_have_no_published_counts_to_keep(dataset, named, caplog):
    (named / MARKER).write_text("{}")
    with caplog.at_level(logging.INFO, "mien"):
        listed, _ = dataset.read(named, dataset.reader)
    assert listed["synthetic"].all()
    assert "fewer than" not in caplog.text


def test_the_synthetic_datasets_parameters_are_those_of_the_function_that_draws(dataset):
    assert set(dataset.synthetic.model_fields) - {"generate"} == {*inspect.signature(dataset.draw).parameters} - {
        "root"
    }


@pytest.mark.slow
def test_synthetic_clips_become_frames_faces_and_sound_and_the_same_every_time(dataset, project, run_project):
    results = []
    for _ in range(2):
        run_project(f"data_{dataset.key}", params=dataset.tiny)
        catalog = open_catalog(project, params=dataset.tiny)
        loaded = ("clips", "samples", "faces_48", "audio")
        results.append({name: catalog.load(f"{dataset.key}_{name}") for name in loaded})
    one, again = results
    assert len(one["clips"]) == 24
    assert one["clips"]["audio_reason"].eq("read").all()
    assert one["samples"]["clip"].isin(one["clips"]["sample_id"]).all()
    assert one["faces_48"].shape == (len(one["samples"]), 48, 48, 3)
    lengths = one["clips"]["audio_samples"].to_numpy()
    assert one["audio"].samples.shape == (lengths.sum(),)
    assert one["samples"].equals(again["samples"])
    assert one["clips"].equals(again["clips"])
    np.testing.assert_array_equal(one["faces_48"], again["faces_48"])
    np.testing.assert_array_equal(one["audio"].samples, again["audio"].samples)
