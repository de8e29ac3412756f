"""Contact sheets of faces, for previews."""

import base64

import cv2
import numpy as np

COLUMNS = 8  # ours: eight faces of 112 px fill the width of kedro-viz's preview


def face_sheet_base64(faces: np.ndarray) -> str:
    """Tile faces row by row into one PNG.

    Args:
        faces: (n, H, W, C) uint8, RGB or grey; n ≥ 1.

    Returns:
        The PNG as base64 text.
    """
    n, height, width, channels = faces.shape
    rows = -(-n // COLUMNS)
    tiles = np.full((rows * COLUMNS, height, width, channels), 255, np.uint8)
    tiles[:n] = faces
    sheet = tiles.reshape(rows, COLUMNS, height, width, channels)
    sheet = sheet.transpose(0, 2, 1, 3, 4).reshape(rows * height, COLUMNS * width, channels)
    encoded = cv2.imencode(".png", sheet[..., ::-1])[1]  # OpenCV writes BGR
    return base64.b64encode(encoded.tobytes()).decode("ascii")
