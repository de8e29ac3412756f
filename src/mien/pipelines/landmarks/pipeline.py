"""The pipeline ``landmarks``."""

from kedro.pipeline import Pipeline, node

from mien.nodes.samples import select_train_and_val
from mien.pipelines.landmarks.evaluation import evaluate, plot_errors, show_points
from mien.pipelines.landmarks.nodes import initialise, list_faces, pack_faces, predict, train

NETWORK = "landmark_network"
"""The entry that other pipelines read: without a dot, because in Kedro a dot means a namespace."""


def create_pipeline() -> Pipeline:
    """Synthetic faces with exact landmarks → trained landmark network → errors and figures."""
    plotted_from = ["predictions", "train_and_val", "history"]
    steps = [
        node(list_faces, "params:synthetic_faces", "samples", name="list_faces"),
        node(pack_faces, ["samples", "params:synthetic_faces"], "faces", name="pack_faces"),
        node(select_train_and_val, "samples", "train_and_val", name="select_train_and_val"),
        node(
            initialise,
            {"samples": "train_and_val", "model": "params:model", "training": "params:training"},
            "initial_network",
            name="initialise",
        ),
        node(
            train,
            {
                "samples": "train_and_val",
                "faces": "faces",
                "checkpoints": "checkpoints",
                "initial_network": "initial_network",
                "training": "params:training",
            },
            ["network", "history"],
            name="train",
        ),
        node(
            predict,
            {"samples": "samples", "faces": "faces", "network": "network", "prediction": "params:prediction"},
            "predictions",
            name="predict",
        ),
        node(
            evaluate,
            {"predictions": "predictions", "samples": "train_and_val", "evaluation": "params:evaluation"},
            "errors",
            name="evaluate",
        ),
        node(plot_errors, plotted_from, "figures", name="plot"),
        node(show_points, ["predictions", "faces"], "points_sheet", name="show_points"),
    ]
    return Pipeline(steps, namespace="landmarks", outputs={"network": NETWORK})
