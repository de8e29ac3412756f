"""Contact sheets of faces, for previews and data reports."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from kedro.io import AbstractDataset

from mien.errors import MienError
from mien.outputs import in_words, reading, replacing

COLUMNS = 8  # ours: eight faces of 112 px fill the width of kedro-viz's preview

_PREVIEW = 480  # pixels: width of a figure in kedro-viz's preview
_GAP = 6
_LINE_HEIGHT = 14
_LETTER_WIDTH = 6.3  # of the font below, on average
_FONT, _FONT_SCALE = cv2.FONT_HERSHEY_SIMPLEX, 0.36
_INK = (40, 40, 40)


class SheetImage(AbstractDataset[np.ndarray, np.ndarray]):
    """An RGB picture (H, W, 3) uint8 in one PNG file, which kedro-viz shows; never half-written."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> np.ndarray:
        """The picture: (H, W, 3) uint8, red first.

        Raises:
            FileError: The file is missing or damaged.
        """
        with reading(self._filepath, "a picture"):
            return cv2.cvtColor(_decoded(self._filepath), cv2.COLOR_BGR2RGB)

    def save(self, data: np.ndarray) -> None:
        """Write the picture under a temporary name, then move it to its own.

        Raises:
            MienError: The array is not (H, W, 3) uint8.
        """
        if data.dtype != np.uint8 or data.ndim != 3 or data.shape[2] != 3 or data.size == 0:
            raise MienError(
                f"A sheet is (H, W, 3) uint8, but {self._filepath} is given {data.dtype} of shape {data.shape}. "
                "Scale to 0..255 and repeat a grey channel three times."
            )
        with replacing(self._filepath) as part, in_words(self._filepath):
            part.write_bytes(_png(data))

    def preview(self) -> str:
        """The file, base64, for kedro-viz."""
        from kedro_datasets._typing import ImagePreview

        return ImagePreview(base64.b64encode(self._filepath.read_bytes()).decode("ascii"))

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


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
    return base64.b64encode(_png(sheet)).decode("ascii")


def _decoded(file: Path) -> Any:
    """A picture (H, W, 3) uint8, blue first; None where the file holds none."""
    return cv2.imdecode(np.frombuffer(file.read_bytes(), np.uint8), cv2.IMREAD_COLOR)


def pictures_base64(files: Sequence[Path]) -> str:
    """Lay out pictures from files, three in a row, as one PNG in base64.

    Args:
        files: n ≥ 0 pictures of any sizes; of none the PNG is white.
    """
    pictures = [_decoded(file) for file in files]
    pictures = [cv2.resize(each, (_PREVIEW, round(_PREVIEW * each.shape[0] / each.shape[1]))) for each in pictures]
    lines, columns = [], min(3, len(pictures))
    for start in range(0, len(pictures), 3):
        line = pictures[start : start + 3]
        sheet = np.full((max(each.shape[0] for each in line), columns * _PREVIEW, 3), 255, np.uint8)
        for number, each in enumerate(line):
            sheet[: each.shape[0], number * _PREVIEW : (number + 1) * _PREVIEW] = each
        lines.append(sheet)
    whole = np.concatenate(lines) if lines else np.full((1, 1, 3), 255, np.uint8)
    return base64.b64encode(_png(whole[..., ::-1])).decode("ascii")


def captioned_sheet(
    tiles: Sequence[np.ndarray], captions: Sequence[Sequence[str]], *, heading: str, columns: int = COLUMNS
) -> np.ndarray:
    """Lay out pictures in rows below a heading, each above the lines of its caption.

    Args:
        tiles: n ≥ 1 pictures (H, W, 3) uint8 RGB of one size.
        captions: Lines for each; all have as many. What does not fit loses its beginning, where names of files agree.
        heading: One line of text above.
        columns: Pictures in a row.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    height, width = tiles[0].shape[:2]
    num_lines = max(len(lines) for lines in captions)
    rows, columns = -(-len(tiles) // columns), min(columns, len(tiles))
    top = _LINE_HEIGHT + 2 * _GAP
    step_y, step_x = height + num_lines * _LINE_HEIGHT + 2 * _GAP, width + _GAP
    sheet_width = max(columns * step_x + _GAP, int(len(heading) * _LETTER_WIDTH) + 2 * _GAP)
    sheet = np.full((top + rows * step_y, sheet_width, 3), 255, np.uint8)
    _write(sheet, heading, _GAP, top - _GAP)
    for number, (tile, lines) in enumerate(zip(tiles, captions, strict=True)):
        y, x = top + number // columns * step_y, _GAP + number % columns * step_x
        sheet[y : y + height, x : x + width] = tile
        for line_number, line in enumerate(lines, start=1):
            _write(sheet, _shortened(line, width), x, y + height + line_number * _LINE_HEIGHT - 2)
    return sheet


def message_tile(text: str, height: int, width: int) -> np.ndarray:
    """A grey tile (height, width, 3) with a few words in the place of a picture."""
    tile = np.full((height, width, 3), 225, np.uint8)
    words = text.split()
    for number, word in enumerate(words):
        y = height // 2 + round((number - (len(words) - 1) / 2) * _LINE_HEIGHT) + _LINE_HEIGHT // 3
        word = _shortened(word, width)
        _write(tile, word, max(0, (width - _text_width(word)) // 2), y)
    return tile


def _shortened(text: str, width: int) -> str:
    """The text, or ``..`` and as much of its end as fits into ``width`` pixels."""
    if _text_width(text) <= width:
        return text
    for start in range(1, len(text)):
        if _text_width(f"..{text[start:]}") <= width:
            return f"..{text[start:]}"
    return ""


def _text_width(text: str) -> int:
    return cv2.getTextSize(_ascii(text), _FONT, _FONT_SCALE, 1)[0][0]


def _write(picture: np.ndarray, text: str, x: int, y: int) -> None:
    cv2.putText(picture, _ascii(text), (x, y), _FONT, _FONT_SCALE, _INK, 1, cv2.LINE_AA)


def _ascii(text: str) -> str:
    """What OpenCV's font has letters for."""
    return text.encode("ascii", "replace").decode("ascii")


def _png(picture: np.ndarray) -> bytes:
    return cv2.imencode(".png", picture[..., ::-1])[1].tobytes()  # OpenCV writes BGR
