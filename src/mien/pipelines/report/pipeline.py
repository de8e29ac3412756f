"""The pipeline ``report``."""

from kedro.pipeline import Pipeline, node

from mien.pipelines.report.nodes import compare, draw, tabulate, write


def create_pipeline() -> Pipeline:
    """Records of finished runs → table and paired comparisons → figure, Markdown, HTML, LaTeX and CSV."""
    return Pipeline(
        [
            node(tabulate, ["runs", "params:tables"], "table", name="tabulate"),
            node(compare, ["runs", "params:tables"], "comparisons", name="compare"),
            node(draw, "table", ["scores_figure", "scores_plot"], name="draw"),
            node(write, ["table", "comparisons", "params:tables"], ["markdown", "html", "latex", "csv"], name="write"),
        ],
        namespace="report",
    )
