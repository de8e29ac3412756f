"""Steps of FER-former of its own: what training starts from, two heads, a rate of its own for the text side."""

import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError
from tests.models.small_clip import SIZES, save_small_clip
from tests.pipelines.tiny_systems import TINY
from tests.project.project_config import load_config

from mien.io.schemas import Predictions
from mien.models.fer_former import HEADS
from mien.models.ir50 import IR50Stages
from mien.models.network import Network
from mien.nodes.params import EvaluationParams, PredictionParams
from mien.pipeline_registry import register_pipelines
from mien.pipelines.fer_former.evaluation import HEAD_NAMES, evaluate, head_metrics, head_scores, primary_head
from mien.pipelines.fer_former.nodes import build_text_optimizer, initialise, initialise_from, predict, train
from mien.pipelines.fer_former.params import FERFormerModelParams, FERFormerTrainingParams

PUBLISHED = load_config(Path(__file__).resolve().parents[2] / "conf", "paper")["parameters"]
TINY_RUN = TINY["fer_former"]
DEVICE = {**PUBLISHED["fer_former"]["training"]["device"], **TINY_RUN["training"]["device"]}
TRAINING = FERFormerTrainingParams(
    **{**PUBLISHED["fer_former"]["training"], **TINY_RUN["training"], "batch_size": 4, "device": DEVICE}
)
NAMES = ("happy", "sad", "neutral")
FACES = np.random.default_rng(0).integers(0, 256, (18, 24, 24, 3), dtype=np.uint8)


def params(**changes: Any) -> FERFormerModelParams:
    return FERFormerModelParams(**{**PUBLISHED["fer_former"]["model"], **TINY_RUN["model"], **changes})


def samples(names: tuple[str, ...] = NAMES, splits: tuple[str, ...] = ("train", "train", "val")) -> pd.DataFrame:
    labels = np.arange(18) % len(names)
    return pd.DataFrame(
        {
            "sample_id": [f"s{number}" for number in range(18)],
            "split": [splits[number // 3 % 3] for number in range(18)],
            "synthetic": False,
            "label": labels,
            "expression": [names[label] for label in labels],
            "face_index": range(18),
        }
    )


def network(names: tuple[str, ...] = NAMES, **changes: Any) -> Network:
    return initialise(samples(names), params(**changes), TRAINING)


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory) -> Path:
    pytest.importorskip("transformers", reason="the extra clip is not installed")
    return save_small_clip(tmp_path_factory.mktemp("clip") / "clip")


# What training starts from


def test_each_dataset_has_the_prompt_that_the_paper_finds_best_there():
    prompts = {
        system: FERFormerModelParams(**PUBLISHED[system]["model"]).config(("happy",))["prompts"]
        for system in ("fer_former", "fer_former_ferplus", "fer_former_sfew")
    }
    assert prompts == {
        "fer_former": ["a face image of happy"],
        "fer_former_ferplus": ["this is a face image of happy"],
        "fer_former_sfew": ["a face image of happy"],
    }


def test_the_published_settings_are_the_papers():
    model, recipe = PUBLISHED["fer_former"]["model"], PUBLISHED["fer_former"]["training"]
    assert (model["depth"], model["embed_dim"], model["num_heads"], model["mlp_ratio"]) == (16, 256, 4, 4.0)
    assert (recipe["optimizer"]["lr"], recipe["batch_size"], recipe["scheduler"]["step_size"]) == (1e-4, 16, 30)
    assert recipe["optimizer"]["text_lr"] * 100 == pytest.approx(recipe["optimizer"]["lr"])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "CLIP's architecture 8 wide with 1 blocks starts at random"),
        ({"text_encoder": "table"}, "a learned vector per prompt"),
        ({"prompt": "none"}, "text side: none, and no steering head"),
    ],
)
def test_the_log_says_which_text_side_there_is(changes, said, caplog):
    with caplog.at_level(logging.INFO, "mien"):
        network(**changes)
    assert said in caplog.text
    assert "image_backbone starts at random" in caplog.text


@pytest.mark.parametrize(("changes", "warned"), [({}, True), ({"text_encoder": "table"}, False)])
def test_a_random_tower_that_hardly_learns_is_warned_of(changes, warned, caplog):
    network(**changes)
    assert ("hardly leaves its start. Give model.clip_folder" in caplog.text) == warned


def test_a_clip_folder_fills_tower_and_tokens(clip_folder, caplog):
    sizes = {f"text_{name}": size for name, size in SIZES.items() if name != "num_heads"}
    with caplog.at_level(logging.INFO, "mien"):
        start = network(**sizes, text_heads=SIZES["num_heads"], clip_folder=clip_folder)
    assert "loaded 33 of 33 tensors of CLIP's text tower" in caplog.text
    assert "hardly leaves" not in caplog.text
    assert len(start.config["prompt_tokens"]) == 3
    assert start.model.text_encoder.tokens[0, 0] == SIZES["vocab_size"] - 2
    assert "clip_folder" not in start.config


def test_a_tower_of_other_sizes_than_the_folder_is_refused(clip_folder):
    with pytest.raises(ValueError, match=r"width 32 against 8.*Set text_width: 32"):
        network(text_vocab_size=SIZES["vocab_size"], text_context_length=32, clip_folder=clip_folder)


def test_the_backbones_weights_come_from_the_users_file(tmp_path):
    torch.manual_seed(5)
    weights = IR50Stages((4, 8), (1, 1), 24).state_dict()
    torch.save(weights, tmp_path / "ir50.pth")
    loaded = network(backbone_weights=tmp_path / "ir50.pth").model.image_backbone.state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in weights.items())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"clip_folder": "nowhere"}, "CLIP folder nowhere does not exist"),
        ({"backbone_weights": "nowhere.pth"}, "no weights file at"),
        ({"prompt": "sentence"}, "neither a kind nor a sentence"),
        ({"divisions": "all"}, "divisions"),
        ({"text_encoder": "none"}, "text_encoder"),
    ],
)
def test_parameters_that_do_not_fit_are_refused_before_anything_runs(changes, message):
    with pytest.raises(ValidationError, match=message):
        params(**changes)


@pytest.mark.parametrize("changes", [{"text_encoder": "table"}, {"prompt": "none"}])
def test_a_clip_folder_without_a_tower_is_refused(clip_folder, changes):
    with pytest.raises(ValidationError, match=r"no text tower to fill. Set text_encoder to tower and a prompt"):
        params(clip_folder=clip_folder, **changes)


# From one dataset to another


@pytest.mark.parametrize("text_encoder", ["tower", "table"])
def test_a_network_for_the_same_classes_in_another_order_gives_the_same_logits(text_encoder):
    source, order = network(text_encoder=text_encoder), ("neutral", "happy", "sad")
    started = initialise_from(samples(order), params(text_encoder=text_encoder), TRAINING, source)
    assert started.class_names == order
    x = torch.randn(2, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = source.model.eval()(x)[..., [2, 0, 1]]
        torch.testing.assert_close(started.model.eval()(x), expected, rtol=1e-4, atol=1e-4)


def test_fewer_classes_are_a_choice_of_rows():
    started = initialise_from(samples(("sad", "happy")), params(), TRAINING, network())
    assert started.model.head.out_features == 2
    assert started.config["prompts"] == ["a face image of sad", "a face image of happy"]


def test_a_class_that_the_source_does_not_know_is_refused():
    with pytest.raises(ValueError, match=r"does not know contempt: it tells happy, sad, neutral apart. Start from"):
        initialise_from(samples(("sad", "contempt")), params(), TRAINING, network())


def test_other_sizes_than_the_sources_are_refused():
    with pytest.raises(ValueError, match=r"another architecture: \d+ tensors differ, such as .*same model parameters"):
        initialise_from(samples(), params(depth=3), TRAINING, network())


@pytest.mark.parametrize("there", [{"prompt": "active"}, {"prompt": "none"}])
def test_other_prompts_than_the_sources_are_refused_where_words_have_no_tokenizer(there):
    with pytest.raises(ValueError, match=r"differ from .* of the network to start from.*Set the same model.prompt"):
        initialise_from(samples(), params(), TRAINING, network(**there))


# Two heads


def test_the_heads_are_the_models():
    assert tuple(f"{name}_head" for name in HEADS) == HEAD_NAMES


def logits(class_head: list[float], steering_head: list[float]) -> list[list[float]]:
    return [[math.log(p) for p in class_head], [math.log(p) for p in steering_head]]


OUTPUTS = np.array(
    [
        logits([0.6, 0.4], [0.1, 0.9]),
        logits([0.7, 0.3], [0.2, 0.8]),
        logits([0.4, 0.6], [0.3, 0.7]),
        logits([0.4, 0.6], [0.9, 0.1]),
    ],
    np.float32,
)


def test_scores_of_the_heads_and_their_mean_by_hand():
    scores = head_scores(OUTPUTS)
    assert list(scores) == ["class_head", "steering_head", "mean_of_heads"]
    np.testing.assert_allclose(scores["class_head"][0], [0.6, 0.4], atol=1e-6)
    np.testing.assert_allclose(scores["steering_head"][3], [0.9, 0.1], atol=1e-6)
    np.testing.assert_allclose(scores["mean_of_heads"][2], [0.35, 0.65], atol=1e-6)
    assert list(head_scores(OUTPUTS[:, :1])) == ["class_head"]


@pytest.mark.parametrize(
    ("target", "primary", "accuracies"),
    [
        ([0, 0, 1, 1], "class_head", (1.0, 0.25, 0.25)),
        ([1, 1, 1, 0], "steering_head", (0.25, 1.0, 1.0)),
        ([1, 1, 1, 1], "steering_head", (0.5, 0.75, 0.75)),
        ([0, 1, 1, 1], "class_head", (0.75, 0.5, 0.5)),
    ],
)
def test_the_best_head_on_validation_goes_first_and_the_class_head_among_equals(target, primary, accuracies):
    # the mean of the heads tells 1, 1, 1, 0
    assert primary_head(head_scores(OUTPUTS), np.array(target)) == primary
    metrics = head_metrics(OUTPUTS, np.array(target))
    assert tuple(metrics[f"{name}_accuracy"] for name in (*HEAD_NAMES, "mean_of_heads")) == accuracies
    assert metrics["accuracy"] == max(accuracies)


def test_without_text_there_is_one_accuracy():
    assert head_metrics(OUTPUTS[:, :1], np.array([0, 0, 1, 1])) == {"accuracy": 1.0, "mean_class_accuracy": 1.0}


def prediction() -> PredictionParams:
    return PredictionParams(batch_size=5, device={name: value for name, value in DEVICE.items() if name != "devices"})


@pytest.mark.parametrize("prompt", ["phrase", "none"])
def test_predictions_hold_both_heads_and_the_scores_are_those_of_the_primary_one(prompt):
    table = samples(splits=("test", "val", "unlabelled"))
    table.loc[table["split"] == "unlabelled", "label"] = -1
    predicted = predict(table, FACES, network(prompt=prompt), prediction())
    Predictions.validate(predicted)
    assert predicted["split"].value_counts().to_dict() == {"test": 6, "val": 6, "unlabelled": 6}
    assert (predicted.loc[predicted["split"] == "unlabelled", "target"] == -1).all()
    if prompt == "none":
        assert not predicted.filter(regex="head").columns.size
        return
    (primary,) = predicted["head"].unique()
    by_head = {name: predicted.filter(regex=f"^{name}/").to_numpy() for name in (*HEAD_NAMES, "mean_of_heads")}
    np.testing.assert_allclose(predicted.filter(regex="^score/"), by_head[primary])
    np.testing.assert_allclose(by_head["mean_of_heads"], (by_head["class_head"] + by_head["steering_head"]) / 2)
    val = predicted["split"] == "val"
    accuracy = {name: (each[val].argmax(1) == predicted.loc[val, "target"]).mean() for name, each in by_head.items()}
    assert accuracy[primary] == max(accuracy.values())


def test_unlabelled_samples_are_not_scored_and_each_head_is():
    table = samples(splits=("test", "val", "unlabelled"))
    table.loc[table["split"] == "unlabelled", "label"] = -1
    predicted = predict(table, FACES, network(), prediction())
    evaluation = EvaluationParams(resamples=100, seed=0, subgroups=())
    metrics, _ = evaluate(predicted, evaluation)
    assert (metrics["test/n"], metrics["best/val/n"]) == (6, 6)
    for split, prefix in (("test", "test"), ("val", "best/val")):
        rows = predicted[predicted["split"] == split]
        for name in (*HEAD_NAMES, "mean_of_heads"):
            right = rows.filter(regex=f"^{name}/").to_numpy().argmax(1) == rows["target"]
            assert metrics[f"{prefix}/{name}_accuracy"] == pytest.approx(right.mean())
    of_heads = [metrics[f"best/val/{name}_accuracy"] for name in (*HEAD_NAMES, "mean_of_heads")]
    assert metrics["best/val/accuracy"] == max(of_heads)
    without, _ = evaluate(predicted[predicted["split"] != "unlabelled"], evaluation)
    assert metrics == without


# Training


def test_the_text_encoder_learns_at_its_own_rate_and_the_schedule_acts_on_both():
    model = network().model
    optimizer = build_text_optimizer(TRAINING, model)
    assert [group["lr"] for group in optimizer.param_groups] == [1e-4, 1e-6]
    assert [group["weight_decay"] for group in optimizer.param_groups] == [5e-4, 5e-4]
    text = {id(parameter) for parameter in model.text_encoder.parameters()}
    assert {id(parameter) for parameter in optimizer.param_groups[1]["params"]} == text
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(list(model.parameters()))
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.1)
    optimizer.step()
    scheduler.step()
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([1e-5, 1e-7])


@pytest.mark.parametrize("changes", [{"freeze_text": True}, {"prompt": "none"}])
def test_without_a_text_encoder_that_learns_there_is_one_group(changes):
    assert len(build_text_optimizer(TRAINING, network(**changes).model).param_groups) == 1


def test_training_keeps_the_epoch_whose_best_head_is_best_and_starts_where_it_is_reported(tmp_path):
    start = network()
    before = {name: tensor.clone() for name, tensor in start.model.state_dict().items()}
    trained, history = train(samples(), FACES, tmp_path, start, TRAINING)
    columns = [f"val/{name}_accuracy" for name in (*HEAD_NAMES, "mean_of_heads")]
    np.testing.assert_allclose(history["val/accuracy"], history[columns].max(axis=1))
    assert history["lr"].tolist() == [1e-4]
    changed = {name for name, tensor in trained.model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert {"head.weight", "head_tokens", "text_proj.weight", "text_encoder.tower.proj.weight"} <= changed
    assert all(torch.equal(tensor, before[name]) for name, tensor in start.model.state_dict().items())


def test_sfew_goes_the_whole_way_from_raf_dbs_files():
    pipeline = register_pipelines()["fer_former_sfew"]
    (start,) = (step for step in pipeline.nodes if step.name == "fer_former_sfew.initialise")
    assert "fer_former.network" in start.inputs
    assert {"raf_db_faces_112", "sfew_faces_112", "fer_former.network"} <= pipeline.all_outputs()
