"""The networks that the rows of ``sentiment``'s table are made of, and what each says of a clip."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd

from mien.nodes.params import PredictionParams
from mien.nodes.prediction import apply_to_images, softmax
from mien.pipelines.sentiment.clip_inputs import ABLATIONS, FULL, ClipInputs
from mien.pipelines.sentiment.fusion import log_scores

WITHOUT_SYNTHESIS = "without_synthesis"
ABLATED = (WITHOUT_SYNTHESIS, *(f"without_{step}" for step in ABLATIONS))
"""Members, and rows, each trained without one of Lopes' steps."""

MEMBERS: dict[str, tuple[str, ...]] = {
    "face": ("face",),
    "face_mean": ("face",),
    "face_ward": ("ward",),
    "face_lstm": ("face", "lstm"),
    "face_motion": ("motion",),
    "face_two_stream": ("face", "motion"),
    **{name: (name,) for name in ABLATED},
    "rules": ("rules",),
    "voice": ("voice",),
    "voice_svm": ("voice_svm",),
}
"""Members that each row of one sense needs."""

STREAMS = ("face_mean", "face_motion")
"""The rows that ``face_two_stream`` adds."""


def rows_to_score(rows: tuple[str, ...], face: str, voice: str) -> list[str]:
    """Rows of one sense that a table takes: its own, and those that its fusions and streams are made of."""
    wanted = set(rows)
    if wanted & {"fused", "fused_learned"}:
        wanted |= {face, voice}
    if "face_two_stream" in wanted:
        wanted |= set(STREAMS)
    return [row for row in MEMBERS if row in wanted]


def members_of(rows: list[str]) -> list[str]:
    """Members that some rows need, in the order of training; the network of single faces is always one."""
    needed = {member for row in rows for member in MEMBERS[row]} | {"face"}
    order = ("face", "ward", "motion", "lstm", *ABLATED, "rules", "voice", "voice_svm")
    return [name for name in order if name in needed]


def preparation(member: str) -> str:
    """Which prepared faces a member sees."""
    return member if member.startswith("without_") and member != WITHOUT_SYNTHESIS else FULL


def smile_features(inputs: ClipInputs, samples: pd.DataFrame, neutral: str, thresholds: np.ndarray) -> np.ndarray:
    """What the rules' row is classified by: mean and largest of the six cues, smile and laugh over a clip's frames.

    Returns:
        (n, 16) float32; NaN for a clip without a face.
    """
    frames = inputs.frames_of(samples)
    reported = cues_over_time(inputs, frames, samples, neutral, thresholds)
    groups = reported.groupby(frames["place"].to_numpy())
    features = np.full((len(samples), 2 * reported.shape[1]), np.nan, np.float32)
    mean, most = groups.mean(), groups.max()
    features[mean.index] = np.concatenate([mean, most], axis=1)
    return features


def cues_over_time(
    inputs: ClipInputs, frames: pd.DataFrame, samples: pd.DataFrame, neutral: str, thresholds: np.ndarray
) -> pd.DataFrame:
    """How far each cue speaks for a smile in each frame, by Matsugu et al.'s rules.

    Args:
        inputs: With the cues.
        frames: Of ``ClipInputs.frames_of``.
        samples: One row per clip.
        neutral: ``first_frame`` or ``subject_median``.
        thresholds: (6,).

    Returns:
        One row per frame: the six cues, ``smile`` and ``laugh``, each 0 to 1.
    """
    from mien.data.smile_cues import CUES, relative_cues, smile_scores

    table = pd.DataFrame(inputs.cues[frames["face_index"]], columns=list(CUES))
    if neutral == "first_frame":
        rest = table.groupby(frames["place"].to_numpy()).transform("first")
    else:
        subjects = samples["subject"].to_numpy()[frames["place"]]
        rest = table.groupby(subjects).transform("median")
    spoken, smile, laugh = smile_scores(relative_cues(table.to_numpy(), rest.to_numpy()), thresholds)
    return pd.DataFrame(spoken, columns=list(CUES)).assign(smile=smile, laugh=laugh)


def frame_images(inputs: ClipInputs, frames: pd.DataFrame, member: str, model: Any) -> Any:
    """The frames as a member that sees single frames, or stacks, takes them."""
    from mien.data.face_images import FaceImages

    no_labels = np.zeros(len(frames), np.int64)
    if member == "motion":
        return motion_images(inputs, frames, model, no_labels)
    faces = inputs.pictures if member == "ward" else inputs.faces[preparation(member)]
    return FaceImages(
        faces, frames["face_index"].to_numpy(), no_labels, image_size=model.image_size, mean=model.mean, std=model.std
    )


def motion_images(inputs: ClipInputs, frames: pd.DataFrame, model: Any, labels: np.ndarray, **augmentation: Any) -> Any:
    """Stacks of differences around frames that are sorted by clip and time; mirrored as in training, if requested."""
    from mien.data.clip_samples import FrameDifferences, stacked_rows

    rows = [stacked_rows(each.to_numpy(), model.in_channels) for _, each in frames.groupby("place")["face_index"]]
    stacks = np.concatenate(rows) if rows else np.zeros((0, model.in_channels + 1), np.int64)
    return FrameDifferences(inputs.faces[FULL], stacks, labels, std=model.std[0], **augmentation)


def frame_scores(
    inputs: ClipInputs, frames: pd.DataFrame, member: str, model: Any, prediction: PredictionParams
) -> np.ndarray:
    """Scores (frames, M) of a member that sees single frames, or stacks."""
    if frames.empty:
        return np.zeros((0, model.classify.out_features))
    return softmax(apply_to_images(frame_images(inputs, frames, member, model), model, prediction, model))


def frame_sequences(
    inputs: ClipInputs, frames: pd.DataFrame, num_clips: int, model: Any, prediction: PredictionParams
) -> tuple[np.ndarray, np.ndarray]:
    """Features of the network of single faces (n, F, D) and their mask (n, F), F the most frames of a clip."""
    place = frames["place"].to_numpy()
    step = frames.groupby("place").cumcount().to_numpy()
    most = int(step.max(initial=0)) + 1
    features = np.zeros((num_clips, most, model.hidden.out_features), np.float32)
    mask = np.zeros((num_clips, most), np.float32)
    if len(frames):
        images = frame_images(inputs, frames, "face", model)
        features[place, step] = apply_to_images(images, model, prediction, model.features)
        mask[place, step] = 1
    return features, mask


def sound_samples(inputs: ClipInputs, samples: pd.DataFrame, steps: int, noise: float = 0.0, seed: int = 0) -> Any:
    """The sounds of samples that are heard, as the voice network takes them; with noise as in training."""
    from mien.data.clip_samples import SoundSamples

    rows = samples["face_index"].to_numpy()
    spread = noise * np.ones(inputs.contours.shape[1]) if noise else None
    return SoundSamples(
        inputs.contours,
        inputs.start[rows],
        inputs.length[rows],
        inputs.prosody[rows],
        samples["label"].to_numpy(),
        steps=steps,
        noise=spread,
        seed=seed,
    )


def over_frames(scores: np.ndarray, frames: pd.DataFrame, num_clips: int, *, middle: bool = False) -> np.ndarray:
    """Log scores (n, M) of clips from those of their frames: of the middle one, or their mean; NaN without a face."""
    place = frames["place"].to_numpy()
    if middle:
        step, number = frames.groupby("place").cumcount(), frames.groupby("place")["place"].transform("size")
        chosen = (step == number // 2).to_numpy()
        scores, place = scores[chosen], place[chosen]
    total, count = np.zeros((num_clips, scores.shape[1])), np.zeros((num_clips, 1))
    np.add.at(total, place, scores)
    np.add.at(count, place, 1)
    return np.where(count > 0, log_scores(total / np.maximum(count, 1)), np.nan)


@contextmanager
def named_epochs(member: str) -> Iterator[None]:
    """Let the log's lines of epochs name the member; their numbers reach MLflow with the history, not one by one."""

    def name(record: logging.LogRecord) -> bool:
        if hasattr(record, "metrics"):
            record.msg, record.args, record.metrics = f"{member}: {record.getMessage()}", (), None
        return True

    trainer = logging.getLogger("mien.engine.fit")
    trainer.addFilter(name)
    try:
        yield
    finally:
        trainer.removeFilter(name)
