"""SPOS' own nodes: what is drawn, what is read, and that every person is left out once."""

import logging
from pathlib import Path

import numpy as np
import pytest
from tests.data import small_datasets
from tests.pipelines.temporary_project import open_catalog

from mien.data.synthetic.folder import MARKER
from mien.io.schemas import ListedPairs
from mien.pipelines.data_spos.nodes import provide_spos, read_listed
from mien.pipelines.data_spos.params import SposReader, SyntheticSpos

SYNTHETIC = {"share": 0.1, "seed": 0, "image_size": 96, "num_frames": 3}
READER = SposReader(max_passed_over=0.01, num_frames=2)


@pytest.fixture
def listed_pairs(tmp_path) -> Path:
    """Two people, a posed and a spontaneous pair of each in the manifest."""
    small_datasets.spos(tmp_path / "spos")
    return tmp_path / "spos"


def test_drawing_passes_every_parameter_of_the_twin_on(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        "mien.data.synthetic.spos.synthesize_spos", lambda folder, **sizes: drawn.append((folder, sizes))
    )
    provide_spos(SyntheticSpos(generate=True, **SYNTHETIC))(tmp_path / "spos")
    assert drawn == [(tmp_path / "spos", SYNTHETIC)]


def test_the_users_own_folder_is_found_and_named_never_written_over(listed_pairs, tmp_path, caplog):
    check = provide_spos(SyntheticSpos(generate=False, **SYNTHETIC))
    with caplog.at_level(logging.INFO, "mien"):
        check(listed_pairs)
    assert f"SPOS is read from {listed_pairs}" in caplog.text
    with pytest.raises(ValueError, match="SPOS is not there"):
        check(tmp_path / "absent")
    assert not (tmp_path / "absent").exists()


def test_every_subject_is_left_out_once(listed_pairs):
    listed, _ = read_listed(listed_pairs, READER)
    ListedPairs.validate(listed)
    assert listed.groupby("subject")["fold"].unique().map(list).tolist() == [[0], [1]]
    assert listed["split"].eq("folds").all()


def test_a_real_folder_is_compared_with_the_published_counts_and_totals(listed_pairs, caplog):
    with caplog.at_level(logging.WARNING, "mien"):
        assert not read_listed(listed_pairs, READER)[0]["synthetic"].any()
    assert "SPOS: There are 4 pairs, 230 fewer than the 234 published." in caplog.text
    assert "SPOS: There are 2 subjects, 5 fewer than the 7 published." in caplog.text
    assert "posed" in caplog.text


def test_synthetic_pairs_are_marked_and_have_no_published_counts_to_keep(listed_pairs, caplog):
    (listed_pairs / MARKER).write_text("{}")
    with caplog.at_level(logging.INFO, "mien"):
        assert read_listed(listed_pairs, READER)[0]["synthetic"].all()
    assert "fewer than" not in caplog.text


@pytest.mark.slow
def test_onset_and_apex_of_seven_people_are_found_upright_and_packed_together(project, run_project):
    params = {"spos": {"synthetic": {"share": 0.1}}}
    run_project("data_spos", params=params)
    catalog = open_catalog(project, params=params)
    samples, faces = catalog.load("spos_samples"), np.array(catalog.load("spos_faces_48"))
    assert faces.shape == (23, 2, 48, 48, 1)
    assert samples["fold"].nunique() == 7
    assert samples["reason"].isin(["aligned", "several_faces"]).mean() > 0.9
    assert samples["roll_degrees"].abs().max() < 30
    # Two frames of one face are more alike than faces of two people.
    onset, apex = faces[:, 0].reshape(23, -1), faces[:, 1].reshape(23, -1)
    alike = np.corrcoef(onset, apex)[:23, 23:]
    assert (alike.diagonal() > np.median(alike, axis=1)).mean() > 0.9
