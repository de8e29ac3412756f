"""Folds that no person is in twice, and the trials of a cross-validation over them.

A trial says who is trained on, who chooses the epoch and who is tested; no person is two of these.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mien.errors import MienError

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)


def subject_folds(samples: pd.DataFrame, num_folds: int = 10, seed: int = 0) -> pd.DataFrame:
    """Deal the subjects into folds of about the same number of samples of every class.

    Subjects are dealt one by one, those with most samples first, each into the fold that has least of what the subject
    brings: with n_fm samples of class m in fold f and s_m of the subject, the fold of least sum over m of
    s_m n_fm / T_m^2, T_m being all samples of the class. Among equal folds the one with fewest subjects, then the
    first. ``seed`` orders subjects with equally many samples; the order of the rows does not matter.

    Args:
        samples: With the columns ``subject`` (string) and ``label`` (class id). Other columns are kept.
        num_folds: 2 to the number of subjects.
        seed: 0 or more.

    Returns:
        A copy of ``samples`` with ``fold`` (int64), 0 to num_folds - 1; every fold has a subject.

    Raises:
        MienError: An argument is out of range, a column is missing, or a row names no subject.

    Source: ours, because the paper's ten groups of subjects are not published. Dealing like this keeps the spread of
        the folds within that of the subjects: the sum over f and m of (n_fm - T_m / F)^2 / T_m^2 is at most
        (1 - 1 / F) times the sum over subjects and m of s_m^2 / T_m^2, since a fold below the mean always takes the
        subject.

    Example:
        >>> import pandas as pd
        >>> samples = pd.DataFrame({"subject": ["a", "b", "a", "b"], "label": [0, 0, 1, 1]})
        >>> subject_folds(samples, num_folds=2)["fold"].nunique()
        2
    """
    names = _subjects(samples)
    if not 2 <= num_folds <= len(names):
        raise MienError(
            f"{num_folds} folds of {len(names)} subjects cannot be made, as no subject may be in two: "
            f"give a number of folds from 2 to {len(names)}."
        )
    if seed < 0:
        raise MienError(f"The seed of the folds is {seed}, which no generator takes: give 0 or a positive number.")
    subject, label = np.searchsorted(names, _text(samples["subject"])), samples["label"].to_numpy()
    counts = np.stack([np.bincount(subject[label == one], minlength=len(names)) for one in np.unique(label)], axis=1)
    weights = counts.sum(axis=0).astype(float) ** -2
    shuffled = np.random.default_rng(seed).permutation(len(names))
    order = shuffled[np.argsort(-counts[shuffled].sum(axis=1), kind="stable")]
    dealt, num_subjects = np.zeros((num_folds, counts.shape[1])), np.zeros(num_folds, np.int64)
    fold_of = np.zeros(len(names), np.int64)
    for one in order:
        cost = (dealt * counts[one] * weights).sum(axis=1)
        # An empty fold costs nothing, so none stays empty; the margin makes equal what rounding tells apart.
        cheapest = cost <= cost.min() * (1 + 1e-12)
        fold = int(np.argmin(np.where(cheapest, num_subjects, len(names))))
        fold_of[one] = fold
        dealt[fold] += counts[one]
        num_subjects[fold] += 1
    return samples.assign(fold=fold_of[subject])


def leave_one_subject_out(samples: pd.DataFrame) -> pd.DataFrame:
    """Make every subject a fold of its own, numbered in the order of their names.

    Args:
        samples: With the column ``subject`` (string), of at least two subjects. Other columns are kept.

    Returns:
        A copy of ``samples`` with ``fold`` (int64), 0 to the number of subjects - 1.

    Raises:
        MienError: The column is missing, a row names no subject, or there is only one.

    Example:
        >>> import pandas as pd
        >>> leave_one_subject_out(pd.DataFrame({"subject": ["b", "a", "b"]}))["fold"].tolist()
        [1, 0, 1]
    """
    names = _subjects(samples, columns=("subject",))
    if len(names) < 2:
        raise MienError(
            f"Only subject {names[0]} is in the samples table, and leaving it out leaves nothing to train on: "
            "add samples of another subject."
        )
    return samples.assign(fold=np.searchsorted(names, _text(samples["subject"])).astype(np.int64))


def _subjects(samples: pd.DataFrame, columns: tuple[str, ...] = ("subject", "label")) -> np.ndarray:
    """The names of all subjects, sorted."""
    missing = sorted(set(columns) - set(samples.columns))
    if missing:
        raise MienError(
            f"The samples table lacks {', '.join(missing)}, it has {', '.join(map(str, samples.columns))}: "
            "add the columns."
        )
    if len(samples) == 0:
        raise MienError("The samples table is empty, so it has no subjects to deal into folds: add samples.")
    nameless = np.flatnonzero(samples["subject"].isna())
    if len(nameless):
        raise MienError(
            f"{len(nameless)} rows of the samples table name no subject, the first is row {nameless[0]}: "
            "name it, or drop the rows, as they cannot be kept out of training."
        )
    return np.unique(_text(samples["subject"]))


def _text(column: pd.Series) -> np.ndarray:
    return column.to_numpy(dtype=object).astype(str)


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
        samples: With ``sample_id``, ``label``, ``subject``, ``fold`` and ``row``; rows without a face (``row`` -1) are
            dropped, and counted in the log by ``reason``.
        validation_fraction: About this part of a trial's training subjects chooses the epoch.
        seed: Of that choice, another in each trial, and of the order in which a learning curve takes subjects.
        train_subjects: Numbers n of subjects; empty for no learning curve.
        test_folds: Whose subjects the learning curve tests.

    Returns:
        The samples' columns with ``split`` (train, val, test) and ``trial``, one row per trial and sample.

    Raises:
        MienError: A subject is in no fold or in two, there is only one fold, a class is missing in a trial's train or
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
        raise MienError(
            f"validation_fraction of the folds is {validation_fraction}: give a number above 0 and below 1."
        )
    nowhere = samples["fold"].isna() | (samples["fold"] < 0)
    if nowhere.any():
        subjects = sorted(samples.loc[nowhere, "subject"].astype(str).unique())
        raise MienError(
            f"{len(subjects)} subjects are in no fold, the first is {subjects[0]}, in a samples table of "
            f"{len(samples)} rows: they would never be tested. Prepare the dataset again, or leave them out."
        )
    folds_of = samples.groupby("subject")["fold"].nunique()
    if (folds_of > 1).any():
        raise MienError(
            f"Subject {folds_of.idxmax()} is in {folds_of.max()} folds of the samples table, so training would see who "
            "is tested. Give every subject one fold: prepare the dataset again."
        )
    if samples["fold"].nunique() < 2:
        raise MienError(
            f"All {len(samples)} samples with a face are in {samples['fold'].nunique()} fold, and nothing is left to "
            "train on. Prepare the dataset with more folds, or look at the reasons why samples have no face."
        )


def _check_curve(
    samples: pd.DataFrame, tested: pd.Series, train_subjects: Sequence[int], test_folds: Sequence[int], others: int
) -> None:
    unknown = sorted(set(test_folds) - set(samples["fold"]))
    if unknown or not tested.any():
        raise MienError(
            f"The learning curve tests folds {list(test_folds)}, of which {unknown} are not among the folds "
            f"{sorted(samples['fold'].unique())}. Set protocol.curve.test_folds to some of these."
        )
    wrong = [n for n in train_subjects if not 2 <= n <= others]
    if wrong or len(set(train_subjects)) < len(train_subjects):
        raise MienError(
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
        raise MienError(
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
            raise MienError(
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
