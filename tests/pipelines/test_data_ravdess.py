"""RAVDESS' own nodes, and its pipeline from drawn clips to frames, faces and sound."""

import itertools
import logging
from pathlib import Path

import numpy as np
import pytest
from tests.pipelines.temporary_project import open_catalog

from mien.data.drawn_folder import MARKER
from mien.data.ravdess_twin import draw_ravdess
from mien.io.schemas import ListedClips
from mien.pipelines.data_ravdess.nodes import provide_ravdess, read_listed_clips
from mien.pipelines.data_ravdess.params import RavdessReader, RavdessTwin

TWIN = {"num_actors": 3, "clips_per_actor": 8, "seed": 0, "image_size": 64, "fps": 1}
READER = RavdessReader(channels=("speech",), validation_fraction=0.3, test_fraction=0.3, seed=0)
TINY = {
    "ravdess": {
        "twin": {"draw": True, **TWIN},
        "reader": {"validation_fraction": 0.3, "test_fraction": 0.3},
        "alignment": {"method": "given", "workers": 1},
    }
}


@pytest.fixture
def named(tmp_path) -> Path:
    """A folder of RAVDESS' names, three actors complete, without content."""
    for emotion, intensity, statement, repetition, actor in itertools.product(
        range(1, 9), (1, 2), (1, 2), (1, 2), range(1, 4)
    ):
        if (emotion, intensity) != (1, 2):
            folder = tmp_path / "ravdess" / f"Actor_{actor:02d}"
            folder.mkdir(parents=True, exist_ok=True)
            name = f"03-01-{emotion:02d}-{intensity:02d}-{statement:02d}-{repetition:02d}-{actor:02d}.wav"
            (folder / name).touch()
    return tmp_path / "ravdess"


def test_drawing_passes_every_parameter_of_the_twin_on(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("mien.data.ravdess_twin.draw_ravdess", lambda folder, **sizes: drawn.append((folder, sizes)))
    provide_ravdess(RavdessTwin(draw=True, **TWIN))(tmp_path / "ravdess")
    assert drawn == [(tmp_path / "ravdess", TWIN)]


def test_the_users_own_folder_is_found_and_named_never_drawn_over(named, tmp_path, caplog):
    check = provide_ravdess(RavdessTwin(draw=False, **TWIN))
    with caplog.at_level(logging.INFO, "mien"):
        check(named)
    assert f"RAVDESS is read from {named}" in caplog.text
    with pytest.raises(ValueError, match="RAVDESS' folder is missing"):
        check(tmp_path / "absent")
    assert not (tmp_path / "absent").exists()


def test_a_real_folder_is_compared_with_the_published_counts_over_all_splits(named, caplog):
    with caplog.at_level(logging.WARNING, "mien"):
        listed = read_listed_clips(named, READER)
    ListedClips.validate(listed)
    assert not listed["drawn"].any()
    assert "RAVDESS: The all split has 180 samples, 1,260 fewer than the 1,440 published." in caplog.text
    assert set(listed["split"]) == {"train", "val", "test"}


def test_drawn_clips_are_marked_and_have_no_published_counts_to_keep(named, caplog):
    (named / MARKER).write_text("{}")
    with caplog.at_level(logging.INFO, "mien"):
        listed = read_listed_clips(named, READER)
    assert listed["drawn"].all()
    assert "fewer than" not in caplog.text


@pytest.mark.slow
def test_drawn_clips_become_frames_faces_and_sound_and_the_same_every_time(project, run_project):
    results = []
    for _ in range(2):
        run_project("data_ravdess", params=TINY)
        catalog = open_catalog(project, params=TINY)
        results.append({name: catalog.load(f"ravdess_{name}") for name in ("clips", "samples", "faces_48", "audio")})
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


def test_the_twins_parameters_are_those_of_the_function_that_draws():
    import inspect

    drawn = set(inspect.signature(draw_ravdess).parameters) - {"root"}
    assert set(RavdessTwin.model_fields) - {"draw"} == drawn
