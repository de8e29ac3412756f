"""The parts of README.md that are generated: the lineage from the pipelines, the results from the tracked metrics."""

import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kedro.pipeline import Pipeline

METRICS_PATTERN = "data/**/metrics.json"

PAPERS: dict[str, tuple[str, str]] = {
    "sae": ("SAE", "91.17 (keep rate 0.6, RAF-DB, epoch chosen on the test split)"),
}
"""Name of each system and its published accuracy in per cent. Source: the papers' main tables; SAE's is Table 2."""


def lineage(pipeline: "Pipeline") -> str:
    """A pipeline as a Mermaid flow chart: rounded boxes are nodes, arrows carry the catalog entry that passes.

    Args:
        pipeline: The pipeline, its nodes in namespaces.

    Returns:
        Mermaid text, which GitHub draws. Parameters are left out; entries that nothing reads end in a framed box.
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


def tracked_metrics(root: Path) -> dict[Path, dict[str, float]]:
    """The ``metrics.json`` files as git holds them, so that a run of one's own does not change the README.

    Raises:
        ValueError: ``root`` is no git repository.
    """
    git = ["git", "-C", str(root)]
    listed = subprocess.run([*git, "ls-files", METRICS_PATTERN], capture_output=True, text=True, check=False)
    if listed.returncode:
        raise ValueError(
            f"git does not know {root}: {listed.stderr.strip()}. The results block is made from metrics that git "
            "tracks: run this in a clone."
        )
    staged = {file: [*git, "show", f":{file}"] for file in listed.stdout.splitlines()}
    return {
        Path(file): json.loads(subprocess.run(show, capture_output=True, text=True, check=True).stdout)
        for file, show in staged.items()
    }


def results(tracked: dict[Path, dict[str, float]]) -> str:
    """Every tracked run's test scores beside the paper's, as a Markdown table.

    Args:
        tracked: Metrics by file; the file's folder names the variant, the one above it the system.

    Returns:
        The table; a score on drawn faces says so in its row.
    """
    header = ("System", "Variant", "Measured on", "n", "Accuracy, % (95 % interval)", "Mean class accuracy, %", "AUROC")
    rows = []
    for file, metrics in sorted(tracked.items()):
        system, variant = file.parts[-3:-1]
        faces = "drawn faces" if metrics["drawn_share"] == 1 else "the dataset's test split"
        name, published = PAPERS[system]
        scores = [_interval(metrics, key) for key in ("test/accuracy", "test/mean_class_accuracy")]
        rows.append((name, variant, faces, metrics["test/n"], *scores, f"{metrics['test/auroc']:.3f}"))
        rows.append((name, "published", "RAF-DB", 3068, published, "", ""))
    return _table(header, rows)


def _interval(metrics: dict[str, float], key: str) -> str:
    value, low, high = (100 * metrics[f"{key}{end}"] for end in ("", "_low", "_high"))
    return f"{value:.1f} ({low:.1f} to {high:.1f})"


def _table(header: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    header = list(header)
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)


def blocks(root: Path, pipelines: dict[str, "Pipeline"]) -> dict[str, str]:
    """The text of every generated block of the README, by name."""
    return {
        "lineage": f"```mermaid\n{lineage(pipelines['sae'])}\n```",
        "results": results(tracked_metrics(root)),
    }


def with_blocks(text: str, new: dict[str, str]) -> str:
    """Put each block between its two markers, ``<!-- begin: <name> -->`` and ``<!-- end: <name> -->``.

    Raises:
        ValueError: A marker is missing.
    """
    for name, block in new.items():
        begin, end = f"<!-- begin: {name} -->", f"<!-- end: {name} -->"
        if begin not in text or end not in text:
            raise ValueError(
                f"README.md lacks the markers of the block '{name}'. Put {begin} and {end} on lines of their own where "
                "it belongs, then run kedro readme."
            )
        before, rest = text.split(begin, 1)
        text = f"{before}{begin}\n{block}\n{end}{rest.split(end, 1)[1]}"
    return text
