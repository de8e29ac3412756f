"""The pipelines ``comp_cnn`` and ``comp_cnn_spos``."""

from kedro.pipeline import Pipeline, node

from mien.nodes.system import classifier_figures, system_pipeline
from mien.pipelines.comp_cnn.drawing import draw_models, show_maps
from mien.pipelines.comp_cnn.evaluation import evaluate, evaluate_models
from mien.pipelines.comp_cnn.nodes import initialise, predict, split_by_folds, train

TABLES = ("models", "fold_scores", "emotion_scores", "model_comparisons", "learning_curve")
"""What ``evaluate_models`` makes, in its order."""


def create_pipelines() -> dict[str, Pipeline]:
    """Aligned pairs of USTC-NVIE, or of SPOS → trials → nets → predictions of all folds → metrics and figures."""
    return {name: _on(name, dataset) for name, dataset in (("comp_cnn", "nvie"), ("comp_cnn_spos", "spos"))}


def _on(name: str, dataset: str) -> Pipeline:
    line = system_pipeline(
        name,
        initialise=initialise,
        dataset=dataset,
        faces="faces_48",
        split=split_by_folds,
        train=train,
        predict=predict,
        evaluate=evaluate,
        figures=[
            *classifier_figures("trials", features=False),
            node(
                show_maps,
                ["trials", "faces", "network", "params:prediction"],
                "features_plot",
                name="show_maps",
            ),
        ],
    )
    own = [
        node(evaluate_models, ["predictions", "params:evaluation"], list(TABLES), name="evaluate_models"),
        node(
            draw_models,
            ["models", "emotion_scores", "learning_curve", "predictions"],
            "models_figures",
            name="draw_models",
        ),
    ]
    return line + Pipeline(own, namespace=name)
