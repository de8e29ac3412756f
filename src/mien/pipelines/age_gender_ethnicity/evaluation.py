"""Node function of ``age_gender_ethnicity`` that evaluates the predictions of every network."""

from typing import Any

import numpy as np
import pandas as pd

from mien.errors import MienError
from mien.nodes.evaluation import METRIC_PREFIX, subgroup_table
from mien.nodes.params import EvaluationParams
from mien.pipelines.age_gender_ethnicity.params import (
    OUTPUTS,
    TARGETS,
)


def by_model(predictions: pd.DataFrame) -> dict[tuple[str, str], pd.DataFrame]:
    """Rows of each (target, model) with the scores of that target's classes alone, in the table's order."""
    found = {}
    for (target, model), rows in predictions.groupby(["target_name", "model"], sort=False):
        others = [name for name in rows if name.startswith("score/") and name not in _score_columns(target)]
        found[target, model] = rows.drop(columns=others).reset_index(drop=True)
    return found


def _score_columns(target: str) -> list[str]:
    return [] if target == "age" else [f"score/{name}" for name in OUTPUTS[target]]


def evaluate(predictions: pd.DataFrame, evaluation: EvaluationParams) -> tuple[dict[str, float | None], pd.DataFrame]:
    """Metrics of every network on the test and the val split, and on the test split's subgroups.

    Args:
        predictions: The table of ``predict``.
        evaluation: Resamples and seed of the bootstrap intervals; attributes to group by.

    Returns:
        ``test/<target>/<model>/<metric>`` and ``best/val/…`` → value: of ages ``mae_years``, ``rmse_years``, ``r2``,
        ``pearson``, by decade, and ``mae_years_of_mean``, that of always saying the mean age of split val; of classes
        as in ``mien.metrics.classification_metrics``. ``test/mae_years``, ``test/gender_accuracy`` and
        ``test/ethnicity_accuracy`` are those of the network that has the least error or log loss on split val.
        ``synthetic_share`` is the part of the test samples that are synthetic. And a table of subgroups:
        ``target_name``, ``model``, ``attribute``, ``value``, ``n`` and the metrics with their intervals.

    Raises:
        MienError: There is no row of a split.
    """
    metrics: dict[str, float | None] = {}
    tables = []
    parts = by_model(predictions)
    for split in ("test", "val"):
        rows = {part: each[each["split"] == split] for part, each in parts.items()}
        metrics[f"{METRIC_PREFIX[split]}/n"] = len(next(iter(rows.values())))
        for (target, model), each in rows.items():
            measured = model_metrics(target, each, predictions, evaluation)
            metrics |= {f"{METRIC_PREFIX[split]}/{target}/{model}/{name}": value for name, value in measured.items()}
    for (target, model), each in parts.items():
        test = each[each["split"] == "test"]
        table = subgroup_table(test, evaluation, number=target == "age")
        tables.append(table.rename(columns=_in_years).assign(target_name=target, model=model))
    metrics |= _best_metrics(metrics, list(parts))
    metrics["synthetic_share"] = float(predictions.loc[predictions["split"] == "test", "synthetic"].mean())
    joined = pd.concat(tables, ignore_index=True)
    first = ["target_name", "model"]
    return metrics, joined[[*first, *(name for name in joined if name not in first)]]


def model_metrics(
    target: str, rows: pd.DataFrame, predictions: pd.DataFrame, evaluation: EvaluationParams
) -> dict[str, Any]:
    """Metrics of one network on the rows of one split.

    Raises:
        MienError: There are none.
    """
    from mien.metrics import classification_metrics, regression_metrics

    if rows.empty:
        raise MienError(
            f"A split has no row among the {len(predictions)} predictions: nothing to measure. Set the dataset's "
            "reader.validation_fraction and test_fraction so that some faces are held out."
        )
    options = {"resamples": evaluation.resamples, "seed": evaluation.seed}
    true = rows["target"].to_numpy()
    if target != "age":
        scores = rows[_score_columns(target)].to_numpy()
        return classification_metrics(true.astype(int), scores, OUTPUTS[target], **options)
    bands = list(range(0, int(true.max()) + 11, 10))
    measured = regression_metrics(true, rows["value"].to_numpy(), bands=bands, **options)
    constant = predictions.loc[(predictions["split"] == "val") & (predictions["target_name"] == "age"), "age"].mean()
    years = {_in_years(name): value for name, value in measured.items()}
    return years | {"mae_years_of_mean": float(np.abs(true - constant).mean())}


def _in_years(name: str) -> str:
    """A metric's name with its unit: ``mae_years/20-29_low`` of ``mae/20-29_low``."""
    for short in ("mae", "rmse"):
        if name in (short, f"{short}_low", f"{short}_high") or name.startswith(f"{short}/"):
            return name.replace(short, f"{short}_years", 1)
    return name


def _best_metrics(metrics: dict[str, Any], parts: list[tuple[str, str]]) -> dict[str, Any]:
    """The main metric of each target, with its interval, of the network that is best on split val."""
    best: dict[str, Any] = {}
    for target in TARGETS:
        name = "mae_years" if target == "age" else "accuracy"
        models = [model for each, model in parts if each == target]
        if not models:
            continue
        evaluated = "mae_years" if target == "age" else "log_loss"  # steadier than accuracy on few faces
        chosen = min(models, key=lambda model: metrics[f"{METRIC_PREFIX['val']}/{target}/{model}/{evaluated}"])
        for split in METRIC_PREFIX.values():
            for end in ("", "_low", "_high"):
                key = f"{split}/{name}{end}" if target == "age" else f"{split}/{target}_{name}{end}"
                best[key] = metrics[f"{split}/{target}/{chosen}/{name}{end}"]
    return best
