"""The pipeline ``benchmark``."""

from kedro.pipeline import Pipeline, node

from mien.pipelines.benchmark.detector import draw, measure, write


def create_pipeline() -> Pipeline:
    """Drawn scenes → table of speeds → figure and Markdown."""
    return Pipeline(
        [
            node(measure, "params:detector", "table", name="measure"),
            node(draw, "table", "figure", name="draw"),
            node(write, "table", "markdown", name="write"),
        ],
        namespace="benchmark",
    )
