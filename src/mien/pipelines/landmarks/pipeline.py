"""The pipelines ``landmarks``, ``landmarks_raf_db`` and ``landmarks_ferplus``."""

from kedro.pipeline import Pipeline, node

from mien.nodes.samples import select_train_and_val
from mien.pipelines.landmarks.evaluation import (
    FIGURES,
    evaluate,
    evaluate_with_dataset,
    plot_errors,
    print_errors,
    show_dataset_points,
    show_points,
)
from mien.pipelines.landmarks.faces import list_faces, pack_faces
from mien.pipelines.landmarks.nodes import initialise, predict, predict_dataset, train
from mien.pipelines.landmarks.weak import join_faces, pack_joined

NETWORK = "landmark_network"
"""The entry that other pipelines read: without a dot, because in Kedro a dot means a namespace."""

DATASETS = ("raf_db", "ferplus")
"""Whose faces can lend weak labels, each in a pipeline of its own."""


def create_pipelines() -> dict[str, Pipeline]:
    """The network from synthetic faces alone, which needs no dataset; and, for each dataset.

    What its faces add to it.
    """
    with_dataset = {f"landmarks_{dataset}": _with_weak_labels(dataset) for dataset in DATASETS}
    return {"landmarks": _from_synthetic_faces(), **with_dataset}


def _from_synthetic_faces() -> Pipeline:
    """Synthetic faces with exact landmarks → trained landmark network → errors and figures."""
    training = ["train_and_val", "faces", "checkpoints", "initial_network", "params:training"]
    plotted_from = ["predictions", "train_and_val", "history"]
    steps = [
        node(list_faces, "params:synthetic_faces", "samples", name="list_faces"),
        node(pack_faces, ["samples", "params:synthetic_faces"], "faces", name="pack_faces"),
        node(select_train_and_val, "samples", "train_and_val", name="select_train_and_val"),
        node(initialise, ["train_and_val", "params:model", "params:training"], "initial_network", name="initialise"),
        node(train, training, ["network", "history"], name="train"),
        node(predict, ["samples", "faces", "network", "params:prediction"], "predictions", name="predict"),
        node(evaluate, ["predictions", "train_and_val", "params:evaluation"], "errors", name="evaluate"),
        node(plot_errors, plotted_from, [f"{name}_figure" for name in FIGURES], name="plot"),
        node(print_errors, plotted_from, [f"{name}_plot" for name in FIGURES], name="plot_for_paper"),
        node(show_points, ["predictions", "faces"], "points_sheet", name="show_points"),
    ]
    return Pipeline(steps, namespace="landmarks", outputs={"network": NETWORK})


def _with_weak_labels(dataset: str) -> Pipeline:
    """Synthetic faces, and a dataset's with MTCNN's points → the network trained further → errors before and after."""
    chosen = ["synthetic_train_and_val", "dataset_rows", "params:weak_labels"]
    training = ["train_and_val", "faces", "checkpoints", NETWORK, "params:training"]
    seen = ["dataset_samples", "dataset_faces", NETWORK, "network", "params:dataset_prediction"]
    evaluated = ["predictions", "dataset_predictions", "synthetic_train_and_val", "params:evaluation"]
    steps = [
        node(select_train_and_val, "dataset_samples", "dataset_rows", name="select_dataset_rows"),
        node(join_faces, chosen, "train_and_val", name="join_faces"),
        node(pack_joined, ["train_and_val", "synthetic_faces", "dataset_faces"], "faces", name="pack_joined"),
        node(train, training, ["network", "history"], name="train"),
        node(
            predict,
            ["synthetic_samples", "synthetic_faces", "network", "params:prediction"],
            "predictions",
            name="predict",
        ),
        node(predict_dataset, seen, "dataset_predictions", name="predict_dataset"),
        node(evaluate_with_dataset, evaluated, "errors", name="evaluate"),
        node(show_dataset_points, ["dataset_predictions", "dataset_faces"], "mtcnn_sheet", name="show_dataset_points"),
    ]
    synthetic = {f"synthetic_{name}": f"landmarks.{name}" for name in ("samples", "faces", "train_and_val")}
    of_dataset = {"dataset_samples": f"{dataset}_samples", "dataset_faces": f"{dataset}_faces_112"}
    return Pipeline(steps, namespace=f"landmarks_{dataset}", inputs={NETWORK: NETWORK, **synthetic, **of_dataset})
