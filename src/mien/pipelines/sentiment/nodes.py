"""Node functions of ``sentiment`` that build, train and apply its networks."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mien.errors import MienError
from mien.models.network import Network
from mien.nodes.params import PredictionParams
from mien.nodes.prediction import apply_to_images, described, score_columns, softmax, unseen_samples
from mien.nodes.samples import class_names
from mien.pipelines.sentiment.clips import FULL, ClipInputs
from mien.pipelines.sentiment.evaluation import sentiment_of
from mien.pipelines.sentiment.fusion import (
    calibrated,
    fit_learned,
    fit_temperature,
    fit_weight,
    fuse,
    fuse_learned,
    fused_and_calibrated,
    log_scores,
)
from mien.pipelines.sentiment.members import (
    MEMBERS,
    STREAMS,
    MembersTrainer,
    cues_over_time,
    frame_scores,
    frame_sequences,
    history_name,
    longest,
    members_of,
    over_frames,
    rows_to_score,
    rules_of,
    smile_features,
    sound_samples,
)
from mien.pipelines.sentiment.params import SentimentModelParams, SentimentTrainingParams

logger = logging.getLogger(__name__)

TWO_STREAM = "face_two_stream"


def initialise(samples: pd.DataFrame, model: SentimentModelParams, training: SentimentTrainingParams) -> Network:
    """Build every network that the table's rows need.

    Args:
        samples: Clips of split train and val.
        model: Rows and sizes.
        training: The recipe; its seed decides every weight.
    """
    from mien.engine.seed import seed_everything
    from mien.models import create_model

    names = class_names(samples)
    rows = rows_to_score(model.members, model.fusion.face, model.fusion.voice)
    fused = {"fused", "fused_learned"} & set(model.members)
    settings = {
        "table": list(model.members),
        "fused": [model.fusion.face, model.fusion.voice],
        "rules": model.rules.model_dump(mode="json"),
    }
    config = {
        "num_classes": len(names),
        "members": {name: model.config(name) for name in members_of(rows)},
        "rows": rows,
        "fusions": [*([TWO_STREAM] if TWO_STREAM in rows else []), *(["fused"] if fused else [])],
        "settings": settings,
    }
    seed_everything(training.seed, 0)
    network = create_model("face_voice", **config)
    for name, member in network.members.items():
        logger.info("%s: %.3f M parameters", name, sum(each.numel() for each in member.parameters()) / 1e6)
    return Network("face_voice", config, names, network)


def train(
    samples: pd.DataFrame,
    inputs: ClipInputs,
    checkpoints: Path,
    initial_network: Network,
    training: SentimentTrainingParams,
) -> tuple[Network, pd.DataFrame]:
    """Train the networks one after the other, then fit temperatures and fusions on split val.

    Args:
        samples: Clips of split train and val.
        inputs: What is to be seen and heard of them.
        checkpoints: Folder to resume from and to save to; each network has a folder of its own in it.
        initial_network: What training starts from. It is copied, not changed.
        training: The recipe.

    Returns:
        The networks in one, with the best epochs' weights, temperatures and fusions; and the history, one row per
        epoch: ``train/loss`` and ``val/loss`` of the network of single faces, ``val/face_accuracy``,
        ``train/<member>_loss`` … of the others.

    Raises:
        MienError: Faces or sounds are described in another size than the networks take.
    """
    from copy import deepcopy

    _check_sizes(inputs, initial_network.model)

    network = deepcopy(initial_network)
    trainer = MembersTrainer(samples, inputs, checkpoints, network, training)
    histories = {}
    for name in network.config["members"]:
        if name in ("rules", "voice_svm"):
            trainer.fit_linear(name)
        else:
            histories[name] = trainer.fit(name)
    fit_fusions(network.model, trainer, training)
    return network, _joined_history(histories)


def _check_sizes(inputs: ClipInputs, model: Any) -> None:
    side, bands = inputs.faces[FULL].shape[1], inputs.contours.shape[1]
    if side != model.image_size:
        raise MienError(
            f"The prepared faces are {side} px wide and model.face.image_size is {model.image_size}. Set it, or the "
            "dataset's lopes.size, so that both are the same."
        )
    if "voice" in model.members and len(model.members["voice"].sound_mean) != bands:
        raise MienError(
            f"Sounds are described by {bands} numbers a step and the voice network takes "
            f"{len(model.members['voice'].sound_mean)}. Set model.voice.num_mels to voice.num_mels."
        )
    size = inputs.functionals.shape[1]
    if "voice_svm" in model.members and len(model.members["voice_svm"].mean) != size:
        raise MienError(
            f"Voices are described by {size} functionals and the support vector machine takes "
            f"{len(model.members['voice_svm'].mean)}. Set model.voice.num_mels to voice.num_mels, and run the node "
            "describe_voices again after a change of model.voice_svm.functionals."
        )


def fit_fusions(model: Any, trainer: MembersTrainer, training: SentimentTrainingParams) -> None:
    """Fit temperatures, the streams' and the senses' weight, and the learned fusion, all on split val."""
    import torch

    clips = trainer.split("val")
    target = clips["label"].to_numpy()
    logs = base_log_scores(model, trainer.inputs, clips, trainer.prediction)
    scores = {}
    for number, row in enumerate(model.rows):
        if row in logs:  # every row but the weighted sum of two others
            model.temperatures[number] = fit_temperature(logs[row], target)
            scores[row] = calibrated(logs[row], float(model.temperatures[number]))
    for number, fusion in enumerate(model.fusions):
        pair = STREAMS if fusion == TWO_STREAM else tuple(model.settings["fused"])
        first, second = (scores[row] for row in pair)
        model.weights[number] = fit_weight(first, second, target)
        logger.info("%s: %.2f %s + %.2f %s", fusion, model.weights[number], pair[0], 1 - model.weights[number], pair[1])
        scores[fusion] = fuse(first, second, float(model.weights[number]))
        if fusion == "fused":  # what is fused once more stays as it is: calibrated first, it fused worse on validation
            both = np.isfinite(first).all(axis=1) & np.isfinite(second).all(axis=1)
            model.fused_temperatures[number] = fit_temperature(log_scores(scores[fusion])[both], target[both])
    if "fused_learned" in model.settings["table"]:
        first, second = (scores[row] for row in model.settings["fused"])
        weight, bias = fit_learned(first, second, target, training.fusion_regularisation)
        model.learned_weight.copy_(torch.from_numpy(weight))
        model.learned_bias.copy_(torch.from_numpy(bias))


def _joined_history(histories: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per epoch, with the columns that ``history_name`` names."""
    joined = pd.DataFrame({"epoch": []}, dtype="int64")
    for member, history in histories.items():
        names = {column: history_name(member, column) for column in history}
        named = history[[column for column, name in names.items() if name]].rename(columns=names)
        joined = joined.merge(named, on="epoch", how="outer")
    return joined.sort_values("epoch", ignore_index=True)


def base_log_scores(
    model: Any, inputs: ClipInputs, samples: pd.DataFrame, prediction: PredictionParams
) -> dict[str, np.ndarray]:
    """Log scores (n, M), or margins, of every row that one network makes, before any calibration.

    Args:
        model: The ``FaceVoice``; its ``rows`` say which.
        inputs: What is to be seen and heard.
        samples: One row per clip.
        prediction: Batch size and device.

    Returns:
        By row; NaN where a clip lacks the sense.
    """
    frames = inputs.frames_of(samples)
    n = len(samples)
    by_frame: dict[str, np.ndarray] = {}
    scores: dict[str, np.ndarray] = {}
    for row in model.rows:
        if row == TWO_STREAM:
            continue
        member = MEMBERS[row][-1]
        network = model.members[member]
        if row == "face_lstm":
            scores[row] = _of_sequences(model, inputs, frames, n, prediction)
        elif row == "rules":
            scores[row] = _of_vectors(network, smile_features(inputs, samples, *rules_of(model)))
        elif row == "voice":
            scores[row] = _of_sounds(network, inputs, samples, prediction)
        elif row == "voice_svm":
            vectors = inputs.functionals[samples["face_index"].to_numpy()]
            scores[row] = _of_vectors(network, np.where(samples["heard"].to_numpy()[:, None], vectors, np.nan))
        else:
            if member not in by_frame:
                by_frame[member] = frame_scores(inputs, frames, member, network, prediction)
            scores[row] = over_frames(by_frame[member], frames, n, middle=row == "face")
    return scores


def _of_sequences(
    model: Any, inputs: ClipInputs, frames: pd.DataFrame, n: int, prediction: PredictionParams
) -> np.ndarray:
    from mien.data.clip_samples import ArraySamples

    features, mask = frame_sequences(inputs, frames, n, model.members["face"], prediction)
    sequences = ArraySamples((features, mask), np.zeros(n, np.int64))
    outputs = apply_to_images(sequences, model.members["lstm"], prediction, model.members["lstm"])
    return np.where(mask.any(axis=1)[:, None], outputs.astype(np.float64), np.nan)


def _of_sounds(network: Any, inputs: ClipInputs, samples: pd.DataFrame, prediction: PredictionParams) -> np.ndarray:
    heard = samples["heard"].to_numpy()
    scores = np.full((len(samples), network.classify.out_features), np.nan)
    if heard.any():
        sounds = sound_samples(inputs, samples[heard], steps=longest(inputs))
        scores[heard] = apply_to_images(sounds, network, prediction, network)
    return scores


def _of_vectors(network: Any, vectors: np.ndarray) -> np.ndarray:
    import torch

    with torch.no_grad():
        return network(torch.from_numpy(vectors.astype(np.float32))).double().numpy()


def row_scores(model: Any, log_scores: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Scores (n, M) of every row, calibrated and fused.

    Args:
        model: The ``FaceVoice``, with its temperatures and weights.
        log_scores: Of ``base_log_scores``.

    Returns:
        By row; NaN where a clip lacks the sense, and for fused rows where it lacks both.
    """
    scores = {row: calibrated(each, model.temperature(row)) for row, each in log_scores.items()}
    if TWO_STREAM in model.fusions:
        scores[TWO_STREAM] = fuse(*(scores[row] for row in STREAMS), model.weight(TWO_STREAM))
    if "fused" in model.fusions:
        face, voice = (scores[row] for row in model.settings["fused"])
        scores["fused"] = fused_and_calibrated(face, voice, model.weight("fused"), model.temperature("fused"))
        weight, bias = model.learned_weight.numpy(), model.learned_bias.numpy()
        scores["fused_learned"] = fuse_learned(face, voice, weight, bias)
    return scores


def predict(samples: pd.DataFrame, inputs: ClipInputs, network: Network, prediction: PredictionParams) -> pd.DataFrame:
    """Class scores of the val and test clips by every row of the table.

    Args:
        samples: The clips; rows of other splits, and clips with neither face nor voice, are passed over.
        inputs: What is to be seen and heard of them.
        network: The trained networks.
        prediction: Batch size and device.

    Returns:
        One row per clip and row of the table: what is known of the clip, ``model`` (the row's name), ``senses`` (what
        the scores are of: ``face``, ``voice`` or ``both``; ``none`` where the model lacks its sense, and scores are
        equal), ``parts`` (the rows that a fused one adds), ``weight`` (of the face in the sum), ``smile`` and ``laugh``
        (largest over the frames, by the rules; missing without a face), ``score/<class>``, and ``valence`` and
        ``sentiment``, which follow from them.
    """
    unseen = unseen_samples(samples, ("val", "test"))
    model = network.model
    scores = row_scores(model, base_log_scores(model, inputs, unseen, prediction))
    seen, heard = unseen["num_faces"].to_numpy() > 0, unseen["heard"].to_numpy()
    smiles = smile_features(inputs, unseen, *rules_of(model))[:, -2:]
    known_of_clip = described(unseen).assign(
        intensity=unseen["intensity"], smile=smiles[:, 0].astype(float), laugh=smiles[:, 1].astype(float)
    )
    tables = []
    for row in model.settings["table"]:
        known = np.isfinite(scores[row]).all(axis=1)
        each = np.where(known[:, None], scores[row], 1 / len(network.class_names))
        valence, sentiment = sentiment_of(each, network.class_names)
        parts = " + ".join(model.settings["fused"]) if row.startswith("fused") else ""
        weight = model.weight("fused") if row == "fused" else np.nan
        reported = known_of_clip.assign(
            model=row,
            parts=parts,
            weight=weight,
            senses=_senses(row, seen, heard),
            valence=valence,
            sentiment=sentiment,
        )
        tables.append(pd.concat([reported, score_columns(each, network.class_names)], axis=1))
        if not known.all():
            logger.warning("%s: %d of %d clips lack what it evaluates by", row, (~known).sum(), len(known))
    return pd.concat(tables, ignore_index=True)


def _senses(row: str, seen: np.ndarray, heard: np.ndarray) -> np.ndarray:
    if row.startswith("fused"):
        return np.select([seen & heard, seen, heard], ["both", "face", "voice"], "none")
    sense, there = ("voice", heard) if row.startswith("voice") else ("face", seen)
    return np.where(there, sense, "none")


def score_over_time(
    samples: pd.DataFrame, inputs: ClipInputs, network: Network, prediction: PredictionParams
) -> pd.DataFrame:
    """Scores of the test clips moment by moment: of each frame by the face network, of each step by the voice's.

    Args:
        samples: The clips.
        inputs: What is to be seen and heard of them.
        network: The trained networks.
        prediction: Batch size and device.

    Returns:
        One row per moment and sense: ``sample_id``, ``sense``, ``time_seconds``, ``row`` of the face (-1 for sound),
        the six cues, ``smile`` and ``laugh`` (missing for sound), and ``score/<class>``.
    """
    unseen = unseen_samples(samples, ("test",))
    frames, model = inputs.frames_of(unseen), network.model
    scores = frame_scores(inputs, frames, "face", model.members["face"], prediction)
    cues = cues_over_time(inputs, frames, unseen, *rules_of(model))
    moments = frames[["clip", "time_seconds", "face_index"]].rename(columns={"clip": "sample_id"}).assign(sense="face")
    of_faces = pd.concat([moments, cues, score_columns(scores, network.class_names)], axis=1)
    tables = [of_faces]
    if "voice" in model.members:
        tables.append(_voices_over_time(unseen, inputs, network))
    return pd.concat(tables, ignore_index=True)


def _voices_over_time(unseen: pd.DataFrame, inputs: ClipInputs, network: Network) -> pd.DataFrame:
    import torch

    from mien.data.voice_features import HOP_SECONDS

    voice = network.model.members["voice"].eval()
    heard = unseen[unseen["heard"]].reset_index(drop=True)
    sounds = sound_samples(inputs, heard, longest(inputs))
    stride = HOP_SECONDS * 2**voice.halvings
    tables = []
    for number, sample_id in enumerate(heard["sample_id"]):
        given, _ = sounds[number]
        with torch.no_grad():
            logits = voice.over_time(*(each[None] for each in given))[0].numpy()
        steps = max(1, int(given[1].sum() / 2**voice.halvings))
        reported = score_columns(softmax(logits[:steps]), network.class_names)
        times = (np.arange(steps) + 0.5) * stride
        tables.append(reported.assign(sample_id=sample_id, sense="voice", time_seconds=times, face_index=-1))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
