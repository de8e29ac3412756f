"""Every two members of a sweep compared on the same test samples, or reported why not."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.pipelines.test_report import REPORT, SWEEP, N, finish, finish_all, predictions, records, run

from mien.io.sweep_records import SweepRecord
from mien.pipelines.report.comparisons import NO_SWEEP, comparison_sections, comparison_table
from mien.pipelines.report.formats import to_markdown
from mien.pipelines.report.page import to_html
from mien.pipelines.report.peers import peer_table
from mien.pipelines.report.tables import score_table


def sweep(*members: str, seeds: tuple[int, ...] = (0,)) -> SweepRecord:
    parts = [member.split("/") for member in members]
    return SweepRecord("own", tuple((system, variant) for system, variant in parts), seeds)


def compared(tmp_path: Any, tables: dict[str, pd.DataFrame], *others: str) -> pd.DataFrame:
    """Comparisons of members that have these predictions with seed 0, and of others that have not run."""
    for member, table in tables.items():
        system, variant = member.split("/")
        finish(tmp_path, run(system, f"{variant}-seed_0", 0.5), table)
    return comparison_table(records(tmp_path), [sweep(*tables, *others)], REPORT)


def test_seeds_are_paired_on_the_same_samples_and_counted_by_hand(tmp_path):
    finish_all(tmp_path)
    table = comparison_table(records(tmp_path), [SWEEP], REPORT)
    assert table["one"].tolist() == [f"sae/keep_0.6-seed_{seed}" for seed in (0, 1, 2)]
    assert table["difference"].tolist() == pytest.approx([6 / N, 10 / N, 2 / N])
    assert list(zip(table["only_one"], table["only_other"], strict=True)) == [(6, 0), (10, 0), (2, 0)]
    assert table["p"].tolist() == pytest.approx([2 / 2**6, 2 / 2**10, 2 / 2**2]), "exact binomial, two-sided"
    assert table["p_holm"].tolist() == table["p"].tolist(), "a single pair with each seed needs no correction"
    assert [text.endswith("stands.") and "not stand" not in text for text in table["sentence"]] == [True, True, False]
    assert table["sentence"][0].startswith("sae/keep_0.6-seed_0 against linear/v-seed_0: accuracy 90.00 %")


def test_every_two_of_a_sweep_of_ones_own_are_compared_and_p_corrected_for_their_number(tmp_path):
    table = compared(tmp_path, {"a/x": predictions(36), "a/y": predictions(30), "b/z": predictions(28)})
    assert table["pair"].tolist() == ["a/x against a/y", "a/x against b/z", "a/y against b/z"]
    assert (table["reason"] == "").all()
    assert table["p"].tolist() == pytest.approx([2 / 2**6, 2 / 2**8, 2 / 2**2])
    assert table["p_holm"].tolist() == pytest.approx([2 * 2 / 2**6, 3 * 2 / 2**8, 2 / 2**2])


def test_two_sweeps_are_distinguished_and_corrected_each_for_itself(tmp_path):
    for name, right in (("x", 36), ("y", 30), ("z", 28)):
        finish(tmp_path, run("a", f"{name}-seed_0", 0.5), predictions(right))
    two = [SweepRecord("one", (("a", "x"), ("a", "y")), (0,)), sweep("a/x", "a/y", "a/z")]
    table = comparison_table(records(tmp_path), two, REPORT)
    assert table["sweep"].tolist() == ["one", "own", "own", "own"]
    assert table["p_holm"].tolist()[:2] == pytest.approx([2 / 2**6, 2 * 2 / 2**6])
    assert [title for title, _, _ in comparison_sections(table)] == ["Sweep one", "Sweep own"]


def test_the_order_of_the_rows_of_predictions_does_not_matter(tmp_path):
    table = compared(tmp_path, {"a/x": predictions(36), "a/y": predictions(30).sample(frac=1, random_state=0)})
    assert table["only_one"].tolist() == [6]


OF_AGES = predictions(30).drop(columns=["score/happy", "score/sad"]).assign(value=30.0)


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (predictions(30).iloc[5:], "they were not tested on the same samples: 40 and 35, 35 in common"),
        (predictions(30).assign(synthetic=True), "they were not tested on the same samples: 40 and 40, 0 in common"),
        (predictions(30).assign(target=0), "they were not tested on the same samples: 40 and 40, 20 in common"),
        (predictions(30).assign(**{"score/calm": 0.0}), "they know different classes"),
        (predictions(30).assign(model="fused"), "they have no model in common"),
        (predictions(30).assign(split="val"), "they were not tested on the same samples: 40 and 0, 0 in common"),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_two_that_cannot_be_compared_are_reported_with_the_reason(tmp_path, other, reason, turned):
    tables = {"a/x": predictions(36), "a/y": other}
    table = compared(tmp_path, dict(reversed(tables.items())) if turned else tables)
    counts = {"40 and 35": "35 and 40", "40 and 0": "0 and 40"} if turned else {}
    for there, here in counts.items():
        reason = reason.replace(there, here)
    assert table["reason"].tolist() == [reason]
    assert table["p"].isna().all()
    assert not table["stands"].any()


def test_ages_have_no_accuracy_to_compare(tmp_path):
    assert compared(tmp_path, {"a/x": OF_AGES, "a/y": OF_AGES})["reason"].tolist() == [
        "they predict numbers, and accuracy is of classes"
    ]


def test_members_that_have_not_run_or_lost_their_predictions_are_named(tmp_path):
    tables = {"a/x": predictions(36), "a/y": predictions(30)}
    compared(tmp_path, tables)
    (tmp_path / "07_model_output/a/y-seed_0/predictions.parquet").unlink()
    table = comparison_table(records(tmp_path), [sweep("a/x", "a/y", "a/z", seeds=(0, 4))], REPORT)
    lacking = "no finished run with its predictions of"
    assert table["reason"].tolist()[:3] == [
        f"{lacking} a/y-seed_0",
        f"{lacking} a/z-seed_0",
        f"{lacking} a/y-seed_0 and a/z-seed_0",
    ]
    assert len(table) == 6
    ((title, cells, sentences),) = comparison_sections(table)
    assert (title, cells) == ("Sweep own", None)
    assert sentences[0] == f"Not compared, {lacking} a/y-seed_0: a/x against a/y (seed 0)."


def test_a_sweep_of_one_member_and_no_sweep_at_all_say_so(tmp_path):
    (row,) = compared(tmp_path, {"a/x": predictions(36)})["reason"]
    assert row == "the sweep has no second member"
    assert comparison_sections(comparison_table([], [], REPORT)) == [("", None, [NO_SWEEP])]


def test_of_runs_with_several_models_those_of_one_name_are_compared(tmp_path):
    def attributes(right: int) -> pd.DataFrame:
        gender = predictions(right).assign(target_name="gender", model="cnn", value=np.nan)
        return pd.concat([gender, OF_AGES.assign(target_name="age", model="cnn")], ignore_index=True)

    table = compared(tmp_path, {"a/x": attributes(36), "a/y": attributes(30)}).set_index("pair")
    assert table.loc["a/x against a/y, gender/cnn", ["n", "only_one", "reason"]].tolist() == [N, 6, ""]
    assert "accuracy is of classes" in table.loc["a/x against a/y, age/cnn", "reason"]


def test_of_trials_the_primary_rows_are_compared_seed_and_fold_by_fold(tmp_path):
    def trials(right: int) -> pd.DataFrame:
        one = predictions(right).assign(trial="fold_0", seed=0, model="comb_1", primary=True)
        return pd.concat([one, one.assign(seed=1), one.assign(model="diff", primary=False)], ignore_index=True)

    table = compared(tmp_path, {"a/x": trials(36), "a/y": trials(30).sample(frac=1, random_state=0)})
    assert table[["pair", "n", "only_one", "only_other"]].to_numpy().tolist() == [["a/x against a/y", 2 * N, 12, 0]]


def test_the_report_prints_both_and_the_reasons(tmp_path):
    table = compared(tmp_path, {"a/x": predictions(36), "a/y": predictions(30), "b/z": predictions(28).iloc[1:]})
    scores = score_table(records(tmp_path), REPORT)
    for text in (
        to_markdown(scores, table, peer_table([], REPORT), REPORT.scores),
        to_html(scores, table, peer_table([], REPORT), REPORT.scores, {}),
    ):
        assert "Sweep own" in text
        assert "p, Holm" in text
        assert "a/x-seed_0 against a/y-seed_0: accuracy 90.00 %" in text
        assert "40 and 39, 39 in common: a/x against b/z (seed 0); a/y against b/z (seed 0)." in text
