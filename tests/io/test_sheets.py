"""Sheets of faces: every picture in its place, captions that fit, files that are whole or absent."""

import base64

import cv2
import numpy as np
import pytest
from kedro.io import DatasetError

from mien.io import sheets
from mien.io.sheets import COLUMNS, SheetImage, captioned_sheet, face_sheet_base64, message_tile


def decode(text: str) -> np.ndarray:
    png = np.frombuffer(base64.b64decode(text), np.uint8)
    return cv2.cvtColor(cv2.imdecode(png, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def pictures(n: int, height: int = 40, width: int = 50) -> list[np.ndarray]:
    """Coloured noise without white and without the captions' ink."""
    return list(np.random.default_rng(n).integers(60, 200, (n, height, width, 3), dtype=np.uint8))


@pytest.mark.parametrize(("n", "rows"), [(1, 1), (COLUMNS, 1), (COLUMNS + 1, 2)])
def test_faces_are_tiled_row_by_row_in_rgb_and_the_rest_is_white(n, rows):
    faces = np.random.default_rng(n).integers(0, 200, (n, 6, 5, 3), dtype=np.uint8)
    sheet = decode(face_sheet_base64(faces))
    assert sheet.shape == (6 * rows, 5 * COLUMNS, 3)
    for number, face in enumerate(faces):
        top, left = 6 * (number // COLUMNS), 5 * (number % COLUMNS)
        np.testing.assert_array_equal(sheet[top : top + 6, left : left + 5], face)
    white = (sheet == 255).all(axis=2)
    assert white.sum() == (rows * COLUMNS - n) * 6 * 5


def test_grey_faces_stay_grey():
    faces = np.random.default_rng(0).integers(0, 200, (2, 6, 6, 1), dtype=np.uint8)
    sheet = decode(face_sheet_base64(faces))
    np.testing.assert_array_equal(sheet[:6, :6], np.repeat(faces[0], 3, axis=2))


@pytest.mark.parametrize(("n", "columns"), [(1, 8), (5, 2), (6, 3), (3, 8)])
def test_a_captioned_sheet_holds_every_picture_unchanged_in_reading_order(n, columns):
    sheet = captioned_sheet(pictures(n), [["a", "b"]] * n, heading="heading", columns=columns)
    places = []
    for picture in pictures(n):
        match = cv2.matchTemplate(sheet, picture, cv2.TM_SQDIFF)
        top, left = np.unravel_index(match.argmin(), match.shape)
        np.testing.assert_array_equal(sheet[top : top + 40, left : left + 50], picture)
        places.append((top, left))
    assert places == sorted(places), "rows from the top, each from the left"
    assert len({top for top, _ in places}) == -(-n // columns)
    assert len({left for _, left in places}) == min(n, columns)


def test_captions_stand_below_their_picture_and_in_no_other():
    tiles = pictures(2)
    plain = captioned_sheet(tiles, [[""], [""]], heading="h")
    named = captioned_sheet(tiles, [[""], ["sad"]], heading="h")
    changed = np.argwhere((plain != named).any(axis=2))
    match = cv2.matchTemplate(named, tiles[1], cv2.TM_SQDIFF)
    top, left = np.unravel_index(match.argmin(), match.shape)
    assert changed[:, 0].min() >= top + 40
    assert changed[:, 0].max() < len(plain)
    assert changed[:, 1].min() >= left
    assert changed[:, 1].max() < left + 50


def test_a_long_caption_keeps_its_end_and_stays_below_its_picture():
    name = "basic/Image/original/train_00001"
    assert sheets._shortened(name, 112).startswith("..")
    assert sheets._shortened(name, 112).endswith("train_00001")
    assert sheets._text_width(sheets._shortened(name, 112)) <= 112
    assert sheets._shortened("sad", 112) == "sad"
    assert sheets._shortened("sad", 3) == ""


def test_letters_that_the_font_lacks_do_not_fail():
    captioned_sheet(pictures(1), [["gesicht_é_顔", "caf\udce9"]], heading="é")


def test_a_heading_wider_than_the_pictures_is_not_cut_off():
    sheet = captioned_sheet(pictures(1), [["a"]], heading="5 of 5 rejected or doubtful, of 140")
    columns_with_ink = np.flatnonzero((sheet[:20] < 100).any(axis=(0, 2)))
    assert columns_with_ink.max() < sheet.shape[1] - 2
    assert columns_with_ink.max() > 150


def test_a_message_is_grey_with_words_inside():
    tile = message_tile("not an image", 112, 112)
    assert tile.shape == (112, 112, 3)
    ink = np.argwhere((tile < 100).all(axis=2))
    assert len(ink) > 50
    assert (ink.min(axis=0) > 20).all()
    assert (ink.max(axis=0) < 92).all()


def test_a_sheet_is_saved_as_png_and_loaded_and_previewed_as_it_was(tmp_path):
    sheet = pictures(1)[0]
    entry = SheetImage(filepath=str(tmp_path / "deeper" / "sheet.png"))
    assert not entry.exists()
    entry.save(sheet)
    np.testing.assert_array_equal(entry.load(), sheet)
    np.testing.assert_array_equal(decode(entry.preview()), sheet)
    assert [path.name for path in (tmp_path / "deeper").iterdir()] == ["sheet.png"]
    assert entry.exists()


@pytest.mark.parametrize(
    "sheet",
    [np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8)],
)
def test_what_is_no_picture_is_refused_and_the_old_file_stays(tmp_path, sheet):
    entry = SheetImage(filepath=str(tmp_path / "sheet.png"))
    entry.save(pictures(1)[0])
    with pytest.raises(DatasetError, match=r"A sheet is \(H, W, 3\) uint8.*Scale to 0\.\.255"):
        entry.save(sheet)
    np.testing.assert_array_equal(entry.load(), pictures(1)[0])
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]


def test_an_interrupted_save_leaves_the_old_file(tmp_path, monkeypatch):
    entry = SheetImage(filepath=str(tmp_path / "sheet.png"))
    entry.save(pictures(1)[0])
    monkeypatch.setattr(sheets, "_png", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        entry.save(pictures(2)[1])
    np.testing.assert_array_equal(entry.load(), pictures(1)[0])
