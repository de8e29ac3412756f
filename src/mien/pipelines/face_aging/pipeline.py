"""The pipeline ``face_aging``."""

from kedro.pipeline import Pipeline, node

from mien.nodes.system import system_pipeline
from mien.pipelines.face_aging.evaluation import evaluate
from mien.pipelines.face_aging.nodes import initialise, predict, train
from mien.pipelines.face_aging.plots import plot_faces
from mien.pipelines.face_aging.sheets import show_ages


def create_pipeline() -> Pipeline:
    """Faces of Kaggle's CSV at 48 px → generator and critic.

    Evaluated by the age network of ``age_gender_ethnicity``.
    """
    plotted_from = ["predictions", "metrics", "history"]
    figures = [
        node(plot_faces, plotted_from, "figures", name="plot"),
        node(
            show_ages,
            ["samples", "faces", "network", "params:prediction"],
            ["ages_sheet", "life_sheet", "persons_sheet"],
            name="show_ages",
        ),
    ]
    return system_pipeline(
        "face_aging",
        initialise=initialise,
        dataset="age_csv",
        faces="faces_48",
        networks=("age_gender_ethnicity.network",),
        train=train,
        predict=predict,
        evaluate=evaluate,
        figures=figures,
    )
