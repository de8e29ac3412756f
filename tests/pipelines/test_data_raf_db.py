"""RAF-DB's own nodes, and its pipeline with faces that are really detected."""

import logging
from pathlib import Path

import numpy as np
import pytest
from tests.pipelines.temporary_project import open_catalog
from tests.pipelines.tiny_systems import TINY_DATA

from mien.data.synthetic.folder import MARKER
from mien.data.synthetic.raf_db import synthesize_raf_db
from mien.io.schemas import Listed
from mien.pipelines.data_raf_db.nodes import provide_raf_db, read_listed
from mien.pipelines.data_raf_db.params import RafDbReader, SyntheticRafDb

SIZES = {"num_train": 28, "num_test": 14, "seed": 1, "image_size": 64}
READER = RafDbReader(max_passed_over=0.01, source="aligned", layout="auto", validation_fraction=0.25, seed=0)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("synthetic") / "raf_db"
    provide_raf_db(SyntheticRafDb(generate=True, **SIZES))(folder)
    return folder


def test_drawing_is_what_the_twin_asks_for(drawn, tmp_path):
    synthesize_raf_db(tmp_path / "raf_db", **SIZES)
    assert (tmp_path / "raf_db" / MARKER).read_bytes() == (drawn / MARKER).read_bytes()


def test_the_users_own_folder_is_found_and_named_never_written_over(drawn, tmp_path, caplog):
    check = provide_raf_db(SyntheticRafDb(generate=False, **SIZES))
    with caplog.at_level(logging.INFO, "mien"):
        check(drawn)
    assert f"RAF-DB is read from {drawn / 'basic'}" in caplog.text
    with pytest.raises(ValueError, match="RAF-DB's folder is missing"):
        check(tmp_path / "raf_db")
    assert not (tmp_path / "raf_db").exists()


def test_synthetic_faces_are_marked_in_every_row_and_in_the_log(drawn, caplog):
    with caplog.at_level(logging.INFO, "mien"):
        listed, _ = read_listed(drawn, READER)
    Listed.validate(listed)
    assert listed["synthetic"].all()
    assert "say nothing about real faces" in caplog.text
    assert "published" not in caplog.text, "a synthetic folder has no published counts to keep"


def test_a_validation_split_is_set_aside_from_train_alone(drawn):
    listed, _ = read_listed(drawn, READER)
    counts = listed["split"].value_counts()
    assert counts["train"] + counts["val"] == SIZES["num_train"]
    assert counts["test"] == SIZES["num_test"]
    assert set(listed.loc[listed["split"] == "val", "label"]) == set(range(7))
    assert listed.loc[listed["sample_id"].str.startswith("test"), "split"].eq("test").all()


def test_a_real_folder_is_compared_with_the_published_counts(drawn, tmp_path, caplog):
    (tmp_path / "raf_db").symlink_to(drawn)
    copy = tmp_path / "real"
    copy.mkdir()
    (copy / "basic").symlink_to(drawn / "basic")  # the same folder without the marker
    listed, _ = read_listed(copy, READER)
    assert not listed["synthetic"].any()
    assert "than the 12,271 published" in caplog.text


def test_the_same_images_in_class_folders_are_the_same_samples_in_the_same_splits(drawn, tmp_path, caplog):
    listed, _ = read_listed(drawn, READER)
    for image, label in zip(listed["image"], listed["label"], strict=True):
        name = Path(image).name
        place = tmp_path / "DATASET" / name.partition("_")[0] / str(label + 1)
        place.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes((drawn / image).read_bytes())
    with caplog.at_level(logging.INFO, "mien"):
        again, _ = read_listed(tmp_path, READER)
    assert f"found in {tmp_path / 'DATASET'}, in the layout class_folders" in caplog.text
    columns = ["sample_id", "label", "expression", "split"]
    assert again[columns].equals(listed[columns])


@pytest.mark.slow
def test_synthetic_faces_are_detected_and_aligned_and_the_same_every_time(project, run_project):
    synthetic = {"synthetic": {**TINY_DATA["raf_db"]["synthetic"], "image_size": 180}}
    params = {"raf_db": {**synthetic, "reader": {"source": "original"}, "alignment": {"method": "mtcnn"}}}
    results = []
    for _ in range(2):
        run_project("data_raf_db", params=params)
        catalog = open_catalog(project, params=params)
        samples = catalog.load("raf_db_samples")
        results.append((samples, [np.array(catalog.load(f"raf_db_faces_{size}")) for size in (112, 48)]))
    (samples, faces), (again, faces_again) = results
    assert samples["reason"].isin(["aligned", "several_faces"]).mean() > 0.8
    assert samples["roll_degrees"].std() > 5
    assert [each.shape for each in faces] == [(len(samples), 112, 112, 3), (len(samples), 48, 48, 3)]
    assert samples.equals(again)
    assert all(np.array_equal(one, other) for one, other in zip(faces, faces_again, strict=True))


def test_the_account_of_files_has_the_splits_that_training_sees(drawn):
    listed, files = read_listed(drawn, READER)
    used = files[(files["status"] == "used") & (files["split"] != "")].groupby("split")["count"].sum()
    assert used.to_dict() == listed["split"].value_counts().to_dict()
    assert used["val"] > 0
