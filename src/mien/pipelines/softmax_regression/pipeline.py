"""The pipeline ``softmax_regression``."""

from kedro.pipeline import Pipeline

from mien.nodes.system import system_pipeline
from mien.pipelines.softmax_regression.nodes import initialise


def create_pipeline() -> Pipeline:
    """Aligned faces of RAF-DB at 48 px → softmax regression → predictions → metrics and figures."""
    return system_pipeline("softmax_regression", initialise=initialise, dataset="raf_db", faces="faces_48")
