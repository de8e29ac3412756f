"""FER+'s own nodes: synthetic folders are marked, users' are compared with the counts of what was chosen."""

import logging
import shutil
from pathlib import Path

import pandas as pd
import pytest

from mien.data.ferplus import NEW_CSV_COUNTS
from mien.data.ferplus_votes import label_votes
from mien.data.synthetic import ferplus as synthetic_ferplus
from mien.data.synthetic.folder import MARKER, is_synthetic
from mien.io.schemas import Listed
from mien.pipelines.data_ferplus.nodes import provide_ferplus, read_listed
from mien.pipelines.data_ferplus.params import FerPlusReader, SyntheticFerPlus
from mien.pipelines.data_ferplus.pipeline import create_pipeline

SIZES = {"num_train": 32, "num_val": 16, "num_test": 16, "seed": 1, "folders": False}
READER = {"max_passed_over": 0.01, "layout": "auto", "votes": "auto", "label_mode": "majority"}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("synthetic") / "ferplus"
    provide_ferplus(SyntheticFerPlus(generate=True, **SIZES))(folder)
    return folder


def test_drawing_is_what_the_twin_asks_for(drawn):
    assert is_synthetic(drawn)
    num_named = sum(bool(line.split(",")[1]) for line in (drawn / "fer2013new.csv").read_text().splitlines()[1:])
    assert num_named == 64


def test_the_users_own_folder_is_found_and_named_never_written_over(drawn, tmp_path, caplog):
    check = provide_ferplus(SyntheticFerPlus(generate=False, **SIZES))
    with caplog.at_level(logging.INFO, "mien"):
        check(drawn)
    assert f"FER+ is read from {drawn}" in caplog.text
    with pytest.raises(ValueError, match=r"FER\+'s folder is missing"):
        check(tmp_path / "ferplus")
    assert not (tmp_path / "ferplus").exists()


def test_synthetic_faces_are_marked_in_every_row_and_in_the_log(drawn, caplog):
    with caplog.at_level(logging.INFO, "mien"):
        listed, _ = read_listed(drawn, FerPlusReader(**READER))
    Listed.validate(listed)
    assert listed["synthetic"].all()
    assert "say nothing about real faces" in caplog.text
    assert "published." not in caplog.text, "a synthetic folder has no published counts to keep"


def test_the_label_mode_changes_the_training_split_alone(drawn):
    tables = {
        mode: read_listed(drawn, FerPlusReader(**READER | {"label_mode": mode}))[0]
        for mode in ("majority", "crossentropy")
    }
    held_out = [table[table["split"] != "train"].reset_index(drop=True) for table in tables.values()]
    pd.testing.assert_frame_equal(held_out[0], held_out[1])
    train = [table[table["split"] == "train"] for table in tables.values()]
    assert (train[0].filter(like="target/").max(axis=1) == 1).all()
    assert (train[1].filter(like="target/").max(axis=1) < 1).any()


def test_a_real_folder_is_compared_with_the_counts_of_its_votes(drawn, tmp_path, caplog):
    real = shutil.copytree(drawn, tmp_path / "ferplus")
    (real / MARKER).unlink()
    listed, _ = read_listed(real, FerPlusReader(**READER))
    assert not listed["synthetic"].any()
    assert f"than the {sum(NEW_CSV_COUNTS['train'].values()):,} published" in caplog.text
    caplog.clear()
    read_listed(real, FerPlusReader(**READER | {"label_mode": "multi_target"}))
    assert "The val split" in caplog.text
    assert "The train split" not in caplog.text, "nobody publishes its classes by this rule"


def test_twin_rows_without_a_label_are_in_no_table(drawn):
    listed, _ = read_listed(drawn, FerPlusReader(**READER))
    rows = [row for row in synthetic_ferplus._rows({"train": 32, "val": 16, "test": 16}, 1) if row.name]
    labels = label_votes([synthetic_ferplus._sample_votes(row) for row in rows], "majority").labels
    kept = [row.name.removesuffix(".png") for row, label in zip(rows, labels, strict=True) if label >= 0]
    assert listed["sample_id"].tolist() == kept


def test_the_pipeline_packs_faces_in_colour_at_112_and_in_grey_at_48_px():
    outputs = create_pipeline().all_outputs()
    assert {"ferplus_samples", "ferplus_faces_112", "ferplus_faces_48", "ferplus.summary"} <= outputs


@pytest.mark.parametrize("change", [{"layout": "png"}, {"votes": "mine"}, {"label_mode": "soft"}, {"other": 1}])
def test_unknown_choices_are_refused_before_anything_runs(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        FerPlusReader(**READER | change)
