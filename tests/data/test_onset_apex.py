"""The manifest of onset and apex pairs: what it means, and what is said to one that is not right."""

import csv
import logging
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.data.onset_apex import (
    COLUMNS,
    ILLUMINATIONS,
    MANIFEST,
    REASONS,
    Pair,
    drop_incomplete,
    image_fault,
    log_dropped,
    pair_fault,
    read_manifest,
    write_manifest,
)
from mien.data.pair_samples import pairs_table, total_deviations
from mien.labels import EMOTIONS, KINDS

HEADER = ",".join(COLUMNS)
LINE = "p1,013,posed,happy,front,yes,posed/on.bmp,posed/ap.bmp"
OTHER = "s1,014,spontaneous,anger,,,s/on.bmp,s/ap.bmp"


def write(root: Path, *lines: str, header: str = HEADER) -> Path:
    (root / MANIFEST).write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return root


def pair(sample_id: str = "p1", kind: str = "posed", onset: str = "a/on.bmp", apex: str = "a/ap.bmp") -> Pair:
    return Pair(sample_id, "013", kind, "happy", "left", None, onset, apex)


def test_a_line_becomes_a_pair_and_words_become_ours(tmp_path):
    first, second = read_manifest(write(tmp_path, LINE, OTHER), "SPOS")
    assert first == Pair("p1", "013", "posed", "happy", "front", True, "posed/on.bmp", "posed/ap.bmp")
    assert second == Pair("s1", "014", "spontaneous", "angry", None, None, "s/on.bmp", "s/ap.bmp")


def test_the_emotions_are_the_six_basic_ones_and_posed_comes_first():
    assert sorted(EMOTIONS) == ["angry", "disgust", "fear", "happy", "sad", "surprise"]
    assert KINDS == ("posed", "spontaneous")


def test_order_of_columns_blank_lines_byte_order_mark_and_line_ends_do_not_matter(tmp_path):
    swapped = [*COLUMNS[::-1]]
    lines = [",".join(swapped), ",".join(LINE.split(",")[::-1]), "", " , ,,,,,,"]
    (tmp_path / MANIFEST).write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    assert read_manifest(tmp_path, "SPOS") == read_manifest(write(tmp_path, LINE), "SPOS")


def test_paths_are_spelt_in_one_way(tmp_path):
    (found,) = read_manifest(write(tmp_path, LINE.replace("posed/on.bmp", "./posed//on.bmp")), "SPOS")
    assert found.onset == "posed/on.bmp"


names = st.text(st.characters(codec="utf-8", categories=("L", "N")), min_size=1, max_size=8)


@given(
    st.lists(
        st.builds(
            Pair,
            sample_id=names,
            subject=names,
            kind=st.sampled_from(KINDS),
            expression=st.sampled_from(EMOTIONS),
            illumination=st.sampled_from((None, *ILLUMINATIONS)),
            glasses=st.sampled_from((None, True, False)),
            onset=names.map(lambda name: f'on, "the" {name}.bmp'),
            apex=names.map(lambda name: f"ap/{name}.bmp"),
        ),
        min_size=1,
        max_size=5,
        unique_by=(lambda each: each.sample_id, lambda each: (each.onset, each.apex)),
    )
)
@settings(max_examples=30, deadline=None)
def test_what_is_written_is_read_again(tmp_path_factory, pairs):
    root = tmp_path_factory.mktemp("manifest")
    write_manifest(root, pairs)
    assert read_manifest(root, "SPOS") == pairs
    assert [path.name for path in root.iterdir()] == [MANIFEST]


def replaced(column: str, text: str) -> str:
    fields = dict(zip(COLUMNS, LINE.split(","), strict=True)) | {column: text}
    return ",".join(fields.values())


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([replaced("kind", "acted")], "unknown kind: line 2 of .*'acted'. Write posed or spontaneous"),
        ([replaced("kind", "Posed")], "unknown kind: line 2 of .*'Posed'"),
        ([replaced("emotion", "bored")], "unknown emotion: line 2 of .*'bored'. Write surprise or fear or disgust"),
        ([replaced("emotion", "neutral")], "unknown emotion: line 2 "),
        ([replaced("emotion", "")], "unknown emotion: line 2 "),
        (
            [replaced("illumination", "top")],
            "unknown illumination: line 2 of .*'top'.*front or left or right or nothing",
        ),
        ([replaced("glasses", "1")], "unknown glasses: line 2 of .*'1'. Write yes or no or nothing"),
        ([replaced("sample_id", " ")], "empty field: line 2 of .* gives no sample_id"),
        ([replaced("subject", "")], "empty field: line 2 of .* gives no subject"),
        ([replaced("apex_path", "")], "empty field: line 2 of .* gives no apex_path"),
        ([replaced("apex_path", "../ap.bmp")], r"outside its folder: line 2 of .*'\.\./ap.bmp'.*without '\.\.'"),
        ([replaced("apex_path", "a/../../ap.bmp")], "outside its folder: line 2 "),
        ([replaced("onset_path", "/etc/on.bmp")], "outside its folder: line 2 "),
        ([replaced("onset_path", r"posed\on.bmp")], "outside its folder: line 2 .*forward slashes"),
        ([replaced("onset_path", "C:/on.bmp")], "outside its folder: line 2 "),
        ([replaced("onset_path", "posed/on#1.bmp")], "cannot be referred to: line 2 .*without '#'"),
        ([replaced("onset_path", "posed/o\0n.bmp")], "cannot be referred to: line 2 "),
        ([replaced("onset_path", "posed/ap.bmp")], "pairs an image with itself: line 2 of .*posed/ap.bmp as onset"),
        ([LINE, OTHER, LINE], "same sample_id twice: line 4 of .* repeats line 2, p1. Keep"),
        ([LINE, LINE.replace("p1", "p2")], "same pair of images twice: line 3 of .* repeats line 2"),
        ([LINE + ",more"], "malformed line: line 2 of .* 9 fields instead of 8"),
        ([LINE, "p2,013"], "malformed line: line 3 of .* 2 fields instead of 8"),
        (['"p1,013'], "malformed line: line 2 of .*Close every quote"),
        ([replaced("subject", "x" * 200_000)], "malformed line: line 2 of "),
        ([], "manifest is empty: .*a header and no pair"),
    ],
)
def test_a_bad_line_is_named_with_its_number_and_file(tmp_path, lines, message):
    with pytest.raises(ValueError, match=message) as error:
        read_manifest(write(tmp_path, *lines), "SPOS")
    assert str(tmp_path / MANIFEST) in str(error.value)
    assert str(error.value).startswith("SPOS's manifest")


@pytest.mark.parametrize(
    "header",
    [
        HEADER.replace("emotion", "expression"),
        HEADER.removesuffix(",apex_path"),
        HEADER + ",apex_path",
        HEADER.replace(",", ";"),
        LINE,
    ],
)
def test_wrong_columns_are_listed_beside_the_right_ones(tmp_path, header):
    with pytest.raises(ValueError, match=f"wrong columns: line 1 of .*Name them {', '.join(COLUMNS)}"):
        read_manifest(write(tmp_path, LINE, header=header), "SPOS")


@pytest.mark.parametrize("content", [b"", b"\n\n", b" , \n"])
def test_an_empty_manifest_is_named(tmp_path, content):
    (tmp_path / MANIFEST).write_bytes(content)
    with pytest.raises(ValueError, match=r"manifest is empty: .*manifest\.csv has no line"):
        read_manifest(tmp_path, "SPOS")


def test_a_manifest_that_is_not_text_is_named_with_the_line(tmp_path):
    (tmp_path / MANIFEST).write_bytes(f"{HEADER}\np1,Jos".encode() + b"\xe9,posed")
    with pytest.raises(ValueError, match=r"not UTF-8 text: byte 79, on line 2 of .*manifest.csv. Save it again"):
        read_manifest(tmp_path, "SPOS")


def test_a_manifest_that_is_no_file_is_named(tmp_path):
    (tmp_path / MANIFEST).mkdir()
    with pytest.raises(ValueError, match=r"SPOS's manifest cannot be read: .*manifest.csv"):
        read_manifest(tmp_path, "SPOS")


def test_an_image_linked_from_elsewhere_and_one_of_another_format_are_images(tmp_path):
    root = tmp_path / "spos"
    (root / "posed").mkdir(parents=True)
    (tmp_path / "mine.bmp").write_bytes(b"BM")
    (root / "posed/on.bmp").symlink_to(tmp_path / "mine.bmp")
    (root / "posed/ap.TIFF").write_bytes(b"II*")
    pairs = read_manifest(write(root, LINE), "SPOS")
    assert (pairs[0].onset, pairs[0].apex) == ("posed/on.bmp", "posed/ap.TIFF")
    assert drop_incomplete(root, pairs) == (pairs, Counter())


def test_a_link_inside_the_folder_is_an_image(tmp_path):
    (tmp_path / "posed").mkdir()
    for name in ("real.bmp", "posed/ap.bmp"):
        (tmp_path / name).write_bytes(b"BM")
    (tmp_path / "posed/on.bmp").symlink_to(tmp_path / "real.bmp")
    assert drop_incomplete(tmp_path, read_manifest(write(tmp_path, LINE), "SPOS"))[1] == Counter()


def test_every_fault_of_an_image_has_its_word(tmp_path):
    root = tmp_path / "nvie"
    root.mkdir()
    (tmp_path / "other.bmp").write_bytes(b"BM")
    (root / "good.bmp").write_bytes(b"BM")
    (root / "empty.bmp").touch()
    (root / "folder.bmp").mkdir()
    (root / "out.bmp").symlink_to(tmp_path / "other.bmp")
    (root / "dangling.bmp").symlink_to(root / "nothing.bmp")
    (root / "loop.bmp").symlink_to(root / "loop.bmp")
    latin = b"caf\xe9.bmp".decode(errors="surrogateescape")
    (root / latin).write_bytes(b"BM")
    missing = ["none.bmp", "folder.bmp", "dangling.bmp", "loop.bmp", "x" * 300, "good.bmp/in.bmp"]
    assert {image_fault(root, reference) for reference in missing} == {"missing"}
    faults = {name: image_fault(root, name) for name in ("good.bmp", "empty.bmp", "out.bmp", latin)}
    assert list(faults.values()) == [None, "empty_file", None, "name_not_utf8"]


def test_pairs_with_a_fault_are_dropped_counted_once_and_logged_by_reason(tmp_path, caplog):
    (tmp_path / "a").mkdir()
    for name in ("on", "ap"):
        (tmp_path / f"a/{name}.bmp").write_bytes(b"BM")
    (tmp_path / "a/empty.bmp").touch()
    pairs = [
        pair(),
        pair(onset="a/none.bmp"),
        pair(apex="a/none.bmp"),
        pair(apex="a/none2.bmp"),
        pair(onset="a/no.bmp", apex="a/none.bmp"),
        pair(onset="a/empty.bmp", apex="a/none.bmp"),
        pair(onset="a/empty.bmp"),
    ]
    kept, dropped = drop_incomplete(tmp_path, pairs)
    assert kept == pairs[:1]
    assert dropped == {"no_onset": 1, "no_apex": 3, "no_onset_nor_apex": 1, "empty_file": 1}
    with caplog.at_level(logging.WARNING, "mien"):
        log_dropped(dropped, "SPOS")
    assert len(caplog.records) == 4
    assert "SPOS: 3 dropped as no_apex, because the apex image is missing" in caplog.text


@pytest.mark.parametrize("onset", [None, "missing", "empty_file", "several_images"])
@pytest.mark.parametrize("apex", [None, "missing", "empty_file", "name_not_utf8"])
def test_the_reason_of_a_pair_is_a_known_one_and_none_only_without_fault(onset, apex):
    reason = pair_fault(onset, apex)
    assert (reason is None) == (onset is None and apex is None)
    assert reason is None or reason in REASONS


def test_the_table_has_the_columns_and_types_that_systems_read(tmp_path):
    table = pairs_table([pair(), pair("s1", "spontaneous")], "SPOS", tmp_path)
    expected = [
        "sample_id",
        "onset",
        "apex",
        "label",
        "kind",
        "expression",
        "subject",
        "split",
        "illumination",
        "glasses",
    ]
    assert table.columns.tolist() == expected
    assert table["label"].tolist() == [0, 1]
    assert (table["label"].dtype, table["glasses"].dtype) == ("int64", "boolean")
    assert table["split"].eq("folds").all()
    table.to_parquet(tmp_path / "pairs.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "pairs.parquet"), table)


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([pair()], r"none of the 1 complete pairs under .* is spontaneous. List pairs of both"),
        ([pair(kind="spontaneous")], "is posed"),
        ([], "none of the 0 complete pairs .* is posed or spontaneous"),
    ],
)
def test_an_absent_kind_is_named(tmp_path, pairs, message):
    with pytest.raises(ValueError, match=message):
        pairs_table(pairs, "SPOS", tmp_path)


def test_totals_that_depart_from_the_published_are_sentences_with_numbers():
    samples = pd.DataFrame({"subject": ["a", "a", "b"]})
    assert total_deviations(samples, 3, 2) == []
    assert total_deviations(samples, 1028, 1) == [
        "There are 3 pairs, 1,025 fewer than the 1,028 published.",
        "There are 2 subjects, 1 more than the 1 published.",
    ]


def test_the_file_is_a_csv_to_others(tmp_path):
    write_manifest(tmp_path, [pair()])
    with (tmp_path / MANIFEST).open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert row["emotion"] == "happy"
    assert row["glasses"] == ""
    assert list(row) == list(COLUMNS)
