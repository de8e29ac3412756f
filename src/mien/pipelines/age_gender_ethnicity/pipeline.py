"""The pipeline ``age_gender_ethnicity``."""

from kedro.pipeline import Pipeline, node

from mien.nodes.system import system_pipeline
from mien.pipelines.age_gender_ethnicity.evaluation import evaluate
from mien.pipelines.age_gender_ethnicity.feature_maps import show_components, show_networks
from mien.pipelines.age_gender_ethnicity.nodes import initialise, predict, train
from mien.pipelines.age_gender_ethnicity.plots import plot_data, plot_models


def create_pipeline() -> Pipeline:
    """Faces of Kaggle's CSV at 48 px → networks for age, gender and ethnicity → predictions → metrics and figures."""
    plotted_from = ["predictions", "metrics", "history"]
    components = ["explained_variance_plot", "restored_sheet", "components_sheet"]
    figures = [
        node(plot_data, "samples", "attributes_plot", name="plot_data"),
        node(plot_models, plotted_from, "figures", name="plot"),
        node(show_components, ["samples", "faces", "network"], components, name="show_components"),
        node(
            show_networks,
            ["samples", "faces", "network", "params:prediction"],
            ["feature_maps_sheet", "kernels_sheet", "grad_cam_sheet"],
            name="show_networks",
        ),
    ]
    return system_pipeline(
        "age_gender_ethnicity",
        initialise=initialise,
        dataset="age_csv",
        faces="faces_48",
        train=train,
        predict=predict,
        evaluate=evaluate,
        figures=figures,
    )
