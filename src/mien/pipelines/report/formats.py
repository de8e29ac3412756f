"""The report as Markdown, HTML and LaTeX."""

import html
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mien.pipelines.report.comparisons import comparison_sections
from mien.pipelines.report.peers import PUBLISHED, peer_cells, peer_notes
from mien.pipelines.report.scores import MISSING, SCORE_NAMES, shown
from mien.pipelines.report.tables import SYNTHETIC

STAR, DAGGER = "*", "†"
"""Mark a row that was not run, and a score on synthetic faces."""

_SYNTHETIC_NOTE = (
    f"{DAGGER} Measured on synthetic faces: shows that the way works, says nothing about real faces and compares with "
    "no paper's score."
)
_COMPARISONS, _ORIGIN = "Comparisons on the same test samples", "How each score came about"

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 80rem; margin: 2rem auto; padding: 0 1rem; }
h1 { margin-bottom: .2rem; }
h2 { margin: 2.2rem 0 .4rem; }
p.lead { color: #555; margin-top: 0; }
div.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: 1rem 0; font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .55rem; text-align: left; border-bottom: 1px solid #ddd; vertical-align: top; }
th { border-bottom: 2px solid #444; vertical-align: bottom; }
td.short { white-space: nowrap; }
tr.missing td { color: #666; }
p.synthetic { background: #fff4d6; border-left: 4px solid #e69f00; padding: .5rem .8rem; }
ul.notes { padding-left: 1.1rem; max-width: 64rem; font-size: 14px; color: #444; }
td.code { min-width: 15rem; }
code { font-size: 12px; overflow-wrap: break-word; }
figure { margin: 1.5rem 0; max-width: 56rem; }
svg { max-width: 100%; height: auto; }
"""


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
    """Header and rows of the table of scores; rows that were not run are starred.

    Args:
        table: Of ``score_table``.
        scores: Columns to show; one that no row has is left out.
    """
    columns = [f"{score}{end}" for score in scores for end in ("_paper", "")]
    kept = [column for column in columns if table[column].notna().any()]
    names = {f"{score}{end}": name for score, name in SCORE_NAMES.items() for end in ("_paper", "")}
    header = ["System", "Setting", "Variant", "Measured on", "n", "Seeds"]
    header += [f"{names[column]} ({'paper' if column.endswith('_paper') else 'ours'})" for column in kept]
    rows = []
    for _, row in table.iterrows():
        star = STAR if row["not_run"] else ""
        counted = [f"{row['n']:,}", MISSING if star else str(row["seeds"])]
        cells = [f"{row['name']}{star}", row["setting"] or MISSING, row["variant"], row["measured_on"], *counted]
        for column in kept:
            score = column.removesuffix("_paper")
            cells.append(ours(row, score) if score == column else shown(row[column], score))
        rows.append(cells)
    return header, rows


def alike(table: pd.DataFrame, scores: Sequence[str]) -> list[pd.DataFrame]:
    """The rows in tables of their own, those of systems that have the same scores together.

    A system joins the first table that has all of its scores, so that no table is mostly empty cells.

    Args:
        table: Of ``score_table``.
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
    """What a reader must know beside the numbers: intervals, stars, synthetic faces, sources.

    The papers' own remarks.
    """
    lines = ["Ours over several seeds: mean ± standard deviation; of one run: its 95 % bootstrap interval."]
    if (table["measured_on"] == SYNTHETIC).any():
        lines.append(_SYNTHETIC_NOTE)
    lines += [f"{STAR} {line}" for line in _by_text(table, "not_run")]
    for name, of_system in table.groupby("name", sort=False):
        reference, n = of_system["reference"].iloc[0], of_system["paper_n"].iloc[0]
        if reference:
            lines.append(f"{name}: {reference}{f'; n = {n:,}' if n else ''}.")
    other = (table["not_run"] == "") & (table["measured_on"] != SYNTHETIC) & (table["paper_n"] > 0)
    for _, row in table[other & (table["n"] != table["paper_n"])].iterrows():
        lines.append(f"{_name(row)}: tested on {row['n']:,} samples, not on the paper's {row['paper_n']:,}.")
    return [*lines, *_by_text(table, "note")]


def _by_text(table: pd.DataFrame, column: str) -> list[str]:
    """One line per system and text, which names the rows it is about."""
    reported = table[table[column] != ""]
    return [
        f"{name}, {', '.join(row['setting'] or row['variant'] for _, row in rows.iterrows())}: {text}."
        for (name, text), rows in reported.groupby(["name", column], sort=False)
    ]


def _name(row: pd.Series) -> str:
    return f"{row['name']}, {row['setting'] or row['variant']}"


def origin_cells(table: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the table that says how each score came about, and how a missing one would."""
    header = ["System", "Variant", "Command, of the latest run", "Machine", "Date", "MLflow runs"]
    rows = []
    for _, row in table.iterrows():
        made = ["not run", MISSING, MISSING] if row["not_run"] else [row["machine"], row["date"], row["run_ids"]]
        rows.append([row["name"], row["variant"], row["command"], *made])
    return header, rows


def lead(table: pd.DataFrame) -> str:
    """One sentence about what the report covers."""
    run = table[table["not_run"] == ""]
    if run.empty:
        return "No finished run is here yet. Start one: kedro run --pipelines=sae"
    return (
        f"Runs: {run['seeds'].sum()}, of {', '.join(run['name'].unique())}; the latest of {run['date'].max()}. "
        f"Rows not run: {len(table) - len(run)} of {len(table)}."
    )


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


def scores_markdown(table: pd.DataFrame, scores: Sequence[str]) -> str:
    """The tables of scores and their notes: the results block of the project's README."""
    listed = "\n".join(f"- {markdown_text(note)}" for note in notes(table))
    return "\n\n".join([*(markdown_table(*score_cells(some, scores)) for some in alike(table, scores)), listed])


def to_markdown(table: pd.DataFrame, comparisons: pd.DataFrame, peers: pd.DataFrame, scores: Sequence[str]) -> str:
    """The report as Markdown."""
    parts = ["# Results", lead(table), scores_markdown(table, scores)]
    for name, of_system in peers.groupby("name", sort=False):
        listed = "\n".join(f"- {markdown_text(note)}" for note in peer_notes(of_system))
        parts += [f"## {_title(name, of_system)}", markdown_table(*peer_cells(of_system)), listed]
    parts.append(f"## {_COMPARISONS}")
    for title, cells, sentences in comparison_sections(comparisons):
        parts += [f"### {markdown_text(title)}"] * bool(title) + ([markdown_table(*cells)] if cells else [])
        parts.append("\n".join(f"- {markdown_text(sentence)}" for sentence in sentences))
    return "\n\n".join([*parts, f"## {_ORIGIN}", markdown_table(*origin_cells(table))]) + "\n"


def to_html(
    table: pd.DataFrame,
    comparisons: pd.DataFrame,
    peers: pd.DataFrame,
    scores: Sequence[str],
    figures: dict[str, str],
) -> str:
    """The report as one page that needs no other file.

    Args:
        table: Of ``score_table``.
        comparisons: Of ``comparison_table``.
        peers: Of ``peer_table``.
        scores: Columns to show.
        figures: Elements ``svg`` by what they show, for those who cannot see them.
    """
    parts = ["<h1>Results</h1>", f'<p class="lead">{html.escape(lead(table))}</p>']
    if (table["measured_on"] == SYNTHETIC).any():
        parts.append(f'<p class="synthetic">{html.escape(_SYNTHETIC_NOTE)}</p>')
    for some in alike(table, scores):
        parts.append(_html_table(*score_cells(some, scores), missing=(some["not_run"] != "").tolist()))
    parts.append(_html_list(notes(table)))
    parts += [f'<figure role="img" aria-label="{html.escape(what)}">{svg}</figure>' for what, svg in figures.items()]
    for name, of_system in peers.groupby("name", sort=False):
        parts += [f"<h2>{html.escape(_title(name, of_system))}</h2>", _html_table(*peer_cells(of_system))]
        parts.append(_html_list(peer_notes(of_system)))
    parts.append(f"<h2>{_COMPARISONS}</h2>")
    for title, cells, sentences in comparison_sections(comparisons):
        parts += [f"<h3>{html.escape(title)}</h3>"] * bool(title) + ([_html_table(*cells)] if cells else [])
        parts.append(_html_list(sentences))
    missing = (table["not_run"] != "").tolist()
    parts += [f"<h2>{_ORIGIN}</h2>", _html_table(*origin_cells(table), missing=missing, code=(2, 5))]
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>mien: results</title>'
        f"<style>{_STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def _title(name: str, peers: pd.DataFrame) -> str:
    datasets = peers.loc[peers["whose"] == PUBLISHED, "measured_on"]
    where = datasets.iloc[0]
    return f"{name} beside its peers{'' if where in name else f' on {where}'}"


_SHORT = 24  # letters of a cell that is not broken


def _html_table(
    header: Iterable[str], rows: Iterable[Iterable[str]], *, missing: Sequence[bool] = (), code: Sequence[int] = ()
) -> str:
    lines = ["<tr>" + "".join(f"<th>{html.escape(cell)}</th>" for cell in header) + "</tr>"]
    for number, row in enumerate(rows):
        marked = ' class="missing"' if number < len(missing) and missing[number] else ""
        cells = []
        for column, cell in enumerate(row):
            text = f"<code>{html.escape(cell)}</code>" if column in code and cell != MISSING else html.escape(cell)
            kind = ' class="code"' if column in code else ' class="short"' if len(cell) <= _SHORT else ""
            cells.append(f"<td{kind}>{text}</td>")
        lines.append(f"<tr{marked}>{''.join(cells)}</tr>")
    return '<div class="wide"><table>\n' + "\n".join(lines) + "\n</table></div>"


def _html_list(lines: Iterable[str]) -> str:
    return '<ul class="notes">' + "".join(f"<li>{html.escape(line)}</li>" for line in lines) + "</ul>"


_LATEX = {letter: f"\\{letter}" for letter in "&%_#${}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "±": r"$\pm$",
    STAR: r"$^{*}$",
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
    for some in alike(table, scores):
        lines += _latex_table(*score_cells(some, scores), notes(some))
    for name, of_system in peers.groupby("name", sort=False):
        lines += ["", f"% {_title(name, of_system)}"]
        lines += _latex_table(*peer_cells(of_system), peer_notes(of_system))
    return "\n".join(lines) + "\n"


def _latex_table(header: Sequence[str], rows: Iterable[Iterable[str]], remarks: Iterable[str]) -> list[str]:
    lines = [r"\begin{tabular}{" + "l" * len(header) + "}", r"\toprule", _latex_row(header), r"\midrule"]
    lines += [*map(_latex_row, rows), r"\bottomrule", r"\end{tabular}", r"\par\smallskip"]
    return [*lines, r"{\footnotesize", *(rf"{latex_text(remark)}\par" for remark in remarks), "}"]


def _latex_row(cells: Iterable[str]) -> str:
    return " & ".join(map(latex_text, cells)) + r" \\"
