"""Whether images that are called aligned have the shape of aligned faces, before they are taken whole."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from mien.data.image_header import declared_size
from mien.data.images import first_bytes, printable

logger = logging.getLogger(__name__)

SQUARE = 1.02
"""Height over width up to which a crop counts as square. Source: ours, a pixel of rounding at 48 px."""

SFEW_SHAPE = 1.3
"""The same for SFEW, whose aligned faces have 143x181 pixels, a ratio of 1.27; photographs of 3:4 have 1.33."""

_BEGINNING = 65_536  # bytes; a JPEG's size stands behind its embedded thumbnail


def check_aligned_sizes(paths: Iterable[Path], dataset: str, tallest: float, max_share: float, what_to_do: str) -> None:
    """Refuse photographs under the names of aligned faces, which would be squeezed into squares.

    Files whose header tells no size are left to the decoder.

    Args:
        paths: of the images.
        dataset: its name, for messages.
        tallest: height over width that an aligned face may have; it is no wider than high but for a hundredth or two.
        max_share: of images with another shape, above which they are refused; below they are logged.
        what_to_do: ends the message.

    Raises:
        ValueError: more than ``max_share`` have another shape.
    """
    total = 0
    wrong: list[tuple[Path, int, int]] = []
    for path in paths:
        size = declared_size(first_bytes(path, _BEGINNING))
        if size is None or not all(size):
            continue
        total += 1
        H, W = size
        if not 1 / SQUARE <= H / W <= tallest:
            wrong.append((path, W, H))
    if not wrong:
        return
    path, W, H = wrong[0]
    reported = f"{len(wrong):,} of {total:,} have another shape, the first {printable(path)} of {W}x{H} pixels"
    if len(wrong) > max_share * total:
        raise ValueError(
            f"{dataset}'s images are no aligned faces, which are square or nearly so: {reported}. {what_to_do}"
        )
    logger.warning("%s: of the images that are called aligned, %s", dataset, reported)
