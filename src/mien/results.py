"""The last runs that MLflow knows, as a table for a terminal."""

from datetime import datetime
from pathlib import Path
from typing import Any

SCORES = ("test/accuracy", "test/mean_class_accuracy", "test/auroc", "test/error_rate", "test/mae_years")

PREFIX = "mien-"
"""Of the project's experiments: one per environment."""


def last_runs(root: Path, env: str | None = None, last: int = 20) -> str:
    """Print runs, newest first, with status, system, variant and test scores.

    Args:
        root: The project's folder.
        env: Only of this environment; all where None.
        last: How many at most.

    Returns:
        A table in fixed columns; a sentence where there is no run. A score on drawn faces has a "~" before it.
    """
    from mien.mlflow_run import connect

    client = connect(root)
    experiments = [each for each in client.search_experiments() if each.name.startswith(PREFIX)]
    wanted = [each.experiment_id for each in experiments if env is None or each.name == f"{PREFIX}{env}"]
    runs = client.search_runs(wanted, max_results=last, order_by=["attributes.start_time DESC"]) if wanted else []
    if not runs:
        where = f"of environment {env} " if env else ""
        return f"MLflow knows no run {where}yet. Start one: kedro run --pipelines=sae"
    scores = [score for score in SCORES if any(score in run.data.metrics for run in runs)]
    header = ["started", "status", "env", "system", "variant", "n", *(score.removeprefix("test/") for score in scores)]
    rows = [header, *(_row(run, scores) for run in runs)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    padded = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows]
    return "\n".join("  ".join(row).rstrip() for row in padded)


def _row(run: Any, scores: list[str]) -> list[str]:
    tags, metrics = run.data.tags, run.data.metrics
    started = datetime.fromtimestamp(run.info.start_time / 1000).astimezone().strftime("%Y-%m-%d %H:%M")
    drawn = "~" if metrics.get("drawn_share") else ""
    name = tags.get("system") or run.info.run_name or ""
    count = f"{int(metrics['test/n'])}" if "test/n" in metrics else ""
    shown = [f"{drawn}{metrics[score]:.4f}" if score in metrics else "" for score in scores]
    return [started, run.info.status, tags.get("env", ""), name, tags.get("variant", ""), count, *shown]
