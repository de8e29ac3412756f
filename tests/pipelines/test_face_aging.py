"""The nodes of ``face_aging``: measures by hand, a short training, sheets, what is refused."""

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError
from tests.pipelines.test_age_gender_ethnicity import (
    DEVICE,
    PREDICTION_DEVICE,
    faces_and_samples,
    model_params,
    training_params,
)

from mien.io.schemas import AgingPredictions
from mien.metrics import frechet_distance
from mien.pipelines.age_gender_ethnicity.nodes import initialise as initialise_attributes
from mien.pipelines.face_aging.evaluation import evaluate
from mien.pipelines.face_aging.nodes import initialise, predict, train
from mien.pipelines.face_aging.params import (
    AgingEvaluationParams,
    AgingModelParams,
    AgingPredictionParams,
    AgingTrainingParams,
)
from mien.pipelines.face_aging.plots import plot_faces
from mien.pipelines.face_aging.sheets import FIGURE_AGES, LIFE_AGES, ROWS, show_ages

TRAINING = {
    "max_epochs": 2,
    "batch_size": 8,
    "seed": 0,
    "monitor": "val/epoch_frechet_distance",
    "optimizer": {"lr": 1e-3, "beta1": 0.5},
    "loss": "hinge",
    "mismatch_weight": 0.5,
    "reconstruction_weight": 10.0,
    "noise_weight": 1.0,
    "average": 0.5,
    "flip": 0.5,
    "grid_every": 2,
    "collapse": {"least_diversity": 0.05, "patience": 5},
    "device": DEVICE,
}
MODEL = {
    "image_size": 8,
    "noise_dim": 4,
    "widths": (4, 4),
    "critic_widths": (4, 4),
    "label_mode": "scalar",
    "max_age": 116,
    "output": "sigmoid",
    "batch_norm": True,
    "spectral_norm": True,
    "encoder": True,
    "estimator": "age_cnn",
}
PREDICTION = AgingPredictionParams(batch_size=16, seed=0, device=PREDICTION_DEVICE)
EVALUATION = AgingEvaluationParams(
    resamples=100, seed=0, subgroups=("gender", "age", "ethnicity"), least_diversity=0.05
)


def start(samples: pd.DataFrame, **changes):
    evaluates = initialise_attributes(samples, model_params("age_cnn", "gender_dnn", "multi_task"), training_params())
    return initialise(
        samples, AgingModelParams(**{**MODEL, **changes}), AgingTrainingParams(**TRAINING), evaluates
    ), evaluates


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    faces, samples = faces_and_samples()
    seen = samples[samples["split"] != "test"]
    network, history = train(
        seen, faces, tmp_path_factory.mktemp("checkpoints"), start(seen)[0], AgingTrainingParams(**TRAINING)
    )
    return faces, samples, network, history


def test_the_estimator_is_the_chosen_network_and_stays_as_it_was(trained):
    _, samples, network, _ = trained
    _, evaluates = start(samples[samples["split"] != "test"])
    ours, theirs = network.model.estimator.state_dict(), evaluates.model.members["age_cnn"].state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize("estimator", ["gender_dnn", "age_dnn"])
def test_a_estimator_that_says_no_age_of_an_image_is_refused_with_those_that_do(estimator):
    _, samples = faces_and_samples()
    with pytest.raises(ValueError, match="Choose from: age_cnn, multi_task"):
        start(samples, estimator=estimator)


def test_predictions_say_of_each_unseen_face_what_estimator_and_critic_do(trained):
    faces, samples, network, _ = trained
    predictions = predict(samples, faces, network, PREDICTION)
    AgingPredictions.validate(predictions)
    assert predictions["sample_id"].tolist() == samples.loc[samples["split"] != "train", "sample_id"].tolist()
    row = predictions.iloc[3]
    pixels = faces[samples.set_index("sample_id").loc[row["sample_id"], "face_index"]].reshape(1, 1, 8, 8)
    image = torch.from_numpy(pixels.astype(np.float32)) / 255
    with torch.no_grad():
        evaluated = network.model.estimator(image)
        real = torch.sigmoid(network.model.critic(image, torch.tensor([float(row["age"])])))
    assert row["estimated_age"] == pytest.approx(evaluated.item(), rel=1e-4)
    assert row["critic/real"] == pytest.approx(real.item(), rel=1e-4)


def test_predictions_do_not_depend_on_the_batch_size(trained):
    faces, samples, network, _ = trained
    one, other = (
        predict(samples, faces, network, PREDICTION.model_copy(update={"batch_size": size})) for size in (7, 40)
    )
    numbers = one.select_dtypes("number")
    np.testing.assert_allclose(numbers, other[numbers.columns], rtol=1e-3, atol=1e-4)


def table(n: int = 60, noise: float = 5.0) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    ages = rng.integers(1, 90, n)
    numbers = {
        "value": ages + noise,
        "estimated_age": ages + 2.0,
        "critic/real": np.full(n, 0.8),
        "critic/generated": np.full(n, 0.3),
        "distance/real": np.full(n, 0.2),
        "distance/generated": np.full(n, 0.1),
        "requested_age": 90.0 - ages,
        "aged_age": 93.0 - ages,
        "reconstruction": np.full(n, 0.05),
        **{f"{kind}_feature/{k}": rng.normal(size=n) for kind in ("real", "generated") for k in range(3)},
    }
    return pd.DataFrame(
        {
            "sample_id": [f"row_{k}" for k in range(n)],
            "split": np.where(np.arange(n) % 2 == 0, "test", "val"),
            "synthetic": True,
            "gender": np.where(np.arange(n) % 4 < 2, 0, 1),
            "age": ages,
            "ethnicity": 0,
            "target": ages,
            **{name: np.asarray(values, np.float32) for name, values in numbers.items()},
        }
    )


def test_measures_are_those_that_a_hand_computes():
    predictions = table()
    metrics, _ = evaluate(predictions, EVALUATION)
    assert metrics["test/mae_years"] == pytest.approx(5)
    assert metrics["test/pearson"] == pytest.approx(1)
    assert metrics["test/estimator_mae_years"] == pytest.approx(2)
    assert metrics["test/aged_mae_years"] == pytest.approx(3)
    assert metrics["test/diversity"] == pytest.approx(0.5)
    assert metrics["test/collapsed"] == 0.0
    assert metrics["test/critic_accuracy"] == 1.0
    assert metrics["test/critic_calibration_error"] == pytest.approx((0.2 + 0.3) / 2, abs=1e-6)
    assert metrics["synthetic_share"] == 1.0
    test = predictions[predictions["split"] == "test"]
    real, made = (test.filter(regex=f"^{kind}_feature/").to_numpy() for kind in ("real", "generated"))
    assert metrics["test/frechet_distance"] == pytest.approx(frechet_distance(real, made))


def test_faces_that_are_all_alike_are_said_to_have_collapsed(caplog):
    metrics, _ = evaluate(table().assign(**{"distance/generated": np.float32(0.001)}), EVALUATION)
    assert metrics["test/collapsed"] == 1.0
    assert "collapsed" in caplog.text


def test_without_encoder_nothing_is_said_of_given_persons():
    nothing = {name: np.float32(np.nan) for name in ("aged_age", "reconstruction")}
    metrics, subgroups = evaluate(table().assign(**nothing), EVALUATION)
    assert metrics["test/aged_mae_years"] is None
    assert metrics["test/reconstruction"] is None
    assert set(subgroups["faces"]) == {"generated", "real"}


def test_a_generated_face_has_an_age_alone_and_a_person_every_subgroup():
    _, subgroups = evaluate(table(), EVALUATION)
    attributes = subgroups.groupby("faces")["attribute"].agg(set)
    assert attributes["generated"] == {"age"}
    assert attributes["aged"] == attributes["real"] == {"gender", "age", "ethnicity"}
    assert subgroups.query("faces == 'aged' and attribute == 'gender'")["mae_years"].tolist() == pytest.approx([3, 3])


def test_a_split_without_rows_is_named():
    with pytest.raises(ValueError, match="predictions are of split val"):
        evaluate(table().assign(split="test"), EVALUATION)


def test_sheets_have_a_column_per_age_and_say_where_there_is_no_encoder(trained):
    faces, samples, network, _ = trained
    ages, life, persons = show_ages(samples, faces, network, PREDICTION)
    tile, gap = 96, 6
    assert ages.shape[1] == len(FIGURE_AGES) * (tile + gap) + gap
    assert persons.shape[1] == (2 + len(LIFE_AGES)) * (tile + gap) + gap
    assert life.shape[0] > ROWS * tile
    without, _ = start(samples[samples["split"] != "test"], encoder=False)
    assert show_ages(samples, faces, without, PREDICTION)[2].shape == (384, 384, 3)


def test_figures_have_their_names(trained):
    drawn = plot_faces(table(), evaluate(table(), EVALUATION)[0], trained[3])
    assert set(drawn) == {"requested_age", "reliability", "training_curves"}
    assert "Requested and evaluated age" in drawn["requested_age"]._suptitle.get_text()


def test_history_has_what_the_epoch_was_chosen_by(trained):
    history = trained[3]
    assert history["epoch"].tolist() == [1, 2]
    assert (
        history[["train/loss", "train/critic_loss", "val/epoch_frechet_distance", "val/epoch_pearson"]]
        .notna()
        .all(axis=None)
    )


def test_two_devices_are_refused():
    with pytest.raises(ValidationError, match="Set it to 1"):
        AgingTrainingParams(**{**TRAINING, "device": {**DEVICE, "devices": 2}})
