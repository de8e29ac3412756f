"""The pipeline ``benchmark``."""

from kedro.pipeline import Pipeline, node

from mien.pipelines.benchmark.detector import draw, measure, write
from mien.pipelines.benchmark.network_report import draw_networks, write_networks
from mien.pipelines.benchmark.networks import measure_networks


def create_pipeline() -> Pipeline:
    """Synthetic scenes → speeds of the face detector; networks → their cost; each as table, figure and Markdown."""
    measured = ["networks_table", "networks_aims"]
    return Pipeline(
        [
            node(measure, "params:detector", "table", name="measure"),
            node(draw, "table", "figure", name="draw"),
            node(write, "table", "markdown", name="write"),
            node(measure_networks, "params:networks", measured, name="measure_networks"),
            node(draw_networks, "networks_table", "networks_figure", name="draw_networks"),
            node(write_networks, measured, "networks_markdown", name="write_networks"),
        ],
        namespace="benchmark",
    )
