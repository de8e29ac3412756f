"""Images that a dataset holds more than once: pixel for pixel, and so alike that they are one picture."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mien.errors import MienError

if TYPE_CHECKING:
    import pandas as pd


logger = logging.getLogger(__name__)

NEAR = 4
"""Bits of 64 in which the perceptual hashes of two near-duplicates differ at most.

Source: ours, looked at on FER+: of its test images 7 of 7 at distance 0, 8 of 8 at 2 and 7 of 8 at 4 show the same
picture as their nearest training image, at 6 two in eight another one, from 8 on nearly all another.
"""

_BLOCK = 256
"""Rows compared at once, so that a table of any length takes little memory."""


def pixel_digest(image: np.ndarray) -> bytes:
    """16 bytes that are equal for images of equal shape and pixels, and for no others by any chance that matters."""
    shape = ",".join(map(str, image.shape)).encode()
    return hashlib.blake2b(np.ascontiguousarray(image).tobytes(), digest_size=16, key=shape).digest()


def mark_duplicates(samples: pd.DataFrame, digests: Sequence[bytes | None]) -> pd.DataFrame:
    """Mark exact duplicates within a samples table.

    Args:
        samples: With the columns ``sample_id`` and ``split``, in reading order.
        digests: ``pixel_digest`` of each row's image; None where it cannot be read, which equals nothing.

    Returns:
        A copy of ``samples`` with ``duplicate_of``, the sample_id of the first equal image in reading order (missing
        for that first one and for images that occur once), and ``leaks``: whether a row that is not of split "train"
        shows an image that a row of split "train" shows as well.

    Raises:
        MienError: ``digests`` has another length than ``samples``.

    Source: ours, because scores on images that were trained on say nothing about new ones; duplicates in "val" touch
        only the choice of the epoch and do not count as leaks.

    Example:
        >>> import pandas as pd
        >>> samples = pd.DataFrame({"sample_id": ["a", "b", "c"], "split": ["train", "test", "test"]})
        >>> mark_duplicates(samples, [b"x", b"x", b"y"])[["duplicate_of", "leaks"]].to_numpy().tolist()
        [[<NA>, False], ['a', True], [<NA>, False]]
    """
    import pandas as pd

    if len(digests) != len(samples):
        raise MienError(
            f"There are {len(digests)} digests for {len(samples)} rows of the samples table: give one for each row."
        )
    # Plain dictionaries: numpy takes bytes that end in zeros for shorter ones.
    first: dict[bytes, str] = {}
    duplicate_of = [
        None if digest is None or first.setdefault(digest, sample_id) == sample_id else first[digest]
        for sample_id, digest in zip(samples["sample_id"], digests, strict=True)
    ]
    is_train = (samples["split"] == "train").tolist()
    trained = {digest for digest, train in zip(digests, is_train, strict=True) if train and digest is not None}
    leaks = [not train and digest in trained for digest, train in zip(digests, is_train, strict=True)]
    return samples.assign(
        duplicate_of=pd.array(duplicate_of, dtype="string"),
        leaks=pd.array(leaks, dtype=bool),  # also without rows
    )


def warn_of_leaks(samples: pd.DataFrame, dataset: str) -> None:
    """Log how many images of each other split training has seen, from the columns of ``mark_duplicates``."""
    for split, count in samples.loc[samples["leaks"], "split"].value_counts().items():
        logger.warning(
            "%s: %d %s images are in the training split too, pixel for pixel (column leaks)", dataset, count, split
        )


def perceptual_hash(image: np.ndarray) -> str:
    """16 hexadecimal digits that change little with size, compression and brightness of an image (H, W, 3) uint8.

    Source: ``imagehash.phash``: signs of the lowest 8 x 8 frequencies of the grey image at 32 x 32.
    """
    import imagehash
    from PIL import Image

    return str(imagehash.phash(Image.fromarray(image)))


def near_duplicates(samples: pd.DataFrame) -> np.ndarray:
    """Find rows of other splits that are near-duplicates of a training row without being equal to one.

    Args:
        samples: N rows with ``split``, ``leaks`` and ``perceptual_hash``, missing where an image cannot be read.

    Returns:
        (n,) bool.

    Example:
        >>> import pandas as pd
        >>> hashes = ["ffff0000ffff0000", "ffff0000ffff0003", "0123456789abcdef"]
        >>> samples = pd.DataFrame({"split": ["train", "test", "test"], "leaks": False, "perceptual_hash": hashes})
        >>> near_duplicates(samples).tolist()
        [False, True, False]
    """
    readable = samples["perceptual_hash"].notna().to_numpy()
    is_train = (samples["split"] == "train").to_numpy()
    others = np.flatnonzero(readable & ~is_train & ~samples["leaks"].to_numpy(dtype=bool))
    hashes = np.array(
        [int(each, 16) if known else 0 for each, known in zip(samples["perceptual_hash"], readable, strict=True)],
        np.uint64,
    )
    trained = np.unique(hashes[readable & is_train])
    found = np.zeros(len(samples), dtype=bool)
    for start in range(0, len(others) if len(trained) else 0, _BLOCK):
        rows = others[start : start + _BLOCK]
        found[rows] = np.bitwise_count(hashes[rows, None] ^ trained).min(axis=1) <= NEAR
    return found
