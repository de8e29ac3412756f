"""Every figure drawn from numbers that are hard to draw: absent classes, long names, one row."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import matplotlib.axes
import matplotlib.figure
import matplotlib.text
import numpy as np
import pandas as pd

from mien import figures
from mien.data.smile_cues import CUES
from mien.labels import EXPRESSIONS, RAF_DB_EXPRESSIONS
from mien.metrics import confusion_counts, reliability_bins

LONG_NAMES = (
    "east asian or pacific islander",
    "black or african american",
    "white",
    "south_asian",
    "native american, first nations",
    "other or unknown",
)
CASES: dict[str, tuple[tuple[str, ...], tuple[int, ...], int | None]] = {
    "usual": (RAF_DB_EXPRESSIONS, (33, 7, 16, 1185, 48, 16, 68), None),
    "absent and never predicted": (EXPRESSIONS, (33, 7, 16, 118, 48, 16, 68, 0), 1),
    "long names": (LONG_NAMES, (90, 40, 1180, 70, 1, 60), 3),
    "one row": (RAF_DB_EXPRESSIONS, (0, 1, 0, 0, 0, 0, 0), None),
}
"""Names, rows per class, and a class that is never predicted."""

SEXES = (("male", 12_391), ("female", 11_314))


def predictions(rows: Sequence[int] = CASES["usual"][1], never: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    target = np.repeat(np.arange(len(rows)), rows)
    logits = np.random.default_rng(0).normal(size=(len(target), len(rows)))
    logits[np.arange(len(target)), target] += 2
    if never is not None:
        logits[:, never] -= 6
    scores = np.exp(logits)
    return target, scores / scores.sum(axis=1, keepdims=True)


def history(num_epochs: int = 40) -> pd.DataFrame:
    epoch = np.arange(1, num_epochs + 1)
    return pd.DataFrame(
        {
            "epoch": epoch,
            "train/loss": 2 / epoch,
            "val/loss": 2 / epoch + 0.2,
            "val/accuracy": 1 - 0.7 / epoch,
            "val/mean_class_accuracy": 0.9 - 0.7 / epoch,
            "lr": 4e-5 * 0.98**epoch,
            "images_per_second": 300.0,
        }
    )


def bands() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "band": ["0-9", "10-19", "20-59", "60 and more"],
            "n": [410, 330, 2400, 0],
            "mae": [3.25, 4.5, 12.75, np.nan],
            "low": [3.0, np.nan, 12.5, np.nan],
            "high": [3.5, np.nan, 13.0, np.nan],
        }
    )


def curve(n: int) -> pd.DataFrame:
    """Three models at four sizes, one of them at a single size and without an interval."""
    names = ["DiffCNN"] * 4 + ["CompCNN-Sub-SVM"] * 4 + ["CompCNN-Comb-SVM"]
    value = np.array([0.6, 0.7, 0.72, 0.75, 0.62, 0.75, 0.8, 0.85, 0.9])
    low, high = value - 0.05, value + 0.04
    low[-1] = high[-1] = np.nan
    sizes = [10, 20, 40, 80, 10, 20, 40, 80, 80]
    return pd.DataFrame({"name": names, "size": sizes, "n": n, "value": value, "low": low, "high": high})


def landmark_errors(n: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(2)
    return {"MobileFaceNet": rng.gamma(6, 0.008, n), "mean shape": rng.gamma(6, 0.05, n)}


AXES = {"size": "training subjects", "quantity": "test accuracy"}

OF_CLASSES = (
    "confusion",
    "roc",
    "roc with intervals",
    "precision and recall",
    "reliability",
    "bars",
    "embedding",
    "kept tokens",
    "intervals",
    "timeline",
    "cues",
)
OTHERS = (
    "age",
    "attributes",
    "explained variance",
    "age bands",
    "landmark errors",
    "training",
    "learning curve",
    "fusion weight",
)
_HARD = {
    "absent and never predicted": (
        "confusion",
        "roc with intervals",
        "precision and recall",
        "bars",
        "kept tokens",
        "cues",
    ),
    "long names": (
        "confusion",
        "roc with intervals",
        "bars",
        "embedding",
        "kept tokens",
        "intervals",
        "timeline",
        "cues",
    ),
    "one row": ("confusion", "roc", "reliability", "bars", "embedding", "kept tokens", *OTHERS[:1], *OTHERS[2:4]),
}
CUES_SHOWN = (*CUES, "smile", "laugh")
DRAWINGS = [("usual", name) for name in (*OF_CLASSES, *OTHERS)]
DRAWINGS += [(case, name) for case, names in _HARD.items() for name in names]
"""Every figure, and those of the hard cases that could break in them."""


def timeline(names: Sequence[str]) -> figures.Timeline:
    """A clip of ten frames and fifty steps of sound."""
    rng = np.random.default_rng(0)
    face, voice = rng.dirichlet(np.ones(len(names)), 10), rng.dirichlet(np.ones(len(names)), 50)
    return figures.Timeline(
        pictures=rng.integers(0, 256, (10, 48, 48, 3), dtype=np.uint8),
        face_times=np.arange(10) / 5,
        face_scores=face,
        voice_times=np.arange(50) / 25,
        voice_scores=voice,
        totals={"face": face.mean(axis=0), "voice": voice.mean(axis=0), "face and voice": face[0]},
        target=0,
        class_names=names,
    )


def weight_curves() -> dict[str, np.ndarray]:
    return {"val": np.array([0.7, 0.8, 0.9, 0.8, 0.6]), "test": np.array([0.6, 0.7, 0.85, 0.8, 0.5])}


def draw(case: str, name: str, kind: str, *, synthetic: bool = True) -> Any:
    """One figure; kind is ``plot`` (matplotlib) or ``figure`` (Plotly)."""
    names, rows, never = CASES[case]
    target, scores = predictions(rows, never)
    n, rng = len(target), np.random.default_rng(1)
    counts = confusion_counts(target, scores.argmax(axis=1), len(names))
    recall = [counts[c, c] / size if size else None for c, size in enumerate(rows)]
    known = {name: (0.85, 0.97) for name, size in zip(names, rows, strict=True) if size > 1}
    bounds = [[known.get(name, (None, None))[end] for name in names] for end in (0, 1)]
    age = rng.gamma(4, 8, n).round()
    shares = np.where(np.array(rows)[:, None] > 0, rng.beta(0.5, 2, (len(rows), 49)), np.nan)
    mean_face = rng.integers(0, 256, (28, 28, 3), dtype=np.uint8)
    calls: dict[str, tuple[str, tuple[Any, ...], dict[str, Any]]] = {
        "confusion": ("confusion_matrix", (counts, names, "SAE on RAF-DB"), {}),
        "roc": ("roc", (target, scores, names, "SAE on RAF-DB"), {}),
        "roc with intervals": ("roc", (target, scores, names, "SAE"), {"intervals": known}),
        "precision and recall": ("precision_recall", (target, scores, names, "SAE"), {}),
        "reliability": ("reliability", (reliability_bins(target, scores), 0.04, "SAE"), {"interval": (0.03, 0.05)}),
        "bars": ("class_bars", (names, recall, *bounds, rows, "SAE on RAF-DB"), {}),
        "embedding": ("embedding", (rng.normal(size=(n, 2)), target, names, "SAE"), {"left_out": 9}),
        "kept tokens": ("kept_frequency", (shares, rows, names, mean_face, "SAE, 5 of 49 patches kept"), {}),
        "age": ("age", (age, age + rng.normal(size=n), "CNN"), {"intervals": {"mae": (4.9, 5.3)}}),
        "attributes": ("attributes", (age.astype(int), SEXES, tuple(zip(names, rows, strict=True)), "Age CSV"), {}),
        "explained variance": ("explained_variance", (np.array([0.5, 0.25, 0.125]), "Components"), {}),
        "age bands": ("age_bands", (bands(), "CNN"), {}),
        "landmark errors": ("cumulative_error", (landmark_errors(n), "MobileFaceNet on synthetic faces"), {}),
        "learning curve": ("learning_curve", (curve(n), "Accuracy by training subjects"), AXES),
        "intervals": ("intervals", (names, recall, *bounds, "SAE"), {"quantity": "accuracy", "reference": 0.5}),
        "timeline": ("timeline", (timeline(names), "Clip 01-01, happy"), {}),
        "cues": ("cues", (shares[:, :8], names, CUES_SHOWN, "Cues of a smile"), {}),
        "fusion weight": ("fusion_weight", (np.linspace(0, 1, 5), weight_curves(), 0.25, "Face and voice"), {}),
        "training": ("training_curves", (history(1 if n == 1 else 40), "SAE on RAF-DB"), {}),
    }
    function, arguments, options = calls[name]
    return getattr(figures, f"{function}_{kind}")(*arguments, **options, synthetic=synthetic)


@cache
def interactive(case: str, name: str) -> Any:
    """An interactive figure, to be looked at and not changed."""
    return draw(case, name, "figure")


@cache
def plot(case: str, name: str) -> matplotlib.figure.Figure:
    """A printed figure, laid out, to be looked at and not changed."""
    figure = draw(case, name, "plot")
    figure.draw_without_rendering()
    return figure


def texts(figure: matplotlib.figure.Figure) -> list[matplotlib.text.Text]:
    """All words of a figure that was drawn, less the ticks beyond the ends of their axis."""
    ticks = {
        id(label): low - 1e-9 <= place <= high + 1e-9
        for axes in figure.findobj(matplotlib.axes.Axes)
        for axis, (low, high) in ((axes.xaxis, sorted(axes.get_xlim())), (axes.yaxis, sorted(axes.get_ylim())))
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks())
        for label, place in ((tick.label1, tick.get_loc()), (tick.label2, tick.get_loc()))
    }
    return [
        text
        for text in figure.findobj(matplotlib.text.Text)
        if text.get_visible() and text.get_text().strip() and ticks.get(id(text), True)
    ]
