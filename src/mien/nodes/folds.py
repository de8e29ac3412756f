"""The split step of a system that is cross-validated."""

import logging
from typing import Annotated

import pandas as pd
from pydantic import Field

from mien.nodes.params import MOST, Count, Params, Seed, Share

logger = logging.getLogger(__name__)


class CurveParams(Params):
    """Scores against the number of training subjects, on fixed test subjects.

    Attributes:
        train_subjects: Numbers of subjects; empty for no curve.
        test_folds: Whose subjects are tested.
    """

    train_subjects: tuple[Count, ...]
    test_folds: tuple[Annotated[int, Field(ge=0, le=MOST)], ...]


class ProtocolParams(Params):
    """How a dataset with folds is divided.

    Attributes:
        validation_fraction: About this part of the training subjects of each fold chooses the epoch.
        seed: Of that choice.
        curve: The learning curve.
    """

    validation_fraction: Share
    seed: Seed
    curve: CurveParams


def split_by_folds(samples: pd.DataFrame, protocol: ProtocolParams) -> pd.DataFrame:
    """Lay out every trial: one per fold, and those of the learning curve.

    Args:
        samples: A samples table with ``fold``.
        protocol: How the subjects outside a fold are divided.

    Returns:
        The table of ``mien.data.fold_trials.fold_trials``.
    """
    from mien.data.fold_trials import fold_trials

    trials = fold_trials(
        samples,
        validation_fraction=protocol.validation_fraction,
        seed=protocol.seed,
        **protocol.curve.model_dump(),
    )
    counts = trials.groupby("split").size() / trials["trial"].nunique()
    logger.info(
        "%d trials with %.0f train, %.0f val and %.0f test samples on average",
        trials["trial"].nunique(),
        *(counts[split] for split in ("train", "val", "test")),
    )
    return trials
