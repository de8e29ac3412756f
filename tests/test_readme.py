import io
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from kedro.pipeline import Pipeline, node
from PIL import Image

from mien.errors import MienError
from mien.pipelines.report.params import PanelRun, Panels, PaperRow, PaperTable, ReportParams
from mien.readme import (
    REPORT_FILE,
    card_results,
    card_systems,
    layers,
    lineage,
    picture,
    report_params,
    results,
    system_lineage,
    tracked_metrics,
    tracked_table,
    with_blocks,
)


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


def test_the_readmes_table_has_what_was_measured_on_real_faces_and_the_best_published_row():
    rows = (
        *REPORT.papers["sae"].rows,
        PaperRow(setting="keep rate 0.6", variants=("keep_0.6",), scores={"accuracy": 0.9117}, note="a remark"),
        PaperRow(setting="a subset", variants=("subset",), scores={"accuracy": 0.99}, n=10),
    )
    report = REPORT.model_copy(update={"papers": {"sae": REPORT.papers["sae"].model_copy(update={"rows": rows})}})
    own = {"keep_0.1-seed_0": 0.5, "keep_0.1-seed_1": 0.6}
    block = results(tracked_table({**tracked(own, synthetic=0), **tracked({"demo": 0.5}, synthetic=1)}, report))
    header, _, measured, published, *remarks = block.splitlines()
    assert header.endswith("| n | Seeds | Accuracy, % (ours) | Accuracy, % (published) |")
    assert measured == "| SAE | keep rate 0.1 | RAF-DB | 40 | 2 | 55.00 ± 7.07 | 91.13 |", (
        "0.5 and 0.6 have the mean 0.55 and the standard deviation 0.0707"
    )
    assert published == "| SAE | keep rate 0.6 | RAF-DB | 3,068 | - | - | 91.17 |", "not that of a part of the dataset"
    assert "- SAE (published): a remark." in remarks
    assert "synthetic" not in block


def test_a_row_without_any_figure_is_left_to_the_report():
    unmeasured = PaperRow(setting="a sweep of ours", variants=("short",))
    sae = REPORT.papers["sae"]
    papers = {"sae": sae.model_copy(update={"rows": (*sae.rows, unmeasured)})}
    report = REPORT.model_copy(update={"papers": papers})
    assert tracked_table(tracked({"demo": 0.5}, synthetic=1), report)["setting"].tolist() == ["keep rate 0.1", ""]
    assert "a sweep of ours" in tracked_table(tracked({"short": 0.5}, synthetic=0), report)["setting"].tolist()


def test_without_a_run_and_a_published_score_the_table_is_empty():
    report = REPORT.model_copy(update={"papers": {}})
    assert len(results(tracked_table({}, report)).splitlines()) == 4


def test_a_card_folds_the_scores_on_synthetic_faces():
    block = card_results(tracked_table(tracked({"demo": 0.5}, synthetic=1), REPORT), REPORT.scores)
    published, folded = block.split("<details>")
    assert "91.13" in published
    assert "†" not in published
    assert "| 50.00 (40.00 to 61.00) † |" in folded
    assert folded.endswith("</details>")


def test_a_card_is_about_the_systems_that_begin_with_its_name():
    folders = ("sae", "sae_light", "report")
    names = ("sae", "sae_ferplus", "sae_light_ferplus", "other")
    papers = dict.fromkeys(names, REPORT.papers["sae"])
    assert card_systems(folders, REPORT.model_copy(update={"papers": papers})) == {
        "sae": ["sae", "sae_ferplus"],
        "sae_light": ["sae_light_ferplus"],
    }


def test_a_systems_chart_has_its_own_steps_that_are_read_and_one_box_for_what_is_before():
    read = node(both, ["raw", "raw2"], ["table", "sheet"], name="read")
    data = Pipeline([read], namespace="d", outputs={"table", "sheet"})
    system = Pipeline(
        [
            node(both, ["table", "sheet"], ["network", "log"], name="train"),
            node(both, ["network", "table"], ["scores", "rest"], name="predict"),
            node(max, ["scores"], "figure", name="plot"),
        ],
        namespace="s",
        inputs={"table", "sheet"},
    )
    assert system_lineage(data + system, "s").splitlines() == [
        "flowchart LR",
        "  d[[d]]",
        "  s_train([train])",
        "  s_predict([predict])",
        "  d -- table, sheet --> s_train",
        "  d -- table --> s_predict",
        "  s_train -- network --> s_predict",
    ]


def test_the_layers_are_those_of_the_contract_with_the_top_one_first(tmp_path):
    contract = 'layers = ["mien.cli", "mien.io | mien.engine"]'
    (tmp_path / "pyproject.toml").write_text(f'[[tool.importlinter.contracts]]\ntype = "layers"\n{contract}\n')
    assert layers(tmp_path) == "cli\nio | engine"


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


def test_the_picture_is_cut_between_two_lines_of_faces_and_small(tmp_path):
    sheet = np.full((700, 60, 3), 255, np.uint8)
    for top in (10, 210, 410):
        sheet[top : top + 150] = np.random.default_rng(top).integers(0, 256, (150, 60, 3))
    Image.fromarray(sheet).save(tmp_path / "sheet.png")
    with Image.open(io.BytesIO(picture(tmp_path / "sheet.png"))) as cut:
        assert cut.size == (60, 409), "of three lines the third does not fit"
        assert cut.mode == "P"


def test_a_missing_sheet_is_reported_with_the_command_that_draws_it(tmp_path):
    with pytest.raises(MienError, match=r"There is no .*tokens\.png.*kedro run --pipelines=sae"):
        picture(tmp_path / "tokens.png")
