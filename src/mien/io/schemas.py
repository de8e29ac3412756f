"""Schemas of the project's tables, checked by the catalog whenever one is saved or loaded."""

import pandas as pd
import pandera.pandas as pa

SPLITS = ["train", "val", "test"]
REASONS = ["aligned", "several_faces", "no_face", "unreadable", "already_aligned"]
CROPS = ["points", "whole", "centre", "none"]

Listed = pa.DataFrameSchema(
    {
        "sample_id": pa.Column(str, unique=True),
        "image": pa.Column(str),
        "label": pa.Column(int, pa.Check.ge(0)),
        "expression": pa.Column(str),
        "split": pa.Column(str, pa.Check.isin(SPLITS)),
        "subject": pa.Column(nullable=True),
        "drawn": pa.Column(bool),
    },
    name="listed",
)
"""One row per image that a dataset lists."""

Samples = Listed.add_columns(
    {
        "reason": pa.Column(str, pa.Check.isin(REASONS)),
        "crop": pa.Column(str, pa.Check.isin(CROPS)),
        "score": pa.Column("float32", pa.Check.in_range(0, 1), nullable=True),
        "roll_degrees": pa.Column("float32", pa.Check.in_range(-180, 180), nullable=True),
        "row": pa.Column(int, pa.Check.ge(-1)),
    }
)
"""One row per image, with where its face is and which packed face it became."""


def _scores_add_up(predictions: pd.DataFrame) -> pd.Series:
    return (predictions.filter(regex="^score/").sum(axis=1) - 1).abs() < 1e-6


Predictions = pa.DataFrameSchema(
    {
        "sample_id": pa.Column(str, unique=True),
        "split": pa.Column(str, pa.Check.isin(SPLITS[1:])),
        "drawn": pa.Column(bool),
        "target": pa.Column(int, pa.Check.ge(0)),
        "^score/": pa.Column(float, pa.Check.in_range(0, 1), regex=True),
    },
    checks=pa.Check(_scores_add_up, error="the scores of a row do not add up to 1"),
    name="predictions",
)
"""One row per sample that the network has not been trained on, with one score per class."""
