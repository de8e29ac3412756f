"""Node functions of ``sentiment`` that apply its networks: to whole clips, and over time."""

import logging

import numpy as np
import pandas as pd

from mien.labels import EXPRESSIONS
from mien.models.network import Network
from mien.nodes.params import PredictionParams
from mien.nodes.prediction import SCORE_PREFIX, described, score_columns, softmax, unseen_samples
from mien.pipelines.sentiment.clip_inputs import ClipInputs
from mien.pipelines.sentiment.members import cues_over_time, frame_scores, smile_features, sound_samples
from mien.pipelines.sentiment.scoring import base_log_scores, longest, row_scores, rules_of

logger = logging.getLogger(__name__)

VALENCE: dict[str, float] = {
    "surprise": 0.0,
    "fear": -1.0,
    "disgust": -1.0,
    "happy": 1.0,
    "sad": -1.0,
    "angry": -1.0,
    "neutral": 0.0,
    "contempt": -1.0,
}
"""How pleasant an emotion is. Source: ours: of the basic emotions one is pleasant, surprise may be either."""

SENTIMENTS: tuple[str, ...] = ("negative", "neutral", "positive")
"""By the sign of the valence."""


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


def sentiment_of(scores: np.ndarray, class_names: tuple[str, ...]) -> tuple[np.ndarray, list[str]]:
    """Valence and sentiment from scores of emotions.

    The valence is the mean of the emotions' by their scores. The sentiment is negative, neutral or positive as the
    scores of the emotions of that sign add up to most; the first of equals.

    Args:
        scores: (n, M), each row adding up to 1.
        class_names: Of the M emotions.

    Returns:
        (n,) in [-1, 1], and n of ``SENTIMENTS``.

    Example:
        >>> valence, sentiment = sentiment_of(np.array([[0.4, 0.3, 0.3]]), ("happy", "sad", "angry"))
        >>> round(float(valence[0]), 2), sentiment
        (-0.2, ['negative'])
    """
    values = np.array([VALENCE[name] for name in class_names])
    shares = np.stack([scores[:, np.sign(values) == sign].sum(axis=1) for sign in (-1, 0, 1)], axis=1)
    return scores @ values, [SENTIMENTS[place] for place in shares.argmax(axis=1)]


def sentiment_target(target: np.ndarray, class_names: tuple[str, ...]) -> np.ndarray:
    """Place among ``SENTIMENTS`` of true classes (n,)."""
    signs = np.sign([VALENCE[name] for name in class_names]).astype(int)
    return signs[target] + 1


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


def class_names_of(predictions: pd.DataFrame) -> tuple[str, ...]:
    """Names of the classes of a table with scores, in order."""
    names = [column.removeprefix(SCORE_PREFIX) for column in predictions if column.startswith(SCORE_PREFIX)]
    return tuple(name for name in EXPRESSIONS if name in names)
