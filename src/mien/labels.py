"""Names of the classes that the datasets annotate, in one canonical order, and the numbers of the landmarks of a face.

Every table, model output and figure of the project counts classes in this order. Readers map a dataset's own codes to
it.
"""

from collections.abc import Mapping
from typing import Any, Literal

EXPRESSIONS: tuple[str, ...] = ("surprise", "fear", "disgust", "happy", "sad", "angry", "neutral", "contempt")
"""The seven expressions in RAF-DB's order (its label n is class n - 1), then FER+'s eighth, contempt."""

RAF_DB_EXPRESSIONS: tuple[str, ...] = EXPRESSIONS[:7]
"""The classes of RAF-DB basic, class id = position.

Source: RAF-DB ``EmoLabel/list_patition_label.txt``, labels 1 to 7.
"""

SFEW_EXPRESSIONS: tuple[str, ...] = EXPRESSIONS[:7]
"""The classes of SFEW 2.0, which names them in words, class id = position: networks trained on RAF-DB fit it."""

EXPRESSION_SPELLINGS: dict[str, str] = {
    **{name: name for name in EXPRESSIONS},
    "surprised": "surprise",
    "fearful": "fear",
    "afraid": "fear",
    "disgusted": "disgust",
    "happiness": "happy",
    "sadness": "sad",
    "anger": "angry",
}
"""Name of an expression by its spellings in the datasets, in lower case.

Source: folder names of RAF-DB's and SFEW's copies and the words of their papers.
"""

EMOTIONS: tuple[str, ...] = EXPRESSIONS[:6]
"""The six basic emotions, which USTC-NVIE and SPOS elicit or have posed."""

KINDS: tuple[str, ...] = ("posed", "spontaneous")
"""Whether an expression was made on request or came by itself, class id = position."""

FERPLUS_EXPRESSIONS: tuple[str, ...] = EXPRESSIONS
"""The classes of FER+, class id = position; its files name them in another order, neutral first."""

TargetMode = Literal["majority", "probability", "crossentropy", "multi_target"]
"""What training takes from annotators' votes on a sample.

``majority``: the label. ``crossentropy``: the share of votes of each class. ``probability``: a class sampled by these
shares whenever the sample is seen. ``multi_target``: every class that has a share, each as right as the other.

Source: Barsoum et al. 2016, section 4.
"""

GENDERS: tuple[str, ...] = ("male", "female")
"""UTKFace's codes 0 and 1, which Kaggle's age, gender and ethnicity CSV keeps."""

ETHNICITIES: tuple[str, ...] = ("white", "black", "asian", "indian", "others")
"""UTKFace's codes 0 to 4, which Kaggle's age, gender and ethnicity CSV keeps."""

RAVDESS_EMOTIONS: tuple[str, ...] = ("neutral", "calm", "happy", "sad", "angry", "fear", "disgust", "surprise")
"""What RAVDESS' actors were requested; its file names' code n is emotion n - 1. Calm is no expression of its own here.

Source: Zenodo record 1188976, which says fearful and surprised.
"""

RAVDESS_EXPRESSIONS: tuple[str, ...] = EXPRESSIONS[:7]
"""The classes of RAVDESS, class id = position; calm counts as neutral."""

CREMA_D_EXPRESSIONS: tuple[str, ...] = EXPRESSIONS[1:7]
"""The classes of CREMA-D, class id = position: it has no surprise."""

NUM_LANDMARKS = 68
"""Points of iBUG's scheme, which counts each group from the left of the picture."""

LANDMARK_GROUPS: dict[str, tuple[int, ...]] = {
    "jaw": tuple(range(17)),
    "brows": tuple(range(17, 27)),
    "nose": tuple(range(27, 36)),
    "eyes": tuple(range(36, 48)),
    "mouth": tuple(range(48, 68)),
}
"""Which of the 68 landmarks lie on which part of the face, counted from 0.

Source: Sagonas et al., "300 Faces in-the-Wild Challenge", ICCVW 2013, figure 1, which counts from 1.
"""

LANDMARK_MIRROR: tuple[int, ...] = (
    *range(16, -1, -1),  # jaw
    *range(26, 16, -1),  # brows
    *range(27, 31),  # ridge of the nose
    *range(35, 30, -1),  # base of the nose
    *(45, 44, 43, 42, 47, 46),  # left eye: corner, upper lid, corner, lower lid
    *(39, 38, 37, 36, 41, 40),  # right eye
    *range(54, 47, -1),  # outer upper lip
    *range(59, 54, -1),  # outer lower lip
    *range(64, 59, -1),  # inner upper lip
    *range(67, 64, -1),  # inner lower lip
)
"""Landmark that each of the 68 is in the mirror image."""

FIVE_POINT_LANDMARKS: tuple[tuple[int, ...], ...] = (tuple(range(36, 42)), tuple(range(42, 48)), (30,), (48,), (54,))
"""Landmarks whose mean is each of MTCNN's five points: left eye, right eye, nose, left and right mouth corner."""


def synthetic_share(metrics: Mapping[str, Any]) -> float:
    """How much of what a run was tested on is synthetic, from its metrics: 0 for real data alone.

    Runs of version 0.1 call it ``drawn_share``. Every place that says what a score was measured on uses this.

    Example:
        >>> synthetic_share({"drawn_share": 1.0}), synthetic_share({"synthetic_share": 0.5}), synthetic_share({})
        (1.0, 0.5, 0.0)
    """
    return metrics.get("synthetic_share") or metrics.get("drawn_share") or 0.0
