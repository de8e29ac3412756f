"""The sentiment systems learn from train alone, choose by val alone, and fuse what each sense leaves open."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.pipelines.synthetic_clip_inputs import MELS, clip_inputs, clip_table
from tests.pipelines.tiny_systems import TINY_SENTIMENT
from tests.project.project_config import load_config

from mien.data.voice_features import NUM_EGEMAPS
from mien.io.schemas import ClipPredictions
from mien.nodes.digest import weights_digest
from mien.nodes.params import EvaluationParams, PredictionParams
from mien.nodes.training import track_epochs_with
from mien.pipelines.sentiment.drawing import plot
from mien.pipelines.sentiment.evaluation import evaluate, of_row, primary_row, tabulate
from mien.pipelines.sentiment.fusion import fit_linear
from mien.pipelines.sentiment.members import MEMBERS, members_of, rows_to_score
from mien.pipelines.sentiment.nodes import initialise, predict, score_over_time, train
from mien.pipelines.sentiment.params import SentimentModelParams, SentimentTrainingParams

PUBLISHED = load_config(Path(__file__).resolve().parents[2] / "conf", "paper")["parameters"]["sentiment"]
CPU = TINY_SENTIMENT["training"]["device"]
EVALUATION = EvaluationParams(resamples=100, seed=0, subgroups=("gender",))
FEW = ("face", "face_mean", "voice", "fused")


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    nested = {name: merged(base[name], value) for name, value in changes.items() if isinstance(value, dict)}
    return {**base, **changes, **nested}


def model_params(rows: tuple[str, ...], **changes: Any) -> SentimentModelParams:
    tiny = merged(PUBLISHED["model"], TINY_SENTIMENT["model"])
    own = {"members": rows, "voice": {"num_mels": MELS}, "fusion": {"face": "face_mean"}}
    return SentimentModelParams(**merged(merged(tiny, own), changes))


def training_params(**changes: Any) -> SentimentTrainingParams:
    return SentimentTrainingParams(**merged(merged(PUBLISHED["training"], TINY_SENTIMENT["training"]), changes))


PREDICTION = PredictionParams(batch_size=16, device=training_params().device)
SAMPLES = clip_table({"train": 16, "val": 4, "test": 4})
INPUTS = clip_inputs(SAMPLES)
TRAINED = SAMPLES[SAMPLES["split"] != "test"].reset_index(drop=True)


def trained(
    tmp_path: Path, rows: tuple[str, ...] = FEW, inputs: Any = INPUTS, **changes: Any
) -> tuple[Any, pd.DataFrame]:
    training = training_params(**changes)
    return train(TRAINED, inputs, tmp_path / "checkpoints", initialise(TRAINED, model_params(rows), training), training)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Every row of the table, trained for a few epochs, and its predictions."""
    epochs = {"max_epochs": 12, "monitor": "val/loss", "optimizer": {"lr": 0.05}}
    parts: dict[str, Any] = {member: {"max_epochs": 12} for member in ("motion", "lstm")}
    parts["voice"] = {"max_epochs": 12, "optimizer": {"lr": 0.01}}
    network, history = trained(
        tmp_path_factory.mktemp("whole"), tuple(PUBLISHED["model"]["members"]), **epochs, **parts
    )
    return network, history, predict(SAMPLES, INPUTS, network, PREDICTION)


def test_every_row_has_every_unseen_clip_once_with_its_subject(whole):
    _, _, predictions = whole
    ClipPredictions.validate(predictions)
    unseen = SAMPLES[SAMPLES["split"] != "train"]
    for row in PUBLISHED["model"]["members"]:
        mine = of_row(predictions, row).set_index("sample_id")
        assert mine["subject"].to_dict() == unseen.set_index("sample_id")["subject"].to_dict()


def test_fusing_tells_what_each_sense_leaves_open(whole):
    """Faces cannot tell happy from sad here, voices cannot tell fear from happy."""
    network, _, predictions = whole
    metrics, subgroups = evaluate(predictions, EVALUATION)
    assert metrics["test/face_mean/accuracy"] < 0.9
    assert metrics["test/voice/accuracy"] < 0.9
    assert metrics["test/fused/accuracy"] > max(metrics["test/face_mean/accuracy"], metrics["test/voice/accuracy"])
    assert metrics["test/accuracy"] == metrics["test/fused/accuracy"]
    difference = metrics["test/fused_minus_voice/accuracy"]
    assert difference == pytest.approx(metrics["test/fused/accuracy"] - metrics["test/voice/accuracy"])
    assert 0 < metrics["test/fused_minus_voice/mcnemar_p"] <= 1
    assert 0 < network.model.weight("fused") < 1
    assert list(subgroups["value"]) == ["male"]


def test_the_history_has_the_face_under_the_shared_names_and_the_others_under_theirs(whole):
    network, history, _ = whole
    assert {"epoch", "train/loss", "val/loss", "val/face_accuracy", "best/face_epoch", "lr"} <= set(history)
    assert "val/accuracy" not in history, "in the metrics it is that of fused clips"
    for member in ("motion", "lstm", "voice", "ward", "without_crop"):
        assert {f"val/{member}_loss", f"best/{member}_epoch"} <= set(history)
    assert history["epoch"].tolist() == list(range(1, 13))
    assert set(network.config["members"]) == {member for each in MEMBERS.values() for member in each}


def test_scores_over_time_are_those_of_frames_and_steps_and_end_with_the_sound(whole):
    network, _, _ = whole
    moments = score_over_time(SAMPLES, INPUTS, network, PREDICTION)
    one = moments[moments["sample_id"] == SAMPLES.loc[SAMPLES["split"] == "test", "sample_id"].iloc[0]]
    assert (one["sense"] == "face").sum() == 3
    assert (one["sense"] == "voice").sum() == 20 // 4
    np.testing.assert_allclose(moments.filter(like="score/").sum(axis=1), 1)
    assert one.loc[one["sense"] == "voice", "time_seconds"].max() < 0.2
    assert moments.loc[moments["sense"] == "face", "smile"].between(0, 1).all()


def test_no_test_clip_changes_what_is_trained_and_train_clips_do(tmp_path):
    fitted = weights_digest(trained(tmp_path / "as_it_is")[0].model.state_dict())
    rng = np.random.default_rng(1)
    for split, same in (("test", True), ("train", False)):
        chosen = (SAMPLES["split"] == split).to_numpy()
        frames, steps = np.repeat(chosen, 3), np.repeat(chosen, 20)
        faces, contours = INPUTS.faces["full"].copy(), INPUTS.contours.copy()
        faces[frames] = rng.integers(0, 256, faces[frames].shape)
        contours[steps] = rng.normal(size=contours[steps].shape)
        jittered = INPUTS.jittered["full"] if same else rng.integers(0, 256, INPUTS.jittered["full"].shape, np.uint8)
        noisy = replace(INPUTS, faces={"full": faces}, jittered={"full": jittered}, contours=contours)
        network, _ = trained(tmp_path / split, inputs=noisy)
        assert (weights_digest(network.model.state_dict()) == fitted) is same


def test_a_row_that_was_requested_alone_is_the_same_as_among_others(tmp_path):
    alone, among = (
        predict(SAMPLES, INPUTS, trained(tmp_path / str(len(rows)), rows)[0], PREDICTION)
        for rows in (("face_mean",), FEW)
    )
    first, second = (of_row(table, "face_mean").filter(like="score/") for table in (alone, among))
    pd.testing.assert_frame_equal(first, second)
    assert primary_row(alone) == "face_mean"
    evaluate(alone, EVALUATION)


def test_a_clip_without_one_sense_is_evaluated_by_the_other_and_says_so(tmp_path):
    network, _ = trained(tmp_path)
    blind, deaf = (SAMPLES.index[SAMPLES["split"] == "test"][place] for place in (0, 1))
    changed = SAMPLES.copy()
    changed.loc[blind, "num_faces"] = 0
    changed.loc[deaf, "heard"] = False
    without = replace(INPUTS, frames=INPUTS.frames[INPUTS.frames["clip"] != SAMPLES.loc[blind, "sample_id"]])
    predictions = predict(changed, without, network, PREDICTION).set_index(["sample_id", "model"])
    for place, sense, other in ((blind, "voice", "face_mean"), (deaf, "face", "voice")):
        rows = predictions.loc[SAMPLES.loc[place, "sample_id"]]
        assert rows.loc["fused", "senses"] == sense
        assert rows.loc[other, "senses"] == "none"
        assert rows.loc[other].filter(like="score/").tolist() == pytest.approx([1 / 3] * 3)
        alone = "voice" if sense == "voice" else "face_mean"
        np.testing.assert_allclose(*(rows.loc[row].filter(like="score/").astype(float) for row in ("fused", alone)))
    assert pd.isna(predictions.loc[(SAMPLES.loc[blind, "sample_id"], "fused"), "smile"])


def test_parts_that_a_fusion_needs_are_trained_though_the_table_does_not_show_them():
    assert rows_to_score(("fused",), "face_two_stream", "voice") == [
        "face_mean",
        "face_motion",
        "face_two_stream",
        "voice",
    ]
    assert members_of(rows_to_score(("face_lstm",), "face", "voice")) == ["face", "lstm"]
    assert members_of(rows_to_score(("voice_svm",), "face", "voice")) == ["face", "voice_svm"]


def test_epochs_are_logged_and_reported_under_the_networks_name(tmp_path, caplog):
    reported = []
    track_epochs_with(lambda record, pictures: reported.append(record))
    try:
        with caplog.at_level(logging.INFO, "mien"):
            _, history = trained(tmp_path)
    finally:
        track_epochs_with(None)
    lines = [line for line in caplog.messages if "epoch 1/1" in line]
    assert [line.split()[0] for line in lines] == ["face", "voice"]
    together = {name: value for record in reported for name, value in record.items()}
    assert together == history.iloc[0].to_dict(), "the history has other numbers than were reported"


def test_linear_classifiers_of_two_classes_have_an_output_for_each():
    features, labels = np.random.default_rng(0).normal(size=(30, 4)), np.arange(30) % 2
    features[:, 0] += 4 * labels
    for name in ("rules", "voice_svm"):
        mean, std, weight, bias = fit_linear(name, features, labels, 1.0, 2)
        outputs = (features - mean) / std @ weight.T + bias
        assert outputs.shape == (30, 2)
        assert (outputs.argmax(axis=1) == labels).mean() > 0.9


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"face": {"image_size": 40}}, "32 px wide and model.face.image_size is 40"),
        ({"voice": {"num_mels": 16}}, "by 11 numbers a step and the voice network takes 19"),
    ],
)
def test_sizes_that_do_not_fit_the_data_are_named(tmp_path, changes, message):
    training = training_params()
    start = initialise(TRAINED, model_params(FEW, **changes), training)
    with pytest.raises(ValueError, match=message):
        train(TRAINED, INPUTS, tmp_path, start, training)


def test_functionals_that_the_support_vector_machine_was_not_built_for_are_named(tmp_path):
    training = training_params()
    start = initialise(TRAINED, model_params(("voice_svm",)), training)
    other = replace(INPUTS, functionals=np.zeros((len(SAMPLES), NUM_EGEMAPS), np.float32))
    with pytest.raises(ValueError, match=r"by 88 functionals and the support vector machine takes 35.*describe_voices"):
        train(TRAINED, other, tmp_path, start, training)


def test_the_baseline_learns_from_egemaps_where_they_are_its_functionals(tmp_path):
    pytest.importorskip("opensmile", reason="the extra opensmile is not installed")
    training = training_params()
    rng = np.random.default_rng(0)
    reported = rng.normal(0, 1, (len(SAMPLES), NUM_EGEMAPS)).astype(np.float32)
    reported[:, 0] += 6 * SAMPLES["label"].to_numpy()
    reported[:, 1] -= 6 * (SAMPLES["label"] == 1).to_numpy()
    start = initialise(TRAINED, model_params(("voice_svm",), voice_svm={"functionals": "egemaps"}), training)
    inputs = replace(INPUTS, functionals=reported)
    network, _ = train(TRAINED, inputs, tmp_path, start, training)
    metrics, _ = evaluate(predict(SAMPLES, inputs, network, PREDICTION), EVALUATION)
    assert metrics["test/voice_svm/accuracy"] > 0.8


def test_rows_are_named_once_and_known():
    with pytest.raises(ValueError, match="name one twice"):
        model_params(("face", "face"))
    with pytest.raises(ValueError, match="Input should be"):
        model_params(("faces",))


def test_a_fused_row_needs_its_parts_in_the_table():
    with pytest.raises(ValueError, match="is of face_lstm and voice, but lack face_lstm, which it is held against"):
        model_params(FEW, fusion={"face": "face_lstm"})
    assert model_params(("face", "voice_svm"), fusion={"face": "face_lstm"}).fusion.face == "face_lstm"


@pytest.mark.parametrize(
    ("row", "column", "split", "message"),
    [
        (
            "voice",
            "heard",
            "train",
            "voice cannot be trained: of the 48 clips of split train none can be heard.*audio_",
        ),
        ("voice", "heard", "val", "of the 12 clips of split val none can be heard"),
        ("voice_svm", "heard", "train", "voice_svm cannot be trained"),
        ("face", "num_faces", "train", "face cannot be trained: of the 48 clips of split train none has a face"),
        ("face", "num_faces", "val", "of the 12 clips of split val none has a face"),
    ],
)
def test_a_split_of_which_nothing_is_seen_or_heard_is_named(tmp_path, row, column, split, message):
    training = training_params()
    lacking = TRAINED.assign(
        **{column: TRAINED[column].where(TRAINED["split"] != split, 0).astype(TRAINED[column].dtype)}
    )
    with pytest.raises(ValueError, match=message):
        train(lacking, INPUTS, tmp_path, initialise(TRAINED, model_params((row,)), training), training)


def test_a_learned_fusion_alone_is_drawn_without_a_weight(tmp_path):
    rows = ("face_mean", "voice", "fused_learned")
    network, history = trained(tmp_path, rows)
    predictions = predict(SAMPLES, INPUTS, network, PREDICTION)
    metrics, _ = evaluate(predictions, EVALUATION)
    weight = plot(predictions, metrics, history)["fusion_weight"]
    assert "no weighted sum" in [text.get_text() for text in weight.legends[0].get_texts()]
    assert tabulate(predictions, metrics)[1][["one", "other"]].to_numpy().tolist() == [["fused_learned", "face_mean"]]


def test_the_tables_are_what_was_measured(whole):
    predictions = whole[2]
    metrics, _ = evaluate(predictions, EVALUATION)
    models, comparisons = tabulate(predictions, metrics)
    assert models["model"].tolist() == list(PUBLISHED["model"]["members"])
    assert models.set_index("model")["primary"].pipe(lambda primary: primary.index[primary].tolist()) == ["fused"]
    for line in models.itertuples():
        assert line.accuracy == metrics[f"test/{line.model}/accuracy"]
        assert line.accuracy_low <= line.accuracy <= line.accuracy_high
    assert ("fused", "voice") in set(zip(comparisons["one"], comparisons["other"], strict=True))
    for line in comparisons.itertuples():
        accuracy = models.set_index("model")["accuracy"]
        assert line.difference == pytest.approx(accuracy[line.one] - accuracy[line.other])
        assert line.stands == (not line.low <= 0 <= line.high and line.subjects_p < 0.05)
