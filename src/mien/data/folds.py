"""Folds that no person is in twice, for datasets without a published split."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


def subject_folds(samples: pd.DataFrame, num_folds: int = 10, seed: int = 0) -> pd.DataFrame:
    """Deal the subjects into folds of about the same number of samples of every class.

    Subjects are dealt one by one, those with most samples first, each into the fold that has least of what the subject
    brings: with n_fm samples of class m in fold f and s_m of the subject, the fold of least sum over m of
    s_m n_fm / T_m^2, T_m being all samples of the class. Among equal folds the one with fewest subjects, then the
    first. ``seed`` orders subjects with equally many samples; the order of the rows does not matter.

    Args:
        samples: with the columns ``subject`` (string) and ``label`` (class id). Other columns are kept.
        num_folds: 2 to the number of subjects.
        seed: 0 or more.

    Returns:
        A copy of ``samples`` with ``fold`` (int64), 0 to num_folds - 1; every fold has a subject.

    Raises:
        ValueError: an argument is out of range, a column is missing, or a row names no subject.

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
        raise ValueError(
            f"{num_folds} folds of {len(names)} subjects cannot be made, as no subject may be in two: "
            f"give a number of folds from 2 to {len(names)}."
        )
    if seed < 0:
        raise ValueError(f"The seed of the folds is {seed}, which no generator takes: give 0 or a positive number.")
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
        samples: with the column ``subject`` (string), of at least two subjects. Other columns are kept.

    Returns:
        A copy of ``samples`` with ``fold`` (int64), 0 to the number of subjects - 1.

    Raises:
        ValueError: the column is missing, a row names no subject, or there is only one.

    Example:
        >>> import pandas as pd
        >>> leave_one_subject_out(pd.DataFrame({"subject": ["b", "a", "b"]}))["fold"].tolist()
        [1, 0, 1]
    """
    names = _subjects(samples, columns=("subject",))
    if len(names) < 2:
        raise ValueError(
            f"Only subject {names[0]} is in the samples table, and leaving it out leaves nothing to train on: "
            "add samples of another subject."
        )
    return samples.assign(fold=np.searchsorted(names, _text(samples["subject"])).astype(np.int64))


def _subjects(samples: pd.DataFrame, columns: tuple[str, ...] = ("subject", "label")) -> np.ndarray:
    """The names of all subjects, sorted."""
    missing = sorted(set(columns) - set(samples.columns))
    if missing:
        raise ValueError(
            f"The samples table lacks {', '.join(missing)}, it has {', '.join(map(str, samples.columns))}: "
            "add the columns."
        )
    if len(samples) == 0:
        raise ValueError("The samples table is empty, so it has no subjects to deal into folds: add samples.")
    nameless = np.flatnonzero(samples["subject"].isna())
    if len(nameless):
        raise ValueError(
            f"{len(nameless)} rows of the samples table name no subject, the first is row {nameless[0]}: "
            "name it, or drop the rows, as they cannot be kept out of training."
        )
    return np.unique(_text(samples["subject"]))


def _text(column: pd.Series) -> np.ndarray:
    return column.to_numpy(dtype=object).astype(str)
