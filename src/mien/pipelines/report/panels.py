"""The report's figures of several runs side by side: their confusion matrices, and maps of their features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mien import figures
from mien.io.run_records import RunRecord
from mien.nodes.evaluation import split_scores
from mien.pipelines.report.params import PanelRun, Panels
from mien.pipelines.report.tables import grouped_runs

MISSING = "not run"


def confusion_panels(records: Sequence[RunRecord], panels: Panels) -> Any:
    """Draw the confusion matrix of each run that is named, counts of several seeds added up.

    Args:
        records: Finished runs.
        panels: Which, and in what words. One without a run is an empty panel.
    """
    from mien.metrics import confusion_counts

    drawn = []
    for panel, runs in _found(records, panels):
        counts, names, synthetic = None, (), False
        for run in runs:
            predictions = run.load_predictions()
            target, scores, names = split_scores(predictions, "test")
            own = confusion_counts(target, scores.argmax(axis=1), len(names))
            counts = own if counts is None else counts + own
            synthetic |= bool(predictions["synthetic"].any())
        drawn.append(figures.MatrixPanel(_title(panel, runs), counts, names, synthetic))
    return figures.confusion_panels(drawn, panels.title, MISSING)


def feature_panels(records: Sequence[RunRecord], panels: Panels) -> Any:
    """Draw the features of each run that is named, of several seeds those of the first.

    Args:
        records: Finished runs.
        panels: Which, and in what words. One without a run, or whose run has no map, is an empty panel.
    """
    drawn = []
    for panel, runs in _found(records, panels):
        table = runs[0].load_feature_map() if runs else None
        if table is None:
            drawn.append(figures.MapPanel(panel.name, None))
            continue
        names = table.drop_duplicates("label").set_index("label")["expression"].sort_index()
        ids = {label: place for place, label in enumerate(names.index)}
        shown = table[["x", "y"]].to_numpy(), table["label"].map(ids).to_numpy(), tuple(names)
        drawn.append(figures.MapPanel(panel.name, *shown, bool(table["synthetic"].any())))
    return figures.embedding_panels(drawn, panels.title, MISSING)


def _found(records: Sequence[RunRecord], panels: Panels) -> list[tuple[PanelRun, list[RunRecord]]]:
    groups = grouped_runs(records)
    found = []
    for panel in panels.runs:
        system, _, variants = panel.run.partition("/")
        keys = [(system, variant) for variant in variants.split("|")]
        found.append((panel, next((groups[key] for key in keys if key in groups), [])))
    return found


def _title(panel: PanelRun, runs: Sequence[RunRecord]) -> str:
    return f"{panel.name}, {len(runs)} seeds" if len(runs) > 1 else panel.name
