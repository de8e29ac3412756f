"""The trials of a cross-validation: who is trained on, who chooses the epoch, who is tested; nobody is two of these."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mien.data.folds import subject_folds

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

FOLD, SUBJECTS = "fold", "subjects"
"""What trials are called after: the fold that is tested, or the number of subjects that are trained on."""


def fold_trials(
    samples: pd.DataFrame,
    *,
    validation_fraction: float,
    seed: int = 0,
    train_subjects: Sequence[int] = (),
    test_folds: Sequence[int] = (),
) -> pd.DataFrame:
    """Write every trial's train, val and test rows one below the other.

    Trial ``fold_<f>`` tests fold f and divides the subjects of the others into train and val, balanced as
    ``subject_folds`` does. Trial ``subjects_<n>`` tests the subjects of ``test_folds`` and takes n of the others, each
    trial those of the smaller ones and some more, for train and val: a learning curve on fixed test subjects.

    Args:
        samples: with ``sample_id``, ``label``, ``subject``, ``fold`` and ``row``; rows without a face (``row`` -1) are
            dropped, and counted in the log by ``reason``.
        validation_fraction: about this part of a trial's training subjects chooses the epoch.
        seed: of that choice, another in each trial, and of the order in which a learning curve takes subjects.
        train_subjects: numbers n of subjects; empty for no learning curve.
        test_folds: whose subjects the learning curve tests.

    Returns:
        The samples' columns with ``split`` (train, val, test) and ``trial``, one row per trial and sample.

    Raises:
        ValueError: a subject is in no fold or in two, there is only one fold, a class is missing in a trial's train or
            val rows, or an argument does not fit the samples.
    """
    import pandas as pd

    usable = _with_face(samples)
    _check_folds(usable, validation_fraction)
    trials = [
        _trial(f"{FOLD}_{fold}", usable, usable["fold"] == fold, None, validation_fraction, seed)
        for fold in sorted(usable["fold"].unique())
    ]
    if len(train_subjects):
        tested = usable["fold"].isin(test_folds)
        order = _subject_order(usable[~tested], seed)
        _check_curve(usable, tested, train_subjects, test_folds, len(order))
        trials += [
            _trial(f"{SUBJECTS}_{n}", usable, tested, order[:n], validation_fraction, seed) for n in train_subjects
        ]
    _warn_of_missing_classes(trials, usable["label"].nunique())
    return pd.concat(trials, ignore_index=True)


def _with_face(samples: pd.DataFrame) -> pd.DataFrame:
    without = samples[samples["face_index"] < 0]
    for reason, count in without.get("reason", without["face_index"]).value_counts().items():
        logger.warning("%d of %d samples are left out of every fold: %s", count, len(samples), reason)
    return samples[samples["face_index"] >= 0].reset_index(drop=True)


def _check_folds(samples: pd.DataFrame, validation_fraction: float) -> None:
    if not 0 < validation_fraction < 1:
        raise ValueError(
            f"validation_fraction of the folds is {validation_fraction}: give a number above 0 and below 1."
        )
    nowhere = samples["fold"].isna() | (samples["fold"] < 0)
    if nowhere.any():
        subjects = sorted(samples.loc[nowhere, "subject"].astype(str).unique())
        raise ValueError(
            f"{len(subjects)} subjects are in no fold, the first is {subjects[0]}, in a samples table of "
            f"{len(samples)} rows: they would never be tested. Prepare the dataset again, or leave them out."
        )
    folds_of = samples.groupby("subject")["fold"].nunique()
    if (folds_of > 1).any():
        raise ValueError(
            f"Subject {folds_of.idxmax()} is in {folds_of.max()} folds of the samples table, so training would see who "
            "is tested. Give every subject one fold: prepare the dataset again."
        )
    if samples["fold"].nunique() < 2:
        raise ValueError(
            f"All {len(samples)} samples with a face are in {samples['fold'].nunique()} fold, and nothing is left to "
            "train on. Prepare the dataset with more folds, or look at the reasons why samples have no face."
        )


def _check_curve(
    samples: pd.DataFrame, tested: pd.Series, train_subjects: Sequence[int], test_folds: Sequence[int], others: int
) -> None:
    unknown = sorted(set(test_folds) - set(samples["fold"]))
    if unknown or not tested.any():
        raise ValueError(
            f"The learning curve tests folds {list(test_folds)}, of which {unknown} are not among the folds "
            f"{sorted(samples['fold'].unique())}. Set protocol.curve.test_folds to some of these."
        )
    wrong = [n for n in train_subjects if not 2 <= n <= others]
    if wrong or len(set(train_subjects)) < len(train_subjects):
        raise ValueError(
            f"The learning curve asks for {list(train_subjects)} training subjects where {others} are not tested. "
            f"Give different numbers from 2 to {others} in protocol.curve.train_subjects."
        )


def _subject_order(samples: pd.DataFrame, seed: int) -> np.ndarray:
    names = np.unique(samples["subject"].to_numpy(dtype=object).astype(str))
    return np.random.default_rng([seed, 1]).permutation(names)


def _trial(
    name: str,
    samples: pd.DataFrame,
    tested: pd.Series,
    subjects: np.ndarray | None,
    validation_fraction: float,
    seed: int,
) -> pd.DataFrame:
    import pandas as pd

    rest = samples[~tested] if subjects is None else samples[~tested & samples["subject"].astype(str).isin(subjects)]
    parts = min(round(1 / validation_fraction), rest["subject"].nunique())
    if parts < 2:
        raise ValueError(
            f"Trial {name} has {rest['subject'].nunique()} subject to train on, and none would be left to choose the "
            "epoch. Give more subjects, or a smaller validation_fraction."
        )
    # One seed would shuffle the subjects of every trial about alike, and the same few would choose the epoch of most
    own = int(np.random.SeedSequence([seed, 2, zlib.crc32(name.encode())]).generate_state(1)[0])
    inner = subject_folds(rest[["subject", "label"]].reset_index(drop=True), parts, own)["fold"].to_numpy()
    val = inner == _fold_with_all_classes(rest["label"].to_numpy(), inner)
    trained = rest.assign(split=np.where(val, "val", "train"))
    for split in ("train", "val"):
        missing = sorted(set(samples["label"]) - set(trained.loc[trained["split"] == split, "label"]))
        if missing:
            raise ValueError(
                f"Trial {name} has no {split} row of class {missing[0]} among {(trained['split'] == split).sum()}. "
                "Set protocol.validation_fraction so that both parts have samples of every class, or add subjects."
            )
    return pd.concat([trained, samples[tested].assign(split="test")]).assign(trial=name)


def _fold_with_all_classes(label: np.ndarray, inner: np.ndarray) -> int:
    """The first inner fold that has every class, and leaves every class to the others; 0 where there is none."""
    M = len(np.unique(label))
    for fold in np.unique(inner):
        if len(np.unique(label[inner == fold])) == len(np.unique(label[inner != fold])) == M:
            return int(fold)
    return 0


def _warn_of_missing_classes(trials: Sequence[pd.DataFrame], M: int) -> None:
    lacking = [
        str(trial["trial"].iloc[0]) for trial in trials if trial.loc[trial["split"] == "test", "label"].nunique() < M
    ]
    if lacking:
        logger.warning("%d trials test no sample of some class: %s", len(lacking), ", ".join(lacking))
