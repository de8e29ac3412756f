"""The report as Markdown and LaTeX; the words and cells that its page shares with them."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mien.pipelines.report.comparisons import comparison_sections
from mien.pipelines.report.peers import PUBLISHED, comparable, peer_cells, peer_notes
from mien.pipelines.report.scores import MISSING, SCORE_NAMES, shown
from mien.pipelines.report.tables import SYNTHETIC

DAGGER = "†"
"""Marks a score on synthetic faces."""

SYNTHETIC_NOTE = (
    f"{DAGGER} Measured on synthetic faces: the score shows that the pipeline runs. It says nothing about real faces "
    "and compares with no published score."
)
SPREAD_NOTE = "Over several seeds: mean ± standard deviation. Of one run: its 95 % bootstrap interval."
COMPARISONS, ORIGIN = "Comparisons on the same test samples", "How each score was made"
REAL, ON_SYNTHETIC, NOT_RUN = "Measured on real faces", "Measured on synthetic faces", "Published scores, not run here"


class Part(NamedTuple):
    """Rows of the table of scores that may stand in one table."""

    title: str
    rows: pd.DataFrame


def parts(table: pd.DataFrame) -> list[Part]:
    """What was measured on real faces, what on synthetic ones, and what was not run; those that have rows.

    Args:
        table: Of ``score_table``.
    """
    ran, synthetic = table["not_run"] == "", table["measured_on"] == SYNTHETIC
    found = [
        Part(REAL, table[ran & ~synthetic]),
        Part(ON_SYNTHETIC, table[ran & synthetic]),
        Part(NOT_RUN, table[~ran]),
    ]
    return [part for part in found if len(part.rows)]


def ours(row: pd.Series, score: str) -> str:
    """Our score with its spread: mean ± sd over seeds, or one run's value with its 95 % interval."""
    value = shown(row[score], score)
    if value == MISSING:
        return MISSING
    mark = f" {DAGGER}" if row["measured_on"] == SYNTHETIC else ""
    if not np.isnan(row[f"{score}_sd"]):
        return f"{value} ± {shown(row[f'{score}_sd'], score)}{mark}"
    if np.isnan(row[f"{score}_low"]):
        return f"{value}{mark}"
    return f"{value} ({shown(row[f'{score}_low'], score)} to {shown(row[f'{score}_high'], score)}){mark}"


def score_cells(table: pd.DataFrame, scores: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a table of scores.

    Args:
        table: Rows of ``score_table``.
        scores: Columns to show; one that no row has is left out.
    """
    columns = [f"{score}{end}" for score in scores for end in ("", "_paper")]
    kept = [column for column in columns if table[column].notna().any()]
    header = ["System", "Setting", "Variant", "Measured on", "n", "Seeds"]
    for column in kept:
        whose = "published" if column.endswith("_paper") else "ours"
        header.append(f"{SCORE_NAMES[column.removesuffix('_paper')]} ({whose})")
    rows = []
    for _, row in table.iterrows():
        seeds = MISSING if row["not_run"] else str(row["seeds"])
        cells = [row["name"], row["setting"] or MISSING, row["variant"], row["measured_on"], f"{row['n']:,}", seeds]
        for column in kept:
            score = column.removesuffix("_paper")
            cells.append(ours(row, score) if score == column else shown(row[column], score))
        rows.append(cells)
    return header, rows


def alike(table: pd.DataFrame, scores: Sequence[str]) -> list[pd.DataFrame]:
    """The rows in tables of their own, those of systems that have the same scores together.

    A system joins the first table that has all of its scores, so that no table is mostly empty cells.

    Args:
        table: Rows of ``score_table``.
        scores: Columns that may be shown.
    """
    groups: list[tuple[set[str], list[str]]] = []
    for system, rows in table.groupby("system", sort=False):
        own = {score for score in scores if rows[[score, f"{score}_paper"]].notna().any(axis=None)}
        joined = next((systems for known, systems in groups if own <= known), None)
        if joined is None:
            groups.append((own, [str(system)]))
        else:
            joined.append(str(system))
    return [table[table["system"].isin(systems)] for _, systems in groups] or [table]


def notes(table: pd.DataFrame) -> list[str]:
    """What a reader must know beside the numbers: spreads, synthetic faces, sources, sizes, the papers' own remarks.

    Args:
        table: Rows of ``score_table`` that stand in one table.
    """
    ran = table[table["not_run"] == ""]
    lines = [SPREAD_NOTE] * bool(len(ran))
    if (table["measured_on"] == SYNTHETIC).any():
        lines.append(SYNTHETIC_NOTE)
    lines += sources(table)
    other = ran[(ran["measured_on"] != SYNTHETIC) & (ran["paper_n"] > 0) & (ran["n"] != ran["paper_n"])]
    for (name, n, paper_n), rows in other.groupby(["name", "n", "paper_n"], sort=False):
        where = _settings(rows, table)
        lines.append(f"{name}{where}: tested on {n:,} samples, not on the paper's {paper_n:,}.")
    noted = table[table["note"] != ""]
    for (name, text), rows in noted.groupby(["name", "note"], sort=False):
        lines.append(f"{name}{_settings(rows, table)}: {text}.")
    return lines


def sources(table: pd.DataFrame) -> list[str]:
    """The paper of each system; systems of one paper together."""
    named = table[table["reference"] != ""].drop_duplicates("name")
    return [
        f"{', '.join(of_paper['name'])}: {reference}." for reference, of_paper in named.groupby("reference", sort=False)
    ]


def _settings(rows: pd.DataFrame, table: pd.DataFrame) -> str:
    """What names the rows, after a comma; nothing where they are all of their system, variants where they are whole."""
    of_system = table[table["name"] == rows["name"].iloc[0]]
    if len(rows) == len(of_system):
        return ""
    variants = list(dict.fromkeys(rows["variant"]))
    if len(rows) == of_system["variant"].isin(variants).sum():
        return f", {', '.join(variants)}"
    return f", {'; '.join(row['setting'] or row['variant'] for _, row in rows.iterrows())}"


def origin_cells(table: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the table that says how each score was made, and how a missing one would be."""
    header = ["System", "Variant", "Command, of the latest run", "Machine", "Date", "MLflow runs"]
    rows = []
    for _, row in table.drop_duplicates(["system", "variant"]).iterrows():
        made = ["not run", MISSING, MISSING] if row["not_run"] else [row["machine"], row["date"], row["run_ids"]]
        rows.append([row["name"], row["variant"], row["command"], *made])
    return header, rows


def lead(table: pd.DataFrame) -> str:
    """One sentence about what the report covers."""
    run = table[table["not_run"] == ""]
    if run.empty:
        return "No finished run is here yet. Start one: kedro run --pipelines=sae"
    runs = int(run.drop_duplicates(["system", "variant"])["seeds"].sum())
    counted = "1 run" if runs == 1 else f"{runs} runs"
    return f"{counted} of {', '.join(run['name'].unique())}; the latest of {run['date'].max()}."


def markdown_table(header: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """A table in GitHub's Markdown."""
    escaped = [[markdown_text(str(cell)) for cell in line] for line in (header, *rows)]
    lines = [escaped[0], ["---"] * len(escaped[0]), *escaped[1:]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def markdown_text(text: str) -> str:
    r"""Text that Markdown shows as it is, on one line.

    Example:
        >>> markdown_text("a|b* <i>")
        'a\\|b\\* \\<i>'
    """
    return "".join(f"\\{letter}" if letter in "\\`*|<[" else letter for letter in " ".join(text.split()))


def markdown_list(lines: Iterable[str]) -> str:
    """A list in Markdown."""
    return "\n".join(f"- {markdown_text(line)}" for line in lines)


def scores_markdown(table: pd.DataFrame, scores: Sequence[str], heading: str = "##") -> str:
    """The tables of scores and their notes, what was run first: the results block of a system's card.

    Args:
        table: Of ``score_table``.
        scores: Columns to show.
        heading: What the title of each part begins with.
    """
    texts = []
    for title, rows in parts(table):
        texts.append(f"{heading} {title}")
        texts += [markdown_table(*score_cells(some, scores)) for some in alike(rows, scores)]
        texts.append(markdown_list(notes(rows)))
    return "\n\n".join(texts)


def to_markdown(table: pd.DataFrame, comparisons: pd.DataFrame, peers: pd.DataFrame, scores: Sequence[str]) -> str:
    """The report as Markdown."""
    ran, left = table[table["not_run"] == ""], table[table["not_run"] != ""]
    texts = ["# Results", lead(table), *[scores_markdown(ran, scores)] * bool(len(ran))]
    for name, of_system in comparable(peers).groupby("name", sort=False):
        listed = markdown_list(peer_notes(of_system))
        texts += [f"## {peer_title(name, of_system)}", markdown_table(*peer_cells(of_system)), listed]
    texts.append(f"## {COMPARISONS}")
    for title, cells, sentences in comparison_sections(comparisons):
        texts += [f"### {markdown_text(title)}"] * bool(title) + ([markdown_table(*cells)] if cells else [])
        texts.append(markdown_list(sentences))
    if len(ran):
        texts += [f"## {ORIGIN}", markdown_table(*origin_cells(ran))]
    if len(left):
        texts += [scores_markdown(left, scores), "Commands that repeat them:", markdown_table(*origin_cells(left))]
    return "\n\n".join(texts) + "\n"


def peer_title(name: str, peers: pd.DataFrame) -> str:
    """The title of one system's table of published methods."""
    where = peers.loc[peers["whose"] == PUBLISHED, "measured_on"].iloc[0]
    return f"{name} beside published methods{'' if where in name else f' on {where}'}"


_LATEX = {letter: f"\\{letter}" for letter in "&%_#${}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "±": r"$\pm$",
    DAGGER: r"$^{\dagger}$",
}


def latex_text(text: str) -> str:
    r"""Text that LaTeX prints as it is.

    Example:
        >>> latex_text("keep_0.6, 91 % ± 1")
        'keep\\_0.6, 91 \\% $\\pm$ 1'
    """
    return "".join(_LATEX.get(letter, letter) for letter in " ".join(text.split()))


def to_latex(table: pd.DataFrame, peers: pd.DataFrame, scores: Sequence[str]) -> str:
    """The tables for a paper, with booktabs' rules, and their notes in small type beneath."""
    lines = ["% Needs booktabs. Too wide for a column: put each into table*."]
    for title, rows in parts(table):
        for some in alike(rows, scores):
            lines += ["", f"% {title}", *_latex_table(*score_cells(some, scores), notes(some))]
    for name, of_system in comparable(peers).groupby("name", sort=False):
        lines += ["", f"% {' '.join(peer_title(name, of_system).split())}"]
        lines += _latex_table(*peer_cells(of_system), peer_notes(of_system))
    return "\n".join(lines) + "\n"


def _latex_table(header: Sequence[str], rows: Iterable[Iterable[str]], remarks: Iterable[str]) -> list[str]:
    lines = [r"\begin{tabular}{" + "l" * len(header) + "}", r"\toprule", _latex_row(header), r"\midrule"]
    lines += [*map(_latex_row, rows), r"\bottomrule", r"\end{tabular}", r"\par\smallskip"]
    return [*lines, r"{\footnotesize", *(rf"{latex_text(remark)}\par" for remark in remarks), "}"]


def _latex_row(cells: Iterable[str]) -> str:
    return " & ".join(map(latex_text, cells)) + r" \\"
