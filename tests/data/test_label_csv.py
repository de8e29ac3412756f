"""Label files give rows with their line numbers, and every way in which they can be broken has its message."""

from pathlib import Path

import pytest

from mien.data.label_csv import read_label_rows, read_label_text


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
