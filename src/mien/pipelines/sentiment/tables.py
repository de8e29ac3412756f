"""Node function of ``sentiment`` that writes the table of its rows, and what each differs from another by."""

from typing import Any

import pandas as pd

from mien.pipelines.sentiment.drawing import NAMES
from mien.pipelines.sentiment.evaluation import ENDS, OF_A_ROW, fused_of, pairs, primary_row


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
