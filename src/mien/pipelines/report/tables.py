"""The report's main table: a paper's scores beside ours."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mien.io.run_records import RunRecord
from mien.labels import synthetic_share
from mien.pipelines.report.params import PaperRow, PaperTable, ReportParams, Score

SYNTHETIC = "synthetic faces"
"""What a demo is measured on; never a result."""

SEED_PARAMETER = "training.seed"
"""In which the runs of one row may differ."""


def score_table(records: Sequence[RunRecord], report: ReportParams) -> pd.DataFrame:
    """One row per variant, runs with different seeds together, each beside its paper's row.

    A paper's scores stand in the row of a run only where the run was tested on the paper's dataset: one on synthetic
    faces, or on another dataset, has a row of its own. Rows of a paper that no run repeats are there too, with the
    command that would. A run without a seed in its name counts only for models that no run of its variant with a seed
    has: it may be one of them.

    Args:
        records: Finished runs.
        report: Scores to show and the papers' tables.

    Returns:
        Columns ``system``, ``name``, ``reference``, ``setting``, ``variant``, ``measured_on``, ``n``, ``paper_n``,
        ``seeds``, ``<score>_paper``, ``<score>``, ``<score>_sd``, ``<score>_low``, ``<score>_high`` per score,
        ``command``, ``machine``, ``date``, ``run_ids``, ``not_run`` (why, where it was not) and ``note``. Over several
        seeds the score is their mean, with its standard deviation, NaN where a run lacks it; of one seed, its 95 %
        interval over test samples.
    """
    groups = grouped_runs(records)
    rows = []
    for system in [*report.papers, *sorted({record.system for record in records} - set(report.papers))]:
        table = report.papers.get(system) or PaperTable(name=system, reference="", dataset="", n=0)
        of_system = {variant: runs for (name, variant), runs in groups.items() if name == system}
        reported: set[tuple[str, str]] = set()
        for paper_row in table.rows:
            repeated = [
                variant
                for variant in paper_row.variants
                if _repeats(of_system.get(variant, ()), paper_row.model, table)
            ]
            reported |= {(variant, paper_row.model) for variant in repeated[:1]}
            rows.append(_row(system, table, paper_row, of_system[repeated[0]] if repeated else [], report.scores))
        settings = _settings(table)
        for variant, runs in sorted(of_system.items()):
            for model in _models(runs):
                if (variant, model) not in reported:
                    setting = settings.get((variant, model)) or settings.get(("", model)) or _words(model)
                    own = PaperRow(setting=setting, variants=(variant,), model=model)
                    rows.append(_row(system, table, own, runs, report.scores))
    return pd.DataFrame(rows, columns=_columns(report.scores))


def _repeats(runs: Sequence[RunRecord], model: str, table: PaperTable) -> bool:
    """Whether there are runs that have trained the model and were tested on the paper's dataset."""
    trained = bool(runs) and (not model or model in _models(runs))
    return trained and measured_on(runs, table) == table.dataset


def _settings(table: PaperTable) -> dict[tuple[str, str], str]:
    """Names of settings by variant and model, and those of models by "" and model."""
    rows = table.rows[::-1]  # of several with one key, the first counts
    named = {("", row.model): row.setting for row in rows if row.model}
    return named | {(variant, row.model): row.setting for row in rows for variant in row.variants}


def _models(runs: Sequence[RunRecord]) -> list[str]:
    """The models of runs that train several, such as ``gender/cnn``; one without a name where they train one."""
    found = [re.fullmatch(r"test/(.+)/n", name) for run in runs for name in run.metrics]
    return list(dict.fromkeys(match[1] for match in found if match)) or [""]


def _words(model: str) -> str:
    """A model's name for people.

    Example:
        >>> _words("gender/pca_dnn_fixed")
        'gender, pca dnn fixed'
    """
    return model.replace("/", ", ").replace("_", " ")


def grouped_runs(records: Sequence[RunRecord]) -> dict[tuple[str, str], list[RunRecord]]:
    """Runs by system and variant, those with different seeds together."""
    groups: dict[tuple[str, str], list[RunRecord]] = {}
    for record in _distinct(records):
        groups.setdefault((record.system, record.base_variant), []).append(record)
    return groups


def _distinct(records: Sequence[RunRecord]) -> list[RunRecord]:
    """Runs without those that lack a seed and have no model that runs of their variant with seeds lack."""
    seeded: dict[tuple[str, str], set[str]] = {}
    for run in records:
        if run.variant != run.base_variant:
            seeded.setdefault((run.system, run.base_variant), set()).update(_models([run]))
    return [
        run
        for run in records
        if run.variant != run.base_variant or not set(_models([run])) <= seeded.get((run.system, run.variant), set())
    ]


def _of_model(runs: Sequence[RunRecord], model: str) -> list[RunRecord]:
    """The runs that have the model; those without a seed only where none with one has it."""
    having = [run for run in runs if not model or model in _models([run])]
    return [run for run in having if run.variant != run.base_variant] or having


def _columns(scores: Iterable[str]) -> list[str]:
    of_scores = [f"{score}{end}" for score in scores for end in ("_paper", "", "_sd", "_low", "_high")]
    before = ["system", "name", "reference", "setting", "variant", "measured_on", "n", "paper_n", "seeds"]
    return [*before, *of_scores, "command", "machine", "date", "run_ids", "not_run", "note"]


def _row(
    system: str, table: PaperTable, paper: PaperRow, runs: Sequence[RunRecord], scores: Iterable[Score]
) -> dict[str, Any]:
    runs = _of_model(runs, paper.model)
    variant = runs[0].base_variant if runs else paper.variants[0]
    row: dict[str, Any] = {
        "system": system,
        "name": table.name,
        "reference": table.reference,
        "setting": paper.setting,
        "variant": variant,
        "note": paper.note,
        "n": paper.n or table.n,
        "paper_n": paper.n or table.n,
        "seeds": len(runs),
    }
    for score in scores:
        row[f"{score}_paper"] = paper.scores.get(score, np.nan)
        row |= _summary(score, [run.metrics for run in runs], paper.model)
    if not runs:
        return row | {
            "measured_on": table.dataset,
            "command": paper.command(system),
            "machine": "",
            "date": "",
            "run_ids": "",
            "not_run": f"no run here; it needs {table.dataset}",
        }
    latest = max(runs, key=lambda run: run.date)
    return row | {
        "measured_on": measured_on(runs, table),
        "n": int(latest.metrics.get(f"test/{paper.model}/n" if paper.model else "test/n") or 0),
        "note": "; ".join(note for note in (paper.note, _differences(runs)) if note),
        "command": latest.command,
        "machine": latest.machine,
        "date": latest.date[:10],
        "run_ids": " ".join(run.run_id for run in runs),
        "not_run": "",
    }


def measured_on(runs: Sequence[RunRecord], table: PaperTable) -> str:
    """The dataset of the runs in words; SYNTHETIC where any test face was synthetic."""
    if any(synthetic_share(run.metrics) for run in runs):
        return SYNTHETIC
    return _dataset_name(max(runs, key=lambda run: run.date).dataset, table.dataset)


def _dataset_name(keys: str, name: str) -> str:
    """The name in words where a key is its, as ``raf_db`` is RAF-DB's; else the keys: another dataset was taken.

    Example:
        >>> _dataset_name("nvie", "USTC-NVIE"), _dataset_name("crema_d,ravdess", "CREMA-D")
        ('USTC-NVIE', 'CREMA-D')
        >>> _dataset_name("sfew", "SPOS")
        'sfew'
    """
    letters = "".join(letter for letter in name.lower() if letter.isalnum())
    same = any(letters.endswith(key.replace("_", "")) for key in keys.split(","))
    return name if same else keys


def _differences(runs: Sequence[RunRecord]) -> str:
    """What tells runs of one variant apart besides the seed: their mean would be of different things."""
    first = {name: value for name, value in runs[0].parameters.items() if name != SEED_PARAMETER}
    differing = {
        name
        for run in runs[1:]
        for name in first.keys() | (run.parameters.keys() - {SEED_PARAMETER})
        if first.get(name) != run.parameters.get(name)
    }
    return f"the mean is of different settings, its runs differ in {', '.join(sorted(differing))}" if differing else ""


def _summary(score: str, metrics: Sequence[dict[str, float | None]], model: str = "") -> dict[str, float]:
    """Mean and standard deviation over runs; of a single run its interval."""
    name = f"test/{model}/{score}" if model else f"test/{score}"
    numbers = np.array([each.get(name) for each in metrics], np.float64)  # None becomes NaN
    single = metrics[0] if len(metrics) == 1 else {}
    low, high = (single.get(f"{name}_{end}") for end in ("low", "high"))
    return {
        score: float(numbers.mean()) if len(numbers) else np.nan,
        f"{score}_sd": float(numbers.std(ddof=1)) if len(numbers) > 1 else np.nan,
        f"{score}_low": np.nan if low is None else low,
        f"{score}_high": np.nan if high is None else high,
    }
