"""The pipeline ``sae``."""

from kedro.pipeline import Pipeline

from mien.nodes.system import system_pipeline
from mien.pipelines.sae.nodes import train


def create_pipeline() -> Pipeline:
    """Aligned faces of RAF-DB → trained SAE → predictions → metrics and figures."""
    return system_pipeline("sae", train=train, dataset="raf_db")
