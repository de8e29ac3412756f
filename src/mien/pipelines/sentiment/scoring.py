"""What the rows of ``sentiment``'s table say of clips: log scores of each sense, then fused."""

from typing import Any

import numpy as np
import pandas as pd

from mien.nodes.params import PredictionParams
from mien.nodes.prediction import apply_to_images
from mien.pipelines.sentiment.clip_inputs import ClipInputs
from mien.pipelines.sentiment.fusion import calibrated, fuse, fuse_learned, fused_and_calibrated
from mien.pipelines.sentiment.members import (
    MEMBERS,
    STREAMS,
    frame_scores,
    frame_sequences,
    over_frames,
    smile_features,
    sound_samples,
)

TWO_STREAM = "face_two_stream"
FUSIONS = ("fused", "fused_learned")


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


def longest(inputs: ClipInputs) -> int:
    """Steps of the longest sound."""
    return int(inputs.length.max(initial=1))


def rules_of(model: Any) -> tuple[str, np.ndarray]:
    """What a face is neutral by, and the thresholds (6,) of the cues, as the network's settings have them."""
    rules = model.settings["rules"]
    return rules["neutral"], np.array(list(rules["thresholds"].values()))


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
