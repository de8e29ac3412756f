"""The report: tables computed by hand, rows not run, damaged records, and texts that parse as what they are."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from tests.project.project_config import load_config

from mien.io.run_records import METRICS, RECORD, RunRecord, RunRecords
from mien.io.sweep_records import SweepRecord, SweepRecords
from mien.pipelines.report import formats
from mien.pipelines.report.comparisons import comparison_table
from mien.pipelines.report.figures import scores_plot
from mien.pipelines.report.nodes import set_beside_peers, write
from mien.pipelines.report.params import PanelRun, Panels, PaperRow, PaperTable, ReportParams
from mien.pipelines.report.peers import peer_table
from mien.pipelines.report.scores import SCORE_NAMES
from mien.pipelines.report.tables import score_table

CONF = Path(__file__).resolve().parents[2] / "conf"
N = 40
REPORT = ReportParams(
    scores=("accuracy", "auroc", "mae_years"),
    papers={
        "sae": PaperTable(
            name="SAE",
            reference="Somebody, Something",
            dataset="RAF-DB",
            n=N,
            rows=(
                PaperRow(
                    setting="keep rate 0.6",
                    variants=("keep_0.6", "paper"),
                    set={"model.keep_rate": 0.6},
                    scores={"accuracy": 0.9117},
                    note="epoch chosen on the test split",
                ),
                PaperRow(
                    setting="keep rate 0.1",
                    variants=("keep_0.1",),
                    set={"model.keep_rate": 0.1, "training.seed": 3},
                    scores={"accuracy": 0.9113},
                ),
            ),
        )
    },
    confusions=Panels(title="Confusions", runs=(PanelRun(run="sae/keep_0.6", name="one"),)),
    feature_maps=Panels(title="Maps", runs=(PanelRun(run="sae/keep_0.6", name="one"),)),
    resamples=100,
    seed=0,
)


SWEEP = SweepRecord("tiny", (("sae", "keep_0.6"), ("linear", "v")), (0, 1, 2))


def run(system: str, variant: str, accuracy: float, **changes: Any) -> RunRecord:
    scores = {"test/accuracy": accuracy, "test/accuracy_low": accuracy - 0.02, "test/accuracy_high": accuracy + 0.01}
    record = RunRecord(
        system=system,
        variant=variant,
        env="paper",
        dataset="raf_db",
        command=f"kedro run --pipelines={system} --params=variant={variant}",
        machine="x86_64, 2 cores",
        date=f"2026-01-0{1 + int(variant[-1]) if variant[-1].isdecimal() else 1}T12:00:00+00:00",
        run_id=f"{system[0]}{variant[-1]}",
        commit="481e3d0",
        parameters={"training.seed": variant[-1], "model.depth": 2},
        metrics={**scores, "test/n": N, "synthetic_share": 0.0},
    )
    return replace(record, **changes)


def predictions(right: int) -> pd.DataFrame:
    """Scores of N test samples in two classes, of which the first ``right`` are right, and of a val sample."""
    target = np.arange(N) % 2
    taken = np.where(np.arange(N) < right, target, 1 - target)
    table = pd.DataFrame(
        {"sample_id": [f"s{i}" for i in range(N)], "split": "test", "target": target, "synthetic": False}
    )
    table["score/happy"], table["score/sad"] = 0.9 - 0.8 * taken, 0.1 + 0.8 * taken
    return pd.concat([table, table.head(1).assign(sample_id="v", split="val")], ignore_index=True)


def finish(data: Path, record: RunRecord, scores: pd.DataFrame | None = None) -> RunRecord:
    """Lay down what a finished run leaves."""
    place = data / "08_reporting" / record.system / record.variant
    record.write(place)
    (place / METRICS).write_text(json.dumps(record.metrics))
    file = data / "07_model_output" / record.system / record.variant / "predictions.parquet"
    file.parent.mkdir(parents=True)
    (predictions(30) if scores is None else scores).to_parquet(file)
    return replace(record, predictions=file)


def finish_all(data: Path) -> list[RunRecord]:
    """Two systems with three seeds each."""
    right = {"sae": ("keep_0.6", (36, 38, 34)), "linear": ("v", (30, 28, 32))}
    return [
        finish(data, run(system, f"{variant}-seed_{seed}", count / N), predictions(count))
        for system, (variant, counts) in right.items()
        for seed, count in enumerate(counts)
    ]


def records(data: Path) -> list[RunRecord]:
    return RunRecords(
        filepath=str(data / "08_reporting"), predictions={"filepath": str(data / "07_model_output")}
    ).load()


def cells(text: str) -> list[list[str]]:
    """Rows of the first table of a Markdown text, its escapes undone."""
    tables = [part for part in text.split("\n\n") if part.startswith("| ")]
    lines = tables[0].splitlines()
    split = [re.split(r"(?<!\\) \| ", line.removeprefix("| ").removesuffix(" |")) for line in lines]
    return [[re.sub(r"\\(.)", r"\1", cell) for cell in line] for line in split]


class TableParser(HTMLParser):
    """Rows of all tables of a page; refuses tags that are not closed in turn."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag != "meta":
            self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self._open):
            self.rows[-1][-1] += data


def test_scores_of_seeds_are_their_mean_and_standard_deviation_beside_the_papers():
    runs = [run("sae", f"keep_0.6-seed_{seed}", value) for seed, value in enumerate((0.9, 0.92, 0.94))]
    row = score_table(runs, REPORT).iloc[0]
    assert (row["accuracy_paper"], row["seeds"], row["n"], row["setting"]) == (0.9117, 3, N, "keep rate 0.6")
    assert row["accuracy"] == pytest.approx(0.92)
    assert row["accuracy_sd"] == pytest.approx(0.02), "squares of -0.02, 0, 0.02 over 2"
    assert np.isnan(row["accuracy_low"]), "an interval over test samples is not one over seeds"
    assert (row["date"], row["run_ids"], row["measured_on"]) == ("2026-01-03", "s0 s1 s2", "RAF-DB")
    assert formats.ours(row, "accuracy") == "92.00 ± 2.00"


def test_a_single_run_has_its_interval_and_no_deviation():
    row = score_table([run("sae", "paper", 0.9)], REPORT).iloc[0]
    assert np.isnan(row["accuracy_sd"])
    assert formats.ours(row, "accuracy") == "90.00 (88.00 to 91.00)"


def test_a_score_that_one_of_the_seeds_lacks_has_no_mean():
    runs = [run("sae", "keep_0.6-seed_0", 0.9), run("sae", "keep_0.6-seed_1", 0.9, metrics={"test/accuracy": None})]
    assert np.isnan(score_table(runs, REPORT).iloc[0]["accuracy"])


def test_a_run_without_a_seed_is_left_out_where_its_variant_has_seeds():
    runs = [run("sae", "keep_0.6", 0.1), run("sae", "keep_0.6-seed_0", 0.8), run("sae", "keep_0.6-seed_1", 0.9)]
    assert score_table(runs, REPORT).iloc[0]["accuracy"] == pytest.approx(0.85)


def test_a_mean_over_different_settings_is_reported():
    other = run("sae", "keep_0.6-seed_1", 0.9, parameters={"training.seed": 1, "model.depth": 8})
    row = score_table([run("sae", "keep_0.6-seed_0", 0.8), other], REPORT).iloc[0]
    assert row["note"].endswith("its runs differ in model.depth")


def test_rows_that_are_not_run_stand_apart_with_the_reason_and_the_command():
    table = score_table([run("sae", "paper", 0.9)], REPORT)
    assert table["variant"].tolist() == ["paper", "keep_0.1"]
    assert table["not_run"].tolist() == ["", "no run here; it needs RAF-DB"]
    assert table.iloc[1]["command"] == (
        "kedro run --pipelines=sae --env=paper --params=variant=keep_0.1,sae.model.keep_rate=0.1,sae.training.seed=3"
    )
    real, not_run = formats.parts(table)
    assert (real.title, not_run.title) == (formats.REAL, formats.NOT_RUN)
    header, rows = formats.score_cells(real.rows, REPORT.scores)
    assert header[6:] == ["Accuracy, % (ours)", "Accuracy, % (published)"]
    assert rows[0][3:] == ["RAF-DB", "40", "1", "90.00 (88.00 to 91.00)", "91.17"]
    header, rows = formats.score_cells(not_run.rows, REPORT.scores)
    assert header[6:] == ["Accuracy, % (published)"]
    assert rows == [["SAE", "keep rate 0.1", "keep_0.1", "RAF-DB", "40", "-", "91.13"]]


def test_a_remark_names_variants_where_it_is_about_all_of_their_rows_and_else_settings():
    rows = pd.DataFrame(
        [
            {"name": "A", "setting": setting, "variant": variant, "note": note}
            for setting, variant, note in (
                ("x", "full", ""),
                ("y", "full", "half"),
                ("x", "part", "n"),
                ("y", "part", "n"),
            )
        ]
    ).assign(not_run="no", measured_on="RAF-DB", reference="", n=1, paper_n=1)
    assert formats.notes(rows) == ["A, y: half.", "A, part: n."]
    assert formats.notes(rows.tail(2)) == ["A: n."]


def test_rows_of_one_run_that_trained_several_models_are_distinguished():
    rows = [
        PaperRow(setting=name, variants=(variant,), model=model, scores={"accuracy": paper}, n=n)
        for name, variant, model, paper, n in (
            ("DiffCNN", "full", "diff_cnn", 0.92, 0),
            ("Comb@1", "full", "comb_1", 0.94, 0),
            ("DiffCNN, subset", "subset", "diff_cnn", 0.96, 9),
        )
    ]
    table = PaperTable(name="CompCNN", reference="X", dataset="NVIE", n=N, rows=tuple(rows))
    report = REPORT.model_copy(update={"papers": {"comp_cnn": table}})
    scores = {"test/diff_cnn/accuracy": 0.7, "test/diff_cnn/accuracy_low": 0.6, "test/comb_1/accuracy": 0.8}
    scores |= {"test/diff_cnn/n": N, "test/comb_1/n": N}
    runs = [run("comp_cnn", "full", 0.8), run("comp_cnn", "demo", 0.8)]
    runs = [replace(each, dataset="nvie", metrics={**each.metrics, **scores}) for each in runs]
    shown = score_table(runs, report)
    assert shown[["setting", "variant", "accuracy_paper", "accuracy", "paper_n"]].fillna(-1).to_numpy().tolist() == [
        ["DiffCNN", "full", 0.92, 0.7, N],
        ["Comb@1", "full", 0.94, 0.8, N],
        ["DiffCNN, subset", "subset", 0.96, -1, 9],
        ["DiffCNN", "demo", -1, 0.7, N],
        ["Comb@1", "demo", -1, 0.8, N],
    ]
    assert shown.loc[0, "accuracy_low"] == 0.6


def test_systems_and_variants_without_a_papers_row_follow_the_papers():
    table = score_table([run("other", "v", 0.5), run("sae", "own", 0.6)], REPORT)
    assert list(zip(table["name"], table["variant"], strict=True)) == [
        ("SAE", "keep_0.6"),
        ("SAE", "keep_0.1"),
        ("SAE", "own"),
        ("other", "v"),
    ]


def test_synthetic_faces_are_marked_at_every_number_and_other_datasets_and_sizes_are_reported():
    drawn = run("sae", "paper", 0.9, metrics={"test/accuracy": 0.9, "test/n": 7, "synthetic_share": 1.0})
    (synthetic, not_run) = formats.parts(score_table([drawn], REPORT))
    assert formats.ours(synthetic.rows.iloc[0], "accuracy") == "90.00 †"
    assert formats.SYNTHETIC_NOTE in formats.notes(synthetic.rows)
    assert synthetic.rows["setting"].tolist() == ["keep rate 0.6"]
    assert synthetic.rows["accuracy_paper"].isna().all(), "a published score beside a synthetic one"
    assert not_run.rows["accuracy_paper"].tolist() == [0.9117, 0.9113]
    other = run("sae", "paper", 0.9, dataset="sfew", metrics={"test/accuracy": 0.9, "test/n": 7})
    real, _ = formats.parts(score_table([other], REPORT))
    assert real.rows["measured_on"].tolist() == ["sfew"]
    assert real.rows["accuracy_paper"].isna().all(), "a published score beside one on another dataset"
    fewer = run("sae", "paper", 0.9, metrics={"test/accuracy": 0.9, "test/n": 7})
    real, _ = formats.parts(score_table([fewer], REPORT))
    assert "SAE: tested on 7 samples, not on the paper's 40." in formats.notes(real.rows)


def test_columns_that_no_row_has_are_left_out():
    header, rows = formats.score_cells(score_table([], REPORT), REPORT.scores)
    assert header[6:] == ["Accuracy, % (published)"]
    assert {len(row) for row in rows} == {7}


def test_every_score_that_can_be_requested_has_a_name():
    requested = ReportParams.model_validate({**REPORT.model_dump(), "scores": list(SCORE_NAMES)})
    assert set(requested.scores) == set(SCORE_NAMES)


AWKWARD = score_table(
    [run("sae", "paper", 0.9, machine="a|b", command=r"kedro run --params=a=<b>&c_d*e`f\g"), run("linear", "v", 0.5)],
    REPORT.model_copy(
        update={
            "papers": {
                "sae": REPORT.papers["sae"].model_copy(update={"name": "S|A*E <b>& 5 % #1 ~ {x} \\y $z$ ^2 [w]\nnew"})
            }
        }
    ),
)


def test_markdown_keeps_every_cell_whatever_its_letters():
    text = formats.to_markdown(AWKWARD, comparison_table([], [], REPORT), peer_table([], REPORT), REPORT.scores)
    header, rule, *rows = cells(text)
    assert {len(row) for row in (header, rule, *rows)} == {len(header)}
    assert set(rule) == {"---"}
    assert rows[0][0] == "S|A*E <b>& 5 % #1 ~ {x} \\y $z$ ^2 [w] new"


def test_html_keeps_every_cell_whatever_its_letters_and_holds_its_drawing(tmp_path):
    runs = finish_all(tmp_path)
    _, text, *_ = write(AWKWARD, comparison_table(runs, [SWEEP], REPORT), *set_beside_peers(runs, REPORT), REPORT)
    parser = TableParser()
    parser.feed(text)
    (origin,) = [row for row in parser.rows if row[3:4] == ["a|b"]]
    assert " ".join(origin[0].split()) == "S|A*E <b>& 5 % #1 ~ {x} \\y $z$ ^2 [w] new"
    assert len(origin) == len(parser.rows[parser.rows.index(origin) - 1])
    assert [r"kedro run --params=a=<b>&c_d*e`f\g", "a|b"] in [row[2:4] for row in parser.rows]
    svg = text[text.index("<svg") : text.index("</svg>") + 6]
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    assert "accuracy differs by +15.00 ± 10.00 points" in text, "differences of 6, 10 and 2 in 40, as in the test above"


def test_latex_escapes_what_it_would_read_as_commands():
    text = formats.to_latex(AWKWARD, peer_table([], REPORT), REPORT.scores)
    bodies = re.findall(r"\\midrule(.*?)\\bottomrule", text, re.DOTALL)
    assert [body.count(r" \\") for body in bodies] == [2, 1], "the rows that were run, and the one that was not"
    for body in bodies:
        assert len({len(re.findall(r"(?<!\\)&", line)) for line in body.splitlines()[1:]}) == 1
    body = bodies[0]
    assert r"S|A*E \textless{}b\textgreater{}\& 5 \% \#1 \textasciitilde{} \{x\} \textbackslash{}y" in body
    depth = re.sub(r"\\[{}]", "", text)
    assert depth.count("{") == depth.count("}")


def test_the_figure_shows_scores_papers_and_spreads_in_the_unit_of_the_table():
    runs = [run("sae", f"keep_0.6-seed_{seed}", value) for seed, value in enumerate((0.8, 0.9))]
    table = score_table([*runs, run("linear", "v", 0.5)], REPORT)
    axes = scores_plot(table).axes[0]
    points = [line.get_xdata().tolist() for line in axes.lines if len(line.get_xdata()) == 2]
    assert any(np.allclose(line, [85, 50]) for line in points)
    assert any(np.allclose(line, [91.17, 91.13]) for line in points)
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "SAE, keep rate 0.6",
        "SAE, keep rate 0.1",
        "linear, v",
    ]


def test_each_unit_has_its_panel_and_no_score_at_all_is_a_figure_that_says_so():
    ages = run("cnn", "v", 0.5, metrics={"test/mae_years": 4.5, "test/mae_years_low": 4, "test/mae_years_high": 5})
    plot = scores_plot(score_table([ages], REPORT))
    assert [axes.get_xlabel() for axes in plot.axes] == ["Accuracy, %", "MAE, years"]
    empty = score_table([], REPORT.model_copy(update={"papers": {}}))
    assert [text.get_text() for text in scores_plot(empty).axes[0].texts] == ["no score yet"]


def test_the_projects_tables_are_complete_and_say_what_every_row_would_take():
    tables = ReportParams(**load_config(CONF, "demo")["parameters"]["report"]["tables"])
    table = score_table([], tables)
    assert set(table["system"]) == set(tables.papers)
    assert table["not_run"].str.startswith("no run here; it needs ").all()
    published = table.set_index(["system", "variant"])["accuracy_paper"]
    assert published["sae", "keep_0.6"] == 0.9117, "SAE, Table 2"


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        (RECORD, "{", r"run\.json cannot be read: it is no JSON: .* Run that variant again, or delete its folder"),
        (RECORD, "{}", r"run\.json cannot be read: it lacks system, variant, .* delete its folder"),
        (RECORD, "[1]", r"run\.json cannot be read: it holds a list"),
        (METRICS, '{"test/accuracy": 0.', r"metrics\.json cannot be read: it is no JSON"),
    ],
)
def test_a_damaged_record_is_reported_by_file_and_reason(tmp_path, file, content, message):
    finish(tmp_path, run("sae", "v", 0.5))
    (tmp_path / "08_reporting/sae/v" / file).write_text(content)
    with pytest.raises(Exception, match=message) as reported:
        records(tmp_path)
    assert isinstance(reported.value.__cause__, ValueError)


def test_a_copied_folder_does_not_count_as_another_run(tmp_path):
    finish(tmp_path, run("sae", "v", 0.5))
    (tmp_path / "08_reporting/sae/v").rename(tmp_path / "08_reporting/sae/w")
    with pytest.raises(Exception, match=r"is the record of sae v, as if its folder had been copied"):
        records(tmp_path)


REPORTED = {f"{name}.{kind}" for name in ("scores", "trade_off") for kind in ("png", "svg")} | {
    "trade_off.plotly.json",
    "confusions.png",
    "confusions.svg",
    "feature_maps.png",
    "feature_maps.svg",
    "table.parquet",
    "comparisons.parquet",
    "peers.parquet",
    "trade_off.parquet",
    "report.md",
    "report.html",
    "report.tex",
    "table.csv",
}


def test_one_command_reports_two_systems_and_three_seeds_and_the_same_again(project, run_project):
    for record in finish_all(project / "data/demo"):
        assert record.predictions is not None
    SweepRecords(filepath=str(project / "data/demo/08_reporting/sweeps")).save(SWEEP)
    conf = project / "conf/base/parameters_report.yml"
    conf.write_text(json.dumps({"report": {"tables": REPORT.model_dump(mode="json")}}))
    run_project("report")
    folder = project / "data/demo/08_reporting/report"
    assert {file.name for file in folder.iterdir()} == REPORTED
    text = (folder / "report.md").read_text()
    assert [row[0] for row in cells(text)[2:]] == ["SAE", "linear"]
    assert cells(text)[2][-2:] == ["90.00 ± 5.00", "91.17"]
    assert text.count("| linear/v-seed_") == 3
    assert "sae/keep_0.6 against linear/v, 3 seeds" in text
    assert "stands in 2 of 3 seeds" in text
    assert pd.read_csv(folder / "table.csv")["accuracy"].tolist()[0] == pytest.approx(0.9)
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    run_project("report")
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_without_any_run_the_report_has_every_row_with_its_command(project, run_project):
    run_project("report")
    text = (project / "data/demo/08_reporting/report/report.md").read_text()
    assert f"## {formats.NOT_RUN}" in text
    assert f"## {formats.REAL}" not in text
    assert text.count("| not run | - | - |") > 30
    assert "No finished run is here yet. Start one: kedro run --pipelines=sae" in text
    assert "No sweep has been started here" in text, "an empty table of comparisons, unsaid"
