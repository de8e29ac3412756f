"""The pipeline ``landmarks``."""

from kedro.pipeline import Pipeline, node

from mien.nodes.samples import select_train_and_val
from mien.pipelines.landmarks.faces import list_faces, pack_faces
from mien.pipelines.landmarks.judging import (
    FIGURES,
    evaluate,
    plot_errors,
    print_errors,
    show_dataset_points,
    show_points,
)
from mien.pipelines.landmarks.nodes import predict, predict_dataset, train

DATASET = "raf_db"
"""Whose faces may lend weak labels, and are compared with MTCNN's points."""

NETWORK = "landmark_network"
"""The entry that other pipelines read: without a dot, because in Kedro a dot means a namespace."""


def create_pipeline() -> Pipeline:
    """Drawn faces with exact landmarks → trained landmark network → errors, distances to MTCNN's points, figures."""
    training = ["train_and_val", "faces", "checkpoints", "params:model", "params:training"]
    applied = ["network", "params:prediction"]
    of_dataset = ["dataset_samples", "dataset_faces"]
    judged = ["predictions", "dataset_predictions", "train_and_val", "params:evaluation"]
    drawn_from = ["predictions", "train_and_val", "history"]
    steps = [
        node(select_train_and_val, "dataset_samples", "dataset_rows", name="select_dataset_rows"),
        node(list_faces, ["dataset_rows", "params:drawing", "params:weak_labels"], "samples", name="list_faces"),
        node(pack_faces, ["samples", "dataset_faces", "params:drawing"], "faces", name="pack_faces"),
        node(select_train_and_val, "samples", "train_and_val", name="select_train_and_val"),
        node(train, training, ["network", "history"], name="train"),
        node(predict, ["samples", "faces", *applied], "predictions", name="predict"),
        node(predict_dataset, [*of_dataset, *applied], "dataset_predictions", name="predict_dataset"),
        node(evaluate, judged, "errors", name="evaluate"),
        node(plot_errors, drawn_from, [f"{name}_figure" for name in FIGURES], name="plot"),
        node(print_errors, drawn_from, [f"{name}_plot" for name in FIGURES], name="plot_for_paper"),
        node(show_points, ["predictions", "faces"], "points_sheet", name="show_points"),
        node(show_dataset_points, ["dataset_predictions", "dataset_faces"], "mtcnn_sheet", name="show_dataset_points"),
    ]
    return Pipeline(
        steps,
        namespace="landmarks",
        inputs={"dataset_samples": f"{DATASET}_samples", "dataset_faces": f"{DATASET}_faces_112"},
        outputs={"network": NETWORK},
    )
