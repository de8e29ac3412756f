"""Node functions of ``age_gender_ethnicity`` that draw data and results: Figures 1 to 3 and 7 to 20."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from mien import figures
from mien.labels import ETHNICITIES, GENDERS
from mien.nodes.evaluation import intervals, split_scores
from mien.pipelines.age_gender_ethnicity.evaluation import by_model
from mien.pipelines.age_gender_ethnicity.params import TARGETS


def plot_data(samples: pd.DataFrame) -> Any:
    """Draw how ethnicities, genders and ages are distributed.

    Args:
        samples: The samples table.
    """
    counted = [
        [(name, int((samples[column] == code).sum())) for code, name in enumerate(names)]
        for column, names in (("gender", GENDERS), ("ethnicity", ETHNICITIES))
    ]
    ages, synthetic = samples["age"].to_numpy(np.int64), bool(samples["synthetic"].any())
    return figures.attributes_plot(ages, *counted, "Ethnicity, gender and age", synthetic=synthetic)


def plot_models(predictions: pd.DataFrame, metrics: dict[str, Any], history: pd.DataFrame) -> dict[str, Any]:
    """Draw what every network scored on the test split, and its training.

    Args:
        predictions: The table of ``predict``.
        metrics: Of ``evaluate``, for the intervals.
        history: One row per network and epoch.

    Returns:
        Figures by name: ``<target>_models``, which compares where there are several; per network
        ``<target>_<model>_age`` and ``_age_bands``, or ``_confusion_matrix`` and ``_roc``; and
        ``<network>_training_curves``.
    """
    return dict(_draw(predictions, metrics, history))


def _draw(predictions: pd.DataFrame, metrics: dict[str, Any], history: pd.DataFrame) -> Iterator[tuple[str, Any]]:
    synthetic = bool(predictions["synthetic"].any())
    parts = by_model(predictions)
    for target in TARGETS:
        models = [model for each, model in parts if each == target]
        if len(models) > 1:
            bars = _compared(metrics, target, models)
            yield f"{target}_models", figures.class_bars_plot(**bars, synthetic=synthetic)
    for (target, model), rows in parts.items():
        part = f"{target}/{model}"
        own = {key.replace(f"{part}/", "", 1): value for key, value in metrics.items() if f"/{part}/" in key}
        of_model = _of_ages(model, rows, own, synthetic) if target == "age" else _of_classes(part, rows, own, synthetic)
        for name, figure in of_model:
            yield f"{target}_{model}_{name}", figure
    for name, epochs in history.groupby("model", sort=False):
        if len(epochs) > 1:
            curves, title = epochs.dropna(axis="columns", how="all"), f"Training of {_words(name)}"
            yield f"{name}_training_curves", figures.training_curves_plot(curves, title, synthetic=synthetic)


def _compared(metrics: dict[str, Any], target: str, models: list[str]) -> dict[str, Any]:
    """Arguments of the bars of all networks of one target, the best first."""
    name, limit = ("mae_years", None) if target == "age" else ("accuracy", 1.0)
    ranked = sorted(models, key=lambda model: metrics[f"test/{target}/{model}/{name}"], reverse=target != "age")
    bounds = [[metrics[f"test/{target}/{model}/{name}{end}"] for model in ranked] for end in ("", "_low", "_high")]
    return {
        "class_names": [_words(model) for model in ranked],
        "values": bounds[0],
        "lows": bounds[1],
        "highs": bounds[2],
        "n": [metrics[f"test/{target}/{model}/n"] for model in ranked],
        "title": f"{target.capitalize()}, test",
        "quantity": "mean absolute error, years" if target == "age" else "accuracy",
        "limit": limit,
        "total": max(metrics[f"test/{target}/{model}/n"] for model in ranked),
    }


def _of_ages(model: str, rows: pd.DataFrame, own: dict[str, Any], synthetic: bool) -> Iterator[tuple[str, Any]]:
    test = rows[rows["split"] == "test"]
    true, predicted = test["target"].to_numpy(np.float64), test["value"].to_numpy(np.float64)
    bounds = {
        short: (own[f"test/{name}_low"], own[f"test/{name}_high"])
        for short, name in (("mae", "mae_years"), ("pearson", "pearson"))
        if own[f"test/{name}_low"] is not None
    }
    title = f"Age by {_words(model)}, test"
    yield "age", figures.age_plot(true, predicted, title, intervals=bounds, synthetic=synthetic)
    names = [key.removeprefix("test/n/") for key in own if key.startswith("test/n/") and own[key]]
    bands = pd.DataFrame(
        {
            "band": names,
            "n": [own[f"test/n/{name}"] for name in names],
            **{
                column: pd.Series([own[f"test/mae_years/{name}{end}"] for name in names], dtype="float64")
                for column, end in (("mae", ""), ("low", "_low"), ("high", "_high"))
            },
        }
    )
    yield "age_bands", figures.age_bands_plot(bands, f"Error by age, {_words(model)}, test", synthetic=synthetic)


def _of_classes(part: str, rows: pd.DataFrame, own: dict[str, Any], synthetic: bool) -> Iterator[tuple[str, Any]]:
    from mien.metrics import confusion_counts

    target, model = part.split("/")
    true, scores, names = split_scores(rows, "test")
    title = f"{target.capitalize()} by {_words(model)}, test"
    counts = confusion_counts(true.astype(int), scores.argmax(axis=1), len(names))
    yield "confusion_matrix", figures.confusion_matrix_plot(counts, names, title, synthetic=synthetic)
    areas = intervals(own, "auroc", names)
    yield "roc", figures.roc_plot(true.astype(int), scores, names, title, intervals=areas, synthetic=synthetic)


def _words(name: str) -> str:
    """A network's name for people: ``PCA DNN fixed`` of ``pca_dnn_fixed``."""
    upper = ("cnn", "dnn", "pca")
    return " ".join(word.upper() if word in upper else word for word in name.split("_"))
