"""Images that a dataset holds more than once, pixel for pixel."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


def pixel_digest(image: np.ndarray) -> bytes:
    """16 bytes that are equal for images of equal shape and pixels, and for no others by any chance that matters."""
    shape = ",".join(map(str, image.shape)).encode()
    return hashlib.blake2b(np.ascontiguousarray(image).tobytes(), digest_size=16, key=shape).digest()


def mark_duplicates(samples: pd.DataFrame, digests: Sequence[bytes | None]) -> pd.DataFrame:
    """Mark exact duplicates within a samples table.

    Args:
        samples: with the columns ``sample_id`` and ``split``, in reading order.
        digests: ``pixel_digest`` of each row's image; None where it cannot be read, which equals nothing.

    Returns:
        A copy of ``samples`` with ``duplicate_of``, the sample_id of the first equal image in reading order (missing
        for that first one and for images that occur once), and ``leaks``: whether a row that is not of split "train"
        shows an image that a row of split "train" shows as well.

    Raises:
        ValueError: ``digests`` has another length than ``samples``.

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
        raise ValueError(
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
