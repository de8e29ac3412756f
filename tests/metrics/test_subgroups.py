"""Subgroups against the metrics of their rows alone."""

import numpy as np
import pandas as pd
import pytest
from tests.metrics.synthetic_predictions import drawn

from mien.metrics import classification_metrics, regression_metrics, subgroup_errors, subgroup_metrics

NAMES = list("abc")


def test_each_row_of_the_table_is_the_metrics_of_the_values_rows():
    target, scores = drawn(90, 3, seed=0)
    attribute = np.array(["m", "f", "x"])[np.random.default_rng(0).integers(3, size=90)]
    subjects = np.arange(90) // 2
    table = subgroup_metrics(target, scores, NAMES, attribute, resamples=30, seed=4, groups=subjects)
    assert table["attribute"].tolist() == ["f", "m", "x"]
    assert table["n"].sum() == 90
    for row in table.to_dict("records"):
        rows = attribute == row.pop("attribute")
        alone = classification_metrics(target[rows], scores[rows], NAMES, resamples=30, seed=4, groups=subjects[rows])
        assert row == {key: pytest.approx(value, rel=1e-12) for key, value in alone.items() if "/" not in key}


def test_the_accuracies_average_to_the_whole_accuracy():
    target, scores = drawn(200, 3, seed=1)
    table = subgroup_metrics(target, scores, NAMES, np.arange(200) % 7, resamples=2)
    assert table["attribute"].tolist() == list("0123456")
    accuracy = classification_metrics(target, scores, NAMES, resamples=2)["accuracy"]
    assert np.average(table["accuracy"], weights=table["n"]) == pytest.approx(accuracy)


def test_a_small_case_equals_hand_computation_and_a_single_row_has_no_interval():
    scores = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.4, 0.6], [0.3, 0.7]])
    attribute = np.array(["woman", "man", "man", "man", "man"])
    table = subgroup_metrics(np.array([0, 1, 1, 0, 1]), scores, ["no", "yes"], attribute).set_index("attribute")
    assert table["n"].to_dict() == {"man": 4, "woman": 1}
    assert table["accuracy"].to_dict() == {"man": 0.5, "woman": 1.0}
    assert table["mean_class_accuracy"].to_dict() == {"man": pytest.approx((0 + 2 / 3) / 2), "woman": 1.0}
    assert table.loc["man", "accuracy_low"] < 0.5 < table.loc["man", "accuracy_high"]
    assert table.loc["woman", ["accuracy_low", "accuracy_high", "auroc"]].isna().all()
    assert (table.drop(columns="n").dtypes == np.float64).all()


def test_errors_of_a_regression_come_by_the_same_table():
    rng = np.random.default_rng(0)
    target, attribute = rng.integers(1, 90, size=60), np.array(["f", "m"])[rng.integers(2, size=60)]
    predicted = target + rng.normal(scale=5, size=60)
    table = subgroup_errors(target, predicted, attribute, resamples=20, seed=1, groups=np.arange(60) // 3)
    assert table["attribute"].tolist() == ["f", "m"]
    men = attribute == "m"
    alone = regression_metrics(target[men], predicted[men], resamples=20, seed=1, groups=(np.arange(60) // 3)[men])
    assert table.iloc[1].drop("attribute").to_dict() == {key: pytest.approx(value) for key, value in alone.items()}
    assert np.average(table["mae"], weights=table["n"]) == pytest.approx(abs(predicted - target).mean())


def test_text_columns_of_pandas_are_taken():
    target, scores = drawn(12, 3, seed=2)
    column = pd.Series(["f", "m"] * 6, dtype="string")
    assert subgroup_metrics(target, scores, NAMES, column, resamples=2)["n"].tolist() == [6, 6]


@pytest.mark.parametrize(
    ("attribute", "message"),
    [
        (np.array(["f", "m"]), "give one value for each row"),
        (np.array([["f"], ["m"], ["m"]]), r"attribute has shape \(3, 1\)"),
        (np.array(["f", None, "m"], dtype=object), "attribute is missing in 1 of 3"),
        (np.array([1.0, np.nan, np.nan]), "attribute is missing in 2 of 3"),
        (pd.Series(["f", pd.NA, "m"], dtype="string"), "attribute is missing in 1 of 3"),
    ],
)
def test_a_mistake_is_named(attribute, message):
    with pytest.raises(ValueError, match=message):
        subgroup_metrics(np.array([0, 1, 2]), np.eye(3), NAMES, attribute)
    with pytest.raises(ValueError, match=message):
        subgroup_errors(np.arange(3), np.arange(3), attribute)


def test_wrong_arrays_and_no_rows_are_refused():
    with pytest.raises(ValueError, match="no rows"):
        subgroup_errors(np.zeros(0), np.zeros(0), np.zeros(0, str))
    with pytest.raises(ValueError, match="give one value for each row"):
        subgroup_errors(np.arange(3), np.arange(4), np.array(["f", "f", "m"]))
    with pytest.raises(ValueError, match="give 3 different names"):
        subgroup_metrics(np.array([0, 1, 2]), np.eye(3), ["a"], np.array(["f", "f", "m"]))
