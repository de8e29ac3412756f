import json
import subprocess
from pathlib import Path

import pytest
from kedro.pipeline import Pipeline, node

from mien.readme import lineage, results, tracked_metrics, with_blocks


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


def test_results_say_what_the_faces_were_and_give_intervals():
    file = Path("data/demo/08_reporting/sae/keep_0.1/metrics.json")
    scores = {f"test/{name}{end}": 0.5 for name in ("accuracy", "mean_class_accuracy") for end in ("", "_low", "_high")}
    metrics = {**scores, "test/accuracy_high": 0.61, "test/auroc": 0.875, "test/n": 40, "drawn_share": 1.0}
    rows = results({file: metrics}).splitlines()
    assert rows[2] == "| SAE | keep_0.1 | drawn faces | 40 | 50.0 (50.0 to 61.0) | 50.0 (50.0 to 50.0) | 0.875 |"
    assert "published" in rows[3]


def test_metrics_are_those_that_git_holds_not_those_of_the_last_run(tmp_path):
    file = tmp_path / "data" / "demo" / "metrics.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"test/n": 1}))
    for command in ("init -q", "add -f data"):
        subprocess.run(["git", *command.split()], cwd=tmp_path, check=True)
    file.write_text(json.dumps({"test/n": 2}))
    assert tracked_metrics(tmp_path) == {Path("data/demo/metrics.json"): {"test/n": 1}}


def test_a_folder_without_git_is_told(tmp_path):
    with pytest.raises(ValueError, match="run this in a clone"):
        tracked_metrics(tmp_path)


def test_blocks_replace_what_stood_between_their_markers_and_nothing_else():
    text = "a\n<!-- begin: b -->\nold\n<!-- end: b -->\nz\n"
    assert with_blocks(text, {"b": "new"}) == "a\n<!-- begin: b -->\nnew\n<!-- end: b -->\nz\n"


def test_a_missing_marker_is_named():
    with pytest.raises(ValueError, match="lacks the markers of the block 'results'"):
        with_blocks("nothing", {"results": "x"})
