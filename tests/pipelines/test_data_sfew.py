"""SFEW's own nodes, and its pipeline with faces that are really detected in drawn frames."""

import logging
from pathlib import Path

import numpy as np
import pytest
from tests.pipelines.temporary_project import open_catalog

from mien.data.synthetic.folder import MARKER
from mien.data.synthetic.sfew import synthesize_sfew
from mien.io.schemas import Listed
from mien.pipelines.data_sfew.nodes import provide_sfew, read_listed
from mien.pipelines.data_sfew.params import SfewReader, SyntheticSfew

SIZES = {"num_train": 42, "num_val": 14, "num_unlabelled": 3, "seed": 1, "image_size": (96, 120)}
READER = SfewReader(max_passed_over=0.01, source="original", hold_out="movies", validation_fraction=0.3, seed=0)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("synthetic") / "sfew"
    provide_sfew(SyntheticSfew(generate=True, **SIZES))(folder)
    return folder


def test_drawing_is_what_the_twin_asks_for_and_is_not_done_twice(drawn):
    before = (drawn / MARKER).stat().st_mtime_ns
    synthesize_sfew(drawn, **SIZES)
    assert (drawn / MARKER).stat().st_mtime_ns == before


def test_the_users_own_folder_is_found_and_named_never_written_over(drawn, tmp_path, caplog):
    check = provide_sfew(SyntheticSfew(generate=False, **SIZES))
    with caplog.at_level(logging.INFO, "mien"):
        check(drawn)
    assert f"SFEW is read from {drawn}" in caplog.text
    with pytest.raises(ValueError, match="SFEW's folder is missing"):
        check(tmp_path / "sfew")
    assert not (tmp_path / "sfew").exists()


def test_val_is_tested_on_and_whole_movies_of_train_are_validated_on(drawn):
    listed, _ = read_listed(drawn, READER)
    Listed.validate(listed)
    assert listed["synthetic"].all()
    assert listed["split"].value_counts().loc[["test", "unlabelled"]].tolist() == [14, 3]
    assert set(listed.loc[listed["split"].isin(["train", "val"]), "official_split"]) == {"Train"}
    by_movie = listed.groupby("movie")["split"].nunique()
    assert (by_movie == 1).all()
    assert 6 <= (listed["split"] == "val").sum() <= 21


def test_single_images_are_held_out_where_that_is_requested(drawn):
    listed, _ = read_listed(drawn, READER.model_copy(update={"hold_out": "images"}))
    assert set(listed.loc[listed["split"] == "val", "label"]) == set(range(7))
    assert listed.loc[listed["split"] == "unlabelled", "label"].eq(-1).all()
    assert (listed.groupby("movie")["split"].nunique() > 1).any()


def test_a_real_folder_is_compared_with_the_published_counts(drawn, tmp_path, caplog):
    for split in ("Train", "Val", "Test"):
        (tmp_path / split).symlink_to(drawn / split)  # the same folder without the marker
    listed, _ = read_listed(tmp_path, READER.model_copy(update={"source": "aligned"}))
    assert not listed["synthetic"].any()
    assert "SFEW: The train split has 42 samples, 916 fewer than the 958 published." in caplog.text


@pytest.mark.slow
def test_synthetic_faces_are_detected_in_the_frames_of_the_demo(project, run_project):
    params = {"sfew": {"synthetic": {"num_train": 42, "num_val": 21, "num_unlabelled": 7}}}
    run_project("data_sfew", params=params)
    catalog = open_catalog(project, params=params)
    samples = catalog.load("sfew_samples")
    assert samples["reason"].isin(["aligned", "several_faces"]).mean() > 0.9
    assert samples["split"].value_counts()["unlabelled"] == 7
    assert np.array(catalog.load("sfew_faces_112")).shape == (70, 112, 112, 3)
    assert np.array(catalog.load("sfew_faces_48")).shape == (70, 48, 48, 3)


def test_the_account_of_files_has_the_splits_that_training_sees(drawn):
    listed, files = read_listed(drawn, READER)
    used = files[(files["status"] == "used") & (files["split"] != "")].groupby("split")["count"].sum()
    assert used.to_dict() == listed["split"].value_counts().to_dict()
    assert used["val"] > 0
