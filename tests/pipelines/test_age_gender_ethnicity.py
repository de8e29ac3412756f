"""The nodes of ``age_gender_ethnicity`` on a few faces whose attributes can be read off one pixel each."""

import logging

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError
from sklearn.linear_model import LogisticRegression, Ridge
from tests.pipelines.tiny_systems import PREDICTION_CPU

from mien.io.schemas import AttributePredictions
from mien.nodes.params import EvaluationParams, PredictionParams
from mien.pipelines.age_gender_ethnicity.evaluation import evaluate
from mien.pipelines.age_gender_ethnicity.feature_maps import show_components, show_networks
from mien.pipelines.age_gender_ethnicity.nodes import initialise, predict, train, validation_metrics
from mien.pipelines.age_gender_ethnicity.params import AttributeModelParams, AttributeTrainingParams
from mien.pipelines.age_gender_ethnicity.plots import plot_models

PREDICTION_DEVICE = {**PREDICTION_CPU, "channels_last": False}
DEVICE = {**PREDICTION_DEVICE, "devices": 1}
TRAINING = {
    "max_epochs": 3,
    "patience": 0,
    "batch_size": 8,
    "seed": 0,
    "monitor": "val/loss",
    "batch_norm": {"lr": 1e-2, "schedule": "cosine", "flip": 0.0},
    "penalties": [1.0, 10.0],
    "optimizer": {"name": "adam", "lr": 1e-2, "weight_decay": 0.0, "sam_rho": 0.0},
    "scheduler": {"name": "constant"},
    "drop_last": True,
    "device": DEVICE,
}
DENSE = {"hidden": [8]}
NETWORKS = {
    "age_cnn": {"target": "age", "reads": "image", "channels": [3], **DENSE, "standardise": True, "batch_norm": True},
    "gender_dnn": {"target": "gender", "reads": "pixels", **DENSE},
    "ethnicity_pca_dnn": {"target": "ethnicity", "reads": "components", **DENSE},
    "age_linear": {"target": "age", "reads": "pixels"},
    "gender_linear": {"target": "gender", "reads": "pixels"},
    "multi_task": {"target": "all", "reads": "image", "channels": [3], **DENSE, "standardise": True},
}
PREDICTION = PredictionParams(batch_size=16, device=PREDICTION_DEVICE)
EVALUATION = EvaluationParams(resamples=100, seed=0, subgroups=("gender", "age", "ethnicity"))


def model_params(*members: str, **changes) -> AttributeModelParams:
    return AttributeModelParams(
        image_size=8, num_components=4, members=members or ("all",), networks={**NETWORKS, **changes}
    )


def training_params(**changes) -> AttributeTrainingParams:
    return AttributeTrainingParams(**{**TRAINING, **changes})


def faces_and_samples(n: int = 80) -> tuple[np.ndarray, pd.DataFrame]:
    rng = np.random.default_rng(0)
    ages, genders, ethnicities = rng.integers(1, 100, n), rng.integers(0, 2, n), np.arange(n) % 5
    faces = rng.integers(100, 130, (n, 8, 8, 1), dtype=np.uint8)
    faces[:, 0:2, :, 0], faces[:, 3:5, :, 0] = (2 * ages)[:, None, None], (200 * genders)[:, None, None]
    faces[:, 6:8, :, 0] = (50 * ethnicities)[:, None, None]
    splits = np.where(np.arange(n) < n // 2, "train", np.where(np.arange(n) % 2 == 0, "val", "test"))
    samples = pd.DataFrame(
        {
            "sample_id": [f"row_{number:05d}" for number in range(n)],
            "split": splits,
            "synthetic": False,
            "subject": pd.Series([pd.NA] * n, dtype="string"),
            "age": ages,
            "gender": genders,
            "ethnicity": ethnicities,
            "face_index": np.arange(n),
        }
    )
    return faces, samples


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    faces, samples = faces_and_samples()
    seen = samples[samples["split"] != "test"]
    model, training = model_params(), training_params(max_epochs=12)
    network, history = train(
        seen, faces, tmp_path_factory.mktemp("checkpoints"), initialise(seen, model, training), training
    )
    return faces, samples, network, history


@pytest.fixture(scope="module")
def predictions(trained):
    faces, samples, network, _ = trained
    return predict(samples, faces, network, PREDICTION)


def test_predictions_have_a_row_per_unseen_face_target_and_network(predictions):
    AttributePredictions.validate(predictions)
    parts = predictions.groupby(["target_name", "model"], sort=False).size()
    assert parts.to_dict() == {
        ("age", "cnn"): 40,
        ("gender", "dnn"): 40,
        ("ethnicity", "pca_dnn"): 40,
        ("age", "linear"): 40,
        ("gender", "linear"): 40,
        ("age", "multi_task"): 40,
        ("gender", "multi_task"): 40,
        ("ethnicity", "multi_task"): 40,
    }
    assert predictions.loc[predictions["target_name"] == "age", "score/male"].isna().all()
    assert set(predictions["gender"]) == {"male", "female"}


def test_what_can_be_read_off_a_pixel_is_trained(predictions):
    metrics, _ = evaluate(predictions, EVALUATION)
    assert metrics["test/gender/dnn/accuracy"] > 0.9
    assert metrics["test/gender/linear/accuracy"] == 1.0
    assert metrics["test/age/linear/mae_years"] < 0.2 * metrics["test/age/linear/mae_years_of_mean"]
    assert metrics["test/age/cnn/mae_years"] < 0.8 * metrics["test/age/cnn/mae_years_of_mean"]
    assert metrics["test/mae_years"] == metrics["test/age/linear/mae_years"], "the best on split val leads"


def test_metrics_are_those_of_the_rows_of_one_network_with_the_unit_in_the_name(predictions):
    metrics, _ = evaluate(predictions, EVALUATION)
    rows = predictions.query("split == 'test' and target_name == 'age' and model == 'cnn'")
    assert metrics["test/age/cnn/mae_years"] == pytest.approx((rows["value"] - rows["age"]).abs().mean())
    young = rows[rows["age"] < 10]
    assert metrics["test/age/cnn/n/0-9"] == len(young)
    assert metrics["test/age/cnn/mae_years/0-9"] == pytest.approx((young["value"] - young["age"]).abs().mean())
    assert not [name for name in metrics if "/mae/" in name or name.endswith("/mae")]


def test_subgroups_have_every_network_with_n_and_interval(predictions):
    _, subgroups = evaluate(predictions, EVALUATION)
    assert len(subgroups.groupby(["target_name", "model"])) == 8
    of_gender = subgroups.query("target_name == 'age' and model == 'cnn' and attribute == 'gender'")
    assert of_gender["n"].sum() == 20
    assert {"female", "male"} == set(of_gender["value"])
    assert (of_gender["mae_years_low"] <= of_gender["mae_years"]).all()


def test_linear_and_logistic_regression_are_scikit_learns(trained):
    faces, samples, network, history = trained
    rows = samples[samples["split"] == "train"]
    pixels = faces[rows["face_index"]].reshape(len(rows), -1) / 255
    mean, std = pixels.mean(axis=0), pixels.std(axis=0, ddof=1)
    of_age = [Ridge(alpha=penalty).fit((pixels - mean) / std, rows["age"]) for penalty in (1.0, 10.0)]
    of_gender = [
        LogisticRegression(C=1 / penalty).fit((pixels - mean) / std, rows["gender"]) for penalty in (1.0, 10.0)
    ]
    x = torch.from_numpy(pixels.astype(np.float32))
    with torch.no_grad():
        ages = network.model.members["age_linear"](x)[:, 0].numpy()
        scores = torch.softmax(network.model.members["gender_linear"](x), dim=1)[:, 1].numpy()
    assert min(np.abs(ages - each.predict((pixels - mean) / std)).max() for each in of_age) < 0.05
    theirs = [each.predict_proba((pixels - mean) / std)[:, 1] for each in of_gender]
    assert min(np.abs(scores - each).max() for each in theirs) < 0.01
    assert (history["model"] == "age_linear").sum() == 1


def test_principal_components_are_fitted_to_the_train_rows_alone(trained, tmp_path):
    faces, samples, network, _ = trained
    changed = faces.copy()
    changed[samples.loc[samples["split"] == "val", "face_index"]] = 0
    seen, training = samples[samples["split"] != "test"], training_params(max_epochs=1)
    other, _ = train(seen, changed, tmp_path, initialise(seen, model_params(), training), training)
    assert torch.equal(other.model.components.directions, network.model.components.directions)


def test_a_network_chosen_alone_is_trained_to_the_same_weights_as_among_all(tmp_path):
    faces, samples = faces_and_samples()
    seen, training = samples[samples["split"] != "test"], training_params()
    weights = []
    for members in (("gender_dnn",), ("age_cnn", "gender_dnn")):
        start = initialise(seen, model_params(*members), training)
        network, _ = train(seen, faces, tmp_path / members[0], start, training)
        weights.append(network.model.members["gender_dnn"].state_dict())
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_a_run_cut_off_in_the_second_network_goes_on_there(tmp_path, monkeypatch, caplog):
    from mien.pipelines.age_gender_ethnicity import nodes as module

    faces, samples = faces_and_samples()
    seen, training = samples[samples["split"] != "test"], training_params()
    start = initialise(seen, model_params("age_cnn", "gender_dnn"), training)
    whole, _ = train(seen, faces, tmp_path / "whole", start, training)
    usual = module.train_network

    def cut(member, *arguments, **options):
        if member.class_names[0].startswith("gender"):
            raise KeyboardInterrupt
        return usual(member, *arguments, **options)

    monkeypatch.setattr(module, "train_network", cut)
    with pytest.raises(KeyboardInterrupt):
        train(seen, faces, tmp_path / "cut", start, training)
    monkeypatch.setattr(module, "train_network", usual)
    with caplog.at_level(logging.INFO, "mien.engine"):
        resumed, _ = train(seen, faces, tmp_path / "cut", start, training)
    assert not [record for record in caplog.records if record.getMessage().startswith("age_cnn epoch")]
    ours, theirs = resumed.model.state_dict(), whole.model.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert not list((tmp_path / "cut").iterdir()), "the next run starts anew"


def test_every_network_has_its_figures(trained, predictions):
    metrics, _ = evaluate(predictions, EVALUATION)
    names = set(plot_models(predictions, metrics, trained[3]))
    assert {"age_models", "gender_models", "ethnicity_models"} <= names
    assert {"age_cnn_age", "age_cnn_age_bands", "age_cnn_training_curves", "age_multi_task_age"} <= names
    assert {"gender_dnn_confusion_matrix", "gender_dnn_roc", "multi_task_training_curves"} <= names
    assert not {"age_linear_training_curves", "gender_dnn_age"} & names


def test_insides_are_pictures_and_a_run_without_convolutions_says_so(trained, tmp_path):
    faces, samples, network, _ = trained
    for sheet in show_networks(samples, faces, network, PREDICTION):
        assert sheet.dtype == np.uint8
        assert sheet.std() > 5
    *_, restored, components = show_components(samples, faces, network)
    assert restored.shape[2] == components.shape[2] == 3
    seen = samples[samples["split"] != "test"]
    without = initialise(seen, model_params("gender_dnn"), training_params())
    assert len({sheet.tobytes() for sheet in show_networks(samples, faces, without, PREDICTION)}) == 1


def test_validation_metrics_of_several_targets_are_named_by_them():
    outputs = np.array([[30.0, 2.0, 1.0], [50.0, 0.0, 1.0]])
    found = validation_metrics(["age", "gender"], outputs, np.array([[40, 0], [40, 0]]))
    assert found == {"mae_years": 10.0, "gender_accuracy": 0.5}


def test_more_components_than_train_faces_are_refused(tmp_path):
    faces, samples = faces_and_samples(10)
    seen = samples[samples["split"] != "test"]
    model = model_params("age_cnn").model_copy(update={"num_components": 9})
    with pytest.raises(ValueError, match="5 training samples for 9 principal components"):
        train(seen, faces, tmp_path, initialise(seen, model, training_params()), training_params())


@pytest.mark.parametrize("members", [["age_rnn"], ["age_cnn", "all_dnn"]])
def test_a_name_that_is_no_network_is_refused_with_the_known_ones(members):
    with pytest.raises(ValidationError, match="Choose from age_cnn, gender_dnn"):
        model_params(*members)


def test_a_network_that_reads_what_its_layers_cannot_is_refused():
    with pytest.raises(ValidationError, match="convolutional stages"):
        model_params(age_cnn={"target": "age", "reads": "pixels", "channels": [3]})
    with pytest.raises(ValidationError, match="Let it read the image"):
        model_params(multi_task={"target": "all", "reads": "pixels", "hidden": [4]})


def test_a_class_with_one_row_in_training_and_none_in_test_is_scored_where_it_can_be(tmp_path):
    faces, samples = faces_and_samples()
    samples["ethnicity"] = 0
    samples.loc[3, "ethnicity"] = 4
    seen, training = samples[samples["split"] != "test"], training_params(max_epochs=1)
    networks = {"ethnicity_linear": {"target": "ethnicity", "reads": "pixels"}}
    start = initialise(seen, model_params("ethnicity_linear", "ethnicity_pca_dnn", **networks), training)
    network, _ = train(seen, faces, tmp_path, start, training)
    metrics, _ = evaluate(predict(samples, faces, network, PREDICTION), EVALUATION)
    assert metrics["test/ethnicity/linear/recall/others"] is None
    assert metrics["test/ethnicity/linear/accuracy"] > 0.9


@pytest.mark.slow
def test_five_hundred_components_explain_more_than_nine_tenths_of_faces_that_they_were_not_fitted_to():
    from mien.data.synthetic.age_csv import _faces, _render_chunk
    from mien.layers.principal_components import PrincipalComponents

    drawn = np.stack(_render_chunk(_faces(900, 0))).reshape(900, -1).astype(np.float32) / 255
    pixels = torch.from_numpy(drawn)
    components = PrincipalComponents(48 * 48, 500)
    components.fit(pixels[:700])
    held_out = pixels[700:]
    left = (components.restore(components(held_out)) - held_out).square().sum()
    assert components.explained.sum() > 0.9
    assert 1 - left / (held_out - components.mean).square().sum() > 0.9
