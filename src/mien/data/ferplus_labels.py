"""FER+'s rules from ten votes to a label: majority, probability, crossentropy and multi_target."""

from __future__ import annotations

from typing import NamedTuple, get_args

import numpy as np

from mien.labels import EXPRESSION_SPELLINGS, FERPLUS_EXPRESSIONS, TargetMode

VOTE_COLUMNS: tuple[str, ...] = (
    "neutral",
    "happiness",
    "surprise",
    "sadness",
    "anger",
    "disgust",
    "fear",
    "contempt",
    "unknown",
    "NF",
)
"""What annotators could vote for, in the order and spelling of FER+'s files; NF is "not a face"."""

NUM_EXPRESSIONS = 8
"""The first vote columns are expressions, the last two are not."""

VOTED_EXPRESSIONS: tuple[str, ...] = tuple(EXPRESSION_SPELLINGS[name] for name in VOTE_COLUMNS[:NUM_EXPRESSIONS])
"""The expressions' vote columns by the names of ``mien.labels``."""

_CANONICAL = [VOTED_EXPRESSIONS.index(name) for name in FERPLUS_EXPRESSIONS]
_CLASS_IDS = np.array([FERPLUS_EXPRESSIONS.index(name) for name in VOTED_EXPRESSIONS])


class VoteLabels(NamedTuple):
    """Labels of n images; classes in the order of ``mien.labels.FERPLUS_EXPRESSIONS``."""

    labels: np.ndarray  # (n,) int64; -1 where the votes give none
    targets: np.ndarray  # (n, 8) float64, each row adding up to 1, or to 0 where the votes give no label


def label_votes(votes: np.ndarray, mode: TargetMode) -> VoteLabels:
    """Turn votes into class distributions and labels.

    Single votes are taken for slips and set to 0, S votes remain. Then, per image:

    - ``majority`` keeps the column with most votes if it has more than S / 2.
    - ``probability`` and ``crossentropy`` accept columns from most votes down, equal ones together, until 0.75 S votes
      or 3 columns are accepted. When their turn comes to unknown or NF, acceptance ends; they count only if they came
      first. Accepted votes must be more than S / 2, in at most 3 columns.
    - ``multi_target`` keeps columns of at least 0.3 S votes; together they must have more than S / 2.

    An image is left without a label if the rule fails or most kept votes are for unknown or NF. Of equal counts the
    first in the files' order decides. What is kept of the eight expressions is divided by its sum.

    What training makes of the distribution is not done here: ``mien.data.face_images`` draws a class from it for
    ``probability``, and ``mien.losses`` compares with all of it for ``crossentropy`` and with the best of the classes
    above 0 for ``multi_target``.

    Args:
        votes: (n, 10) whole numbers, columns as ``VOTE_COLUMNS``.
        mode: the rule.

    Raises:
        ValueError: the shape is another, a vote is negative, or the mode is unknown.

    Source: Barsoum et al. 2016; github.com/microsoft/FERPlus, ``src/ferplus.py``.

    Example:
        >>> label_votes(np.array([[0, 6, 3, 0, 0, 0, 0, 0, 0, 1]]), "crossentropy").targets.round(2).tolist()
        [[0.33, 0.0, 0.0, 0.67, 0.0, 0.0, 0.0, 0.0]]
    """
    votes = np.asarray(votes)
    if votes.ndim != 2 or votes.shape[1] != len(VOTE_COLUMNS) or (votes < 0).any():
        raise ValueError(
            f"FER+ votes of shape {votes.shape} are not (n, {len(VOTE_COLUMNS)}) numbers from 0. Give the ten columns "
            f"{', '.join(VOTE_COLUMNS)}."
        )
    if mode not in get_args(TargetMode):
        raise ValueError(f"label_mode {mode!r} of FER+ is unknown: choose one of {', '.join(get_args(TargetMode))}.")
    votes = np.where(votes <= 1, 0, votes).astype(np.int64)
    rule = {"majority": _majority, "multi_target": _multi_target}.get(mode, _largest_first)
    kept = rule(votes, votes.sum(axis=1))
    top = kept.argmax(axis=1)
    labelled = kept.any(axis=1) & (top < NUM_EXPRESSIONS)
    expressions = np.where(labelled[:, None], kept[:, _CANONICAL], 0)
    targets = expressions / np.maximum(expressions.sum(axis=1, keepdims=True), 1)
    labels = np.full(len(votes), -1)
    labels[labelled] = _CLASS_IDS[top[labelled]]
    return VoteLabels(labels, targets)


# Each rule returns (n, 10) kept votes, all zero where it gives no label, from the votes and their sums S. Comparisons
# are of whole numbers, so that 0.3 S and 0.75 S are exact.


def _majority(votes: np.ndarray, sums: np.ndarray) -> np.ndarray:
    is_top = np.arange(votes.shape[1]) == votes.argmax(axis=1)[:, None]
    return np.where(is_top & (2 * votes > sums[:, None]), votes, 0)


def _multi_target(votes: np.ndarray, sums: np.ndarray) -> np.ndarray:
    kept = np.where(10 * votes >= 3 * sums[:, None], votes, 0)
    return np.where((2 * kept.sum(axis=1) > sums)[:, None], kept, 0)


def _largest_first(votes: np.ndarray, sums: np.ndarray) -> np.ndarray:
    kept = np.zeros_like(votes)
    ended = np.zeros(len(votes), dtype=bool)
    for count in range(votes.max(initial=0), 1, -1):
        enough = (4 * kept.sum(axis=1) >= 3 * sums) | ((kept > 0).sum(axis=1) >= 3)
        turn = (votes == count) & ~(ended | enough)[:, None]
        kept[:, :NUM_EXPRESSIONS][turn[:, :NUM_EXPRESSIONS]] = count
        nameless = turn[:, NUM_EXPRESSIONS:].any(axis=1)
        first = nameless & ~kept.any(axis=1)
        kept[first, NUM_EXPRESSIONS + turn[first, NUM_EXPRESSIONS:].argmax(axis=1)] = count
        ended |= nameless
    accepted = (2 * kept.sum(axis=1) > sums) & ((kept > 0).sum(axis=1) <= 3)
    return np.where(accepted[:, None], kept, 0)
