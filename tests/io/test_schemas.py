"""The tables' schemas accept what the nodes make and refuse, rule by rule, what would mislead whatever reads them."""

import numpy as np
import pandas as pd
import pytest
from pandera.errors import SchemaError

from mien.io.schemas import Listed, Predictions, Samples


def listed() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "sample_id": ["train_1", "train_2", "test_1"],
            "image": ["a.jpg", "b.jpg", "c.jpg"],
            "label": [0, 1, 0],
            "expression": ["surprise", "fear", "surprise"],
            "split": ["train", "val", "test"],
            "subject": pd.Series([pd.NA] * 3, dtype="string"),
            "drawn": [True, True, True],
        }
    )


def samples() -> pd.DataFrame:
    return listed().assign(
        reason=["aligned", "no_face", "unreadable"],
        crop=["points", "centre", "none"],
        score=np.float32([0.9, np.nan, np.nan]),
        roll_degrees=np.float32([-12, np.nan, np.nan]),
        row=[0, 1, -1],
    )


def predictions() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "sample_id": ["train_2", "test_1"],
            "split": ["val", "test"],
            "drawn": [False, False],
            "target": [1, 0],
            "score/surprise": [0.25, 1.0],
            "score/fear": [0.75, 0.0],
        }
    )


TABLES = {"listed": (Listed, listed), "samples": (Samples, samples), "predictions": (Predictions, predictions)}


@pytest.mark.parametrize("name", TABLES)
def test_a_good_table_passes_unchanged(name):
    schema, table = TABLES[name]
    pd.testing.assert_frame_equal(schema.validate(table()), table())


def test_a_subject_may_be_named():
    Listed.validate(listed().assign(subject=["anna", "ben", "anna"]))


def test_columns_of_a_datasets_own_are_let_pass():
    Samples.validate(samples().assign(intensity=[0.1, 0.2, 0.3]))


@pytest.mark.parametrize(
    ("name", "column", "values"),
    [
        ("listed", "sample_id", ["same", "same", "other"]),
        ("listed", "label", [0, -1, 0]),
        ("listed", "label", [0.0, 1.0, np.nan]),
        ("listed", "expression", ["surprise", None, "fear"]),
        ("listed", "split", ["train", "dev", "test"]),
        ("listed", "drawn", [1, 0, 1]),
        ("samples", "sample_id", ["same", "same", "other"]),
        ("samples", "reason", ["aligned", "aligned", "blurred"]),
        ("samples", "crop", ["points", "points", "square"]),
        ("samples", "score", np.float32([0.9, 1.2, 0.1])),
        ("samples", "score", [0.9, 0.2, 0.1]),  # float64
        ("samples", "roll_degrees", np.float32([0, 181, 0])),
        ("samples", "row", [0, 1, -2]),
        ("predictions", "sample_id", ["same", "same"]),
        ("predictions", "split", ["train", "test"]),
        ("predictions", "target", [-1, 0]),
        ("predictions", "score/fear", [0.75, 0.1]),
        ("predictions", "score/fear", [-0.75, 0.0]),
        ("predictions", "score/fear", [np.nan, 0.0]),
        ("predictions", "score/fear", [0.75 + 2e-6, 0.0]),
    ],
)
def test_each_rule_refuses_what_breaks_it(name, column, values):
    schema, table = TABLES[name]
    with pytest.raises(SchemaError):
        schema.validate(table().assign(**{column: values}))


@pytest.mark.parametrize("name", TABLES)
def test_every_named_column_is_needed(name):
    schema, table = TABLES[name]
    needed = [column for column in table().columns if not column.startswith("score/")]
    assert set(needed) <= set(schema.columns)
    for column in needed:
        with pytest.raises(SchemaError, match=column):
            schema.validate(table().drop(columns=column))


def test_predictions_need_scores():
    with pytest.raises(SchemaError):
        Predictions.validate(predictions()[["sample_id", "split", "drawn", "target"]])
