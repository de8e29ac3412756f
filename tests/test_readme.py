import json
import subprocess
from pathlib import Path

import pytest
from kedro.pipeline import Pipeline, node

from mien.pipelines.report.params import PanelRun, Panels, PaperRow, PaperTable, ReportParams
from mien.readme import REPORT_FILE, lineage, report_params, results, tracked_metrics, with_blocks


def both(one, other):
    return one, other


def test_the_chart_has_every_node_every_passing_entry_and_the_entries_that_end_it():
    pipeline = Pipeline(
        [
            node(both, ["raw", "params:p"], ["table", "report"], name="read"),
            node(both, ["table", "table2"], "figure", name="plot"),
        ],
        namespace="x",
    )
    assert lineage(pipeline).splitlines() == [
        "flowchart LR",
        "  subgraph x",
        "    x_read([read])",
        "    x_plot([plot])",
        "  end",
        "  x_read -- table --> x_plot",
        "  x_read --> x_read_out[report]",
        "  x_plot --> x_plot_out[figure]",
    ]


NO_PANELS = Panels(title="Several", runs=(PanelRun(run="sae/keep_0.1", name="one"),))
REPORT = ReportParams(
    scores=("accuracy", "auroc"),
    papers={
        "sae": PaperTable(
            name="SAE",
            reference="A paper",
            dataset="RAF-DB",
            n=3068,
            rows=(PaperRow(setting="keep rate 0.1", variants=("keep_0.1",), scores={"accuracy": 0.9113}),),
        )
    },
    confusions=NO_PANELS,
    feature_maps=NO_PANELS,
    resamples=100,
    seed=0,
)


def tracked(accuracies: dict[str, float], synthetic: float) -> dict[Path, dict[str, float | None]]:
    scores = {"test/accuracy_low": 0.4, "test/accuracy_high": 0.61, "test/n": 40, "synthetic_share": synthetic}
    return {
        Path(f"data/demo/08_reporting/sae/{variant}/metrics.json"): {**scores, "test/accuracy": accuracy}
        for variant, accuracy in accuracies.items()
    }


def test_the_results_block_is_the_reports_table_with_what_the_faces_were_and_intervals():
    header, _, starred, demo, *notes = results(tracked({"demo": 0.5}, synthetic=1), REPORT).splitlines()
    assert header.endswith("| n | Seeds | Accuracy, % (paper) | Accuracy, % (ours) |")
    assert starred == r"| SAE\* | keep rate 0.1 | keep_0.1 | RAF-DB | 3,068 | - | 91.13 | - |"
    assert demo == "| SAE | - | demo | synthetic faces | 40 | 1 | - | 50.00 (40.00 to 61.00) † |"
    assert r"- \* SAE, keep rate 0.1: no run here; it needs RAF-DB." in notes


def test_a_row_without_any_figure_is_left_to_the_report():
    unmeasured = PaperRow(setting="a sweep of ours", variants=("short",))
    sae = REPORT.papers["sae"]
    papers = {"sae": sae.model_copy(update={"rows": (*sae.rows, unmeasured)})}
    block = results(tracked({"demo": 0.5}, synthetic=1), REPORT.model_copy(update={"papers": papers}))
    assert "a sweep of ours" not in block
    assert "keep rate 0.1" in block
    assert "a sweep of ours" in results(
        tracked({"short": 0.5}, synthetic=1), REPORT.model_copy(update={"papers": papers})
    )


def test_tracked_seeds_of_one_variant_are_one_row_of_the_results_block():
    block = results(tracked({"keep_0.1-seed_0": 0.5, "keep_0.1-seed_1": 0.6}, synthetic=0), REPORT)
    assert block.splitlines()[2] == ("| SAE | keep rate 0.1 | keep_0.1 | RAF-DB | 40 | 2 | 91.13 | 55.00 ± 7.07 |"), (
        "0.5 and 0.6 have the mean 0.55 and the standard deviation 0.0707"
    )


def test_the_papers_values_are_those_of_the_projects_configuration(tmp_path):
    file = tmp_path / REPORT_FILE
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"report": {"tables": REPORT.model_dump(mode="json")}}))
    assert report_params(tmp_path) == REPORT


def test_metrics_are_those_that_git_holds_not_those_of_the_last_run(tmp_path):
    file = tmp_path / "data" / "demo" / "metrics.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"test/n": 1}))
    for command in ("init -q", "add -f data"):
        subprocess.run(["git", *command.split()], cwd=tmp_path, check=True)
    file.write_text(json.dumps({"test/n": 2}))
    assert tracked_metrics(tmp_path) == {Path("data/demo/metrics.json"): {"test/n": 1}}


def test_a_folder_without_git_is_reported(tmp_path):
    with pytest.raises(ValueError, match="run this in a clone"):
        tracked_metrics(tmp_path)


def test_a_machine_without_git_is_reported(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ValueError, match="install git, or add its folder to PATH"):
        tracked_metrics(tmp_path)


def test_blocks_replace_what_stood_between_their_markers_and_nothing_else():
    text = "a\n<!-- begin: b -->\nold\n<!-- end: b -->\nz\n"
    assert with_blocks(text, {"b": "new"}) == "a\n<!-- begin: b -->\nnew\n<!-- end: b -->\nz\n"


def test_a_missing_marker_is_named():
    with pytest.raises(ValueError, match="lacks the markers of the block 'results'"):
        with_blocks("nothing", {"results": "x"})
