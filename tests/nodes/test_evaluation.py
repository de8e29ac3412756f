"""Metrics from the predictions table alone."""

import numpy as np
import pandas as pd
import pytest

from mien.nodes.evaluation import evaluate_classes, split_scores
from mien.nodes.params import EvaluationParams

EVALUATION = EvaluationParams(resamples=100, seed=0)


def predictions() -> pd.DataFrame:
    """Four test rows, three of them right; two val rows, both wrong."""
    surprise = np.array([0.9, 0.2, 0.3, 0.6, 0.1, 0.8])
    return pd.DataFrame(
        {
            "sample_id": list("abcdef"),
            "split": ["test", "test", "test", "test", "val", "val"],
            "drawn": [True, False, False, False, True, True],
            "target": [0, 1, 1, 1, 0, 1],
            "score/surprise": surprise,
            "score/fear": 1 - surprise,
        }
    )


def test_both_splits_are_measured_under_names_that_other_systems_share():
    metrics = evaluate_classes(predictions(), EVALUATION)
    assert metrics["test/accuracy"] == 0.75
    assert metrics["test/mean_class_accuracy"] == pytest.approx((1 + 2 / 3) / 2)
    assert (metrics["test/recall/fear"], metrics["test/n/surprise"], metrics["test/n"]) == (pytest.approx(2 / 3), 1, 4)
    assert metrics["test/auroc"] == 1.0
    assert (metrics["val/accuracy"], metrics["val/n"]) == (0.0, 2)
    assert {name.split("/")[0] for name in metrics} == {"test", "val", "drawn_share"}
    assert metrics["test/accuracy_low"] <= 0.75 <= metrics["test/accuracy_high"]


def test_the_drawn_share_is_that_of_the_test_rows():
    assert evaluate_classes(predictions(), EVALUATION)["drawn_share"] == 0.25


def test_the_order_of_rows_does_not_matter_and_the_seed_decides_the_interval():
    table = predictions()
    metrics = evaluate_classes(table, EVALUATION)
    again = evaluate_classes(table.copy(), EVALUATION)
    assert again == metrics
    points = {name: value for name, value in metrics.items() if not name.endswith(("_low", "_high"))}
    backwards = evaluate_classes(table.iloc[::-1], EVALUATION)
    assert {name: backwards[name] for name in points} == pytest.approx(points)


@pytest.mark.parametrize("split", ["test", "val"])
def test_a_split_without_rows_is_refused_by_name(split):
    rest = predictions().query("split != @split")
    with pytest.raises(ValueError, match=f"No row of split {split} in the predictions table of {len(rest)} rows"):
        evaluate_classes(rest, EVALUATION)


def test_targets_scores_and_names_are_taken_apart_in_column_order():
    target, scores, names = split_scores(predictions(), "val")
    assert names == ("surprise", "fear")
    assert target.tolist() == [0, 1]
    np.testing.assert_allclose(scores, [[0.1, 0.9], [0.8, 0.2]])


def test_a_class_that_no_test_row_has_is_undefined_not_zero():
    table = predictions().query("split == 'val' or target == 1")
    metrics = evaluate_classes(table, EVALUATION)
    assert metrics["test/recall/surprise"] is None
    assert metrics["test/auroc"] is None
    assert metrics["test/accuracy"] == pytest.approx(2 / 3)
