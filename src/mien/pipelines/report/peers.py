"""A system's own table: each class's accuracy beside what the paper and its peers publish."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mien.io.run_records import RunRecord
from mien.pipelines.report.params import PaperTable, ReportParams
from mien.pipelines.report.scores import MISSING, SCORE_NAMES, shown
from mien.pipelines.report.tables import SYNTHETIC, grouped_runs, measured_on

RECALL = "recall/"
"""What the columns of class accuracies begin with, as in a run's metrics."""

PUBLISHED, OURS = "published", "ours"

SHOWN_SCORES = ("accuracy", "mean_class_accuracy")


def peer_table(records: Sequence[RunRecord], report: ReportParams) -> pd.DataFrame:
    """Per system whose paper's table is known: its peers, the paper's rows, and ours, class by class.

    Args:
        records: Finished runs.
        report: The papers' tables.

    Returns:
        One row per method and setting: ``system``, ``name`` (of the system), ``method``, ``setting``, ``whose``
        (PUBLISHED or OURS), ``measured_on``, ``seeds``, ``source``, and per score of SHOWN_SCORES and per class
        (``recall/<class>``) its value and ``_sd`` over seeds, all fractions; NaN where unknown. A system of which
        nothing is published, or that trains several models in one run, has no rows.
    """
    groups = grouped_runs(records)
    rows: list[dict[str, Any]] = []
    for system, table in report.papers.items():
        ours = {variant: runs for (name, variant), runs in groups.items() if name == system}
        published = _published(system, table)
        if not published or any(row.model for row in table.rows):  # several models of one run stand in the score table
            continue
        rows += published
        settings = {variant: row.setting for row in table.rows for variant in row.variants}
        rows += [_ours(system, table, settings.get(variant, ""), runs) for variant, runs in sorted(ours.items())]
    names = ["system", "name", "method", "setting", "whose", "measured_on", "seeds", "source"]
    scores = [f"{score}{end}" for score in SHOWN_SCORES for end in ("", "_sd")]
    classes = dict.fromkeys(column for row in rows for column in row if column.startswith(RECALL))
    return pd.DataFrame(rows, columns=[*names, *scores, *classes])


def _published(system: str, table: PaperTable) -> list[dict[str, Any]]:
    common = {"system": system, "name": table.name, "whose": PUBLISHED, "measured_on": table.dataset, "seeds": 0}
    peers = [
        {**common, "method": peer.name, "setting": "", "source": peer.source, **_fractions(peer.scores, peer.recalls)}
        for peer in table.peers
    ]
    own = [
        {**common, "method": table.name, "setting": row.setting, "source": table.reference}
        | _fractions(row.scores, row.recalls)
        for row in table.rows
        if row.scores or row.recalls
    ]
    return peers + own


def _fractions(scores: Mapping[Any, float], recalls: Mapping[str, float]) -> dict[str, float]:
    return {**scores, **{f"{RECALL}{name}": value for name, value in recalls.items()}}


def recall_names(metrics: Mapping[str, Any]) -> list[str]:
    """The class accuracies of a run, without the ends of their intervals.

    Example:
        >>> recall_names({"test/recall/sad": 0.8, "test/recall/sad_low": 0.7, "test/recall/sad_high": 0.9, "test/n": 9})
        ['recall/sad']
    """
    first = f"test/{RECALL}"
    names = [name for name in metrics if name.startswith(first)]
    ends = {f"{name}{end}" for name in names for end in ("_low", "_high")}
    return [name.removeprefix("test/") for name in names if name not in ends]


def _ours(system: str, table: PaperTable, setting: str, runs: Sequence[RunRecord]) -> dict[str, Any]:
    names = recall_names(runs[0].metrics)
    row: dict[str, Any] = {
        "system": system,
        "name": table.name,
        "method": f"{table.name}, {runs[0].base_variant}",
        "setting": setting,
        "whose": OURS,
        "measured_on": measured_on(runs, table),
        "seeds": len(runs),
        "source": runs[0].machine,
    }
    for name in (*SHOWN_SCORES, *names):
        values = np.array([run.metrics.get(f"test/{name}") for run in runs], np.float64)  # None becomes NaN
        row[name] = float(values.mean())
        row[f"{name}_sd"] = float(values.std(ddof=1)) if len(values) > 1 else np.nan
    return row


def comparable(table: pd.DataFrame) -> pd.DataFrame:
    """The published rows of each system with ours on the same dataset; none of a system without such a run.

    Args:
        table: Of ``peer_table``.
    """
    published = table["whose"] == PUBLISHED
    datasets = table[published].groupby("system")["measured_on"].first()
    same = table["measured_on"] == table["system"].map(datasets)
    systems = table.loc[same & ~published, "system"].unique()
    return table[same & table["system"].isin(systems)]


def peer_cells(table: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Header and rows of one system's table, in per cent; a row that is published, not run here, says so.

    Args:
        table: The rows of ``peer_table`` of one system.
    """
    classes = [column for column in table if column.startswith(RECALL) and not column.endswith("_sd")]
    classes = [column for column in classes if table[column].notna().any()]
    header = ["Method", "Setting", "Whose", "Measured on", "Seeds"]
    header += [SCORE_NAMES[score] for score in SHOWN_SCORES]
    header += [column.removeprefix(RECALL).capitalize() for column in classes]
    rows = []
    for _, row in table.iterrows():
        seeds = str(row["seeds"]) if row["whose"] == OURS else MISSING
        cells = [row["method"], row["setting"] or MISSING, row["whose"], row["measured_on"], seeds]
        rows.append(cells + [_cell(row, column) for column in (*SHOWN_SCORES, *classes)])
    return header, rows


def class_cells(table: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the accuracy of each class alone, in per cent, by method.

    Args:
        table: Rows of ``peer_table`` of one system.
    """
    header, rows = peer_cells(table)
    first = header.index(SCORE_NAMES[SHOWN_SCORES[-1]]) + 1
    return ["Accuracy of each class, %", *header[first:]], [[row[0], *row[first:]] for row in rows]


def _cell(row: pd.Series, column: str) -> str:
    value, spread = (shown(row.get(name, np.nan), "accuracy") for name in (column, f"{column}_sd"))
    mark = " †" if row["measured_on"] == SYNTHETIC and value != MISSING else ""
    return f"{value}{f' ± {spread}' if MISSING not in (value, spread) else ''}{mark}"


def peer_notes(table: pd.DataFrame) -> list[str]:
    """Where the published rows of one system's table were read."""
    published = table[table["whose"] == PUBLISHED]
    return [
        f"{', '.join(dict.fromkeys(rows['method']))}: {source}."
        for source, rows in published.groupby("source", sort=False)
    ]
