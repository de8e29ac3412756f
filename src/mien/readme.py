"""What is generated of README.md, CONTRIBUTING.md and the systems' cards: results, lineage, layers, a picture."""

import io
import json
import shutil
import subprocess
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from omegaconf import OmegaConf

from mien.errors import MienError
from mien.io.run_records import RunRecord
from mien.pipelines.report.formats import (
    NOT_RUN,
    ON_SYNTHETIC,
    REAL,
    SPREAD_NOTE,
    markdown_list,
    markdown_table,
    parts,
    score_cells,
    scores_markdown,
)
from mien.pipelines.report.params import ReportParams, Score
from mien.pipelines.report.tables import SYNTHETIC, score_table

if TYPE_CHECKING:
    from kedro.pipeline import Pipeline

METRICS_PATTERN = "data/**/metrics.json"

REPORT_FILE = Path("conf/base/parameters_report.yml")
"""The papers' tables, relative to the project's folder."""

README, GUIDE, CARDS = Path("README.md"), Path("CONTRIBUTING.md"), Path("src/mien/pipelines")

SHORT_SCORES = ("accuracy", "mean_class_accuracy", "auroc")
"""Columns of the README's table; the cards have them all."""

SHEET, PICTURE = Path("data/demo/08_reporting/sae/demo/tokens.png"), CARDS / "sae" / "figure.png"
"""A figure of the demo, and what the README shows of it."""

_PICTURE_HEIGHT = 480  # pixels of the sheet at most
_COLORS = 256  # of the picture's palette


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


def system_lineage(pipeline: "Pipeline", system: str) -> str:
    """A system's own steps as a Mermaid flow chart, what comes before them as one box for each pipeline.

    Steps of which nothing is read, those that draw, are left out; ``kedro lineage`` has them.

    Args:
        pipeline: The whole line, its nodes in namespaces.
        system: The namespace whose steps are shown.
    """
    read = {entry for step in pipeline.nodes for entry in step.inputs}
    shown = [step for step in pipeline.nodes if step.namespace == system and read & set(step.outputs)]
    arrows: dict[tuple[str, str], list[str]] = {}
    for step in pipeline.nodes:
        source = _id(step.name) if step in shown else step.namespace
        for entry in step.outputs:
            for reader in shown:
                if entry in reader.inputs and (step in shown or step.namespace != system):
                    arrows.setdefault((source, _id(reader.name)), []).append(_short(entry))
    sources = dict.fromkeys(source for source, _ in arrows if source not in {_id(step.name) for step in shown})
    lines = ["flowchart LR", *(f"  {source}[[{source}]]" for source in sources)]
    lines += [f"  {_id(step.name)}([{_short(step.name)}])" for step in shown]
    return "\n".join(
        lines + [f"  {one} -- {', '.join(entries)} --> {other}" for (one, other), entries in arrows.items()]
    )


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


def tracked_table(tracked: dict[Path, dict[str, float | None]], report: ReportParams) -> pd.DataFrame:
    """The report's table of scores over every tracked run; rows without any figure are left out.

    Git holds no run's record: command, machine and date are the report's alone.

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
    return table[figures.notna().any(axis=1)]


def results(table: pd.DataFrame) -> str:
    """The README's table: every row measured on real faces, and the best published accuracy of each system.

    Args:
        table: Of ``tracked_table``.
    """
    by_title = dict(parts(table))
    shown = [by_title[REAL]] if REAL in by_title else []
    if NOT_RUN in by_title:
        published = by_title[NOT_RUN].dropna(subset=["accuracy_paper"])
        whole = published[published["paper_n"] == published.groupby("system")["paper_n"].transform("max")]
        shown.append(whole.loc[whole.groupby("system")["accuracy_paper"].idxmax()])
    rows = pd.concat(shown).sort_index(kind="stable") if shown else table.head(0)
    columns = [score for score in SHORT_SCORES if score in rows]
    rows = rows.assign(**{f"{score}_paper": float("nan") for score in columns if score != "accuracy"})
    header, cells = score_cells(rows, columns)
    variant = header.index("Variant")
    lines = [[*row[:variant], *row[variant + 1 :]] for row in (header, *cells)]
    return f"{markdown_table(lines[0], lines[1:])}\n\n{markdown_list([SPREAD_NOTE, *_remarks(rows)])}"


def _remarks(rows: pd.DataFrame) -> list[str]:
    """Each remark on rows with the systems that it is about, and whose rows they are."""
    lines = []
    for text, noted in rows[rows["note"] != ""].groupby("note", sort=False):
        whose = noted["not_run"].map(lambda reason: "published" if reason else "ours")
        names = dict.fromkeys(f"{name} ({of})" for name, of in zip(noted["name"], whose, strict=True))
        lines.append(f"{', '.join(names)}: {text}.")
    return lines


def card_results(table: pd.DataFrame, scores: Sequence[Score]) -> str:
    """The results block of a card: what was measured on real faces, published scores, and folded the synthetic ones.

    Args:
        table: Rows of ``tracked_table`` of the card's systems.
        scores: Columns to show.
    """
    synthetic = table["measured_on"] == SYNTHETIC
    texts = [scores_markdown(table[~synthetic], scores, "###")] * bool((~synthetic).any())
    if synthetic.any():
        folded = scores_markdown(table[synthetic], scores, "###")
        texts.append(f"<details><summary>{ON_SYNTHETIC}</summary>\n\n{folded}\n\n</details>")
    return "\n\n".join(texts)


def card_systems(folders: Iterable[str], report: ReportParams) -> dict[str, list[str]]:
    """The systems that each folder's card is about: those of its name, or that begin with it, as ``sae_ferplus``.

    Args:
        folders: Names of the folders of pipelines.
        report: The papers' tables.
    """
    found: dict[str, list[str]] = {}
    for system in report.papers:
        owners = [folder for folder in folders if system == folder or system.startswith(f"{folder}_")]
        if owners:
            found.setdefault(max(owners, key=len), []).append(system)
    return found


def layers(root: Path) -> str:
    """The layers of import-linter's contract, the top one first."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    lines = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    return "\n".join(line.replace("mien.", "") for line in lines)


def report_params(root: Path) -> ReportParams:
    """What the report shows, as the project's own configuration says, whatever the environment."""
    section = OmegaConf.select(OmegaConf.load(root / REPORT_FILE), "report.tables")
    return ReportParams.model_validate(OmegaConf.to_container(section))


def blocks(root: Path, pipelines: dict[str, "Pipeline"]) -> dict[Path, dict[str, str]]:
    """The text of every generated block, by file and name.

    Args:
        root: The project's folder.
        pipelines: By name.
    """
    report = report_params(root)
    table = tracked_table(tracked_metrics(root), report)
    made = {README: {"results": results(table)}, GUIDE: {"layers": f"```\n{layers(root)}\n```"}}
    folders = [card.parent.name for card in sorted((root / CARDS).glob("*/README.md"))]
    for folder, systems in card_systems(folders, report).items():
        made[CARDS / folder / "README.md"] = {
            "results": card_results(table[table["system"].isin(systems)], report.scores),
            "lineage": f"```mermaid\n{system_lineage(pipelines[folder], folder)}\n```",
        }
    return made


def with_blocks(text: str, new: dict[str, str], file: Path = README) -> str:
    """Put each block between its two markers, ``<!-- begin: <name> -->`` and ``<!-- end: <name> -->``.

    Args:
        text: Of the file.
        new: Blocks by name.
        file: Named where a marker is missing.

    Raises:
        MienError: A marker is missing.
    """
    for name, block in new.items():
        begin, end = f"<!-- begin: {name} -->", f"<!-- end: {name} -->"
        if begin not in text or end not in text:
            raise MienError(
                f"{file} lacks the markers of the block '{name}'. Put {begin} and {end} on lines of their own where "
                "it belongs, then run kedro readme."
            )
        before, rest = text.split(begin, 1)
        text = f"{before}{begin}\n{block}\n{end}{rest.split(end, 1)[1]}"
    return text


def picture(sheet: Path) -> bytes:
    """The top of a sheet of faces, cut between two of its lines, as a small PNG file.

    Args:
        sheet: The file of the whole sheet, lines of faces on white.

    Raises:
        MienError: There is no such file.
    """
    if not sheet.is_file():
        raise MienError(
            f"There is no {sheet}, of which the README's picture is cut. Make it: kedro run --pipelines=sae"
        )
    import numpy as np
    from PIL import Image

    with Image.open(sheet) as image:
        pixels = np.asarray(image.convert("RGB"))
    white = np.flatnonzero((pixels[:_PICTURE_HEIGHT] == 255).all(axis=(1, 2)))
    cut = Image.fromarray(pixels[: white[-1] if len(white) else _PICTURE_HEIGHT])
    file = io.BytesIO()
    cut.quantize(_COLORS).save(file, format="PNG", optimize=True)
    return file.getvalue()


def write(root: Path, pipelines: dict[str, "Pipeline"], with_picture: bool) -> list[Path]:
    """Write every generated block, and on request the picture; the files that were written.

    Raises:
        MienError: A marker, git, or the sheet that the picture is cut of is missing.
    """
    made = {
        file: with_blocks((root / file).read_text(encoding="utf-8"), new, file)
        for file, new in blocks(root, pipelines).items()
    }
    cut = picture(root / SHEET) if with_picture else None
    for file, text in made.items():
        (root / file).write_text(text, encoding="utf-8")
    if cut is None:
        return list(made)
    (root / PICTURE).write_bytes(cut)
    return [*made, PICTURE]
