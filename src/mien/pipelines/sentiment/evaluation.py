"""Node function of ``sentiment`` that evaluates its predictions: every row of the table.

And what each adds to another.
"""

from typing import Any

import numpy as np
import pandas as pd

from mien.nodes.evaluation import METRIC_PREFIX, evaluate_classes, subjects
from mien.nodes.params import EvaluationParams
from mien.nodes.prediction import SCORE_PREFIX
from mien.pipelines.sentiment.members import ABLATED
from mien.pipelines.sentiment.prediction import class_names_of, sentiment_of, sentiment_target

ENDS = ("", "_low", "_high")
OF_A_ROW = ("accuracy", "mean_class_accuracy", "auroc", "log_loss")


def primary_row(predictions: pd.DataFrame) -> str:
    """The row that the run's own metrics are of: the fused one where there is one, else the table's last."""
    rows = list(dict.fromkeys(predictions["model"]))
    return next((row for row in ("fused", "fused_learned") if row in rows), rows[-1])


def of_row(predictions: pd.DataFrame, row: str) -> pd.DataFrame:
    """Predictions of one row of the table, one per clip."""
    return predictions[predictions["model"] == row].reset_index(drop=True)


def pairs(rows: list[str], face: str | None, voice: str | None) -> list[tuple[str, str]]:
    """Rows that are compared, the first of each pair being what the second is held against.

    Fused with each sense and with the learned fusion; the other rows of a face with the mean of frames; the mean of
    frames with what it is without one of Lopes' steps.
    """
    wanted = [
        (face, "fused"),
        (voice, "fused"),
        (face, "fused_learned"),
        ("fused", "fused_learned"),
        ("face", "face_mean"),
    ]
    wanted += [("face_mean", row) for row in ("face_ward", "face_lstm", "face_motion", "face_two_stream", "rules")]
    wanted += [("voice_svm", "voice"), *((row, "face_mean") for row in ABLATED)]
    return [(one, other) for one, other in wanted if one in rows and other in rows and one != other]


def evaluate(predictions: pd.DataFrame, evaluation: EvaluationParams) -> tuple[dict[str, float | None], pd.DataFrame]:
    """Metrics of the fused row as of any classifier, of every row of the table, and of the differences between them.

    Args:
        predictions: The table of ``predict``.
        evaluation: Resamples and seed of the intervals; attributes to group by.

    Returns:
        As ``mien.nodes.evaluation.evaluate_classes`` of the primary row; ``test/<row>/accuracy`` and
        ``best/val/<row>/accuracy`` … with intervals that draw whole subjects; ``sentiment_accuracy`` of the three
        sentiments;
        ``test/<b>_minus_<a>/accuracy`` with its interval, ``mcnemar_p`` (clips one by one) and ``subjects_p`` (whole
        subjects exchanged); ``test/smile_auroc`` and ``test/laugh_auroc``: of the rules telling happy clips from the
        rest. And the table of subgroups.
    """
    metrics, subgroups = evaluate_classes(of_row(predictions, primary_row(predictions)), evaluation)
    rows = list(dict.fromkeys(predictions["model"]))
    for split in ("test", "val"):
        for row in rows:
            some = of_row(predictions[predictions["split"] == split], row)
            metrics |= {
                f"{METRIC_PREFIX[split]}/{row}/{name}": value for name, value in _row_metrics(some, evaluation).items()
            }
    test = predictions[predictions["split"] == "test"]
    face, voice = fused_of(predictions)
    for one, other in pairs(rows, face, voice):
        metrics |= _comparison(test, one, other, evaluation)
    metrics |= _smile_metrics(of_row(test, rows[0]))
    return metrics, subgroups


def fused_of(predictions: pd.DataFrame) -> tuple[str | None, str | None]:
    """The rows of face and voice that are fused; None where nothing is."""
    named = [parts for parts in predictions["parts"].unique() if parts]
    face, voice = named[0].split(" + ") if named else (None, None)
    return face, voice


def _smile_metrics(test: pd.DataFrame) -> dict[str, float | None]:
    """How well smile and laugh tell happy clips from the others, over the clips with a face."""
    from sklearn.metrics import roc_auc_score

    names = class_names_of(test)
    seen = test[test["smile"].notna()]
    happy = seen["target"].to_numpy() == (names.index("happy") if "happy" in names else -1)
    if happy.all() or not happy.any():
        return {"test/smile_auroc": None, "test/laugh_auroc": None}
    return {f"test/{name}_auroc": float(roc_auc_score(happy, seen[name])) for name in ("smile", "laugh")}


def _row_metrics(rows: pd.DataFrame, evaluation: EvaluationParams) -> dict[str, float | None]:
    from mien.metrics import classification_metrics

    names = class_names_of(rows)
    target, scores = rows["target"].to_numpy(), scores_of(rows)
    options: dict[str, Any] = {"resamples": evaluation.resamples, "seed": evaluation.seed, "groups": subjects(rows)}
    measured = classification_metrics(target, scores, names, **options)
    metrics = {f"{name}{end}": measured[f"{name}{end}"] for name in OF_A_ROW for end in ENDS}
    _, sentiment = sentiment_of(scores, names)
    wanted = sentiment_target(target, names)
    right = np.array(["negative", "neutral", "positive"])[wanted] == np.array(sentiment)
    metrics["sentiment_accuracy"] = float(right.mean())
    metrics["n"] = len(rows)
    metrics["lacking"] = float((rows["senses"] == "none").mean())
    return metrics


def _comparison(test: pd.DataFrame, one: str, other: str, evaluation: EvaluationParams) -> dict[str, float | None]:
    from mien.metrics import paired_comparison

    first, second = of_row(test, one), of_row(test, other)
    arrays = first["target"].to_numpy(), scores_of(first), scores_of(second)
    options = {"resamples": evaluation.resamples, "seed": evaluation.seed}
    by_subject = paired_comparison(*arrays, groups=subjects(first), **options)
    by_clip = paired_comparison(*arrays, **options)
    key = f"test/{other}_minus_{one}"
    return {
        f"{key}/accuracy": by_subject.difference.value,
        f"{key}/accuracy_low": by_subject.difference.low,
        f"{key}/accuracy_high": by_subject.difference.high,
        f"{key}/mcnemar_p": by_clip.p_value,
        f"{key}/subjects_p": by_subject.p_value,
    }


def scores_of(rows: pd.DataFrame) -> np.ndarray:
    """Scores (n, M) of a predictions table."""
    return rows[[SCORE_PREFIX + name for name in class_names_of(rows)]].to_numpy()
