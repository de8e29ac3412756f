"""Node functions of ``report``."""

import io
import logging
from typing import Any

import pandas as pd

from mien.io.run_records import RunRecord
from mien.io.sweep_records import SweepRecord
from mien.pipelines.report import formats, page
from mien.pipelines.report.comparisons import comparison_sections, comparison_table
from mien.pipelines.report.figures import scores_plot
from mien.pipelines.report.panels import confusion_panels, feature_panels
from mien.pipelines.report.params import ReportParams
from mien.pipelines.report.peers import OURS, peer_table
from mien.pipelines.report.tables import score_table
from mien.pipelines.report.trade_off import trade_off_figure, trade_off_plot, trade_off_table

logger = logging.getLogger(__name__)


def tabulate(runs: list[RunRecord], tables: ReportParams) -> pd.DataFrame:
    """Put every system's scores beside its paper's.

    Args:
        runs: Finished runs.
        tables: The papers' tables and the scores to show.

    Returns:
        The table of ``score_table``.
    """
    table = score_table(runs, tables)
    logger.info("Report over %d finished runs: %s", len(runs), formats.lead(table))
    return table


def compare(runs: list[RunRecord], sweeps: list[SweepRecord], tables: ReportParams) -> pd.DataFrame:
    """Compare every two members of each sweep on the samples that both were tested on.

    Args:
        runs: Finished runs.
        sweeps: That have been started.
        tables: The bootstrap's settings.

    Returns:
        The table of ``comparison_table``.
    """
    comparisons = comparison_table(runs, sweeps, tables)
    for title, _, sentences in comparison_sections(comparisons):
        for sentence in sentences:
            logger.info("%s", f"{title}: {sentence}" if title else sentence)
    return comparisons


def set_beside_peers(runs: list[RunRecord], tables: ReportParams) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Put each system's classes beside those of its paper and its peers, and its accuracy beside its cost.

    Args:
        runs: Finished runs.
        tables: The papers' tables.

    Returns:
        The tables of ``peer_table`` and ``trade_off_table``.
    """
    return peer_table(runs, tables), trade_off_table(runs, tables)


def draw(table: pd.DataFrame, trade_off: pd.DataFrame) -> tuple[Any, Any, Any]:
    """Draw the main score of every variant that was run with its spread, and accuracy against cost.

    Args:
        table: Of ``tabulate``.
        trade_off: Of ``set_beside_peers``.

    Returns:
        The figure of the scores, and Plotly's and matplotlib's of accuracy and cost.
    """
    ran = _run_rows(table)
    return scores_plot(ran), trade_off_figure(trade_off), trade_off_plot(trade_off)


def _run_rows(table: pd.DataFrame) -> pd.DataFrame:
    """The rows that were run; a published score is drawn only where it stands in one of them."""
    return table[table["not_run"] == ""]


def draw_panels(runs: list[RunRecord], tables: ReportParams) -> tuple[Any, Any]:
    """Draw runs side by side: their confusion matrices, and maps of their features.

    Args:
        runs: Finished runs.
        tables: Which of them.

    Returns:
        Two of matplotlib's figures.
    """
    return confusion_panels(runs, tables.confusions), feature_panels(runs, tables.feature_maps)


def write(
    table: pd.DataFrame,
    comparisons: pd.DataFrame,
    peers: pd.DataFrame,
    trade_off: pd.DataFrame,
    tables: ReportParams,
) -> tuple[str, str, str, str]:
    """Write the report as Markdown, HTML and LaTeX, and its table as CSV. A figure of one point alone is left out.

    Args:
        table: Of ``tabulate``.
        comparisons: Of ``compare``.
        peers: Of ``set_beside_peers``.
        trade_off: Of ``set_beside_peers``.
        tables: The scores to show.

    Returns:
        The four texts.
    """
    ran = _run_rows(table)
    figures = {"Test scores": _svg(scores_plot(ran))} if len(ran) > 1 else {}
    if (trade_off["whose"] == OURS).sum() > 1:
        figures["Accuracy and cost"] = _svg(trade_off_plot(trade_off))
    return (
        formats.to_markdown(table, comparisons, peers, tables.scores),
        page.to_html(table, comparisons, peers, tables.scores, figures),
        formats.to_latex(table, peers, tables.scores),
        table.to_csv(index=False),
    )


def _svg(figure: Any) -> str:
    """A figure as an element of a page; without random ids, so that equal reports are equal files."""
    import matplotlib

    drawing = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "report"}):
        figure.savefig(drawing, format="svg", metadata={"Date": None})
    text = drawing.getvalue()
    return text[text.index("<svg") :]
