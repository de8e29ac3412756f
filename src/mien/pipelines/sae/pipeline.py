"""The pipelines ``sae`` and ``sae_ferplus``."""

from kedro.pipeline import Pipeline

from mien.nodes.system import system_pipeline
from mien.pipelines.sae.nodes import initialise


def create_pipelines() -> dict[str, Pipeline]:
    """Aligned faces of RAF-DB, or of FERPlus → trained SAE → predictions → metrics and figures."""
    datasets = {"sae": "raf_db", "sae_ferplus": "ferplus"}
    return {name: system_pipeline(name, initialise=initialise, dataset=dataset) for name, dataset in datasets.items()}
