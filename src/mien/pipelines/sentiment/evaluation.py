"""Node functions of ``sentiment`` that evaluate its predictions: every member, and what each adds to another."""

from typing import Any

import numpy as np
import pandas as pd

from mien.labels import EXPRESSIONS
from mien.nodes.evaluation import METRIC_PREFIX, evaluate_classes, subjects
from mien.nodes.params import EvaluationParams
from mien.nodes.prediction import SCORE_PREFIX
from mien.pipelines.sentiment.members import ABLATED

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

ENDS = ("", "_low", "_high")

OF_A_ROW = ("accuracy", "mean_class_accuracy", "auroc", "log_loss")

NAMES = {
    "face": "face, one frame",
    "face_mean": "face, mean of frames",
    "face_ward": "face, Ward's network",
    "face_lstm": "face, LSTM",
    "face_motion": "face, motion",
    "face_two_stream": "face, two streams",
    "without_synthesis": "without synthesis",
    "without_rotation": "without rotation",
    "without_crop": "without crop",
    "without_normalisation": "without normalisation",
    "rules": "rules",
    "voice": "voice",
    "voice_svm": "voice, SVM",
    "fused": "face and voice",
    "fused_learned": "face and voice, learned",
}
"""Of the table's rows, as figures print them."""


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


def class_names_of(predictions: pd.DataFrame) -> tuple[str, ...]:
    """Names of the classes of a table with scores, in order."""
    names = [column.removeprefix(SCORE_PREFIX) for column in predictions if column.startswith(SCORE_PREFIX)]
    return tuple(name for name in EXPRESSIONS if name in names)


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


def tabulate(predictions: pd.DataFrame, metrics: dict[str, Any]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two tables of the test clips, of what ``evaluate`` measured.

    Args:
        predictions: The table of ``predict``, for the rows and their order.
        metrics: Of ``evaluate``.

    Returns:
        One line per row: ``model``, ``name``, ``n``, ``accuracy`` and other scores, each with ``_low`` and ``_high``,
        ``sentiment_accuracy``, ``lacking`` (share of clips without what the row evaluates by), ``primary``. And one
        line per pair: ``one``, ``other``, ``difference`` in accuracy (one less the other) with ``low`` and ``high`` by
        subject, ``mcnemar_p`` over clips, ``subjects_p``, and ``stands``: the interval excludes 0 and ``subjects_p``
        is below 0.05. No p is corrected for the number of pairs.
    """
    rows = list(dict.fromkeys(predictions["model"]))
    columns = ["n", *(f"{score}{end}" for score in OF_A_ROW for end in ENDS), "sentiment_accuracy", "lacking"]
    primary = primary_row(predictions)
    models = [
        {"model": row, "name": NAMES[row]}
        | {column: metrics[f"test/{row}/{column}"] for column in columns}
        | {"primary": row == primary}
        for row in rows
    ]
    return pd.DataFrame(models), pd.DataFrame(
        [_compared(metrics, one, other) for other, one in pairs(rows, *fused_of(predictions))],
        columns=["one", "other", "difference", "low", "high", "mcnemar_p", "subjects_p", "stands"],
    )


def _compared(metrics: dict[str, Any], one: str, other: str) -> dict[str, Any]:
    key = f"test/{one}_minus_{other}"
    difference, low, high = (metrics[f"{key}/accuracy{end}"] for end in ENDS)
    tests = {name: metrics[f"{key}/{name}"] for name in ("mcnemar_p", "subjects_p")}
    apart = low is not None and high is not None and not low <= 0 <= high
    stands = apart and tests["subjects_p"] is not None and tests["subjects_p"] < 0.05
    return {"one": one, "other": other, "difference": difference, "low": low, "high": high, **tests, "stands": stands}
