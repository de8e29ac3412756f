import base64

import cv2
import numpy as np
import pytest

from mien.io.sheets import COLUMNS, face_sheet_base64


def decode(text: str) -> np.ndarray:
    png = np.frombuffer(base64.b64decode(text), np.uint8)
    return cv2.cvtColor(cv2.imdecode(png, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


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
