"""The templates of pipelines: names, namespaces and entries that the catalog's patterns and the guards build on."""

import pandas as pd

from mien.nodes.prediction import predict_classes
from mien.nodes.preparation import FACE_SIZES, face_dataset_pipeline
from mien.nodes.samples import select_train_and_val
from mien.nodes.system import system_pipeline


def provide(twin):
    return twin


def read(raw, reader):
    return raw


def train(table, faces, checkpoints, model, training):
    return table, table


def steps(pipeline) -> dict[str, tuple[list[str], list[str]]]:
    return {step.name: (step.inputs, step.outputs) for step in pipeline.nodes}


def test_a_dataset_goes_from_its_folder_to_samples_and_faces_of_every_size():
    pipeline = face_dataset_pipeline("sfew", provide=provide, read=read)
    assert steps(pipeline) == {
        "sfew.provide": (["params:sfew.twin"], ["sfew.raw"]),
        "sfew.read": (["sfew.raw", "params:sfew.reader"], ["sfew.listed"]),
        "sfew.locate_faces": (["sfew.listed", "sfew.raw", "params:sfew.alignment"], ["sfew_samples"]),
        "sfew.crop_112": (["sfew_samples", "sfew.raw"], ["sfew_faces_112"]),
        "sfew.crop_48": (["sfew_samples", "sfew.raw"], ["sfew_faces_48"]),
    }


def test_each_crop_node_cuts_at_its_own_size(tmp_path):
    pipeline = face_dataset_pipeline("sfew", provide=provide, read=read)
    samples = pd.DataFrame({"row": [0, -1], "image": ["a", "b"], "crop": ["whole", "none"]})
    crops = {step.name: step.func(samples, tmp_path).shape for step in pipeline.nodes if "crop" in step.name}
    assert crops == {f"sfew.crop_{size}": (1, size, size, 3) for size in FACE_SIZES}


def test_a_system_is_the_line_select_train_predict_evaluate_plot():
    pipeline = system_pipeline("poster", train=train, dataset="sfew")
    assert steps(pipeline) == {
        "poster.select_train_and_val": (["sfew_samples"], ["poster.train_and_val"]),
        "poster.train": (
            [
                "poster.train_and_val",
                "sfew_faces_112",
                "poster.checkpoints",
                "params:poster.model",
                "params:poster.training",
            ],
            ["poster.network", "poster.history"],
        ),
        "poster.predict": (
            ["sfew_samples", "sfew_faces_112", "poster.network", "params:poster.prediction"],
            ["poster.predictions"],
        ),
        "poster.evaluate": (["poster.predictions", "params:poster.evaluation"], ["poster.metrics"]),
        "poster.plot": (
            ["poster.predictions", "poster.history"],
            ["poster.confusion_matrix_figure", "poster.roc_figure", "poster.training_curves_figure"],
        ),
        "poster.plot_for_paper": (
            ["poster.predictions", "poster.history"],
            ["poster.confusion_matrix_plot", "poster.roc_plot", "poster.training_curves_plot"],
        ),
    }
    assert {step.namespace for step in pipeline.nodes} == {"poster"}


def test_a_system_may_read_other_faces_and_change_a_step():
    def predict_ages(samples, faces, network, prediction):
        return samples

    pipeline = system_pipeline("ages", train=train, dataset="utk", faces="faces_48", predict=predict_ages)
    functions = {step.name: step.func for step in pipeline.nodes}
    assert functions["ages.predict"] is predict_ages
    assert functions["ages.train"] is train
    assert functions["ages.select_train_and_val"] is select_train_and_val
    assert "utk_faces_48" in pipeline.inputs()
    assert predict_classes not in functions.values()


def test_two_systems_on_one_dataset_share_its_entries_and_nothing_else():
    one, other = (system_pipeline(name, train=train, dataset="sfew") for name in ("a", "b"))
    assert (one.datasets() & other.datasets()) == {"sfew_samples", "sfew_faces_112"}
