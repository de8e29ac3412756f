"""The last runs that MLflow knows, as a table for a terminal."""

from datetime import datetime
from pathlib import Path
from typing import Any

from mien.labels import synthetic_share

SCORES = {
    "test/accuracy": "acc %",
    "test/mean_class_accuracy": "class %",
    "test/auroc": "auroc",
    "test/error_rate": "error %",
    "test/mae_years": "mae years",
}
"""Shown where a run has them, and their short names."""

PREFIX = "mien-"
"""Of the project's experiments: one per environment."""

WIDTH = 100
"""Letters of a line; longer names of variants and systems are cut."""

SYNTHETIC_NOTE = "~ measured on synthetic faces: no result"

_SYSTEM, _VARIANT = 3, 4  # columns that give way
_LEAST_LETTERS = 8  # of them


def last_runs(root: Path, env: str | None = None, last: int = 20) -> str:
    """Print runs, newest first, with status, system, variant and test scores.

    Args:
        root: The project's folder.
        env: Only of this environment; all where None.
        last: How many at most.

    Returns:
        A table in fixed columns; a sentence where there is no run. A score on synthetic faces has a "~" before it.
    """
    from mien.mlflow_run import connect

    client = connect(root)
    experiments = [each for each in client.search_experiments() if each.name.startswith(PREFIX)]
    wanted = [each.experiment_id for each in experiments if env is None or each.name == f"{PREFIX}{env}"]
    runs = _newest(client, wanted, last) if wanted else []
    if not runs:
        where = f"of environment {env} " if env else ""
        return f"MLflow knows no run {where}yet. Start one: kedro run --pipelines=sae"
    scores = [score for score in SCORES if any(score in run.data.metrics for run in runs)]
    header = ["started", "status", "env", "system", "variant", "n", *(SCORES[score] for score in scores)]
    lines = aligned([header, *(_row(run, scores) for run in runs)])
    return "\n".join([*lines, *([SYNTHETIC_NOTE] if any(synthetic_share(run.data.metrics) for run in runs) else [])])


def _newest(client: Any, experiments: list[str], last: int) -> list[Any]:
    """The last runs, without those that are parts of another, read page by page until there are enough."""
    from mien.mlflow_run import CHILD

    runs: list[Any] = []
    page: str | None = None
    while len(runs) < last:
        found = client.search_runs(
            experiments, max_results=200, order_by=["attributes.start_time DESC"], page_token=page
        )
        runs += [run for run in found if CHILD not in run.data.tags]
        page = found.token
        if not page:
            break
    return runs[:last]


def aligned(rows: list[list[str]], width: int = WIDTH) -> list[str]:
    """Rows as lines in columns; numbers, from the sixth column on, to the right.

    Args:
        rows: The header first.
        width: Letters of a line, kept as long as system and variant have eight letters left each.
    """
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    excess = sum(widths) + 2 * (len(widths) - 1) - width
    for _ in range(excess):
        wider = max(_SYSTEM, _VARIANT, key=lambda column: widths[column])
        widths[wider] = max(_LEAST_LETTERS, widths[wider] - 1)
    return ["  ".join(_cell(row, column, widths[column]) for column in range(len(row))).rstrip() for row in rows]


def _cell(row: list[str], column: int, width: int) -> str:
    text = row[column]
    if len(text) > width:  # the end has the seed
        text = f"{text[: width // 2]}…{text[len(text) - (width - 1) // 2 :]}"
    return text.rjust(width) if column > _VARIANT else text.ljust(width)


def _row(run: Any, scores: list[str]) -> list[str]:
    tags, metrics = run.data.tags, run.data.metrics
    started = datetime.fromtimestamp(run.info.start_time / 1000).astimezone().strftime("%y-%m-%d %H:%M")
    mark = "~" if synthetic_share(metrics) else ""
    system, variant = tags.get("system") or run.info.run_name or "", tags.get("variant", "")
    if "sweep" in tags:
        system, variant = "sweep", tags["sweep"]
    count = f"{int(metrics['test/n'])}" if "test/n" in metrics else ""
    shown = [f"{mark}{_printed(score, metrics[score])}" if score in metrics else "" for score in scores]
    return [started, run.info.status.lower(), tags.get("env", ""), system, variant, count, *shown]


def _printed(score: str, value: float) -> str:
    return f"{100 * value:.2f}" if SCORES[score].endswith("%") else f"{value:.3f}"
