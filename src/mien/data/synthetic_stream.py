"""Random numbers of synthetic data: each purpose of each dataset has its own."""

import zlib

import numpy as np


def synthetic_stream(dataset: str, *numbers: int) -> np.random.Generator:
    """Return the generator of one thing that is drawn; of two datasets' things no two share it.

    With the seed and numbers alone, which all datasets count from 0 or 1, the first persons of one dataset would be
    those of another: a network trained on synthetic faces would know whom the next dataset shows.

    Args:
        dataset: Name of what is drawn.
        *numbers: The seed first, then what tells the thing from others of the dataset; 0 or more. Their number counts,
            so that (seed, split) and (seed, split, 0) are two things.

    Source: numpy's ``SeedSequence``, whose outputs are independent for distinct numbers; it takes zeros at the end for
        nothing, hence the count.

    Example:
        >>> one, other = synthetic_stream("raf_db", 0, 1), synthetic_stream("ferplus", 0, 1)
        >>> one.integers(10**9) == other.integers(10**9)
        False
    """
    return np.random.default_rng([zlib.crc32(dataset.encode()), len(numbers), *numbers])
