"""The line that every system is: initialise → train → predict → evaluate → plot."""

import warnings
from collections.abc import Callable, Sequence

from kedro.pipeline import Node, Pipeline, node

from mien.nodes.embedding import map_features
from mien.nodes.evaluation import evaluate_classes
from mien.nodes.plots import DRAWN, plot_classes, print_classes, show_mistakes
from mien.nodes.prediction import predict_classes
from mien.nodes.samples import select_train_and_val
from mien.nodes.training import train_classifier


def system_pipeline(
    system: str,
    *,
    initialise: Callable,
    dataset: str,
    faces: str = "faces_112",
    networks: tuple[str, ...] = (),
    train: Callable = train_classifier,
    predict: Callable = predict_classes,
    evaluate: Callable = evaluate_classes,
    drawings: Sequence[Node] | None = None,
) -> Pipeline:
    """Chain select → initialise → train → predict → evaluate → plot under the namespace of one system.

    Args:
        system: Name of the system and of the namespace, as in ``sae``.
        initialise: Node function (train_and_val, ``params:model``, ``params:training``, *networks) → the network that
            training starts from.
        dataset: Whose samples and faces are read, as in ``raf_db``.
        faces: Which of its packed faces.
        networks: Entries with trained networks of other pipelines that ``initialise`` takes weights from; at most two.
        train: Node function (train_and_val, faces, checkpoints, initial_network, ``params:training``) → network,
            history.
        predict: Node function (samples, faces, network, ``params:prediction``) → predictions.
        evaluate: Node function (predictions, ``params:evaluation``) → metrics, subgroups.
        drawings: Nodes that draw from ``samples``, ``faces`` and what the line makes; None draws those of a
            classifier.

    Example:
        >>> from mien.nodes.initial import initial_network
        >>> sorted(system_pipeline("sae", initialise=initial_network, dataset="raf_db").inputs())[-3:]
        ['raf_db_faces_112', 'raf_db_samples', 'sae.checkpoints']
    """
    sources = {name.replace(".", "_"): name for name in networks}
    start = ["train_and_val", "params:model", "params:training", *sources]
    training = ["train_and_val", "faces", "checkpoints", "initial_network", "params:training"]
    steps = [
        node(select_train_and_val, "samples", "train_and_val", name="select_train_and_val"),
        node(initialise, start, "initial_network", name="initialise"),
        node(train, training, ["network", "history"], name="train"),
        node(predict, ["samples", "faces", "network", "params:prediction"], "predictions", name="predict"),
        node(evaluate, ["predictions", "params:evaluation"], ["metrics", "subgroups"], name="evaluate"),
        *(class_drawings() if drawings is None else drawings),
    ]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "One or more dataset names contain", UserWarning)  # another system's is meant
        return Pipeline(
            steps,
            namespace=system,
            inputs={"samples": f"{dataset}_samples", "faces": f"{dataset}_{faces}", **sources},
        )


def class_drawings() -> list[Node]:
    """Nodes that draw a classifier's figures, its mistakes and its features."""
    drawn_from = ["predictions", "metrics", "history"]
    return [
        node(plot_classes, drawn_from, [f"{name}_figure" for name in DRAWN], name="plot"),
        node(print_classes, drawn_from, [f"{name}_plot" for name in DRAWN], name="plot_for_paper"),
        node(show_mistakes, ["predictions", "samples", "faces"], "mistakes_sheet", name="show_mistakes"),
        node(
            map_features,
            ["samples", "faces", "network", "params:prediction"],
            ["features_figure", "features_plot"],
            name="map_features",
        ),
    ]
