"""The templates of pipelines: names, namespaces and entries that the catalog's patterns and the guards build on."""

import pandas as pd
import pytest
from tests.nodes.located import alignment

from mien.data.synthetic.folder import synthesize_folder
from mien.nodes.alignment import POINT_COLUMNS
from mien.nodes.params import SyntheticParams
from mien.nodes.prediction import predict_classes
from mien.nodes.preparation import face_dataset_pipeline, list_samples, provide_folder
from mien.nodes.samples import select_train_and_val
from mien.nodes.system import system_pipeline


def provide(synthetic):
    return synthetic


def read(raw, reader):
    return raw


def initialise(table, model, training, *networks):
    return table


def train(table, faces, checkpoints, initial_network, training):
    return table, table


def steps(pipeline) -> dict[str, tuple[list[str], list[str]]]:
    return {step.name: (step.inputs, step.outputs) for step in pipeline.nodes}


PUBLISHED = {"train": {"happy": 2}}
REPORT = [
    *["sfew.counts", "sfew.summary", "sfew.overview_plot"],
    *["sfew.aligned_sheet", "sfew.rejected_sheet", "sfew.file_account"],
]


def test_a_dataset_goes_from_its_folder_to_samples_faces_of_every_size_and_a_report():
    pipeline = face_dataset_pipeline("sfew", provide=provide, read=read, published=PUBLISHED)
    located = [
        *["sfew.listed", "sfew.raw", "sfew.unfinished", "params:sfew.alignment"],
        "params:sfew.reader.max_passed_over",
    ]
    cropped = ["sfew_samples", "sfew.raw", "params:sfew.alignment"]
    assert steps(pipeline) == {
        "sfew.provide": (["params:sfew.synthetic"], ["sfew.raw"]),
        "sfew.read": (["sfew.raw", "params:sfew.reader"], ["sfew.listed", "sfew.files"]),
        "sfew.locate_faces": (located, ["sfew_samples"]),
        "sfew.crop_112": (cropped, ["sfew_faces_112"]),
        "sfew.crop_48": (cropped, ["sfew_faces_48"]),
        "sfew.report": (["sfew.listed", "sfew_samples", "sfew.raw", "sfew_faces_112", "sfew.files"], REPORT),
    }


def test_each_crop_node_cuts_at_its_own_size_and_channels(tmp_path):
    crops = {64: "rgb", 48: "grey"}
    pipeline = face_dataset_pipeline("sfew", provide=provide, read=read, published=PUBLISHED, crops=crops)
    points = dict.fromkeys(POINT_COLUMNS, 0.0)
    samples = pd.DataFrame({"face_index": [0, -1], "image": ["a", "b"], "crop": ["whole", "none"], **points})
    shapes = {
        step.name: step.func(samples, tmp_path, alignment()).shape for step in pipeline.nodes if "crop" in step.name
    }
    assert shapes == {"sfew.crop_64": (1, 64, 64, 3), "sfew.crop_48": (1, 48, 48, 1)}


class SyntheticFaces(SyntheticParams):
    num_train: int


def draw(folder, *, num_train, seed):
    synthesize_folder(folder, {"num_train": num_train, "seed": seed}, write_two)


def write_two(folder, *, num_train, seed):
    (folder / "images").mkdir()
    for number in range(num_train):
        (folder / "images" / f"{number}.txt").write_text(str(seed))


def find(folder):
    if not folder.is_dir():
        raise ValueError(f"{folder} is missing")
    return folder / "images"


def test_a_folder_is_drawn_with_the_synthetic_datasets_own_arguments(tmp_path):
    provide_folder(SyntheticFaces(generate=True, seed=3, num_train=2), name="SFEW", find=find, draw=draw)(
        tmp_path / "sfew"
    )
    assert sorted(path.name for path in (tmp_path / "sfew/images").iterdir()) == ["0.txt", "1.txt"]


def test_the_users_own_folder_is_checked_and_named_never_written_over(tmp_path, caplog):
    caplog.set_level("INFO", "mien")
    check = provide_folder(SyntheticFaces(generate=False, seed=3, num_train=2), name="SFEW", find=find, draw=draw)
    with pytest.raises(ValueError, match="is missing"):
        check(tmp_path / "sfew")
    assert not (tmp_path / "sfew").exists()
    (tmp_path / "sfew").mkdir()
    check(tmp_path / "sfew")
    assert f"SFEW is read from {tmp_path / 'sfew/images'}" in caplog.text


def test_synthetic_samples_are_marked_and_reported_and_only_real_ones_are_compared_with_published_counts(
    tmp_path, caplog
):
    caplog.set_level("INFO", "mien")
    samples = pd.DataFrame({"split": ["train"], "expression": ["happy"]})
    real = list_samples(samples, tmp_path, name="SFEW", published=PUBLISHED)
    assert real["synthetic"].tolist() == [False]
    assert "SFEW: The class happy of the train split has 1 samples, 1 fewer than the 2 published." in caplog.text
    caplog.clear()
    draw(tmp_path / "sfew", num_train=1, seed=0)
    drawn = list_samples(samples, tmp_path / "sfew", name="SFEW", published=PUBLISHED)
    assert drawn["synthetic"].tolist() == [True]
    assert "say nothing about real faces" in caplog.text
    assert "published" not in caplog.text


def test_a_system_is_the_line_select_initialise_train_predict_evaluate_plot():
    pipeline = system_pipeline(
        "poster", initialise=initialise, train=train, dataset="sfew", networks=("landmark_network",)
    )
    measured = ["poster.predictions", "poster.metrics", "poster.history"]
    assert steps(pipeline) == {
        "poster.select_train_and_val": (["sfew_samples"], ["poster.train_and_val"]),
        "poster.initialise": (
            ["poster.train_and_val", "params:poster.model", "params:poster.training", "landmark_network"],
            ["poster.initial_network"],
        ),
        "poster.train": (
            [
                "poster.train_and_val",
                "sfew_faces_112",
                "poster.checkpoints",
                "poster.initial_network",
                "params:poster.training",
            ],
            ["poster.network", "poster.history"],
        ),
        "poster.predict": (
            ["sfew_samples", "sfew_faces_112", "poster.network", "params:poster.prediction"],
            ["poster.predictions"],
        ),
        "poster.evaluate": (
            ["poster.predictions", "params:poster.evaluation"],
            ["poster.metrics", "poster.subgroups"],
        ),
        "poster.plot": (measured, ["poster.figures"]),
        "poster.show_mistakes": (
            ["poster.predictions", "sfew_samples", "sfew_faces_112"],
            ["poster.mistakes_sheet", "poster.mistakes_grid_sheet"],
        ),
        "poster.map_features": (
            ["sfew_samples", "sfew_faces_112", "poster.network", "params:poster.prediction"],
            ["poster.feature_map", "poster.features_figures"],
        ),
    }
    assert {step.namespace for step in pipeline.nodes} == {"poster"}


def test_a_system_may_read_other_faces_and_change_a_step():
    def predict_ages(samples, faces, network, prediction):
        return samples

    pipeline = system_pipeline(
        "ages", initialise=initialise, train=train, dataset="utk", faces="faces_48", predict=predict_ages
    )
    functions = {step.name: step.func for step in pipeline.nodes}
    assert functions["ages.predict"] is predict_ages
    assert functions["ages.train"] is train
    assert functions["ages.select_train_and_val"] is select_train_and_val
    assert "utk_faces_48" in pipeline.inputs()
    assert predict_classes not in functions.values()


def test_two_systems_on_one_dataset_share_its_entries_and_nothing_else():
    one, other = (system_pipeline(name, initialise=initialise, train=train, dataset="sfew") for name in ("a", "b"))
    assert (one.datasets() & other.datasets()) == {"sfew_samples", "sfew_faces_112"}
