"""CompCNN's nodes: what each trial learns from, how rows are evaluated, and what a fold's own faces must not change."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from tests.pipelines.temporary_project import ROOT, open_catalog
from tests.pipelines.tiny_systems import TINY as TINY_SYSTEMS
from tests.pipelines.tiny_systems import TINY_COMP_CNN, TINY_DATA
from tests.project.project_config import load_config

from mien.configuration import merged
from mien.io.schemas import PairTrials, TrialPredictions
from mien.mlflow_run import MlflowRun
from mien.nodes.params import PredictionParams
from mien.nodes.samples import select_train_and_val
from mien.pipelines.comp_cnn import evaluation
from mien.pipelines.comp_cnn.nodes import best_row, initialise, predict, split_by_folds, train
from mien.pipelines.comp_cnn.params import (
    NAMES,
    CompCNNEvaluationParams,
    CompCNNModelParams,
    CompCNNTrainingParams,
    ProtocolParams,
)
from mien.pipelines.comp_cnn.trials import TrialResult, best_accuracy

BASE = load_config(ROOT / "conf", "base")["parameters"]["comp_cnn"]
TINY = merged(BASE, TINY_COMP_CNN)
EVALUATION = CompCNNEvaluationParams(**TINY["evaluation"])
PREDICTION = PredictionParams(**TINY["prediction"])
CURVE = {"train_subjects": [], "test_folds": []}


def training(**changes: Any) -> CompCNNTrainingParams:
    return CompCNNTrainingParams(**merged(TINY["training"], changes))


def model(**changes: Any) -> CompCNNModelParams:
    return CompCNNModelParams(**{**TINY["model"], **changes})


def samples(subjects: int = 9, folds: int = 3) -> pd.DataFrame:
    """A posed and a spontaneous pair of every subject."""
    rows = [
        {
            "sample_id": f"{kind}_{subject}",
            "onset": "a.bmp",
            "apex": "b.bmp",
            "label": label,
            "kind": kind,
            "expression": ("happy", "sad")[subject % 2],
            "subject": f"s{subject}",
            "split": "folds",
            "fold": subject % folds,
            "illumination": "front",
            "glasses": False,
            "synthetic": True,
            "reason": "aligned",
            "crop": "points",
        }
        for subject in range(subjects)
        for label, kind in enumerate(("posed", "spontaneous"))
    ]
    table = pd.DataFrame(rows)
    for name in ("score", "roll_degrees", "turned_degrees", "enlarged", "height", "width", "brightness"):
        table[name] = np.float32(1 if name in ("enlarged", "height", "width") else 0)
    return table.assign(face_index=np.arange(len(table)))


def faces(n: int = 18) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, 2, 48, 48, 1), dtype=np.uint8)


def trials(table: pd.DataFrame, **changes: Any) -> pd.DataFrame:
    protocol = {"validation_fraction": 0.3, "seed": 0, "curve": CURVE, **changes}
    return split_by_folds(table, ProtocolParams(**protocol))


def trained(folder: Path, pairs: np.ndarray, recipe: CompCNNTrainingParams | None = None, **of_model: Any) -> Any:
    recipe = recipe or training()
    rows = select_train_and_val(trials(samples()))
    network, history = train(rows, pairs, folder, initialise(rows, model(**of_model), recipe), recipe)
    return network, history


def weights(network: Any, trial: str) -> dict[str, torch.Tensor]:
    return {name: value for name, value in network.model.state_dict().items() if f".{trial}__" in name}


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Any:
    """A network of two nets in three trials, and what it was trained on."""
    folder = tmp_path_factory.mktemp("checkpoints")
    return trained(folder, faces(), members=["diff_cnn", "comb_1"])


def test_the_trials_are_a_valid_table_and_one_with_a_subject_in_two_parts_is_not():
    import pandera.errors

    table = PairTrials.validate(trials(samples()))
    moved = table.copy()
    moved.loc[moved.index[moved["split"] == "test"][0], "split"] = "train"
    with pytest.raises(pandera.errors.SchemaError, match="a subject is in two parts of a trial"):
        PairTrials.validate(moved)


def test_training_rows_of_a_trial_hold_nobody_of_its_fold():
    rows = select_train_and_val(trials(samples()))
    for trial, part in rows.groupby("trial"):
        assert set(part["split"]) == {"train", "val"}
        assert int(trial.removeprefix("fold_")) not in set(part["fold"])


def test_a_folds_faces_change_the_nets_of_the_other_folds_alone(run, tmp_path):
    noisy = faces()
    tested = samples().query("fold == 0")["face_index"].to_numpy()
    noisy[tested] = np.random.default_rng(1).integers(0, 256, noisy[tested].shape, dtype=np.uint8)
    network, _ = trained(tmp_path, noisy, members=["diff_cnn", "comb_1"])
    assert equal(weights(network, "fold_0"), weights(run[0], "fold_0"))
    assert not equal(weights(network, "fold_1"), weights(run[0], "fold_1"))


def test_nets_that_differ_in_their_comparison_alone_start_alike_and_seeds_differ():
    rows = select_train_and_val(trials(samples()))
    start = initialise(rows, model(members=["sub_2", "comb_2"]), training(num_seeds=2)).model
    one, other = (start.net("start_0", 0, name).state_dict() for name in ("sub_2", "comb_2"))
    assert set(other) - set(one) == {"compare.weight"}
    assert all(torch.equal(one[name], other[name]) for name in one)
    second = start.net("start_0", 1, "sub_2").state_dict()
    assert not torch.equal(second["head.weight"], one["head.weight"])


@pytest.mark.slow
def test_trials_in_processes_of_their_own_give_the_same_nets(run, tmp_path):
    network, history = trained(tmp_path, faces(), training(workers=2), members=["diff_cnn", "comb_1"])
    assert equal(network.model.state_dict(), run[0].model.state_dict())
    timed = [name for name in history if "second" in name]
    pd.testing.assert_frame_equal(history.drop(columns=timed), run[1].drop(columns=timed))


def test_nets_that_were_finished_before_an_interruption_are_not_trained_again(run, tmp_path, monkeypatch):
    from mien.engine import fit
    from mien.pipelines.comp_cnn import nodes

    monkeypatch.setattr(nodes, "best_row", lambda *_: 1 / 0)  # after all nets, before the folder is cleared
    with pytest.raises(ZeroDivisionError):
        trained(tmp_path, faces(), members=["diff_cnn", "comb_1"])
    monkeypatch.undo()
    monkeypatch.setattr(fit, "_train_epoch", lambda *_: pytest.fail("a finished net was trained again"))
    network, _ = trained(tmp_path, faces(), members=["diff_cnn", "comb_1"])
    assert equal(network.model.state_dict(), run[0].model.state_dict())
    assert not list(tmp_path.glob("trials/*"))


def test_the_row_that_predicts_is_the_best_on_val_and_never_by_test(run):
    history = pd.DataFrame({"val/loss": [2.0, 1.0, 1.0], "val/accuracy": [0.9, 0.6, 0.7], "epoch": [1, 2, 3]})
    assert best_accuracy(history, "val/loss") == 0.6
    assert best_accuracy(history, "val/accuracy") == 0.9
    results = [
        TrialResult(trial, 0, {}, {"sub_1": one, "comb_1": other}, history)
        for trial, one, other in (("fold_0", 0.8, 0.9), ("fold_1", 0.8, 0.8), ("subjects_4", 1.0, 0.0))
    ]
    assert best_row(results, ["fold_0", "fold_1"], ["sub_1", "comb_1"]) == "comb_1"
    assert best_row(results[:1], ["fold_0"], ["comb_1", "sub_1"]) == "comb_1"
    assert run[0].config["primary"] in ("diff_cnn", "comb_1")


def test_every_sample_is_predicted_by_the_nets_that_have_not_seen_its_subject(run):
    rows = trials(samples())
    predictions = TrialPredictions.validate(predict(rows, faces(), run[0], PREDICTION))
    test = predictions[predictions["split"] == "test"]
    assert (test["trial"] == "fold_" + test["fold"].astype(str)).all()
    assert test.groupby(["model", "sample_id"]).size().eq(1).all()
    assert set(predictions["model"]) == {"diff_cnn", "comb_1"}
    assert set(predictions.loc[predictions["primary"], "model"]) == {run[0].config["primary"]}
    net = run[0].model.net("fold_1", 0, "comb_1")
    one = test[(test["model"] == "comb_1") & (test["trial"] == "fold_1")].iloc[0]
    row = rows.loc[rows["sample_id"] == one["sample_id"], "face_index"].iloc[0]
    image = torch.tensor((faces()[row, :, 2:46, 2:46, 0] / 255 - 0.5) / 0.25, dtype=torch.float32)
    with torch.no_grad():
        expected = torch.softmax(net(image[None]), dim=1)[0].numpy()
    np.testing.assert_allclose([one["score/posed"], one["score/spontaneous"]], expected, atol=1e-5)


def predicted(errors: dict[str, list[list[int]]]) -> pd.DataFrame:
    """Predictions of eight subjects in two folds; given are, by model and seed, the test samples that are wrong."""
    lines = []
    for name, by_seed in errors.items():
        for seed, wrong in enumerate(by_seed):
            for number in range(16):
                fold, target = number // 8, number % 2
                for split in ("test", "val"):
                    miss = split == "test" and number in wrong
                    score = 0.8 if target != miss else 0.2
                    lines.append(
                        {
                            "sample_id": f"p{number}",
                            "split": split,
                            "synthetic": True,
                            "subject": f"s{number // 2}",
                            "target": target,
                            "emotion": "happy" if number < 4 else "sad",
                            "fold": fold,
                            "trial": f"fold_{fold if split == 'test' else 1 - fold}",
                            "seed": seed,
                            "model": name,
                            "primary": name == "comb_1",
                            "score/posed": 1 - score,
                            "score/spontaneous": score,
                        }
                    )
    return TrialPredictions.validate(pd.DataFrame(lines))


def test_an_error_rate_is_the_mean_over_seeds_and_not_the_best_of_them():
    table = predicted({"diff_cnn": [[0, 1, 2, 3], [0, 9]], "comb_1": [[0], []]})
    scores = evaluation.score_models(table, EVALUATION).set_index("model")
    assert scores.loc["diff_cnn", "errors"] == 3
    assert scores.loc["diff_cnn", "error_rate"] == pytest.approx(3 / 16)
    assert scores.loc["diff_cnn", "error_rate_sd"] == pytest.approx(np.std([4 / 16, 2 / 16], ddof=1))
    assert scores.loc["comb_1", ["n", "seeds", "errors"]].tolist() == [16, 2, 0.5]
    assert scores.loc["diff_cnn", "error_rate_low"] < 3 / 16 < scores.loc["diff_cnn", "error_rate_high"]
    metrics, subgroups = evaluation.evaluate(table, EVALUATION)
    assert metrics["test/diff_cnn/error_rate"] == pytest.approx(3 / 16)
    assert metrics["test/error_rate"] == metrics["test/comb_1/error_rate"] == pytest.approx(1 / 32)
    assert metrics["test/accuracy"] == metrics["test/comb_1/accuracy"] == pytest.approx(31 / 32)
    assert metrics["test/diff_cnn/accuracy_low"] == pytest.approx(1 - metrics["test/diff_cnn/error_rate_high"])
    assert (metrics["test/n"], metrics["test/n/posed"], metrics["test/errors"]) == (16, 8, 0.5)
    assert set(subgroups["attribute"]) == {"emotion"}


def test_errors_by_fold_and_by_emotion_add_up_to_all():
    table = predicted({"diff_cnn": [[0, 1, 2, 9]], "comb_1": [[]]})
    folds = evaluation.score_folds(table).set_index(["model", "fold"])
    assert folds.loc[("diff_cnn", 0), ["n", "errors", "error_rate"]].tolist() == [8, 3, 3 / 8]
    assert folds.loc[("diff_cnn", 1), "errors"] == 1
    emotions = evaluation.score_emotions(table, EVALUATION).set_index(["model", "emotion"])
    assert emotions.loc[("diff_cnn", "happy"), ["n", "errors", "error_rate"]].tolist() == [4, 3, 0.75]
    assert emotions.loc[("diff_cnn", "sad"), ["n", "errors"]].tolist() == [12, 1]


def test_rows_are_compared_on_the_same_samples_by_subject():
    table = predicted({"diff_cnn": [list(range(0, 16, 2))], "sub_1": [[0]], "comb_1": [[]]})
    compared = evaluation.compare_models(table, EVALUATION)
    assert compared[["one", "other"]].to_numpy().tolist() == [
        ["sub_1", "diff_cnn"],
        ["comb_1", "diff_cnn"],
        ["comb_1", "sub_1"],
    ]
    best = compared.set_index(["one", "other"]).loc[("comb_1", "diff_cnn")]
    assert (best["difference"], best["only_one"], best["only_other"]) == (0.5, 8, 0)
    assert best["p"] == pytest.approx(2 / 2**8)  # eight subjects, one discordant sample each
    assert bool(best["stands"]) is True
    assert best["sentence"].startswith("CompCNN-Comb@1 against DiffCNN: accuracy 100.00 % against 50.00 %")


def test_a_learning_curve_is_read_off_its_own_trials():
    folds = predicted({"diff_cnn": [[0]], "comb_1": [[]]})
    curve = folds[folds["split"] == "test"].assign(trial="subjects_4", primary=False)
    scores = evaluation.score_curve(pd.concat([folds, curve]), EVALUATION)
    assert scores[["model", "train_subjects", "n", "accuracy"]].to_numpy().tolist() == [
        ["comb_1", 4, 16, 1.0],
        ["diff_cnn", 4, 16, 15 / 16],
    ]
    assert evaluation.score_curve(folds, EVALUATION).empty
    assert evaluation.score_models(pd.concat([folds, curve]), EVALUATION)["n"].tolist() == [16, 16]


def test_members_can_be_chosen():
    assert model(members=["diff_cnn", "comb_svm"]).members == ("diff_cnn", "comb_svm")
    assert list(model(members=["comb_svm"]).networks()) == ["comb_1", "comb_2", "comb_3"]
    assert list(model(members=["mlp_2", "attention_svm"]).stacks()) == ["attention_svm"]
    assert set(NAMES) >= set(model().members)
    for wrong in (["comb_4"], ["diff_cnn", "diff_cnn"]):
        with pytest.raises(ValueError, match=r"model.members names .* Name each once, of diff_cnn"):
            model(members=wrong)


def test_what_rows_are_compared_with_is_one_of_them():
    with pytest.raises(ValueError, match=r"compared_with is diffcnn, which no row is\. Name one of diff_cnn"):
        CompCNNEvaluationParams(**TINY["evaluation"] | {"compared_with": "diffcnn"})


def test_every_published_row_of_the_report_is_a_row_of_the_system():
    tables = yaml.safe_load((ROOT / "conf/base/parameters_report.yml").read_text())["report"]["tables"]["papers"]
    for system, counts in (("comp_cnn", (4203, 1028)), ("comp_cnn_spos", (234,))):
        rows = tables[system]["rows"]
        assert [row["model"] for row in rows] == list(BASE["model"]["members"]) * len(counts)
        for row in rows:
            n = row.get("n", tables[system]["n"])
            assert n in counts
            assert abs(row["scores"]["errors"] / n - row["scores"]["error_rate"]) < 0.5 / n + 1e-9


def test_a_table_of_other_kinds_is_refused():
    rows = select_train_and_val(trials(samples())).assign(kind="posed")
    with pytest.raises(ValueError, match="not of posed and spontaneous"):
        initialise(rows, model(), training())


@pytest.mark.parametrize(("packed", "requested"), [(2, 3), (4, 2), (4, 3)])
def test_another_number_of_frames_than_the_dataset_packs_is_refused_by_the_names_of_both(packed, requested):
    rows = select_train_and_val(trials(samples()))
    rows = rows.assign(**{f"frame_{number}": "c.bmp" for number in range(1, packed - 1)})
    with pytest.raises(
        ValueError,
        match=rf"disagree: nvie\.reader\.num_frames .*was {packed} .*"
        rf"comp_cnn\.model\.num_frames is {requested}\. Set both",
    ):
        initialise(rows, model(num_frames=requested), training())
    initialise(rows, model(num_frames=packed, members=["sub_1"]), training())


def test_faces_of_fewer_frames_than_their_samples_are_refused(tmp_path):
    rows = select_train_and_val(trials(samples())).assign(frame_1="c.bmp")
    start = initialise(rows, model(members=["sub_1"], num_frames=3), training())
    with pytest.raises(ValueError, match="hold no 3 grey frames per sample"):
        train(rows, faces(), tmp_path, start, training())


@pytest.mark.slow
def test_sequences_go_the_whole_way_from_synthetic_frames_to_scores(project, run_project, monkeypatch):
    monkeypatch.setattr(MlflowRun, "log_network", lambda run, network: None)  # takes MLflow seconds
    params = merged(
        {"comp_cnn": TINY_SYSTEMS["comp_cnn"], "nvie": TINY_DATA["nvie"], "variant": "sequence"},
        {
            "comp_cnn": {"model": {"num_frames": 3, "members": ["diff_cnn", "comb_1"]}},
            "nvie": {"reader": {"num_frames": 3}, "synthetic": {"num_frames": 5}},
        },
    )
    shown = ("nvie.aligned_sheet", "comp_cnn.mistakes_sheet", "comp_cnn.features_plot")
    run_project("comp_cnn", params=params, to_outputs=["comp_cnn.metrics", *shown])
    catalog = open_catalog(project, params=params)
    listed = catalog.load("nvie_samples")
    packed = catalog.load("nvie_faces_48")
    assert packed.shape == (17, 3, 48, 48, 1)
    assert {Path(name).stem for name in listed["frame_1"]} == {"2"}
    assert len({face.tobytes() for sequence in packed for face in sequence}) == 3 * 17
    assert catalog.load("comp_cnn.network").model.input_shape == (3, 44, 44)
    assert catalog.load("comp_cnn.metrics")["test/n"] == 17
    assert all(catalog.exists(name) for name in shown)


def test_a_network_of_the_run_is_a_classifier_of_pairs(run):
    network = replace(run[0])
    with torch.no_grad():
        logits = network.model(torch.zeros(5, *network.model.input_shape))
    assert logits.shape == (5, 2)
    torch.testing.assert_close(logits.exp().sum(dim=1), torch.ones(5))
