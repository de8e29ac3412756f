"""The line that every system is: initialise → train → predict → evaluate → plot."""

import warnings
from collections.abc import Callable, Mapping, Sequence

from kedro.pipeline import Node, Pipeline, node

from mien.nodes.embedding import map_features
from mien.nodes.evaluation import evaluate_classes
from mien.nodes.plots import plot_classes, show_mistakes
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
    split: Callable | None = None,
    train: Callable = train_classifier,
    predict: Callable = predict_classes,
    evaluate: Callable = evaluate_classes,
    packed: str = "faces",
    prepare: Sequence[Node] = (),
    inputs: Mapping[str, str] | None = None,
    parameters: Mapping[str, str] | None = None,
    figures: Sequence[Node] | None = None,
) -> Pipeline:
    """Chain select → initialise → train → predict → evaluate → plot under the namespace of one system.

    Args:
        system: Name of the system and of the namespace, as in ``sae``.
        initialise: Node function (train_and_val, ``params:model``, ``params:training``, *networks) → the network that
            training starts from.
        dataset: Whose samples and faces are read, as in ``raf_db``.
        faces: Which of its packed faces.
        networks: Entries with trained networks of other pipelines that ``initialise`` takes weights from; at most two.
        split: Node function (samples, ``params:protocol``) → rows of several trials, each with its own train, val and
            test rows, where the dataset has folds instead of splits; every other step reads them instead of samples.
        train: Node function (train_and_val, faces, checkpoints, initial_network, ``params:training``) → network,
            history.
        predict: Node function (samples, faces, network, ``params:prediction``) → predictions.
        evaluate: Node function (predictions, ``params:evaluation``) → metrics, subgroups.
        packed: Name of what ``train`` and ``predict`` take as faces.
        prepare: Nodes that make ``samples`` or ``packed``, where a system gathers its own from the dataset.
        inputs: What ``prepare`` reads, by the name that its nodes give it.
        parameters: Likewise its parameters of other pipelines, as ``params:lopes`` → ``params:ravdess.lopes``.
        figures: Nodes that draw; None for ``classifier_figures`` of the samples.

    Example:
        >>> def initialise(samples, model, training): ...
        >>> sorted(system_pipeline("sae", initialise=initialise, dataset="raf_db").inputs())[-3:]
        ['raf_db_faces_112', 'raf_db_samples', 'sae.checkpoints']
    """
    sources = {name.replace(".", "_"): name for name in networks}
    start = ["train_and_val", "params:model", "params:training", *sources]
    training = ["train_and_val", packed, "checkpoints", "initial_network", "params:training"]
    rows = "samples" if split is None else "trials"
    steps = [*prepare]
    if split is not None:
        steps.append(node(split, ["samples", "params:protocol"], rows, name="split"))
    steps += [
        node(select_train_and_val, rows, "train_and_val", name="select_train_and_val"),
        node(initialise, start, "initial_network", name="initialise"),
        node(train, training, ["network", "history"], name="train"),
        node(predict, [rows, packed, "network", "params:prediction"], "predictions", name="predict"),
        node(evaluate, ["predictions", "params:evaluation"], ["metrics", "subgroups"], name="evaluate"),
        *(classifier_figures(rows) if figures is None else figures),
    ]
    outside = {"samples": f"{dataset}_samples", packed: f"{dataset}_{faces}", **(inputs or {}), **sources}
    return _namespaced(steps, system, outside, parameters or {})


def _namespaced(
    steps: Sequence[Node], system: str, outside: Mapping[str, str], parameters: Mapping[str, str]
) -> Pipeline:
    """The steps under a system's name; what they read and none of them makes is ``outside``."""
    made = {entry for step in steps for entry in step.outputs}
    inputs = {name: entry for name, entry in outside.items() if name not in made}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "One or more dataset names contain", UserWarning)  # another system's is meant
        return Pipeline(steps, namespace=system, inputs=inputs, parameters=dict(parameters))


def classifier_figures(rows: str = "samples", features: bool = True) -> list[Node]:
    """The nodes that draw what a classifier of faces scored.

    Args:
        rows: Entry with the rows that were predicted.
        features: Whether to map the vectors that are classified.
    """
    plotted_from = ["predictions", "metrics", "history"]
    nodes = [
        node(plot_classes, plotted_from, "figures", name="plot"),
        node(
            show_mistakes,
            ["predictions", rows, "faces"],
            ["mistakes_sheet", "mistakes_grid_sheet"],
            name="show_mistakes",
        ),
    ]
    if features:
        nodes.append(
            node(
                map_features,
                [rows, "faces", "network", "params:prediction"],
                ["feature_map", "features_figures"],
                name="map_features",
            )
        )
    return nodes
