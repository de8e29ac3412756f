"""Node functions of ``comp_cnn`` that measure: each row of the table by pooled folds, averaged over seeds."""

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from mien.data.folds import FOLD, SUBJECTS
from mien.nodes.evaluation import METRIC_PREFIX, evaluate_classes, split_rows, subgroup_table, subjects
from mien.nodes.params import EvaluationParams
from mien.nodes.prediction import SCORE_PREFIX
from mien.pipelines.comp_cnn.params import NAMES, CompCNNEvaluationParams


def evaluate(
    predictions: pd.DataFrame, evaluation: CompCNNEvaluationParams
) -> tuple[dict[str, float | None], pd.DataFrame]:
    """Metrics of the row that is best on val, as of any classifier, and error and accuracy of every row.

    Every sample is tested once per seed, by nets that have not seen its subject. A rate over all of these is the mean
    of the seeds' rates, never the best of them; counts are means too. Intervals draw whole subjects.

    Args:
        predictions: The table of ``predict``.
        evaluation: Resamples and seed of the bootstrap intervals; attributes to group by.

    Returns:
        As ``mien.nodes.evaluation.evaluate_classes`` of the primary row, with ``test/error_rate``, ``test/errors`` and,
        for every row of the tables, ``test/<row>/<metric>`` and ``best/val/<row>/accuracy``. And the table of subgroups
        of the primary row.
    """
    primary = predictions[predictions["primary"]]
    seeds = primary["seed"].nunique()
    metrics, _ = evaluate_classes(primary, evaluation.model_copy(update={"subgroups": ()}))
    counts = tuple(f"{prefix}/n/" for prefix in METRIC_PREFIX.values())
    for name in [name for name in metrics if f"{name}/".startswith(counts)]:  # of all and of each class
        metrics[name] = float(metrics[name] or 0) / seeds
    for row in score_models(predictions, evaluation).to_dict("records"):
        model = row["model"]
        for end, other_end in (("", ""), ("_low", "_high"), ("_high", "_low")):
            metrics[f"test/{model}/error_rate{end}"] = row[f"error_rate{end}"]
            metrics[f"test/{model}/accuracy{end}"] = _right(row[f"error_rate{other_end}"])
        metrics[f"test/{model}/error_rate_sd"] = row["error_rate_sd"]
        metrics[f"test/{model}/errors"] = row["errors"]
        metrics[f"test/{model}/n"] = row["n"] / row["seeds"]
        metrics[f"test/{model}/auroc"] = row["auroc"]
        metrics[f"{METRIC_PREFIX['val']}/{model}/accuracy"] = row["val_accuracy"]
        if row["primary"]:
            metrics |= {f"test/error_rate{end}": row[f"error_rate{end}"] for end in ("", "_low", "_high")}
            metrics["test/errors"] = row["errors"]
    metrics = {name: None if value is None or np.isnan(value) else value for name, value in metrics.items()}
    return metrics, subgroup_table(split_rows(predictions, "test"), evaluation)


def _right(error_rate: float | None) -> float | None:
    return None if error_rate is None else 1 - error_rate


def score_models(predictions: pd.DataFrame, evaluation: EvaluationParams) -> pd.DataFrame:
    """One line per row of the tables, over the trials that test a fold.

    Returns:
        ``model``, ``name``, ``seeds``, ``n``, ``errors`` (mean over seeds), ``error_rate`` with ``_low``, ``_high`` and
        ``_sd`` (over seeds; NaN of one), ``auroc``, ``val_accuracy``, ``primary``.
    """
    from sklearn.metrics import roc_auc_score

    from mien.metrics import fold_metrics, mean_and_sd

    lines = []
    for model, rows in fold_rows(predictions).groupby("model", sort=False):
        test, val = rows[rows["split"] == "test"], rows[rows["split"] == "val"]
        target, scores, names = arrays(test)
        measured = fold_metrics(target, scores, test["fold"].to_numpy(), names, **_resampling(test, evaluation))
        seeds = test["seed"].nunique()
        _, sd = mean_and_sd([float(wrong(each).mean()) for _, each in test.groupby("seed")])
        lines.append(
            {
                "model": model,
                "name": NAMES.get(str(model), str(model)),
                "seeds": seeds,
                "n": len(test) // seeds,
                "errors": measured["errors"] / seeds,
                **{f"error_rate{end}": measured[f"error_rate{end}"] for end in ("", "_low", "_high")},
                "error_rate_sd": np.nan if sd is None else sd,
                "auroc": roc_auc_score(target, scores[:, -1]) if len(np.unique(target)) == 2 else np.nan,
                "val_accuracy": float(1 - wrong(val).mean()),
                "primary": bool(test["primary"].any()),
            }
        )
    return pd.DataFrame(lines)


def evaluate_models(
    predictions: pd.DataFrame, evaluation: CompCNNEvaluationParams
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Tables of the rows: scores, scores by fold, scores by emotion, paired comparisons, and the learning curve.

    Args:
        predictions: The table of ``predict``.
        evaluation: Resamples and seed of the intervals; what every row is compared with.

    Returns:
        The tables of ``score_models``, ``score_folds``, ``score_emotions``, ``compare_models`` and ``score_curve``.
    """
    return (
        score_models(predictions, evaluation),
        score_folds(predictions),
        score_emotions(predictions, evaluation),
        compare_models(predictions, evaluation),
        score_curve(predictions, evaluation),
    )


def score_folds(predictions: pd.DataFrame) -> pd.DataFrame:
    """``model``, ``fold``, ``n``, ``errors`` and ``error_rate``, means over seeds; one line per row and fold."""
    test = fold_rows(predictions).query("split == 'test'")
    seeds = test["seed"].nunique()
    errors = test.assign(errors=wrong(test)).groupby(["model", "fold"], sort=False)["errors"].agg(["size", "sum"])
    table = errors.reset_index().rename(columns={"size": "n", "sum": "errors"})
    table[["n", "errors"]] = table[["n", "errors"]] / seeds
    return table.assign(error_rate=table["errors"] / table["n"], accuracy=1 - table["errors"] / table["n"])


def score_emotions(predictions: pd.DataFrame, evaluation: EvaluationParams) -> pd.DataFrame:
    """``model``, ``emotion``, ``n``, ``errors`` and ``error_rate`` with its interval; one line per row and emotion."""
    from mien.metrics import fold_metrics

    lines = []
    for model, test in fold_rows(predictions).query("split == 'test'").groupby("model", sort=False):
        seeds = test["seed"].nunique()
        emotions, codes = np.unique(test["emotion"].to_numpy(str), return_inverse=True)
        target, scores, names = arrays(test)
        measured = fold_metrics(target, scores, codes, names, **_resampling(test, evaluation))
        for code, emotion in enumerate(emotions):
            line = {"model": model, "emotion": emotion}
            line |= {name: measured[f"{name}/fold_{code}"] / seeds for name in ("n", "errors")}
            ends = ("", "_low", "_high")
            lines.append(line | {f"error_rate{end}": measured[f"error_rate/fold_{code}{end}"] for end in ends})
    return pd.DataFrame(lines)


def compare_models(predictions: pd.DataFrame, evaluation: CompCNNEvaluationParams) -> pd.DataFrame:
    """Every two rows on the same samples: difference in accuracy, its interval, and McNemar's exact test by subject.

    Returns:
        ``one``, ``other``, ``n``, ``difference`` in accuracy (one less the other) with ``low`` and ``high``,
        ``only_one`` and ``only_other`` (means over seeds of samples that only that one gets right), ``p``, ``stands``
        and ``sentence``. Pairs with ``compared_with`` come first. ``p`` is not corrected for the number of pairs.
    """
    from mien.metrics import paired_comparison

    test = fold_rows(predictions).query("split == 'test'")
    key = ["seed", "fold", "sample_id"]
    tables = {str(model): rows.sort_values(key) for model, rows in test.groupby("model", sort=False)}
    base = evaluation.compared_with
    pairs = [(model, base) for model in tables if base in tables and model != base]
    pairs += [(one, other) for other, one in combinations(tables, 2) if base not in (one, other)]
    lines = []
    for one, other in pairs:
        target, scores, _ = arrays(tables[one])
        result = paired_comparison(
            target,
            scores_a=arrays(tables[other])[1],
            scores_b=scores,
            groups=subjects(tables[one]),
            resamples=evaluation.resamples,
            seed=evaluation.seed,
        )
        seeds = tables[one]["seed"].nunique()
        lines.append(
            {
                "one": one,
                "other": other,
                "n": result.n // seeds,
                "difference": result.difference.value,
                "low": result.difference.low,
                "high": result.difference.high,
                "only_one": result.only_b_right / seeds,
                "only_other": result.only_a_right / seeds,
                "p": result.p_value,
                "stands": result.stands,
                "sentence": result.sentence(NAMES.get(other, other), NAMES.get(one, one)),
            }
        )
    columns = ["one", "other", "n", "difference", "low", "high", "only_one", "only_other", "p", "stands", "sentence"]
    return pd.DataFrame(lines, columns=columns)


def score_curve(predictions: pd.DataFrame, evaluation: EvaluationParams) -> pd.DataFrame:
    """``model``, ``train_subjects``, ``n`` and ``accuracy`` with its interval, on the curve's fixed test subjects."""
    from mien.metrics import fold_metrics

    test = predictions[predictions["trial"].str.startswith(f"{SUBJECTS}_") & (predictions["split"] == "test")]
    lines = []
    for (model, trial), rows in test.groupby(["model", "trial"], sort=False):
        target, scores, names = arrays(rows)
        measured = fold_metrics(target, scores, rows["fold"].to_numpy(), names, **_resampling(rows, evaluation))
        low, high = measured["error_rate_low"], measured["error_rate_high"]
        lines.append(
            {
                "model": model,
                "train_subjects": int(str(trial).rsplit("_", 1)[1]),
                "n": len(rows) // rows["seed"].nunique(),
                "accuracy": 1 - measured["error_rate"],
                "accuracy_low": np.nan if high is None else 1 - high,
                "accuracy_high": np.nan if low is None else 1 - low,
            }
        )
    columns = ["model", "train_subjects", "n", "accuracy", "accuracy_low", "accuracy_high"]
    return pd.DataFrame(lines, columns=columns).sort_values(["model", "train_subjects"], ignore_index=True)


def fold_rows(predictions: pd.DataFrame) -> pd.DataFrame:
    """Rows of the trials that test a fold."""
    return predictions[predictions["trial"].str.startswith(f"{FOLD}_")]


def arrays(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Targets (n,), scores (n, M) and class names."""
    columns = [name for name in rows if name.startswith(SCORE_PREFIX)]
    names = tuple(name.removeprefix(SCORE_PREFIX) for name in columns)
    return rows["target"].to_numpy(), rows[columns].to_numpy(), names


def wrong(rows: pd.DataFrame) -> np.ndarray:
    """(n,) whether the largest score is another class's."""
    target, scores, _ = arrays(rows)
    return scores.argmax(axis=1) != target


def _resampling(rows: pd.DataFrame, evaluation: EvaluationParams) -> dict[str, Any]:
    names = rows["subject"].astype(str).to_numpy()
    return {"subjects": names, "resamples": evaluation.resamples, "seed": evaluation.seed}
