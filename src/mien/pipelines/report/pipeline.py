"""The pipeline ``report``."""

from kedro.pipeline import Pipeline, node

from mien.pipelines.report.nodes import compare, draw, draw_panels, set_beside_peers, tabulate, write


def create_pipeline() -> Pipeline:
    """Records of finished runs and of sweeps → table and paired comparisons → figure, Markdown, HTML, LaTeX and CSV."""
    return Pipeline(
        [
            node(tabulate, ["runs", "params:tables"], "table", name="tabulate"),
            node(compare, ["runs", "sweeps", "params:tables"], "comparisons", name="compare"),
            node(set_beside_peers, ["runs", "params:tables"], ["peers", "trade_off"], name="set_beside_peers"),
            node(draw, ["table", "trade_off"], ["scores_plot", "trade_off_figure", "trade_off_plot"], name="draw"),
            node(
                draw_panels,
                ["runs", "params:tables"],
                ["confusions_plot", "feature_maps_plot"],
                name="draw_panels",
            ),
            node(
                write,
                ["table", "comparisons", "peers", "trade_off", "params:tables"],
                ["markdown", "html", "latex", "csv"],
                name="write",
            ),
        ],
        namespace="report",
    )
