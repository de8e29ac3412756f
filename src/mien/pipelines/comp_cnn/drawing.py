"""Node functions of ``comp_cnn`` that draw: the rows side by side, the learning curve, and what the nets compare."""

from typing import Any

import numpy as np
import pandas as pd

from mien import figures
from mien.data.folds import FOLD
from mien.models.network import Network
from mien.nodes.params import PredictionParams
from mien.pipelines.comp_cnn.params import NAMES

SHOWN_MAPS = 3
"""Maps of each image and of the comparison that are shown: those that vary most."""

CURVES = ("diff_cnn", "sub_svm", "comb_svm")
"""Rows on the paper's learning curve; where none of them was trained, all that were."""


def draw_models(
    models: pd.DataFrame, emotion_scores: pd.DataFrame, learning_curve: pd.DataFrame, predictions: pd.DataFrame
) -> dict[str, Any]:
    """Draw error rates by row and by emotion, and accuracy against the number of training subjects.

    Args:
        models: Of ``score_models``.
        emotion_scores: Of ``score_emotions``.
        learning_curve: Of ``score_curve``.
        predictions: Of ``predict``: says whether faces are synthetic.

    Returns:
        Figures by name: of the rows, of the emotions of the primary row, and of the learning curve.
    """
    synthetic = bool(predictions["synthetic"].any())
    primary = models.loc[models["primary"], "model"].iloc[0]
    of_primary = emotion_scores[emotion_scores["model"] == primary]
    shown = learning_curve[learning_curve["model"].isin(CURVES)]
    curve = (learning_curve if shown.empty else shown).rename(
        columns={"train_subjects": "size", "accuracy": "value", "accuracy_low": "low", "accuracy_high": "high"}
    )
    curve = curve.assign(name=curve["model"].map(NAMES))
    pairs = int(models["n"].max())
    by_row = _error_bars(models["name"], models, "Error rate of each row, all folds")
    by_emotion = _error_bars(of_primary["emotion"], of_primary, f"Error rate by emotion, {NAMES[primary]}")
    title, axes = "Accuracy by training subjects", {"size": "training subjects", "quantity": "test accuracy"}
    return {
        "models": figures.class_bars_plot(*by_row, **_PER_CENT, total=pairs, synthetic=synthetic),
        "emotions": figures.class_bars_plot(*by_emotion, **_PER_CENT, synthetic=synthetic),
        "train_subjects": figures.learning_curve_plot(curve, title, **axes, synthetic=synthetic),
    }


_PER_CENT: dict[str, Any] = {"quantity": "error rate, %", "limit": None}


def _error_bars(names: pd.Series, table: pd.DataFrame, title: str) -> tuple[Any, ...]:
    values = [(100 * table[f"error_rate{end}"].astype(float)).to_numpy() for end in ("", "_low", "_high")]
    return names.tolist(), *values, table["n"].round().astype(int).to_numpy(), title


def show_maps(samples: pd.DataFrame, faces: np.ndarray, network: Network, prediction: PredictionParams) -> Any:
    """Draw the maps of a posed and a spontaneous test pair before and after the comparison layer.

    Args:
        samples: The rows of all trials.
        faces: Packed pairs (n, K, H, W, 1) uint8.
        network: The trained nets.
        prediction: Unused: a few pairs are looked at on the CPU.

    Returns:
        A figure: per net and pair the onset's and the apex's maps, and their comparison.
    """
    ensemble: Any = network.model
    trial, seed = next(training for training in ensemble.trainings if training[0].startswith(f"{FOLD}_"))
    test = samples[(samples["trial"] == trial) & (samples["split"] == "test")].sort_values(["subject", "expression"])
    pairs = test.drop_duplicates("label").sort_values("label")
    frames = _frames(faces, pairs["face_index"].to_numpy(), ensemble)
    rows, names = [], []
    for name in dict.fromkeys(key.rsplit("__", 1)[1] for key in ensemble.nets):
        net = ensemble.net(trial, seed, name)
        for kind, pair in zip(pairs["kind"], frames, strict=True):
            rows.append(_maps_of(net, pair[None]))
            names.append(f"{NAMES[name].removeprefix('CompCNN-')}\n{kind}")
    side = max(picture.shape[0] for row in rows for picture in row)
    maps = np.stack([np.stack([_enlarged(picture, side) for picture in row]) for row in rows])
    columns = ["onset", "apex"]
    for number in range(1, SHOWN_MAPS + 1):
        columns += [f"onset\nmap {number}", f"apex\nmap {number}", f"compared\nmap {number}"]
    title = "Feature maps before and after the comparison, each scaled by itself"
    return figures.feature_maps_plot(maps, names, columns, title, synthetic=bool(test["synthetic"].any()))


def _frames(faces: np.ndarray, rows: np.ndarray, ensemble: Any) -> Any:
    from mien.data.face_images import PairImages, decode_sequences

    decoded = decode_sequences(
        faces,
        rows,
        num_frames=ensemble.num_frames,
        size=ensemble.crop_from,
        mean=ensemble.mean,
        std=ensemble.std,
    )
    images = PairImages(decoded, np.zeros(len(decoded), np.int64), image_size=ensemble.image_size)
    return [images[number][0][0] for number in range(len(images))]


def _maps_of(net: Any, frames: Any) -> list[np.ndarray]:
    """Onset and apex (H, W), then the channels whose comparison varies most: of the onset, the apex, compared."""
    import torch

    with torch.no_grad():
        before = net.maps_before(frames)[0].numpy()  # (K, C, H', W')
        after = net.difference_maps(frames)[0].numpy()  # (C, H', W')
    most = np.argsort(-after.var(axis=(1, 2)), kind="stable")[:SHOWN_MAPS]
    pictures = [frames[0, 0].numpy(), frames[0, -1].numpy()]
    for channel in np.resize(most, SHOWN_MAPS):  # DiffCNN compares a single one
        pictures += [before[0, channel], before[-1, channel], after[channel]]
    return pictures


def _enlarged(picture: np.ndarray, side: int) -> np.ndarray:
    """A map (H, W) as (side, side), every value a block."""
    places = np.arange(side) * picture.shape[0] // side
    return picture[np.ix_(places, places)]
