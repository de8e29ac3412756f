"""Schemas of the project's tables, checked by the catalog whenever one is saved or loaded."""

import numpy as np
import pandas as pd
import pandera.pandas as pa

from mien.data.target_shares import MODE_COLUMN, SHARE_PREFIX, TARGET_MODES

SPLITS = ["train", "val", "test"]
LISTED_SPLITS = [*SPLITS, "folds", "unlabelled"]
"""A listed sample may also be tested in turn with all others (``folds``), or have no label to be evaluated by."""

FACE_REASONS = ["aligned", "several_faces", "no_face", "already_aligned"]
"""Why a sample has the face it has; a sample that cannot be read has the reason in one other word."""

SOUND_REASONS = ["read", "silent", "no_audio"]
"""Words for sounds that were read, or of which there is no file: the reader's account tells of those."""

CROPS = ["points", "whole", "centre", "none"]

_WORD = pa.Check.str_matches(r"^[a-z_]+$")
_WORD_AND_NUMBER = pa.Check.str_matches(r"^[a-z_]+_[0-9]+$")


def _labelled_where_evaluated(listed: pd.DataFrame) -> pd.Series:
    return (listed["label"] >= 0) | (listed["split"] == "unlabelled")


_LISTED = pa.DataFrameSchema(
    {
        "sample_id": pa.Column(str, unique=True),
        "split": pa.Column(str, pa.Check.isin(LISTED_SPLITS)),
        "subject": pa.Column(nullable=True),
        "synthetic": pa.Column(bool),
    }
)

_IMAGE = {"image": pa.Column(str, pa.Check.str_length(min_value=1))}
_PAIR = {name: pa.Column(str, pa.Check.str_length(min_value=1)) for name in ("onset", "apex")}
_BETWEEN = {"^frame_[0-9]+$": pa.Column(str, pa.Check.str_length(min_value=1), regex=True, required=False)}
_CLASS = {"label": pa.Column(int, pa.Check.ge(-1)), "expression": pa.Column(str)}

_TARGETS = {
    f"^{SHARE_PREFIX}[a-z_]+$": pa.Column(float, pa.Check.in_range(0, 1), regex=True, required=False),
    MODE_COLUMN: pa.Column(str, pa.Check.isin(TARGET_MODES), required=False),
}

_LOCATED = {
    "reason": pa.Column(str, _WORD),
    "crop": pa.Column(str, pa.Check.isin(CROPS)),
    "score": pa.Column("float32", pa.Check.in_range(0, 1), nullable=True),
    "roll_degrees": pa.Column("float32", pa.Check.in_range(-180, 180), nullable=True),
    "turned_degrees": pa.Column("float32", pa.Check.isin([0, 90, 180, 270]), nullable=True),
    "enlarged": pa.Column("float32", pa.Check.ge(1), nullable=True),
    "height": pa.Column("float32", pa.Check.ge(1), nullable=True),
    "width": pa.Column("float32", pa.Check.ge(1), nullable=True),
    "brightness": pa.Column("float32", pa.Check.in_range(0, 255), nullable=True),
    "face_index": pa.Column(int, pa.Check.ge(-1)),
}


def _shares_are_whole(listed: pd.DataFrame) -> pd.Series:
    shares = listed.filter(regex=f"^{SHARE_PREFIX}")
    soft = (listed[MODE_COLUMN] != "majority") if MODE_COLUMN in listed else pd.Series(False, listed.index)
    if shares.empty:
        return ~soft
    return ((shares.sum(axis=1) - 1).abs() < 1e-6) | (~soft & (listed["label"] < 0))


def _only_train_is_soft(listed: pd.DataFrame) -> pd.Series:
    if MODE_COLUMN in listed:
        return (listed[MODE_COLUMN] == "majority") | (listed["split"] == "train")
    shares = listed.filter(regex=f"^{SHARE_PREFIX}")
    return pd.Series(np.isin(shares, (0, 1)).all(axis=1), listed.index)


_TARGET_CHECKS = [
    pa.Check(_shares_are_whole, error=f"a sample's shares of votes, its columns {SHARE_PREFIX}…, do not add up to 1"),
    pa.Check(
        _only_train_is_soft,
        error=f"a sample outside split train is no 'majority', or a table with votes has no column {MODE_COLUMN}: it "
        "was prepared before there was one. Prepare the dataset again",
    ),
]
"""A table with shares but without mode is read where they are of one class each: they can be taken one way alone."""


def _named(schema: pa.DataFrameSchema, name: str, labelled: bool = True, soft: bool = False) -> pa.DataFrameSchema:
    checks = [pa.Check(_labelled_where_evaluated, error="a sample without label is in no split 'unlabelled'")]
    checks = [*(checks if labelled else []), *(_TARGET_CHECKS if soft else [])]
    return pa.DataFrameSchema(schema.columns, checks=checks, name=name)


Listed = _named(_LISTED.add_columns({**_IMAGE, **_CLASS, **_TARGETS}), "listed", soft=True)
"""One row per image that a dataset lists, with its expression, and the shares of its votes where it has some."""

Samples = _named(Listed.add_columns(_LOCATED), "samples", soft=True)
"""One row per image, with where its face is and which packed face it became."""

ListedPairs = _named(
    _LISTED.add_columns(
        {
            **_PAIR,
            **_BETWEEN,
            **_CLASS,
            "kind": pa.Column(str, pa.Check.isin(["posed", "spontaneous"])),
            "subject": pa.Column(str),
            "fold": pa.Column(int, pa.Check.ge(0)),
        }
    ),
    "listed pairs",
)
"""One row per onset and apex of one expression, and the frames between of a sequence, with whether it was posed."""

PairSamples = _named(ListedPairs.add_columns(_LOCATED), "pair samples")
"""One row per pair, with where its face is and which packed pair it became."""


def _nobody_is_in_two_parts(trials: pd.DataFrame) -> pd.Series:
    parts = trials.groupby(["trial", "subject"])["split"].transform("nunique")
    return parts == 1


_TRIALS = {
    **PairSamples.columns,
    "sample_id": pa.Column(str),
    "split": pa.Column(str, pa.Check.isin(SPLITS)),
    "trial": pa.Column(str, _WORD_AND_NUMBER),
}

PairTrials = pa.DataFrameSchema(
    _TRIALS,
    unique=["trial", "sample_id"],
    checks=pa.Check(_nobody_is_in_two_parts, error="a subject is in two parts of a trial"),
    name="pair trials",
)
"""One row per trial of a cross-validation and pair, with the part that the pair has in it."""

ListedAttributes = _named(
    _LISTED.add_columns(
        {
            **_IMAGE,
            "age": pa.Column(int, pa.Check.in_range(0, 130)),
            "gender": pa.Column(int, pa.Check.isin([0, 1])),
            "ethnicity": pa.Column(int, pa.Check.in_range(0, 4)),
        }
    ),
    "listed attributes",
    labelled=False,
)
"""One row per face with its age in years, gender and ethnicity, by UTKFace's codes."""

AttributeSamples = _named(ListedAttributes.add_columns(_LOCATED), "attribute samples", labelled=False)
"""One row per face with its attributes, and which packed face it became."""


ListedClips = _named(
    _LISTED.add_columns(
        {
            **_CLASS,
            "video": pa.Column(nullable=True),
            "audio": pa.Column(nullable=True),
            "subject": pa.Column(str),
            "gender": pa.Column(str, pa.Check.isin(["male", "female"]), nullable=True),
            "intensity": pa.Column(str),
        }
    ),
    "listed clips",
)
"""One row per clip of an actor, with its files."""

Clips = _named(
    ListedClips.add_columns(
        {
            "audio_start": pa.Column(int, pa.Check.ge(-1)),
            "audio_samples": pa.Column(int, pa.Check.ge(0)),
            "audio_seconds": pa.Column(float, pa.Check.ge(0)),
            "audio_reason": pa.Column(str, _WORD),
        }
    ),
    "clips",
)
"""One row per clip, with where its sound lies among the packed waveforms."""

_POINTS = {"^landmark_[0-9]{2}_[xy]$": pa.Column("float32", regex=True)}
_PREDICTED_POINTS = {"^predicted_[0-9]{2}_[xy]$": pa.Column("float32", regex=True)}
_FACE = {
    "sample_id": pa.Column(str, unique=True),
    "split": pa.Column(str, pa.Check.isin(SPLITS)),
    "subject": pa.Column(nullable=True),
    "synthetic": pa.Column(bool),
    "face_index": pa.Column(int, pa.Check.ge(0)),
}

LandmarkSamples = pa.DataFrameSchema(
    {
        **_FACE,
        **_POINTS,
        "expression": pa.Column(str),
        "aligned": pa.Column(bool),
        "person": pa.Column(int, pa.Check.ge(0)),
        "picture": pa.Column(int, pa.Check.ge(0)),
    },
    name="landmark samples",
)
"""One row per face that a landmark network learns from or is evaluated on, with where its points are."""

LandmarkPredictions = pa.DataFrameSchema({**_FACE, **_POINTS, **_PREDICTED_POINTS}, name="landmark predictions")
"""One row per synthetic face that the network has not trained on: where its landmarks are, and are predicted."""


def _scores_add_up(predictions: pd.DataFrame) -> pd.Series:
    return (predictions.filter(regex="^score/").sum(axis=1) - 1).abs() < 1e-6


def _target_where_evaluated(predictions: pd.DataFrame) -> pd.Series:
    return (predictions["target"] >= 0) | (predictions["split"] == "unlabelled")


Predictions = pa.DataFrameSchema(
    {
        "sample_id": pa.Column(str, unique=True),
        "split": pa.Column(str, pa.Check.isin([*SPLITS[1:], "unlabelled"])),
        "synthetic": pa.Column(bool),
        "target": pa.Column(int, pa.Check.ge(-1)),
        "^score/": pa.Column(float, pa.Check.in_range(0, 1), regex=True),
    },
    checks=[
        pa.Check(_scores_add_up, error="the scores of a row do not add up to 1"),
        pa.Check(_target_where_evaluated, error="a sample without target is in no split 'unlabelled'"),
    ],
    name="predictions",
)
"""One row per sample that the network has not been trained on, with one score per class; target -1 where unlabelled."""

TrialPredictions = pa.DataFrameSchema(
    {
        **Predictions.columns,
        "sample_id": pa.Column(str),
        "subject": pa.Column(str),
        "fold": pa.Column(int, pa.Check.ge(0)),
        "model": pa.Column(str),
        "trial": pa.Column(str, _WORD_AND_NUMBER),
        "seed": pa.Column(int, pa.Check.ge(0)),
        "primary": pa.Column(bool),
    },
    unique=["model", "trial", "seed", "sample_id"],
    checks=pa.Check(_scores_add_up, error="the scores of a row do not add up to 1"),
    name="trial predictions",
)
"""One row per model, trial, seed and sample that the model was not trained on; ``fold`` is the sample's own."""

ClipSamples = _named(
    _LISTED.add_columns(
        {
            **_CLASS,
            "subject": pa.Column(str),
            "face_index": pa.Column(int, pa.Check.ge(-1)),
            "num_faces": pa.Column(int, pa.Check.ge(0)),
            "heard": pa.Column(bool),
        }
    ),
    "clip samples",
)
"""One row per clip that takes part, with how much of it is seen and whether it is heard."""

ClipPredictions = pa.DataFrameSchema(
    {
        **Predictions.columns,
        "sample_id": pa.Column(str),
        "subject": pa.Column(str),
        "model": pa.Column(str, _WORD),
        "senses": pa.Column(str, pa.Check.isin(["face", "voice", "both", "none"])),
        "valence": pa.Column(float, pa.Check.in_range(-1, 1)),
        "sentiment": pa.Column(str, pa.Check.isin(["negative", "neutral", "positive"])),
    },
    checks=Predictions.checks,
    unique=["sample_id", "model"],
    name="clip predictions",
)
"""One row per clip and network that has not been trained on it."""


def _value_or_scores(predictions: pd.DataFrame) -> pd.Series:
    scores = predictions.filter(regex="^score/")
    return (predictions["target_name"] == "age") | ((scores.sum(axis=1) - 1).abs() < 1e-6)


AttributePredictions = pa.DataFrameSchema(
    {
        "sample_id": pa.Column(str),
        "split": pa.Column(str, pa.Check.isin(SPLITS[1:])),
        "synthetic": pa.Column(bool),
        "target_name": pa.Column(str, pa.Check.isin(["age", "gender", "ethnicity"])),
        "model": pa.Column(str),
        "target": pa.Column(int, pa.Check.ge(0)),
        "value": pa.Column(float),
        "^score/": pa.Column(float, pa.Check.in_range(0, 1), regex=True, nullable=True),
    },
    unique=["sample_id", "target_name", "model"],
    checks=pa.Check(_value_or_scores, error="the scores of a class do not add up to 1"),
    name="attribute predictions",
)
"""One row per unseen face, target and network: the predicted age, or class with one score per class."""

AgingPredictions = pa.DataFrameSchema(
    {
        "sample_id": pa.Column(str, unique=True),
        "split": pa.Column(str, pa.Check.isin(SPLITS[1:])),
        "synthetic": pa.Column(bool),
        "target": pa.Column(int, pa.Check.ge(0)),
        "value": pa.Column("float32"),
        "estimated_age": pa.Column("float32"),
        "^critic/": pa.Column("float32", pa.Check.in_range(0, 1), regex=True),
        "^distance/": pa.Column("float32", pa.Check.ge(0), regex=True),
        "requested_age": pa.Column("float32", pa.Check.ge(0)),
        "aged_age": pa.Column("float32", nullable=True),
        "reconstruction": pa.Column("float32", pa.Check.ge(0), nullable=True),
        "^(real|generated)_feature/": pa.Column("float32", regex=True),
    },
    name="ageing predictions",
)
"""One row per unseen face: one generated at its age and itself at another.

With what evaluate and critic say of them.
"""
