"""Random numbers that depend on the seed and the epoch alone, so that a resumed run repeats an uninterrupted one."""

import numpy as np
import torch


def derive_seed(*parts: int) -> int:
    """Mix whole numbers into one 32-bit seed; equal parts give equal seeds on every machine.

    The number of parts counts, so that (seed, epoch) and (seed, epoch, 0) are different seeds: what uses another number
    of parts never shares random numbers.

    Args:
        *parts: Non-negative numbers, for example (seed, epoch) or (seed, epoch, sample).

    Source: numpy's ``SeedSequence``, whose outputs are independent for distinct parts.

    Example:
        >>> derive_seed(0, 1) == derive_seed(0, 1), derive_seed(0, 1) == derive_seed(1, 0)
        (True, False)
    """
    return int(np.random.SeedSequence((len(parts), *parts)).generate_state(1)[0])


def seed_everything(*parts: int) -> None:
    """Seed torch, on every device, for what follows: weights, dropout, drop-path.

    Data order and augmentation do not use torch's global generator: see ``engine.sampling`` and ``data.face_images``.
    """
    torch.manual_seed(derive_seed(*parts))
