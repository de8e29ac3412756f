"""Node functions of ``report``."""

import io
import logging
from typing import Any

import pandas as pd

from mien.io.run_records import RunRecord
from mien.pipelines.report import formats
from mien.pipelines.report.figures import scores_figure, scores_plot
from mien.pipelines.report.params import ReportParams
from mien.pipelines.report.tables import comparison_table, score_table

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


def compare(runs: list[RunRecord], tables: ReportParams) -> pd.DataFrame:
    """Compare pairs of variants on the samples that both were tested on.

    Args:
        runs: Finished runs.
        tables: Which pairs, and the bootstrap's settings.

    Returns:
        The table of ``comparison_table``.
    """
    comparisons = comparison_table(runs, tables)
    for sentence in comparisons["sentence"]:
        logger.info("%s", sentence)
    return comparisons


def draw(table: pd.DataFrame) -> tuple[Any, Any]:
    """Draw every variant's main score with its spread.

    Args:
        table: Of ``tabulate``.

    Returns:
        Plotly's and matplotlib's figure.
    """
    return scores_figure(table), scores_plot(table)


def write(table: pd.DataFrame, comparisons: pd.DataFrame, tables: ReportParams) -> tuple[str, str, str, str]:
    """Write the report as Markdown, HTML and LaTeX, and its table as CSV.

    Args:
        table: Of ``tabulate``.
        comparisons: Of ``compare``.
        tables: The scores to show.

    Returns:
        The four texts.
    """
    return (
        formats.to_markdown(table, comparisons, tables.scores),
        formats.to_html(table, comparisons, tables.scores, _svg(table)),
        formats.to_latex(table, tables.scores),
        table.to_csv(index=False),
    )


def _svg(table: pd.DataFrame) -> str:
    """The figure as an element of a page; without random ids, so that equal reports are equal files."""
    import matplotlib

    drawing = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "report"}):
        scores_plot(table).savefig(drawing, format="svg", metadata={"Date": None})
    text = drawing.getvalue()
    return text[text.index("<svg") :]
