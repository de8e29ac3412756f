"""Sheets of faces that were taken for another class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mien.errors import MienError
from mien.figures.style import SYNTHETIC, class_sizes

TILE = 112
"""Pixels per side of a face on a sheet."""

MOST_FACES = 64
"""Faces on a sheet: 8 rows of 8."""

_ROUNDING = 1e-3  # a softmax in half precision is off by this much
_LETTER_WIDTH = 6.5  # pixels, in the captions of a sheet


@dataclass(frozen=True)
class _Mistakes:
    """Rows (k,) whose prediction is wrong, the most confident first, of n."""

    rows: np.ndarray
    target: np.ndarray
    predicted: np.ndarray
    confidence: np.ndarray
    n: int

    def heading(self, shown: str, title: str, synthetic: bool) -> str:
        origin = f" ({SYNTHETIC})" if synthetic else ""
        return f"{title}{origin}: {shown}{len(self.rows):,} mistakes among {self.n:,}"


def mistakes_sheet(
    faces: np.ndarray,
    target: np.ndarray,
    predicted: np.ndarray,
    confidence: np.ndarray,
    class_names: Sequence[str],
    title: str,
    *,
    most: int = MOST_FACES,
    synthetic: bool = False,
) -> np.ndarray:
    """Show mislabelled faces, the most confident mistakes first, each with true class, prediction and confidence.

    Where there are more than ``most``, the true classes take turns, so that a class with many mistakes leaves room for
    the others; of each class the most confident are shown.

    Args:
        faces: (n, H, W, C) uint8, RGB or grey, or (n, K, H, W, C) of pairs and sequences; may be memory-mapped.
        target: (n,) true class ids, 0 to M - 1.
        predicted: (n,) predicted class ids.
        confidence: (n,) probability of the predicted class.
        class_names: the M names, in the order of the ids.
        title: begins the line above.
        most: faces at the most, at least 1.
        synthetic: say in the line above that the faces are synthetic.

    Returns:
        (H, W, 3) uint8 RGB; a sheet that says so where there is no mistake.

    Raises:
        MienError: not one of each per face, ids without a name, a confidence out of 0 to 1, or ``most`` below 1.
    """
    from mien.io.sheets import COLUMNS, captioned_sheet

    if most < 1:
        raise MienError(f"most={most}: a sheet shows at least 1 face.")
    class_names = [name.replace("_", " ") for name in class_names]
    mistakes = _mistakes(faces, target, predicted, confidence, class_names)
    chosen = _in_turn(mistakes.target, most)
    if not len(chosen):
        return _no_mistakes(mistakes.heading("", title, synthetic))
    tiles = [face_tile(faces[row]) for row in mistakes.rows[chosen]]
    captions = [
        [
            _fitting(f"true: {class_names[true]}", tiles[0].shape[1]),
            _fitting(f"pred: {class_names[taken]}", tiles[0].shape[1]),
            f"confidence {share:.2f}",
        ]
        for true, taken, share in zip(
            mistakes.target[chosen], mistakes.predicted[chosen], mistakes.confidence[chosen], strict=True
        )
    ]
    columns = max(1, COLUMNS * TILE // tiles[0].shape[1])
    heading = mistakes.heading(f"{len(chosen):,} of ", title, synthetic)
    return captioned_sheet(tiles, captions, heading=heading, columns=columns)


def mistakes_grid(
    faces: np.ndarray,
    target: np.ndarray,
    predicted: np.ndarray,
    confidence: np.ndarray,
    class_names: Sequence[str],
    title: str,
    *,
    synthetic: bool = False,
) -> np.ndarray:
    """Show the most confident mistake of each kind: true classes in rows, predicted ones in columns.

    Under each stand its confidence and how many mistakes of the kind there are. Empty cells: no such mistake. The
    diagonal says how many of a class were recognised. Arguments and errors as in ``mistakes_sheet``.

    Returns:
        (H, W, 3) uint8 RGB.

    Source: the arrangement is that of FER-former, Fig. 4.
    """
    from mien.io.sheets import captioned_sheet, message_tile

    class_names = [name.replace("_", " ") for name in class_names]
    mistakes = _mistakes(faces, target, predicted, confidence, class_names)
    if not len(mistakes.rows):
        return _no_mistakes(mistakes.heading("", title, synthetic))
    M = len(class_names)
    kinds = mistakes.target * M + mistakes.predicted
    first = {int(kind): place for place, kind in reversed(list(enumerate(kinds.tolist())))}
    width = face_tile(faces[mistakes.rows[0]]).shape[1]
    sizes, wrong = class_sizes(target, M), class_sizes(mistakes.target, M)
    blank = np.full((TILE, width, 3), 255, np.uint8)
    tiles = [blank, *(message_tile(f"predicted {name}", TILE, width) for name in class_names)]
    captions = [[""] for _ in tiles]
    for true, name in enumerate(class_names):
        tiles.append(message_tile(f"true {name}", TILE, width))
        captions.append([f"{sizes[true]:,} in all"])
        for taken in range(M):
            place = first.get(true * M + taken)
            if taken == true:
                tiles.append(message_tile(f"{sizes[true] - wrong[true]:,} right", TILE, width))
                captions.append([""])
            elif place is None:
                tiles.append(blank)
                captions.append([""])
            else:
                tiles.append(face_tile(faces[mistakes.rows[place]]))
                count = int((kinds == true * M + taken).sum())
                captions.append([f"{mistakes.confidence[place]:.2f}, 1 of {count:,}"])
    heading = mistakes.heading("the most confident of each kind of ", title, synthetic)
    return captioned_sheet(tiles, captions, heading=heading, columns=M + 1)


def face_tile(face: np.ndarray) -> np.ndarray:
    """A face (H, W, C), or a pair or sequence (K, H, W, C) side by side, as RGB of the sheet's size."""
    from mien.data.face_images import resize_square

    images = [resize_square(np.asarray(image), TILE) for image in (face if face.ndim == 4 else face[None])]
    images = [image if image.ndim == 3 else image[..., None] for image in images]  # OpenCV drops a single channel
    return np.concatenate([np.broadcast_to(image, (TILE, TILE, 3)) for image in images], axis=1)


def _mistakes(
    faces: np.ndarray,
    target: np.ndarray,
    predicted: np.ndarray,
    confidence: np.ndarray,
    class_names: Sequence[str],
) -> _Mistakes:
    lengths = {"faces": len(faces), "target": len(target), "predicted": len(predicted), "confidence": len(confidence)}
    if len(set(lengths.values())) != 1:
        raise MienError(f"A sheet of mistakes is given {lengths}: give one of each per face.")
    for ids in (target, predicted):
        class_sizes(ids, len(class_names))
    off = ~((confidence >= 0) & (confidence <= 1 + _ROUNDING))
    if off.any():
        raise MienError(
            f"Confidence is {confidence[off][0]} in row {off.argmax()}: give the probability of the predicted class."
        )
    rows = np.flatnonzero(target != predicted)
    rows = rows[np.argsort(-confidence[rows], kind="stable")]
    return _Mistakes(rows, target[rows], predicted[rows], confidence[rows], len(target))


def _in_turn(classes: np.ndarray, most: int) -> np.ndarray:
    """Places of up to ``most`` of the ordered classes (k,): the first of every class, the second, and so on."""
    turn = np.zeros(len(classes), int)
    for label in np.unique(classes):
        turn[classes == label] = np.arange((classes == label).sum())
    return np.sort(np.argsort(turn, kind="stable")[:most])


def _fitting(text: str, width: int) -> str:
    """The text, or as much of its beginning as fits into ``width`` pixels."""
    letters = int(width / _LETTER_WIDTH)
    return text if len(text) <= letters else f"{text[: letters - 2]}.."


def _no_mistakes(heading: str) -> np.ndarray:
    from mien.io.sheets import captioned_sheet, message_tile

    return captioned_sheet([message_tile("no mistakes", TILE, 2 * TILE)], [[""]], heading=heading)
