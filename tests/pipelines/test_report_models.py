"""Systems of which one run trains several models: a row of the report for each."""

import numpy as np
import pandas as pd

from mien.io.run_records import RunRecord
from mien.pipelines.report.formats import alike
from mien.pipelines.report.params import PanelRun, Panels, PaperRow, PaperTable, ReportParams
from mien.pipelines.report.peers import peer_table
from mien.pipelines.report.tables import score_table

ROWS = (
    PaperRow(setting="gender, CNN", variants=("paper",), model="gender/cnn", scores={"accuracy": 0.8856}),
    PaperRow(setting="age, CNN", variants=("paper",), model="age/cnn"),
)
TABLE = PaperTable(name="Attributes", reference="Somebody", dataset="Age CSV", n=2370, rows=ROWS)
PANELS = Panels(title="Several", runs=(PanelRun(run="attributes/paper", name="one"),))
REPORT = ReportParams(
    scores=("accuracy", "mae_years"),
    papers={"attributes": TABLE},
    confusions=PANELS,
    feature_maps=PANELS,
    resamples=100,
    seed=0,
)
METRICS = {
    "test/n": 40,
    "test/mae_years": 5.0,
    "test/gender/cnn/n": 40,
    "test/gender/cnn/n/male": 20,
    "test/gender/cnn/accuracy": 0.9,
    "test/gender/cnn/accuracy_low": 0.85,
    "test/gender/cnn/accuracy_high": 0.95,
    "test/age/cnn/n": 40,
    "test/age/cnn/mae_years": 6.5,
    "test/age/pca_dnn_fixed/n": 40,
    "test/age/pca_dnn_fixed/mae_years": 7.5,
    "synthetic_share": 0.0,
}


def run(variant: str, model: str = "") -> RunRecord:
    """A finished run, of all models or of one of them."""
    metrics = {name: value for name, value in METRICS.items() if model in name or "/n" not in name}
    reported = dict.fromkeys(("env", "command", "machine", "run_id", "commit"), "x")
    date = "2026-01-01T12:00:00+00:00"
    return RunRecord(
        system="attributes", variant=variant, dataset="age_csv", date=date, parameters={}, metrics=metrics, **reported
    )


def test_each_model_stands_beside_its_own_row_of_the_paper_and_the_others_below():
    table = score_table([run("paper")], REPORT)
    assert table["setting"].tolist() == ["gender, CNN", "age, CNN", "age, pca dnn fixed"]
    assert table["accuracy"].tolist()[:1] == [0.9]
    assert table["accuracy_paper"].tolist()[:1] == [0.8856]
    np.testing.assert_equal(table["mae_years"].tolist(), [np.nan, 6.5, 7.5])
    assert (table["not_run"] == "").all()
    assert table["measured_on"].tolist() == ["Age CSV"] * 3


def test_another_variant_has_a_row_for_each_model_below_the_papers_that_were_not_run():
    table = score_table([run("demo")], REPORT)
    assert table["not_run"].map(bool).tolist() == [True, True, False, False, False]
    assert table["variant"].tolist() == ["paper", "paper", "demo", "demo", "demo"]
    assert table["setting"].tolist()[2:] == ["gender, CNN", "age, CNN", "age, pca dnn fixed"]


def test_a_seeded_run_of_one_model_takes_no_row_from_the_complete_run_of_its_variant():
    complete, one = run("paper"), run("paper-seed_0", "age/cnn")
    table = score_table([complete, one], REPORT)
    assert table["setting"].tolist() == ["gender, CNN", "age, CNN", "age, pca dnn fixed"]
    assert (table["not_run"] == "").all()
    assert table["seeds"].tolist() == [1, 1, 1]
    both = score_table([complete, run("paper-seed_0"), run("paper-seed_1")], REPORT)
    assert both["seeds"].tolist() == [2, 2, 2], "the run without a seed may be one of them"


def test_several_models_have_no_table_of_peers():
    assert peer_table([run("paper")], REPORT).empty


def test_systems_with_the_same_scores_share_a_table_and_the_others_have_their_own():
    named = {"system": ["faces", "ages", "words", "posed"], "accuracy": [0.9, 0.8, 0.7, np.nan]}
    table = pd.DataFrame(named | {"mae_years": [np.nan, 5.0, np.nan, np.nan], "errors_paper": [np.nan] * 3 + [21.0]})
    table[["accuracy_paper", "mae_years_paper", "errors"]] = np.nan
    tables = alike(table, ("accuracy", "mae_years", "errors"))
    assert [each["system"].tolist() for each in tables] == [["faces", "words"], ["ages"], ["posed"]]


def test_without_a_row_there_is_one_empty_table():
    assert [len(each) for each in alike(score_table([], REPORT).head(0), REPORT.scores)] == [0]
