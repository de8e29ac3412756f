"""The tables' schemas accept what the nodes make and refuse, rule by rule, what would mislead whatever reads them."""

import numpy as np
import pandas as pd
import pytest
from pandera.errors import SchemaError

from mien.io.schemas import (
    AttributeSamples,
    Listed,
    ListedAttributes,
    ListedPairs,
    PairSamples,
    Predictions,
    Samples,
)


def listed() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "sample_id": ["train_1", "train_2", "test_1"],
            "image": ["a.jpg", "b.jpg", "c.jpg"],
            "label": [0, 1, 0],
            "expression": ["surprise", "fear", "surprise"],
            "split": ["train", "val", "test"],
            "subject": pd.Series([pd.NA] * 3, dtype="string"),
            "synthetic": [True, True, True],
        }
    )


def samples() -> pd.DataFrame:
    return listed().assign(
        reason=["aligned", "no_face", "truncated"],
        crop=["points", "centre", "none"],
        score=np.float32([0.9, np.nan, np.nan]),
        roll_degrees=np.float32([-12, np.nan, np.nan]),
        turned_degrees=np.float32([90, np.nan, np.nan]),
        enlarged=np.float32([2, np.nan, np.nan]),
        height=np.float32([180, 180, np.nan]),
        width=np.float32([120, 120, np.nan]),
        brightness=np.float32([127.5, 0, np.nan]),
        face_index=[0, 1, -1],
    )


def listed_pairs() -> pd.DataFrame:
    return (
        listed()
        .drop(columns="image")
        .assign(
            onset=["a/onset.bmp", "b/onset.bmp", "c/onset.bmp"],
            apex=["a/apex.bmp", "b/apex.bmp", "c/apex.bmp"],
            kind=["posed", "spontaneous", "posed"],
            subject=["001", "002", "001"],
            fold=[0, 1, 0],
            split="folds",
        )
    )


def listed_attributes() -> pd.DataFrame:
    table = listed().drop(columns=["label", "expression"])
    return table.assign(age=[1, 30, 116], gender=[0, 1, 0], ethnicity=[0, 4, 2])


def predictions() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "sample_id": ["train_2", "test_1"],
            "split": ["val", "test"],
            "synthetic": [False, False],
            "target": [1, 0],
            "score/surprise": [0.25, 1.0],
            "score/fear": [0.75, 0.0],
        }
    )


TABLES = {
    "listed": (Listed, listed),
    "samples": (Samples, samples),
    "listed pairs": (ListedPairs, listed_pairs),
    "listed attributes": (ListedAttributes, listed_attributes),
    "predictions": (Predictions, predictions),
}


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
        ("listed", "synthetic", [1, 0, 1]),
        ("samples", "sample_id", ["same", "same", "other"]),
        ("listed", "image", ["a.jpg", "", "c.jpg"]),
        ("listed pairs", "kind", ["posed", "acted", "posed"]),
        ("listed pairs", "subject", ["001", None, "001"]),
        ("listed pairs", "fold", [0, -1, 0]),
        ("listed pairs", "apex", ["a", "", "c"]),
        ("listed attributes", "age", [-1, 30, 40]),
        ("listed attributes", "gender", [0, 1, 2]),
        ("listed attributes", "ethnicity", [0, 5, 2]),
        ("samples", "reason", ["aligned", "aligned", "Errno 2"]),
        ("samples", "turned_degrees", np.float32([45, 0, 0])),
        ("samples", "enlarged", np.float32([0.5, 1, 1])),
        ("samples", "height", np.float32([0, 1, 1])),
        ("samples", "brightness", np.float32([256, 1, 1])),
        ("samples", "crop", ["points", "points", "square"]),
        ("samples", "score", np.float32([0.9, 1.2, 0.1])),
        ("samples", "score", [0.9, 0.2, 0.1]),  # float64
        ("samples", "roll_degrees", np.float32([0, 181, 0])),
        ("samples", "face_index", [0, 1, -2]),
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


def test_only_a_sample_that_is_never_evaluated_may_lack_a_label():
    unlabelled = listed().assign(label=[0, 1, -1], split=["train", "val", "unlabelled"])
    Listed.validate(unlabelled)
    with pytest.raises(SchemaError, match="without label"):
        Listed.validate(unlabelled.assign(split=["train", "val", "test"]))


def test_samples_of_pairs_and_of_attributes_are_what_is_listed_and_located():
    located = samples()[[name for name in samples() if name not in listed()]]
    PairSamples.validate(listed_pairs().join(located))
    AttributeSamples.validate(listed_attributes().join(located))
    with pytest.raises(SchemaError, match="turned_degrees"):
        PairSamples.validate(listed_pairs().join(located.drop(columns="turned_degrees")))


def test_predictions_need_scores():
    with pytest.raises(SchemaError):
        Predictions.validate(predictions()[["sample_id", "split", "synthetic", "target"]])


def test_only_unlabelled_predictions_may_lack_a_target():
    without = predictions().assign(target=-1)
    with pytest.raises(SchemaError, match="no split 'unlabelled'"):
        Predictions.validate(without)
    Predictions.validate(without.assign(split="unlabelled"))


def voted(**changes: object) -> pd.DataFrame:
    shares = {"target/surprise": [0.75, 0.0, 1.0], "target/fear": [0.25, 1.0, 0.0]}
    return listed().assign(**{**shares, "target_mode": ["crossentropy", "majority", "majority"], **changes})


def test_shares_of_votes_are_a_group_of_columns_that_any_table_of_faces_may_have():
    assert len(Listed.validate(voted())) == 3
    located = samples()
    whole = located.assign(**voted().filter(like="target"))
    assert len(Samples.validate(whole)) == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target/fear": [0.3, 1.0, 0.0]}, "do not add up to 1"),
        ({"target/fear": [-0.25, 1.0, 0.0]}, "target/fear"),
        ({"target_mode": ["soft", "majority", "majority"]}, "target_mode"),
        ({"target_mode": ["majority", "crossentropy", "majority"]}, "outside split train"),
        ({"target_mode": ["crossentropy", "majority", "multi_target"]}, "outside split train"),
    ],
)
def test_shares_that_mislead_and_soft_rows_that_are_not_trained_on_are_refused(changes, message):
    with pytest.raises(SchemaError, match=message):
        Listed.validate(voted(**changes))


def test_a_table_from_before_there_were_modes_is_read_where_its_shares_are_labels():
    with pytest.raises(SchemaError, match=r"no column target_mode.*Prepare the dataset again"):
        Listed.validate(voted().drop(columns="target_mode"))
    hard = voted(**{"target/surprise": [1.0, 0.0, 1.0], "target/fear": [0.0, 1.0, 0.0]}).drop(columns="target_mode")
    assert len(Listed.validate(hard)) == 3


def test_a_soft_mode_without_shares_is_refused():
    with pytest.raises(SchemaError, match="do not add up to 1"):
        Listed.validate(voted().drop(columns=["target/surprise", "target/fear"]))
