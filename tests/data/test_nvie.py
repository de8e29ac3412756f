"""USTC-NVIE's reader: which picked frames make a pair, how the halves join, what is said to other folders."""

import logging
import os
from pathlib import Path

import pytest
from tests.data.small_datasets import lenient

from mien.data.nvie import (
    PUBLISHED_TOTALS,
    SEQUENCES,
    SUBSET_FILE,
    find_nvie,
    find_spontaneous_pairs,
    read_nvie,
    write_spontaneous_manifest,
)
from mien.data.onset_apex import COLUMNS, FRAMES_COLUMN, MANIFEST, read_manifest
from mien.labels import EMOTIONS

HEADER = ",".join(COLUMNS)


def touch(root: Path, *names: str, content: bytes = b"BM") -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def write_posed(root: Path, *subjects: str) -> Path:
    """A posed pair of each subject, with its images, in a manifest."""
    lines = [HEADER]
    for subject in subjects:
        lines.append(f"posed_{subject},{subject},posed,happy,front,no,p/{subject}_0.bmp,p/{subject}_1.bmp")
        touch(root, f"p/{subject}_0.bmp", f"p/{subject}_1.bmp")
    (root / MANIFEST).write_text("\n".join(lines))
    return root


def write_spontaneous(root: Path, *subjects: str) -> Path:
    names = [f"{subject}/visible/{role}/sequence1.bmp" for subject in subjects for role in ("onset", "apex")]
    return touch(root, *names)


def both_halves(root: Path) -> Path:
    return write_spontaneous(write_posed(root, "001", "002"), "001", "003")


def found(root: Path) -> tuple[list[tuple[str, str, str, str]], dict[str, int]]:
    pairs, dropped = find_spontaneous_pairs(root)
    return [(pair.subject, pair.expression, pair.onset, pair.apex) for pair in pairs], dict(dropped)


def test_sequences_stand_for_the_six_emotions_in_the_database_s_order():
    assert SEQUENCES == ("happy", "disgust", "fear", "surprise", "angry", "sad")
    assert set(SEQUENCES) == set(EMOTIONS)
    assert PUBLISHED_TOTALS == {"full": (4203, 148), "subset": (1028, 80)}


@pytest.mark.parametrize(
    ("onset", "apex"),
    [
        ("013/visible/onset/sequence4.bmp", "013/visible/apex/sequence4.bmp"),
        ("013/visible/onset/4.bmp", "013/visible/apex/4.BMP"),
        ("013/Visible/Onset/Sequence4.bmp", "013/VISIBLE/APEX/SEQUENCE4.BMP"),
        ("013/visible/onset/sequence4/any.bmp", "013/visible/apex/sequence4/other.bmp"),
        ("013/visible/sequence4/onset/any.bmp", "013/visible/sequence4/apex/other.bmp"),
        ("visible/013/sequence_4/onset/1.bmp", "visible/013/Sequence 4/apex/1.bmp"),
        ("spontaneous/visible/onset/013/4.png", "spontaneous/visible/apex/013/4.png"),
        ("onset/visible/013/4.jpg", "apex/visible/013/4.JPEG"),
    ],
)
def test_case_extension_and_nesting_order_make_no_difference(tmp_path, onset, apex):
    touch(tmp_path, onset, apex)
    assert found(tmp_path) == ([("013", "surprise", onset, apex)], {})


def test_a_picked_frame_is_reported_by_the_sequence_that_has_a_frame_of_its_name(tmp_path):
    touch(
        tmp_path, "013/visible/sequence2/a0017.bmp", "013/visible/sequence2/a0030.bmp", "013/visible/sequence3/b1.bmp"
    )
    touch(tmp_path, "013/visible/onset/A0017.BMP", "013/visible/apex/a0030.bmp")
    expected = ("013", "disgust", "013/visible/onset/A0017.BMP", "013/visible/apex/a0030.bmp")
    assert found(tmp_path) == ([expected], {"no_onset_nor_apex": 1})


def test_a_bare_number_is_a_sequence_unless_a_frame_of_that_name_says_otherwise(tmp_path):
    frames = [f"{subject}/visible/sequence{k}/2.bmp" for subject in ("001", "002") for k in (2, 5)]
    touch(tmp_path, *frames, "003/visible/sequence5/2.bmp")
    for subject in ("001", "002", "003"):
        touch(tmp_path, f"{subject}/visible/onset/2.bmp", f"{subject}/visible/apex/2.bmp")
    pairs, dropped = found(tmp_path)
    assert [pair[:2] for pair in pairs] == [("001", "disgust"), ("002", "disgust")]
    # Of 001 and 002 sequence 5 has no picked frame; of 003 the name says sequence 2 and the frame sequence 5.
    assert dropped == {"no_onset_nor_apex": 3, "unknown_sequence": 2}


@pytest.mark.parametrize(
    ("make", "dropped"),
    [
        (lambda root: touch(root, "013/visible/onset/1.bmp"), {"no_apex": 1}),
        (lambda root: touch(root, "013/visible/apex/1.bmp"), {"no_onset": 1}),
        (lambda root: touch(root, "013/visible/sequence1/1.bmp"), {"no_onset_nor_apex": 1}),
        (lambda root: touch(root, "013/visible/onset/scan.bmp"), {"unknown_sequence": 1}),
        (lambda root: touch(root, "013/visible/onset/7.bmp"), {"unknown_sequence": 1}),
        (lambda root: touch(root, "013/visible/onset/1.bmp", "013/visible/apex/1.bmp", content=b""), {"empty_file": 1}),
        (
            lambda root: touch(root, *(f"013/visible/{name}" for name in ("onset/1.bmp", "apex/1.bmp", "apex/1.png"))),
            {"several_images": 1},
        ),
        (lambda root: touch(root, "013/infrared/onset/1.bmp", "013/infrared/apex/1.bmp"), {}),
        (lambda root: touch(root, "013/onset/1.bmp", "013/apex/1.bmp"), {}),
        (lambda root: touch(root, "13/visible/onset/1.bmp"), {}),
        (lambda root: touch(root, "013/014/visible/onset/1.bmp"), {}),
        (lambda root: touch(root, "posed/013/visible/onset/1.bmp", "Posed/013/visible/apex/1.bmp"), {}),
        (lambda root: touch(root, "013/POSED/visible/onset/1.bmp", "013/visible/posed/apex/1.bmp"), {}),
        (lambda root: touch(root, "013/visible/onset/Thumbs.db", "013/visible/onset/._1.bmp"), {}),
    ],
)
def test_what_makes_no_pair_is_dropped_and_counted_or_passed_over(tmp_path, make, dropped):
    assert found(make(tmp_path)) == ([], dropped)


def test_a_zero_byte_copy_beside_a_good_image_is_passed_over(tmp_path):
    touch(tmp_path, "013/visible/onset/1.bmp", "013/visible/apex/1.bmp")
    touch(tmp_path, "013/visible/onset/1.png", content=b"")
    assert found(tmp_path)[0] == [("013", "happy", "013/visible/onset/1.bmp", "013/visible/apex/1.bmp")]


def test_links_are_followed_and_names_that_are_not_utf8_are_dropped_by_reason(tmp_path):
    root = touch(tmp_path / "nvie", "013/visible/apex/1.bmp", "014/visible/apex/1.bmp")
    touch(tmp_path, "elsewhere/1.bmp", "elsewhere/visible/onset/1.bmp", "elsewhere/visible/apex/1.bmp")
    (root / "013/visible/onset").mkdir()
    (root / "013/visible/onset/1.bmp").symlink_to(tmp_path / "elsewhere/1.bmp")
    latin = os.fsencode(root / "014/visible/onset/sequence1")
    os.makedirs(latin + b"/")  # noqa: PTH103  a name of bytes
    (root / "014/visible/onset/sequence1" / b"caf\xe9.bmp".decode(errors="surrogateescape")).write_bytes(b"BM")
    (root / "015").symlink_to(tmp_path / "elsewhere")
    pairs, dropped = found(root)
    assert [pair[:2] for pair in pairs] == [("013", "happy"), ("015", "happy")]
    assert dropped == {"name_not_utf8": 1}


def test_lamps_keep_their_pairs_apart(tmp_path):
    write_spontaneous(tmp_path / "Front", "013")
    write_spontaneous(tmp_path / "Left", "013")
    pairs, _ = find_spontaneous_pairs(tmp_path)
    assert [(pair.sample_id, pair.illumination) for pair in pairs] == [
        ("spontaneous_013_front_happy", "front"),
        ("spontaneous_013_left_happy", "left"),
    ]


def test_both_halves_become_one_table_with_subject_disjoint_folds(tmp_path, caplog):
    with caplog.at_level(logging.INFO, "mien"):
        samples = read_nvie(both_halves(tmp_path), num_folds=3)
    assert "2 posed pairs are listed, 2 spontaneous ones found" in caplog.text
    assert samples["kind"].tolist() == ["posed", "posed", "spontaneous", "spontaneous"]
    assert samples["label"].tolist() == [0, 0, 1, 1]
    assert samples["subject"].tolist() == ["001", "002", "001", "003"]
    assert samples.groupby("subject")["fold"].nunique().eq(1).all()
    assert samples["fold"].nunique() == 3
    assert all((tmp_path / image).is_file() for image in [*samples["onset"], *samples["apex"]])


def test_a_number_in_the_manifest_is_the_person_of_that_folder(tmp_path):
    samples = read_nvie(write_spontaneous(write_posed(tmp_path, "1", "02"), "001", "002"), num_folds=2)
    assert samples["subject"].tolist() == ["001", "002", "001", "002"]


def test_incomplete_pairs_of_both_halves_are_logged_one_line_a_reason(tmp_path, caplog):
    both_halves(tmp_path)
    touch(tmp_path, "004/visible/onset/1.bmp", "005/visible/onset/1.bmp")
    (tmp_path / "p/002_1.bmp").unlink()
    with pytest.raises(ValueError, match=r"loses too many samples: 6 of the 12 .*1 missing .*p/002_1.bmp"):
        read_nvie(tmp_path, num_folds=2)
    with caplog.at_level(logging.WARNING, "mien.data.onset_apex"):
        caplog.clear()
        samples = read_nvie(tmp_path, num_folds=2, account=lenient(tmp_path))
    assert len(samples) == 3
    dropped = [message for message in caplog.messages if "dropped" in message]
    assert [message.split(",")[0] for message in dropped] == [
        "USTC-NVIE: 2 dropped as no_apex",
        "USTC-NVIE: 1 dropped as no_apex",
    ]


def test_the_written_manifest_holds_both_halves_and_then_speaks_alone(tmp_path, caplog):
    before = read_nvie(both_halves(tmp_path), num_folds=2)
    path = write_spontaneous_manifest(tmp_path)
    pairs = read_manifest(tmp_path, "USTC-NVIE")
    assert path == tmp_path / MANIFEST
    assert [pair.sample_id for pair in pairs] == before["sample_id"].tolist()
    path.write_text("\n".join(path.read_text().splitlines()[:-1]))  # the user leaves the last pair out
    with caplog.at_level(logging.INFO, "mien"):
        samples = read_nvie(tmp_path, num_folds=2)
    assert "all 3 pairs are taken from" in caplog.text
    assert samples["sample_id"].tolist() == before["sample_id"].tolist()[:-1]
    with pytest.raises(ValueError, match=r"lists spontaneous pairs already: .*manifest.csv is left as it is. Delete"):
        write_spontaneous_manifest(tmp_path)


def test_a_manifest_cannot_be_written_of_folders_without_a_pair(tmp_path):
    before = (write_posed(tmp_path, "001") / MANIFEST).read_bytes()
    with pytest.raises(ValueError, match=r"half has no pair: no sequence under .* Check"):
        write_spontaneous_manifest(tmp_path)
    assert (tmp_path / MANIFEST).read_bytes() == before


@pytest.mark.parametrize(
    "line",
    [
        "spontaneous_001_happy,009,posed,happy,,,p/x.bmp,p/y.bmp",
        "mine,009,posed,happy,,,001/visible/onset/sequence1.bmp,001/visible/apex/sequence1.bmp",
        "mine,009,posed,happy,,,p/x.bmp,001/visible/apex/sequence1.bmp",
    ],
)
def test_a_listed_pair_that_the_folders_have_too_is_refused(tmp_path, line):
    both_halves(tmp_path)
    (tmp_path / MANIFEST).write_text(f"{HEADER}\n{line}")
    with pytest.raises(ValueError, match=r"has a pair twice: .*spontaneous_001_happy.*001/visible/onset"):
        read_nvie(tmp_path)


def write_sequences(root: Path, *subjects: str, frames: int = 8) -> Path:
    """Frames 0 to 7 of sequence 1, of which the first was picked as onset and the last as apex."""
    write_spontaneous(root, *subjects)
    for subject in subjects:
        for number in range(frames):
            touch(root, f"{subject}/visible/sequence1/{number}.bmp", content=b"BM%d" % number)
        touch(root, f"{subject}/visible/onset/sequence1.bmp", content=b"BM0")
        touch(root, f"{subject}/visible/apex/sequence1.bmp", content=b"BM%d" % (frames - 1))
    return root


def write_posed_sequences(root: Path, *subjects: str) -> Path:
    write_posed(root, *subjects)
    header, *lines = (root / MANIFEST).read_text().splitlines()
    frames = [f"{line},p/{subject}" for line, subject in zip(lines, subjects, strict=True)]
    (root / MANIFEST).write_text("\n".join([f"{header},{FRAMES_COLUMN}", *frames]))
    for subject in subjects:
        for number, content in enumerate((b"BM onset", b"BM", b"BM apex")):
            touch(root, f"p/{subject}/{number}.bmp", content=content)
        touch(root, f"p/{subject}_0.bmp", content=b"BM onset")
        touch(root, f"p/{subject}_1.bmp", content=b"BM apex")
    return root


def test_a_sequence_s_frames_between_are_read_of_both_halves(tmp_path):
    write_sequences(write_posed_sequences(tmp_path, "001"), "001", "002")
    samples = read_nvie(tmp_path, num_folds=2, num_frames=3)
    assert samples["frame_1"].tolist() == [
        "p/001/1.bmp",
        "001/visible/sequence1/3.bmp",
        "002/visible/sequence1/3.bmp",
    ]
    pairs = read_nvie(tmp_path, num_folds=2)
    assert samples.drop(columns="frame_1").equals(pairs)


def test_sequences_of_too_few_frames_and_pairs_without_are_dropped_one_line_a_reason(tmp_path, caplog):
    write_sequences(write_posed_sequences(tmp_path, "001", "002"), "001", "002")
    write_spontaneous(tmp_path, "003")
    write_sequences(tmp_path, "004", frames=2)
    with caplog.at_level(logging.WARNING, "mien"):
        samples = read_nvie(tmp_path, num_folds=2, num_frames=3, account=lenient(tmp_path))
    assert samples["subject"].tolist() == ["001", "002", "001", "002"]
    assert [message.split(",")[0] for message in caplog.messages if "dropped" in message] == [
        "USTC-NVIE: 1 dropped as no_frames",
        "USTC-NVIE: 1 dropped as too_few_frames",
    ]


def test_the_manifest_of_the_folders_names_their_frames_too(tmp_path):
    write_sequences(write_posed_sequences(tmp_path, "001"), "001", "002")
    before = read_nvie(tmp_path, num_folds=2, num_frames=3)
    write_spontaneous_manifest(tmp_path)
    assert [pair.frames for pair in read_manifest(tmp_path, "USTC-NVIE")] == [
        "p/001",
        "001/visible/sequence1",
        "002/visible/sequence1",
    ]
    assert read_nvie(tmp_path, num_folds=2, num_frames=3).equals(before)


def test_a_subset_keeps_the_listed_pairs_in_the_table_s_order(tmp_path):
    both_halves(tmp_path)
    (tmp_path / SUBSET_FILE).write_text("spontaneous_003_happy\n\nposed_001\n")
    samples = read_nvie(tmp_path, "subset", num_folds=2)
    assert samples["sample_id"].tolist() == ["posed_001", "spontaneous_003_happy"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"list of USTC-NVIE's subset cannot be read: .*subset.txt"),
        (b"", r"list of USTC-NVIE's subset is empty: .*subset.txt"),
        (
            b"posed_001\nposed_009\nposed_008",
            r"names 2 pairs that are not there, .*'posed_009', on line 2 of .*subset.txt",
        ),
        (b"posed_001\n\nposed_001", r"names posed_001 twice: line 3 of .*repeats line 1"),
        (b"posed_\xff", r"subset is not UTF-8 text: byte 6, on line 1"),
    ],
)
def test_a_bad_list_of_the_subset_is_named(tmp_path, content, message):
    both_halves(tmp_path)
    if content is not None:
        (tmp_path / SUBSET_FILE).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_nvie(tmp_path, "subset", num_folds=2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda root: root / "nowhere", r"folder is missing: .*nowhere.*nvie\.ustc\.edu\.cn.*demo.*no download"),
        (lambda root: root, r"is not there: .*neither manifest\.csv nor .*013/visible/onset.*Sign the agreement.*demo"),
        (lambda root: touch(root, "013/infrared/onset/1.bmp"), "is not there"),
        (lambda root: touch(root, "013/visible/sequence1/1.bmp"), "is not there"),
        (
            lambda root: write_spontaneous(root, "001", "002"),
            r"none of the 2 complete pairs .* is posed.*manifest\.csv",
        ),
        (lambda root: write_posed(root, "001", "002"), "none of the 2 complete pairs .* is spontaneous"),
        (both_halves, "10 folds of 3 subjects cannot be made"),
    ],
)
def test_a_folder_that_cannot_be_read_says_what_is_missing(tmp_path, make, message):
    with pytest.raises(ValueError, match=message):
        read_nvie(make(tmp_path))


def test_either_half_is_found(tmp_path):
    posed, spontaneous = tmp_path / "posed", tmp_path / "spontaneous"
    posed.mkdir()
    assert find_nvie(write_posed(posed, "001")) == posed
    assert find_nvie(write_spontaneous(spontaneous, "001")) == spontaneous


def test_an_unknown_subset_is_refused(tmp_path):
    with pytest.raises(ValueError, match="choose 'full' or 'subset'"):
        read_nvie(tmp_path, "half")
