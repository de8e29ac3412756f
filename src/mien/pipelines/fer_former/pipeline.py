"""The pipelines ``fer_former``, ``fer_former_ferplus`` and ``fer_former_sfew``."""

from kedro.pipeline import Pipeline

from mien.nodes.system import system_pipeline
from mien.pipelines.fer_former.evaluation import evaluate
from mien.pipelines.fer_former.nodes import initialise, initialise_from, predict, train


def create_pipelines() -> dict[str, Pipeline]:
    """Aligned faces of RAF-DB, FERPlus or SFEW → trained FER-former → predictions of both heads → metrics and figures.

    On SFEW training starts from the network that was trained on RAF-DB.
    """
    steps = {"train": train, "predict": predict, "evaluate": evaluate}
    return {
        "fer_former": system_pipeline("fer_former", initialise=initialise, dataset="raf_db", **steps),
        "fer_former_ferplus": system_pipeline("fer_former_ferplus", initialise=initialise, dataset="ferplus", **steps),
        "fer_former_sfew": system_pipeline(
            "fer_former_sfew",
            initialise=initialise_from,
            dataset="sfew",
            networks=("fer_former.network",),
            **steps,
        ),
    }
