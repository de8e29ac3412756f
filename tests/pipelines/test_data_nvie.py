"""USTC-NVIE's own nodes, and its pipeline with pairs that are really detected and cut by one transform."""

import logging
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.data import small_datasets
from tests.pipelines.temporary_project import open_catalog

from mien.data.alignment import align_face
from mien.data.images import read_image
from mien.data.nvie import SUBSET_FILE
from mien.data.onset_apex import MANIFEST
from mien.data.synthetic.folder import MARKER
from mien.io.schemas import ListedPairs
from mien.nodes.alignment import POINT_COLUMNS
from mien.pipelines.data_nvie.nodes import provide_nvie, read_listed
from mien.pipelines.data_nvie.params import NvieReader, SyntheticNvie

SYNTHETIC = {"num_subjects": 10, "num_emotions": 1, "seed": 0, "image_size": 96, "num_frames": 3}
READER = NvieReader(max_passed_over=1, subset="full", num_folds=10, seed=0, num_frames=2)


@pytest.fixture
def listed_pairs(tmp_path) -> Path:
    """Ten people, a posed and a spontaneous pair of each in the manifest."""
    small_datasets.nvie(tmp_path / "nvie")
    return tmp_path / "nvie"


def test_drawing_passes_every_parameter_of_the_twin_on(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        "mien.data.synthetic.nvie.synthesize_nvie", lambda folder, **sizes: drawn.append((folder, sizes))
    )
    provide_nvie(SyntheticNvie(generate=True, **SYNTHETIC))(tmp_path / "nvie")
    assert drawn == [(tmp_path / "nvie", SYNTHETIC)]


def test_the_users_own_folder_is_found_and_named_never_written_over(listed_pairs, tmp_path, caplog):
    check = provide_nvie(SyntheticNvie(generate=False, **SYNTHETIC))
    with caplog.at_level(logging.INFO, "mien"):
        check(listed_pairs)
    assert f"USTC-NVIE is read from {listed_pairs}" in caplog.text
    with pytest.raises(ValueError, match="USTC-NVIE's folder is missing"):
        check(tmp_path / "absent")
    assert not (tmp_path / "absent").exists()


def test_every_subject_is_in_one_fold_and_both_kinds_in_every_fold(listed_pairs):
    listed, _ = read_listed(listed_pairs, READER)
    ListedPairs.validate(listed)
    assert listed["split"].eq("folds").all()
    assert listed.groupby("subject")["fold"].nunique().eq(1).all()
    assert listed.groupby("fold")["kind"].nunique().tolist() == [2] * 10
    fewer, _ = read_listed(listed_pairs, READER.model_copy(update={"num_folds": 5}))
    assert fewer["fold"].value_counts().tolist() == [4] * 5


def test_a_real_folder_is_compared_with_the_published_totals_of_its_subset(listed_pairs, caplog):
    (listed_pairs / SUBSET_FILE).write_text(
        "\n".join(f"{n}_{kind}" for n in (1, 2) for kind in ("posed", "spontaneous"))
    )
    with caplog.at_level(logging.WARNING, "mien"):
        assert not read_listed(listed_pairs, READER)[0]["synthetic"].any()
        some, _ = read_listed(listed_pairs, READER.model_copy(update={"subset": "subset", "num_folds": 2}))
    assert len(some) == 4
    assert caplog.messages == [
        "USTC-NVIE, full: There are 20 pairs, 4,183 fewer than the 4,203 published.",
        "USTC-NVIE, full: There are 10 subjects, 138 fewer than the 148 published.",
        "USTC-NVIE, subset: There are 4 pairs, 1,024 fewer than the 1,028 published.",
        "USTC-NVIE, subset: There are 2 subjects, 78 fewer than the 80 published.",
    ]


def test_synthetic_pairs_are_marked_and_have_no_published_totals_to_keep(listed_pairs, caplog):
    (listed_pairs / MARKER).write_text("{}")
    with caplog.at_level(logging.INFO, "mien"):
        listed, _ = read_listed(listed_pairs, READER)
    assert listed["synthetic"].all()
    assert "fewer than" not in caplog.text


def test_a_pair_without_an_image_is_dropped_and_reported_by_reason(listed_pairs, caplog):
    (listed_pairs / "004/posed/apex.png").unlink()
    (listed_pairs / "005/spontaneous/onset.png").write_bytes(b"")
    with caplog.at_level(logging.WARNING, "mien"):
        listed, _ = read_listed(listed_pairs, READER)
    assert len(listed) == 18
    assert not {"4_posed", "5_spontaneous"} & set(listed["sample_id"])
    assert "USTC-NVIE: 1 dropped as no_apex" in caplog.text
    assert "USTC-NVIE: 1 dropped as empty_file" in caplog.text


@pytest.mark.slow
def test_onset_and_apex_are_found_upright_and_cut_by_one_transform(project, run_project):
    params = {"nvie": {"synthetic": {"num_subjects": 10, "num_emotions": 1}, "reader": {"max_passed_over": 0.5}}}
    run_project("data_nvie", params=params)
    catalog = open_catalog(project, params=params)
    samples, faces = catalog.load("nvie_samples"), np.array(catalog.load("nvie_faces_48"))
    assert faces.shape == (17, 2, 48, 48, 1)
    assert samples["reason"].isin(["aligned", "several_faces"]).mean() > 0.9
    assert samples["roll_degrees"].abs().max() < 30
    raw = project / "data/demo/01_raw/nvie"
    assert (raw / MANIFEST).is_file()
    for _, sample in samples[samples["crop"] == "points"].iloc[::4].iterrows():
        points = sample[POINT_COLUMNS].to_numpy(np.float32).reshape(5, 2)
        for image, role in enumerate(("onset", "apex")):
            face = cv2.cvtColor(align_face(read_image(raw / sample[role]), points, 48), cv2.COLOR_RGB2GRAY)
            np.testing.assert_array_equal(faces[sample["face_index"], image, ..., 0], face)
