"""The pipelines ``sae`` and ``sae_ferplus``."""

from kedro.pipeline import Pipeline, node

from mien.nodes.system import system_pipeline
from mien.pipelines.sae.nodes import initialise
from mien.pipelines.sae.tokens import show_tokens


def create_pipelines() -> dict[str, Pipeline]:
    """Aligned faces of RAF-DB, or of FERPlus → trained SAE → predictions → metrics and figures.

    Its landmark stream starts from the network that the pipeline ``landmarks`` trains.
    """
    return {name: _on(name, dataset) for name, dataset in (("sae", "raf_db"), ("sae_ferplus", "ferplus"))}


def _on(name: str, dataset: str) -> Pipeline:
    line = system_pipeline(name, initialise=initialise, dataset=dataset, networks=("landmark_network",))
    faces = {"samples": f"{dataset}_samples", "faces": f"{dataset}_faces_112"}
    figures = ["tokens_sheet", "kept_frequency_plot"]
    tokens = node(show_tokens, ["samples", "faces", "network", "params:prediction"], figures, name="show_tokens")
    return line + Pipeline([tokens], namespace=name, inputs=faces)
