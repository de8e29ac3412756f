"""CSV files of datasets: label files with a header line, and faces of 48x48 grey pixels, one a line.

FER2013 and Kaggle's age, gender and ethnicity faces are published as lines of which one column holds 2,304 numbers with
spaces between. A line is found by the byte at which it begins, so that any one is read without those before it.
"""

from __future__ import annotations

import csv
import logging
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import cv2
import numpy as np

from mien.data.duplicates import pixel_digest
from mien.data.images import POINTER, ImageError
from mien.errors import MienError

logger = logging.getLogger(__name__)


def read_label_text(path: Path, dataset: str) -> str:
    """Read a label file that has at least one line.

    Args:
        path: The file; a byte order mark is passed over.
        dataset: Its name, for messages.

    Raises:
        MienError: The file cannot be read, is not UTF-8 or is empty.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise MienError(
            f"{dataset}'s label file cannot be read: {path} ({error.strerror}). Copy it again from the download."
        ) from error
    except UnicodeDecodeError as error:
        raise MienError(
            f"{dataset}'s label file is not text: byte {error.start} of {path} is not UTF-8. Copy it again."
        ) from error
    if text.startswith(POINTER.decode()):
        raise MienError(
            f"{dataset}'s label file is not fetched: {path} is a Git LFS pointer. Run `git lfs pull` in its repository."
        )
    if not text.strip():
        raise MienError(f"{dataset}'s label file is empty: {path} has no line. Copy it again from the download.")
    return text


def check_distinct(names: Sequence[str], where: str, what: str) -> None:
    """Refuse a header that names a column twice, of which either would be taken for the other.

    Args:
        names: Of the columns.
        where: The line and file, for the message.
        what: The kind of file, which begins the message.

    Raises:
        MienError: Two columns have one name; upper and lower case are the same.
    """
    first: dict[str, int] = {}
    for number, name in enumerate(names, start=1):
        if name and first.setdefault(name.lower(), number) != number:
            raise MienError(
                f"{what} has the column {name} twice: {where} names it as column {first[name.lower()]} and as column "
                f"{number}. Remove the one that is wrong."
            )


def read_label_rows(path: Path, columns: Sequence[str], dataset: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Read a CSV file's rows, whatever the order of its columns.

    Args:
        path: The file.
        columns: Names that its first line has to have.
        dataset: Its name, for messages.

    Yields:
        Number of the line and value by column of ``columns``, without spaces around; empty where a row is too short.

    Raises:
        MienError: As ``read_label_text``, a column is missing, or a line is not CSV.

    Example:
        >>> list(read_label_rows(Path("train_labels.csv"), ["image", "label"], "RAF-DB"))  # doctest: +SKIP
        [(2, {'image': 'train_00001_aligned.jpg', 'label': '5'}), ...]
    """
    rows = csv.DictReader(read_label_text(path, dataset).splitlines(), strict=True)
    try:
        there = [name.strip() for name in rows.fieldnames or []]
        check_distinct(there, f"line 1 of {path}", f"{dataset}'s label file")
        missing = [name for name in columns if name not in there]
        if missing:
            raise MienError(
                f"{dataset}'s label file lacks the column {missing[0]}: the first line of {path} is "
                f"{', '.join(there)[:80]!r}. It has to name the columns {', '.join(columns)}."
            )
        rows.fieldnames = there
        for row in rows:
            yield rows.line_num, {name: (row[name] or "").strip() for name in columns}
    except csv.Error as error:
        raise MienError(
            f"{dataset}'s label file is not CSV: line {rows.line_num} of {path} ({error}). Copy it again."
        ) from error


FACE_SIZE = 48
"""Height and width of the faces in pixels."""

NUM_PIXELS = FACE_SIZE**2

_MAX_LINE = 65_536  # bytes; a row has 4 a pixel and a few more, and a file without line ends is not read whole
_BLANKS_AND_DIGITS = b" \t0123456789"
_BOM = b"\xef\xbb\xbf"


class PixelRow(NamedTuple):
    """Where a row is, and what its other columns say."""

    line: int  # of the file, the header being 1
    offset: int  # bytes from the file's beginning
    fields: tuple[str, ...]  # of the columns requested, in that order, without quotes and surrounding blanks
    digest: bytes | None  # of the pixels; None where they are not an image


def read_pixel_row(path: Path, offset: int) -> np.ndarray:
    """Read the face in one row of a pixel CSV.

    Of the row's fields the longest is taken for the pixels, so that no header is needed.

    Args:
        path: The CSV file.
        offset: Byte at which the row begins, as in ``PixelRow.offset``.

    Returns:
        (48, 48, 3) uint8, three equal channels.

    Raises:
        ImageError: ``reason`` is "missing" (no such file, or no row begins there), "directory", "wrong_pixel_count",
            "not_a_number" or "out_of_range" (of 0 to 255).
    """
    where = f"the row at byte {offset} of {path}"
    pixels = _parse_pixels(max(_row_at(path, offset, where).split(b","), key=len), where)
    return cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB)


def scan_pixel_rows(
    path: Path, columns: Sequence[str], optional: Sequence[str] = (), pixels: str = "pixels"
) -> Iterator[PixelRow]:
    """Go through a pixel CSV row by row; one row is in memory at a time.

    The header may begin with a byte order mark and name the columns in any order, among others. Fields may be quoted
    but hold no comma. Lines end in LF or CRLF; blank ones may follow the last row. Rows whose pixels are no image are
    given out without a digest, and reported in the log at the end: reading them gives the reason.

    Args:
        path: The CSV file.
        columns: Names of the columns to give out.
        optional: Names of columns to give out after these, empty where the file lacks them.
        pixels: Name of the column with the pixels.

    Raises:
        MienError: The file cannot be opened, is a Git LFS pointer, is empty, lacks a column, has no row or none that
            is an image, a row has too few or too many fields or is not UTF-8, or a line is longer than a row can be.
    """
    faults: list[str] = []
    num_rows = 0
    with _open(path) as file:
        names = _read_header(file, path, [*columns, pixels])
        positions = [names.index(name) if name in names else None for name in (*columns, *optional)]
        pixel_position = names.index(pixels)
        for line, offset, content in _lines(file, path):
            num_rows += 1
            fields = content.split(b",")
            if len(fields) != len(names):
                raise MienError(
                    f"A row has {len(fields)} fields, the header {len(names)}: line {line} of {path}. Copy the file "
                    "again, or correct the line."
                )
            texts = tuple("" if place is None else _text(fields[place], line, path) for place in positions)
            try:
                digest = pixel_digest(_parse_pixels(fields[pixel_position], f"line {line} of {path}"))
            except ImageError as error:
                digest = None
                faults.append(str(error))
            yield PixelRow(line, offset, texts, digest)
    if len(faults) == num_rows:
        what = f"None of its {num_rows:,} rows is an image; {faults[0]}" if faults else "It ends after the header."
        raise MienError(f"A pixel CSV without a face: {path}. {what} Copy the file again from the download.")
    if faults:
        logger.warning("%d of %d rows of %s are no image. The first: %s", len(faults), num_rows, path, faults[0])


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except (OSError, RuntimeError) as error:  # rights, disks, links in a circle
        why = getattr(error, "strerror", None) or error
        raise MienError(f"A pixel CSV cannot be opened: {path} ({why}). Check its rights and the disk.") from error


def _row_at(path: Path, offset: int, where: str) -> bytes:
    if path.is_dir():
        raise ImageError("directory", f"Not a CSV file: {path} is a directory. Give a file in it.")
    if not path.is_file():
        raise ImageError("missing", f"No CSV file: {path} does not exist. Check that the dataset is unpacked.")
    with path.open("rb") as file:
        file.seek(max(offset - 1, 0))
        begins_a_line = offset == 0 or file.read(1) == b"\n"
        row = file.readline(_MAX_LINE).strip()
    if not (begins_a_line and row):
        raise ImageError("missing", f"No row: {where} does not begin there. The file has changed; list it anew.")
    return row


def _parse_pixels(field: bytes, where: str) -> np.ndarray:
    """Return a field's numbers as (48, 48) uint8."""
    field = field.strip(b'" \t\r\n')
    if field.translate(None, _BLANKS_AND_DIGITS):
        _refuse_characters(field, where)
    values = np.fromstring(field, np.int64, sep=" ") if field else np.empty(0, np.int64)
    if len(values) != NUM_PIXELS:
        raise ImageError(
            "wrong_pixel_count",
            f"Wrong number of pixels: {where} has {len(values):,}, not {NUM_PIXELS:,}. Copy the file again.",
        )
    if values.max() > 255:
        raise ImageError(
            "out_of_range", f"Pixel out of range: {where} has {values.max()}, above 255. Scale grey levels to 0..255."
        )
    return values.astype(np.uint8).reshape(FACE_SIZE, FACE_SIZE)


def _refuse_characters(field: bytes, where: str) -> None:
    """Name the first thing in a field that is not a whole number from 0."""
    word = next(word for word in field.split() if not word.isdigit())
    shown = repr(word[:20].decode("ascii", "replace"))
    if re.fullmatch(rb"-[0-9]+", word):
        raise ImageError("out_of_range", f"Pixel out of range: {where} has {shown}. Scale grey levels to 0..255.")
    raise ImageError(
        "not_a_number", f"Not a pixel: {where} has {shown}. Write whole numbers from 0 to 255 with spaces between."
    )


def _read_header(file: BinaryIO, path: Path, wanted: list[str]) -> list[str]:
    line = file.readline(_MAX_LINE)
    if not line.strip():
        what = "has zero bytes" if not line else "begins with a blank line"
        raise MienError(f"A pixel CSV without a header: {path} {what}. Copy it again from the download.")
    if line.startswith(POINTER):
        raise MienError(f"Not fetched: {path} is a Git LFS pointer, no CSV. Run `git lfs pull` in its repository.")
    header = line.removeprefix(_BOM).decode("utf-8", "replace")
    names = [name.strip(' \t\r\n"') for name in header.split(",")]
    check_distinct(names, f"line 1 of {path}", "A pixel CSV")
    absent = [name for name in wanted if name not in names]
    if absent:
        raise MienError(
            f"Wrong columns in a pixel CSV: line 1 of {path} is {header.strip()[:80]!r} and lacks {', '.join(absent)}. "
            f"The published header names {', '.join(wanted)}; copy the file again, or rename its columns."
        )
    return names


def _lines(file: BinaryIO, path: Path) -> Iterator[tuple[int, int, bytes]]:
    """Number, offset and content of every line after the header, without the blank ones at the end."""
    line, blank, offset = 1, 0, file.tell()
    while content := file.readline(_MAX_LINE):
        line += 1
        if len(content) == _MAX_LINE:
            raise MienError(
                f"A line of {_MAX_LINE:,} bytes or more: line {line} of {path} is longer than a row of {NUM_PIXELS:,} "
                "pixels. Save the file as CSV with a line for each face."
            )
        stripped = content.strip()
        if not stripped:
            blank = blank or line
        elif blank:
            raise MienError(f"A blank line between rows: line {blank} of {path}. Copy the file again, or remove it.")
        else:
            yield line, offset, stripped
        offset += len(content)


def _text(field: bytes, line: int, path: Path) -> str:
    try:
        return field.strip(b'" \t').decode("utf-8")
    except UnicodeDecodeError as error:
        raise MienError(f"Not text: line {line} of {path} is not UTF-8. Copy the file again.") from error
