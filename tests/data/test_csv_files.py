"""Label files give rows with their line numbers, and every way in which they can be broken has its message.

Rows of pixels are read from any byte, scanned without being held, and refused with the reason and the line.
"""

import csv
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.data.csv_files import NUM_PIXELS, read_label_rows, read_label_text, read_pixel_row, scan_pixel_rows
from mien.data.duplicates import pixel_digest
from mien.data.image_source import ImageSource
from mien.data.images import ImageError
from mien.errors import MienError


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "labels.csv"


def read(path: Path, content: str | bytes) -> list[tuple[int, dict[str, str]]]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(read_label_rows(path, ["image", "label"], "Faces"))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\N{ZERO WIDTH NO-BREAK SPACE}"])
def test_rows_come_with_the_numbers_of_their_lines(path, end, mark):
    content = mark + end.join(["image,label", "a.jpg,1", "", '"b, c.jpg",2', ""])
    assert read(path, content) == [(2, {"image": "a.jpg", "label": "1"}), (4, {"image": "b, c.jpg", "label": "2"})]


def test_columns_are_known_by_name_in_any_order_and_others_are_left_out(path):
    rows = read(path, ",label , image\n0, 5 ,a.jpg\n")
    assert rows == [(2, {"image": "a.jpg", "label": "5"})]


def test_a_row_that_is_too_short_has_empty_values(path):
    assert read(path, "image,label\na.jpg\n") == [(2, {"image": "a.jpg", "label": ""})]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"Faces's label file is empty: .*labels\.csv has no line\. Copy"),
        (" \n\n", "is empty"),
        (b"image,label\n\xff,1", r"not text: byte 12 of .*labels\.csv is not UTF-8\. Copy"),
        ("name,label\na,1", r"lacks the column image: the first line of .*labels\.csv is 'name, label'.*image, label"),
        ("image;label\na;1", "lacks the column image: .* is 'image;label'"),
        ('image,label\n"a"b,1\n', r"not CSV: line \d of .*labels\.csv \(.*\)\. Copy"),
        ('image,label\n"' + "x" * 200_000, r"not CSV: line \d of .*field larger"),
    ],
)
def test_a_broken_file_is_named(path, content, message):
    with pytest.raises(ValueError, match=message):
        read(path, content)


@pytest.mark.parametrize("place", ["nowhere.csv", "."])
def test_a_file_that_cannot_be_read_is_named(tmp_path, place):
    with pytest.raises(ValueError, match=r"label file cannot be read: .* \(.*\)\. Copy"):
        read_label_text(tmp_path / place, "Faces")


FACES = np.random.default_rng(0).integers(0, 256, (5, 48, 48), dtype=np.uint8)


def text_of(face: np.ndarray) -> str:
    return " ".join(str(value) for value in face.ravel())


def write(
    folder: Path, rows: list[str], header: str = "emotion,pixels,Usage", *, end: str = "\n", final: str = "\n"
) -> Path:
    path = folder / "faces.csv"
    path.write_bytes((end.join([header, *rows]) + final).encode())
    return path


def fer_rows(quote: str = "") -> list[str]:
    return [f"{n},{quote}{text_of(face)}{quote},Training" for n, face in enumerate(FACES)]


def scan(path: Path, columns=("Usage", "emotion")):
    return list(scan_pixel_rows(path, columns))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("final", ["", "\n", "\r\n", "\n\n", "\r\n \r\n"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
@pytest.mark.parametrize("quote", ["", '"'])
def test_every_way_of_writing_a_csv_gives_the_same_faces(tmp_path, end, final, bom, quote):
    path = write(tmp_path, fer_rows(quote), f"{bom}emotion,pixels,Usage", end=end, final=final)
    rows = scan(path)
    assert [row.fields for row in rows] == [("Training", str(n)) for n in range(5)]
    assert [row.line for row in rows] == [2, 3, 4, 5, 6]
    assert [row.digest for row in rows] == [pixel_digest(face) for face in FACES]
    for row, face in zip(rows, FACES, strict=True):
        image = read_pixel_row(path, row.offset)
        assert image.dtype == np.uint8
        np.testing.assert_array_equal(image, np.stack([face] * 3, axis=-1))


def test_columns_are_found_by_name_in_any_order_and_among_others(tmp_path):
    rows = [f"Training,{n}, 7 ,{text_of(face)}" for n, face in enumerate(FACES)]
    path = write(tmp_path, rows, '"Usage", emotion,extra, "pixels"')
    assert [row.fields for row in scan(path, ("extra", "emotion"))] == [("7", str(n)) for n in range(5)]
    np.testing.assert_array_equal(read_pixel_row(path, scan(path)[3].offset)[..., 1], FACES[3])


def test_a_reference_with_the_byte_reads_the_face_through_the_image_source(tmp_path):
    path = write(tmp_path, fer_rows())
    offset = scan(path)[2].offset
    np.testing.assert_array_equal(ImageSource(tmp_path).read(f"faces.csv#byte={offset}")[..., 0], FACES[2])


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), largest=st.integers(0, 255), gap=st.sampled_from([" ", "  ", "\t", " \t "]))
def test_any_numbers_and_any_blanks_come_back_as_csv_and_int_read_them(tmp_path_factory, seed, largest, gap):
    numbers = np.random.default_rng(seed).integers(0, largest + 1, NUM_PIXELS).tolist()
    path = write(tmp_path_factory.mktemp("csv"), [f"0,{gap.join(map(str, numbers))},x"])
    with path.open(newline="") as file:
        (expected,) = [[int(word) for word in row["pixels"].split()] for row in csv.DictReader(file)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_pixel_row(path, scan(path)[0].offset)[..., 2].ravel().tolist() == expected


@pytest.mark.parametrize(
    ("pixels", "reason", "message"),
    [
        (" ".join(["7"] * (NUM_PIXELS - 1)), "wrong_pixel_count", "has 2,303, not 2,304"),
        (" ".join(["7"] * (NUM_PIXELS + 1)), "wrong_pixel_count", "has 2,305, not 2,304"),
        ("7", "wrong_pixel_count", "has 1, not"),
        ("", "wrong_pixel_count", "has 0, not"),
        ('""', "wrong_pixel_count", "has 0, not"),
        (" ".join(["7"] * (NUM_PIXELS - 1) + ["256"]), "out_of_range", "has 256, above 255"),
        (" ".join(["7"] * (NUM_PIXELS - 1) + ["-1"]), "out_of_range", "has '-1'"),
        (" ".join(["7"] * (NUM_PIXELS - 1) + ["9" * 30]), "out_of_range", "above 255"),
        (" ".join(["7"] * (NUM_PIXELS - 1) + ["7.5"]), "not_a_number", "has '7.5'"),
        (" ".join(["7"] * (NUM_PIXELS - 1) + ["nan"]), "not_a_number", "has 'nan'"),
        (
            " ".join(["7"] * (NUM_PIXELS - 1) + ["\N{ARABIC-INDIC DIGIT SEVEN}"]),
            "not_a_number",
            "whole numbers from 0 to 255",
        ),
        ("[" + " ".join(["7"] * NUM_PIXELS) + "]", "not_a_number", r"has '\[7'"),
    ],
)
def test_pixels_that_are_no_image_are_refused_by_reason_and_reported_once_in_the_scan(
    tmp_path, caplog, pixels, reason, message
):
    path = write(tmp_path, [f"0,{pixels},Training-and-a-name", *fer_rows()])
    rows = scan(path)
    assert rows[0].digest is None
    assert None not in [row.digest for row in rows[1:]]
    assert "1 of 6 rows" in caplog.text
    assert "line 2" in caplog.text
    if len(pixels) > 20:  # a shorter one is not the longest field
        with pytest.raises(ImageError, match=message) as error:
            read_pixel_row(path, rows[0].offset)
        assert error.value.reason == reason
        assert str(path) in str(error.value)


@pytest.mark.parametrize("offset", [1, 500, 10**9])
def test_a_byte_at_which_no_row_begins_is_missing(tmp_path, offset):
    path = write(tmp_path, fer_rows())
    with pytest.raises(ImageError, match="does not begin there") as error:
        read_pixel_row(path, offset)
    assert error.value.reason == "missing"


def test_the_blank_after_the_last_row_is_no_row(tmp_path):
    path = write(tmp_path, fer_rows(), final="\n\n")
    with pytest.raises(ImageError, match="does not begin there"):
        read_pixel_row(path, path.stat().st_size - 1)


def test_a_missing_file_and_a_folder_are_distinguished(tmp_path):
    for path, reason in ((tmp_path / "no.csv", "missing"), (tmp_path, "directory")):
        with pytest.raises(ImageError) as error:
            read_pixel_row(path, 0)
        assert error.value.reason == reason


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "without a header: .*zero bytes"),
        (b"\n\n", "without a header: .*blank line"),
        (b"emotion,Usage\n0,x\n", "Wrong columns .*line 1 .*'emotion,Usage' and lacks pixels"),
        (b"0,70 80 82,Training\n", "Wrong columns"),
        ("emotion,pixels,Usage\n".encode("utf-16"), "Wrong columns"),
        (b"emotion,pixels,Usage\n", "without a face: .*ends after the header"),
        (b"emotion,pixels,Usage\n\n\n", "without a face: .*ends after the header"),
        (b"emotion,pixels,Usage\n0,1 2 3,Training\n0,,Training\n", "None of its 2 rows is an image; .*line 2"),
        (b"emotion,pixels,Usage\n0,1 2 3\n", "has 2 fields, the header 3: line 2"),
        (b"emotion,pixels,Usage\n0,1 2 3,a,b\n", "has 4 fields, the header 3: line 2"),
        (b"emotion,pixels,Usage\n0,1 2,a\n\n0,1 2,a\n", "A blank line between rows: line 3"),
        (b"emotion,pixels,Usage\n0,1 2,caf\xe9\n", "Not text: line 2 .*not UTF-8"),
        (b"emotion,pixels,Usage\n" + b"7 " * 40_000, "65,536 bytes or more: line 2"),
        (b"emotion,pixels,Usage\r0,1 2 3,Training\r", "Wrong columns|without a face"),
    ],
)
def test_a_file_that_is_not_one_is_an_error_with_its_line_and_what_to_do(tmp_path, content, message):
    path = tmp_path / "faces.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        scan(path)
    assert type(error.value) is MienError
    assert str(path) in str(error.value)


def test_a_linked_file_is_read_and_one_that_cannot_be_opened_refused(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    elsewhere = write(tmp_path, fer_rows())
    (root / "faces.csv").symlink_to(elsewhere)
    assert scan(root / "faces.csv") == scan(elsewhere)
    (root / "circle.csv").symlink_to(root / "circle.csv")
    for name in ("circle.csv", "absent.csv"):
        with pytest.raises(ValueError, match="cannot be opened"):
            scan(root / name)


def test_a_link_to_the_whole_folder_is_fine(tmp_path):
    (tmp_path / "real").mkdir()
    write(tmp_path / "real", fer_rows())
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert len(scan(tmp_path / "link" / "faces.csv")) == 5


def test_memory_does_not_grow_with_the_file(tmp_path):
    path = write(tmp_path, fer_rows() * 60)  # 2.5 MB
    tracemalloc.start()
    num_rows = sum(1 for _ in scan_pixel_rows(path, ("Usage",)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert num_rows == 300
    assert peak < 0.25 * path.stat().st_size
