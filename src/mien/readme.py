"""The parts of README.md that are generated: the lineage from the pipelines, the results from the tracked metrics."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import OmegaConf

from mien.errors import MienError
from mien.io.run_records import RunRecord
from mien.pipelines.report.formats import scores_markdown
from mien.pipelines.report.params import ReportParams
from mien.pipelines.report.tables import score_table

if TYPE_CHECKING:
    from kedro.pipeline import Pipeline

METRICS_PATTERN = "data/**/metrics.json"

REPORT_FILE = Path("conf/base/parameters_report.yml")
"""The papers' tables, relative to the project's folder."""


def lineage(pipeline: "Pipeline") -> str:
    """A pipeline as a Mermaid flow chart: rounded boxes are nodes, arrows carry the catalog entry that passes.

    Args:
        pipeline: The pipeline, its nodes in namespaces.

    Returns:
        Mermaid text, which GitHub renders. Parameters are left out; entries that nothing reads end in a framed box.
    """
    lines = ["flowchart LR"]
    for namespace in dict.fromkeys(step.namespace for step in pipeline.nodes):
        members = [step for step in pipeline.nodes if step.namespace == namespace]
        lines.append(f"  subgraph {namespace}")
        lines += [f"    {_id(step.name)}([{_short(step.name)}])" for step in members]
        lines.append("  end")
    for step in pipeline.nodes:
        for entry in step.outputs:
            readers = [reader for reader in pipeline.nodes if entry in reader.inputs]
            lines += [f"  {_id(step.name)} -- {_short(entry)} --> {_id(reader.name)}" for reader in readers]
        unread = [_short(entry) for entry in step.outputs if entry in pipeline.outputs()]
        if unread:
            lines.append(f"  {_id(step.name)} --> {_id(step.name)}_out[{'<br>'.join(unread)}]")
    return "\n".join(lines)


def _id(name: str) -> str:
    return name.replace(".", "_")


def _short(name: str) -> str:
    return name.rsplit(".", 1)[-1]


def tracked_metrics(root: Path) -> dict[Path, dict[str, float | None]]:
    """The ``metrics.json`` files as git holds them, so that a run of one's own does not change the README.

    Raises:
        MienError: ``root`` is no git repository, or there is no git.
    """
    if shutil.which("git") is None:
        raise MienError(
            "There is no program git in PATH. The results block is made from metrics that git tracks: install git, or "
            "add its folder to PATH, and run this again."
        )
    git = ["git", "-C", str(root)]
    listed = subprocess.run([*git, "ls-files", METRICS_PATTERN], capture_output=True, text=True, check=False)
    if listed.returncode:
        raise MienError(
            f"git does not know {root}: {listed.stderr.strip()}. The results block is made from metrics that git "
            "tracks: run this in a clone."
        )
    staged = {file: [*git, "show", f":{file}"] for file in listed.stdout.splitlines()}
    return {
        Path(file): json.loads(subprocess.run(show, capture_output=True, text=True, check=True).stdout)
        for file, show in staged.items()
    }


def results(tracked: dict[Path, dict[str, float | None]], report: ReportParams) -> str:
    """The report's table of scores and its notes, over every tracked run, as Markdown.

    Git holds no run's record: command, machine and date are the report's alone. A row with neither a paper's score nor
    one of ours, of a sweep that is not measured, is left to the report, which has its command.

    Args:
        tracked: Metrics by file; the file's folder names the variant, the one above it the system.
        report: The papers' tables and the scores to show.
    """
    unknown: dict[str, Any] = dict.fromkeys(("env", "dataset", "command", "machine", "date", "run_id", "commit"), "")
    records = [
        RunRecord(system=file.parts[-3], variant=file.parts[-2], parameters={}, metrics=metrics, **unknown)
        for file, metrics in sorted(tracked.items())
    ]
    table = score_table(records, report)
    figures = table[[column for score in report.scores for column in (f"{score}_paper", score)]]
    return scores_markdown(table[figures.notna().any(axis=1)], report.scores)


def report_params(root: Path) -> ReportParams:
    """What the report shows, as the project's own configuration says, whatever the environment."""
    section = OmegaConf.select(OmegaConf.load(root / REPORT_FILE), "report.tables")
    return ReportParams.model_validate(OmegaConf.to_container(section))


def blocks(root: Path, pipelines: dict[str, "Pipeline"]) -> dict[str, str]:
    """The text of every generated block of the README, by name."""
    return {
        "lineage": f"```mermaid\n{lineage(pipelines['sae'])}\n```",
        "results": results(tracked_metrics(root), report_params(root)),
    }


def with_blocks(text: str, new: dict[str, str]) -> str:
    """Put each block between its two markers, ``<!-- begin: <name> -->`` and ``<!-- end: <name> -->``.

    Raises:
        MienError: A marker is missing.
    """
    for name, block in new.items():
        begin, end = f"<!-- begin: {name} -->", f"<!-- end: {name} -->"
        if begin not in text or end not in text:
            raise MienError(
                f"README.md lacks the markers of the block '{name}'. Put {begin} and {end} on lines of their own where "
                "it belongs, then run kedro readme."
            )
        before, rest = text.split(begin, 1)
        text = f"{before}{begin}\n{block}\n{end}{rest.split(end, 1)[1]}"
    return text
