"""Metrics from the predictions table alone."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score

from mien.nodes.evaluation import evaluate_classes, intervals, split_rows, split_scores, subgroup_table, subjects
from mien.nodes.params import EvaluationParams

EVALUATION = EvaluationParams(resamples=100, seed=0, subgroups=("gender", "age"))


def predictions() -> pd.DataFrame:
    """Four test rows, three of them right; two val rows, both wrong."""
    surprise = np.array([0.9, 0.2, 0.3, 0.6, 0.1, 0.8])
    return pd.DataFrame(
        {
            "sample_id": list("abcdef"),
            "split": ["test", "test", "test", "test", "val", "val"],
            "synthetic": [True, False, False, False, True, True],
            "target": [0, 1, 1, 1, 0, 1],
            "score/surprise": surprise,
            "score/fear": 1 - surprise,
        }
    )


def test_both_splits_are_measured_under_names_that_other_systems_share():
    metrics, _ = evaluate_classes(predictions(), EVALUATION)
    assert metrics["test/accuracy"] == 0.75
    assert metrics["test/mean_class_accuracy"] == pytest.approx((1 + 2 / 3) / 2)
    assert (metrics["test/recall/fear"], metrics["test/n/surprise"], metrics["test/n"]) == (pytest.approx(2 / 3), 1, 4)
    assert metrics["test/auroc"] == 1.0
    assert (metrics["best/val/accuracy"], metrics["best/val/n"]) == (0.0, 2)
    assert {name.split("/")[0] for name in metrics} == {"test", "best", "synthetic_share"}
    assert metrics["test/accuracy_low"] <= 0.75 <= metrics["test/accuracy_high"]


def test_the_synthetic_share_is_that_of_the_test_rows():
    assert evaluate_classes(predictions(), EVALUATION)[0]["synthetic_share"] == 0.25


def test_the_order_of_rows_does_not_matter_and_the_seed_decides_the_interval():
    table = predictions()
    metrics, _ = evaluate_classes(table, EVALUATION)
    assert evaluate_classes(table.copy(), EVALUATION)[0] == metrics
    points = {name: value for name, value in metrics.items() if not name.endswith(("_low", "_high"))}
    backwards, _ = evaluate_classes(table.iloc[::-1], EVALUATION)
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
    metrics, _ = evaluate_classes(table, EVALUATION)
    assert metrics["test/recall/surprise"] is None
    assert metrics["test/auroc"] is None
    assert metrics["test/accuracy"] == pytest.approx(2 / 3)


def test_with_leaks_marked_the_scores_stand_with_and_without_them():
    table = predictions().assign(leaks=[False, True, False, False, False, False])
    metrics, _ = evaluate_classes(table, EVALUATION)
    assert (metrics["test/accuracy"], metrics["test/n"]) == (0.75, 4)
    assert metrics["test_without_leaks/accuracy"] == pytest.approx(2 / 3)
    assert metrics["test_without_leaks/n"] == 3


@pytest.mark.parametrize("leaks", [False, True])
def test_where_no_test_row_leaks_or_all_do_there_is_nothing_to_set_apart(leaks):
    metrics, _ = evaluate_classes(predictions().assign(leaks=leaks), EVALUATION)
    assert not any(name.startswith("test_without_leaks/") for name in metrics)


def test_intervals_draw_whole_subjects_only_where_every_row_names_one():
    table = predictions().assign(subject=["1", "1", "2", None, "3", "3"])
    assert subjects(table[:3]).tolist() == ["1", "1", "2"]
    assert subjects(table) is None
    assert subjects(predictions()) is None
    one_subject = evaluate_classes(predictions().assign(subject="only"), EVALUATION)[0]
    several = evaluate_classes(predictions(), EVALUATION)[0]
    assert one_subject["test/accuracy"] == several["test/accuracy"]
    assert one_subject["test/accuracy_low"] != several["test/accuracy_low"]


def people(n: int = 60) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    scores = rng.dirichlet([1, 1, 1], n)
    table = pd.DataFrame(scores, columns=["score/a", "score/b", "score/c"])
    return table.assign(
        sample_id=[str(k) for k in range(n)],
        split="test",
        synthetic=False,
        target=rng.integers(0, 3, n),
        gender=["female", "male", None] * (n // 3),
        age=np.tile([3, 29, 30, 105], n // 4),
    )


def test_subgroups_are_measured_with_n_and_the_unknown_stand_by_themselves():
    table = people()
    groups = subgroup_table(table, EVALUATION)
    by_gender = groups[groups["attribute"] == "gender"].set_index("value")
    assert by_gender["n"].to_dict() == {"female": 20, "male": 20, "unknown": 20}
    women = table[table["gender"] == "female"]
    guessed = women[["score/a", "score/b", "score/c"]].to_numpy().argmax(axis=1)
    assert by_gender.loc["female", "accuracy"] == pytest.approx(accuracy_score(women["target"], guessed))


def test_ages_are_grouped_by_decades():
    groups = subgroup_table(people(), EVALUATION)
    bands = groups[groups["attribute"] == "age"].set_index("value")["n"].to_dict()
    assert bands == {"000 to 009": 15, "020 to 029": 15, "030 to 039": 15, "100 to 109": 15}


def test_a_dataset_without_attributes_has_an_empty_table_of_subgroups():
    groups = subgroup_table(predictions(), EVALUATION)
    assert groups.empty
    assert list(groups) == ["attribute", "value", "n"]


def test_the_intervals_for_a_figures_legend_leave_out_undefined_classes():
    metrics = {"test/auroc_low": 0.1, "test/auroc_high": 0.3, "test/auroc/a_low": None, "test/auroc/a_high": None}
    metrics |= {"test/auroc/b_low": 0.2, "test/auroc/b_high": 0.4}
    found = intervals(metrics, "auroc", ("a", "b"))
    assert list(found.values()) == [(0.2, 0.4), (0.1, 0.3)]
    assert "a" not in found


def test_of_a_table_with_several_models_the_primary_ones_rows_are_taken():
    table = predictions().assign(primary=[True, True, False, False, True, False])
    assert split_rows(table, "test")["sample_id"].tolist() == ["a", "b"]
    target, scores, _ = split_scores(table, "test")
    assert (target.tolist(), scores[:, 0].tolist()) == ([0, 1], [0.9, 0.2])
    assert split_rows(predictions(), "test")["sample_id"].tolist() == list("abcd")
