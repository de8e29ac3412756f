"""The age CSV's own nodes: counts are compared before repeated faces are dropped, and the rest is divided."""

import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from mien.data.age_csv import FILE
from mien.data.image_source import ImageSource
from mien.data.synthetic import age_csv as synthetic_age_csv
from mien.data.synthetic.folder import MARKER, is_synthetic
from mien.io.schemas import ListedAttributes
from mien.nodes.alignment import locate_faces
from mien.nodes.params import AlignmentParams
from mien.pipelines.data_age_csv.nodes import provide_age_csv, read_listed
from mien.pipelines.data_age_csv.params import AgeCsvReader, SyntheticAgeCsv
from mien.pipelines.data_age_csv.pipeline import create_pipeline

SIZES = {"num_samples": 60, "seed": 1}
READER = {"max_passed_over": 0.01, "validation_fraction": 0.1, "test_fraction": 0.1, "seed": 0}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("synthetic") / "age_csv"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthetic_age_csv, "_REPEATED_EVERY", 20)
        provide_age_csv(SyntheticAgeCsv(generate=True, **SIZES))(folder)
    return folder


def test_the_users_own_file_is_found_and_named_never_written_over(drawn, tmp_path, caplog):
    assert is_synthetic(drawn)
    check = provide_age_csv(SyntheticAgeCsv(generate=False, **SIZES))
    with caplog.at_level(logging.INFO, "mien"):
        check(drawn)
    assert f"is read from {drawn / FILE}" in caplog.text
    with pytest.raises(ValueError, match=r"folder of the age, gender and ethnicity CSV is missing"):
        check(tmp_path / "age_csv")
    assert not (tmp_path / "age_csv").exists()


def test_synthetic_faces_are_marked_and_repeated_ones_are_in_no_split(drawn, caplog):
    with caplog.at_level(logging.INFO, "mien"):
        listed, _ = read_listed(drawn, AgeCsvReader(**READER))
    ListedAttributes.validate(listed)
    assert listed["synthetic"].all()
    assert "3 of 60 faces repeat an earlier one" in caplog.text
    assert "published." not in caplog.text
    source = ImageSource(drawn)
    assert len({source.read(image).tobytes() for image in listed["image"]}) == len(listed) == 57
    assert listed["split"].value_counts().to_dict() == {"train": 46, "val": 6, "test": 5}


def test_a_real_file_is_compared_with_the_published_counts_repeated_faces_included(drawn, tmp_path, caplog):
    real = shutil.copytree(drawn, tmp_path / "age_csv")
    (real / MARKER).unlink()
    assert not read_listed(real, AgeCsvReader(**READER))[0]["synthetic"].any()
    assert "The all split has 60 samples, 23,645 fewer than the 23,705 published." in caplog.text
    assert "The class asian of the all split" in caplog.text


def test_published_crops_are_packed_as_they_are_in_grey(drawn, tmp_path):
    """With the alignment that conf/base gives, cut by the step ``crop_48`` of the pipeline itself."""
    base = yaml.safe_load((Path(__file__).parents[2] / "conf/base/parameters_datasets.yml").read_text())["age_csv"]
    alignment = AlignmentParams(**base["alignment"] | {"workers": 1})
    listed, _ = read_listed(drawn, AgeCsvReader(**READER))
    samples = locate_faces(listed, drawn, tmp_path, alignment)
    assert (samples["reason"] == "already_aligned").all()
    steps = {node.short_name: node for node in create_pipeline().nodes}
    stream = steps["crop_48"].func(samples, drawn, alignment)
    faces = np.concatenate(list(stream.batches(0)))
    assert faces.shape == stream.shape == (len(samples), 48, 48, 1)
    source = ImageSource(drawn)
    for row, image in zip(samples["face_index"], samples["image"], strict=True):
        np.testing.assert_array_equal(faces[row][..., 0], source.read(image)[..., 0])


@pytest.mark.parametrize("change", [{"validation_fraction": 0}, {"test_fraction": 1}, {"seed": -1}, {"label": "age"}])
def test_values_out_of_range_are_refused_before_anything_runs(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        AgeCsvReader(**READER | change)


def test_too_few_rows_are_reported_with_the_file_as_the_node_reads_it(tmp_path):
    pixels = " ".join(["7"] * 2303)
    rows = [f"{20 + n},{n % 2},{n % 2},{n}.jpg,{n} {pixels}" for n in range(3)]
    (tmp_path / "age_gender.csv").write_text("\n".join(["age,ethnicity,gender,img_name,pixels", *rows]) + "\n")
    with pytest.raises(ValueError, match=r"The faces of .*age_gender\.csv cannot be divided into train, val and test"):
        read_listed(tmp_path, AgeCsvReader(**READER))
