"""SPOS' reader: a manifest in, one fold per subject out."""

import logging
from pathlib import Path

import pytest
from tests.data.small_datasets import lenient

from mien.data.onset_apex import COLUMNS, FRAMES_COLUMN, MANIFEST
from mien.data.spos import NUM_SUBJECTS, PUBLISHED_COUNTS, find_spos, read_spos
from mien.labels import EMOTIONS, KINDS


def write(root: Path, *subjects: str, kinds: tuple[str, ...] = KINDS) -> Path:
    lines = [",".join(COLUMNS)]
    for subject in subjects:
        for kind in kinds:
            name = f"{subject}_{kind}"
            lines.append(f"{name},{subject},{kind},sad,,,{name}_0.bmp,{name}_1.bmp")
            for frame in (0, 1):
                (root / f"{name}_{frame}.bmp").write_bytes(b"BM")
    (root / MANIFEST).write_text("\n".join(lines))
    return root


def test_every_subject_is_a_fold_in_the_order_of_their_names(tmp_path):
    samples = read_spos(write(tmp_path, "s2", "s1", "s10"))
    assert samples["subject"].tolist() == ["s2", "s2", "s1", "s1", "s10", "s10"]
    assert samples["fold"].tolist() == [2, 2, 0, 0, 1, 1]
    assert samples["kind"].tolist() == ["posed", "spontaneous"] * 3
    assert samples["split"].eq("folds").all()


def test_a_subject_numbered_in_two_ways_is_one_person_in_one_fold(tmp_path):
    samples = read_spos(write(tmp_path, "1", "01", "10", "2"))
    assert samples["subject"].tolist() == ["01"] * 4 + ["10"] * 2 + ["02"] * 2
    assert samples["fold"].tolist() == [0] * 4 + [2] * 2 + [1] * 2


def test_the_published_counts_are_seven_people_s_six_emotions_twice():
    assert {"folds": {"posed": NUM_SUBJECTS * len(EMOTIONS) * 2, "spontaneous": 150}} == PUBLISHED_COUNTS
    assert sum(PUBLISHED_COUNTS["folds"].values()) == 234


def test_an_incomplete_pair_is_dropped_and_logged(tmp_path, caplog):
    write(tmp_path, "s1", "s2")
    (tmp_path / "s1_posed_1.bmp").write_bytes(b"")
    with caplog.at_level(logging.WARNING, "mien"):
        samples = read_spos(tmp_path, account=lenient(tmp_path))
    assert samples["sample_id"].tolist() == ["s1_spontaneous", "s2_posed", "s2_spontaneous"]
    assert caplog.messages[0] == "SPOS: 1 dropped as empty_file, because an image has zero bytes"


def test_pairs_that_name_no_frames_give_no_sequence_and_the_log_says_what_to_do(tmp_path, caplog):
    write(tmp_path, "s1", "s2")
    with caplog.at_level(logging.WARNING, "mien"), pytest.raises(ValueError, match="none of the 0 complete pairs"):
        read_spos(tmp_path, num_frames=3)
    assert "SPOS: 4 dropped as no_frames, because no folder of the sequence's frames is known" in caplog.text
    assert FRAMES_COLUMN in caplog.text


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda root: root / "nowhere", r"SPOS is not there: .*nowhere is not a folder.*University of Oulu.*demo"),
        (lambda root: root, r"SPOS is not there: .* holds no manifest\.csv.*list them.*no download"),
        (lambda root: write(root, "s1"), "Only subject s1"),
        (lambda root: write(root, "s1", "s2", kinds=("posed",)), "SPOS is incomplete: none of the 2 .* is spontaneous"),
    ],
)
def test_a_folder_that_cannot_be_read_says_what_is_missing(tmp_path, make, message):
    with pytest.raises(ValueError, match=message):
        read_spos(make(tmp_path))


def test_a_folder_with_a_manifest_is_found(tmp_path):
    assert find_spos(write(tmp_path, "s1")) == tmp_path
