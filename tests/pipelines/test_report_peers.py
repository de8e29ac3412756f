"""A system's own table: class by class beside its peers, and accuracy beside cost."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.pipelines.test_report import REPORT, run
from tests.pipelines.tiny_systems import TINY_SAE
from tests.project.project_config import load_config

from mien.data.raf_db import PUBLISHED_COUNTS
from mien.models.cost import macs_of
from mien.pipelines.report import formats, page
from mien.pipelines.report.comparisons import comparison_table
from mien.pipelines.report.params import PaperRow, Peer, ReportParams, TradeOff
from mien.pipelines.report.peers import class_cells, comparable, peer_cells, peer_notes, peer_table
from mien.pipelines.report.tables import score_table
from mien.pipelines.report.trade_off import trade_off_figure, trade_off_plot, trade_off_table

SAE = REPORT.papers["sae"]
PEERS = REPORT.model_copy(
    update={
        "papers": {
            "sae": SAE.model_copy(
                update={
                    "rows": (SAE.rows[0].model_copy(update={"recalls": {"happy": 0.96, "sad": 0.9}}), *SAE.rows[1:]),
                    "peers": (Peer(name="POSTER", scores={"accuracy": 0.9205}, recalls={"sad": 0.91}, source="there"),),
                    "trade_off": TradeOff(parameter="model.keep_rate", architecture="sae"),
                }
            )
        }
    }
)


def seeds(variant: str, values: tuple[float, ...], synthetic: float = 0.0, **parameters: Any):
    recalls = {"test/recall/happy": 0.9, "test/recall/sad": 0.8}
    runs = [run("sae", f"{variant}-seed_{seed}", value) for seed, value in enumerate(values)]
    for each in runs:
        each.metrics.update({**recalls, "test/mean_class_accuracy": 0.85, "synthetic_share": synthetic})
        started = {"architecture": "sae", "landmark_start": "synthetic", "weights": None}  # what no architecture takes
        model = {**TINY_SAE, **started, **parameters}
        each.parameters.update({f"model.{name}": value for name, value in model.items()})
    return runs


def test_classes_of_peers_of_the_paper_and_of_ours_stand_in_one_table_in_per_cent():
    header, rows = peer_cells(peer_table(seeds("keep_0.6", (0.9, 0.94)), PEERS))
    assert header[-4:] == ["Accuracy, %", "Mean class accuracy, %", "Sad", "Happy"]
    poster, paper, other_rate, ours = rows
    assert poster == ["POSTER", "-", "published", "RAF-DB", "-", "92.05", "-", "91.00", "-"]
    assert paper[:2] == ["SAE", "keep rate 0.6"]
    assert paper[-4:] == ["91.17", "-", "90.00", "96.00"]
    assert other_rate[-4] == "91.13"
    assert ours[:5] == ["SAE, keep_0.6", "keep rate 0.6", "ours", "RAF-DB", "2"]
    assert ours[-4:] == [
        f"92.00 ± {100 * np.std([0.9, 0.94], ddof=1):.2f}",
        "85.00 ± 0.00",
        "80.00 ± 0.00",
        "90.00 ± 0.00",
    ]


def test_scores_on_synthetic_faces_are_marked_and_published_ones_say_where_they_were_read():
    table = peer_table(seeds("keep_0.6", (0.9,), synthetic=1.0), PEERS)
    _, rows = peer_cells(table)
    assert rows[-1][-4] == "90.00 †"
    assert rows[-1][3] == "synthetic faces"
    assert not any("†" in cell for row in rows[:-1] for cell in row)
    assert peer_notes(table) == ["POSTER: there.", "SAE: Somebody, Something."]


def test_published_rows_stand_only_beside_runs_on_the_same_dataset():
    assert comparable(peer_table(seeds("keep_0.6", (0.9,), synthetic=1.0), PEERS)).empty
    runs = [*seeds("keep_0.6", (0.9,)), *seeds("drawn", (0.5,), synthetic=1.0)]
    shown = comparable(peer_table(runs, PEERS))
    assert shown["method"].tolist() == ["POSTER", "SAE", "SAE", "SAE, keep_0.6"]


def test_no_row_of_the_page_holds_a_published_and_a_synthetic_score():
    runs = seeds("keep_0.6", (0.9,), synthetic=1.0)
    pairs = comparison_table([], [], PEERS)
    text = page.to_html(score_table(runs, PEERS), pairs, peer_table(runs, PEERS), PEERS.scores, {})
    before, folded = text.split("<details>", 1)
    assert "90.00 †" in before
    for published in ("92.05", "91.17", "POSTER"):
        assert published in folded
        assert published not in before


def test_the_ends_of_intervals_are_no_classes():
    runs = seeds("keep_0.6", (0.9,))
    runs[0].metrics.update({"test/recall/sad_low": 0.7, "test/recall/sad_high": 0.9})
    header, rows = class_cells(peer_table(runs, PEERS).tail(1))
    assert header == ["Accuracy of each class, %", "Sad", "Happy"]
    assert rows == [["SAE, keep_0.6", "80.00", "90.00"]]


def test_without_a_paper_there_is_no_table_and_without_a_run_there_are_the_published_rows():
    assert peer_table([], ReportParams(**{**REPORT.model_dump(), "papers": {}})).empty
    assert len(peer_table([], PEERS)) == 3


def test_the_table_reaches_markdown_html_and_latex():
    runs = seeds("keep_0.6", (0.9, 0.94))
    table, peers, pairs = score_table(runs, PEERS), peer_table(runs, PEERS), comparison_table([], [], PEERS)
    texts = [
        formats.to_markdown(table, pairs, peers, PEERS.scores),
        page.to_html(table, pairs, peers, PEERS.scores, {"a <drawing>": "<svg/>"}),
        formats.to_latex(table, peers, PEERS.scores),
    ]
    for text in texts:
        assert "SAE beside published methods on RAF-DB" in text
        assert "POSTER" in text
    assert "a &lt;drawing&gt;" in texts[1]


def test_the_trade_off_counts_the_operations_of_each_variants_own_network():
    deep = {"image_size": 64, "depth": 3}  # so that what pruning saves is more than it costs
    runs = [*seeds("keep_0.6", (0.9, 0.94), keep_rate=0.6, **deep), *seeds("all", (0.95,), keep_rate=1.0, **deep)]
    table = trade_off_table(runs, PEERS).set_index("variant")
    for variant, rate in (("keep_0.6", 0.6), ("all", 1.0)):
        macs = macs_of("sae", {**TINY_SAE, **deep, "keep_rate": rate, "num_classes": 2})[""]
        assert table.loc[variant, "gmac"] == pytest.approx(macs / 1e9)
        assert table.loc[variant, "value"] == rate
    assert table.loc["all", "gmac"] > table.loc["keep_0.6", "gmac"]
    assert table.loc["keep_0.6", "accuracy"] == pytest.approx(0.92)
    assert table.loc["keep rate 0.6", "accuracy"] == 0.9117, "the paper's row"
    assert np.isnan(table.loc["keep rate 0.6", "gmac"])


def test_the_trade_off_is_drawn_in_per_cent_with_the_cost_on_an_axis_of_its_own():
    runs = [*seeds("keep_0.6", (0.9, 0.94), keep_rate=0.6), *seeds("all", (0.95,), keep_rate=1.0)]
    table = trade_off_table(runs, PEERS)
    ours, papers, cost = trade_off_figure(table).data
    assert sorted(ours.y) == pytest.approx([92, 95])
    assert sorted(papers.y) == pytest.approx([91.17, 91.13][::-1])
    assert cost.yaxis == "y2"
    assert list(cost.x) == [0.6, 1.0]
    _, right = trade_off_plot(table).axes
    assert right.get_ylabel() == "GMAC of one image"


def test_the_trade_off_on_synthetic_faces_stands_alone_and_says_so():
    runs = [*seeds("keep_0.6", (0.9, 0.94), synthetic=1.0, keep_rate=0.6)]
    table = trade_off_table(runs, PEERS)
    assert table["whose"].tolist() == ["ours"]
    left, _ = trade_off_plot(table).axes
    assert "synthetic faces: no result" in left.get_title()
    both = trade_off_table([*runs, *seeds("all", (0.95,), keep_rate=1.0)], PEERS)
    assert both["variant"].tolist() == ["all", "keep rate 0.6", "keep rate 0.1"]


def test_without_a_run_there_is_a_figure_that_says_so():
    table = trade_off_table([], PEERS)
    assert not len(trade_off_figure(table).data)
    assert [text.get_text() for text in trade_off_plot(table).axes[0].texts] == ["no run yet"]


@pytest.fixture(scope="module")
def shipped() -> ReportParams:
    conf = Path(__file__).resolve().parents[2] / "conf"
    return ReportParams(**load_config(conf, "paper")["parameters"]["report"]["tables"])


def test_published_class_accuracies_times_the_test_list_give_the_published_accuracies(shipped):
    counts = PUBLISHED_COUNTS["test"]
    sae = shipped.papers["sae"]
    checked = [row for row in (*sae.rows, *sae.peers) if row.recalls and "accuracy" in row.scores]
    assert len(checked) == 9
    for row in checked:
        right = sum(round(row.recalls[name] * counts[name]) for name in counts)
        assert round(right / sum(counts.values()), 4) == row.scores["accuracy"], row


def test_a_published_mean_is_that_of_its_classes(shipped):
    sae = shipped.papers["sae"]
    for row in (*sae.rows, *sae.peers):
        if row.recalls:
            mean = np.mean(list(row.recalls.values()))
            assert row.scores["mean_class_accuracy"] == pytest.approx(mean, abs=6e-5), row


def test_a_row_without_scores_is_no_published_row():
    rows = peer_table(
        [],
        PEERS.model_copy(
            update={
                "papers": {
                    "sae": SAE.model_copy(
                        update={"rows": (PaperRow(setting="x", variants=("v",)),), "peers": PEERS.papers["sae"].peers}
                    )
                }
            }
        ),
    )
    assert rows["method"].tolist() == ["POSTER"]
