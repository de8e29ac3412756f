"""The report's tables as Markdown, HTML and LaTeX."""

import html
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mien.pipelines.report.params import ReportParams
from mien.pipelines.report.tables import DRAWN, MISSING

SCORE_NAMES = {
    "accuracy": "Accuracy, %",
    "mean_class_accuracy": "Mean class accuracy, %",
    "macro_f1": "Macro F1, %",
    "auroc": "AUROC",
    "error_rate": "Error, %",
    "mae_years": "MAE, years",
}

_IN_PERCENT = ("accuracy", "mean_class_accuracy", "macro_f1", "error_rate")

STAR = "*"

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; font-size: 14px; }
th, td { padding: .35rem .7rem; text-align: left; border-bottom: 1px solid #ddd; vertical-align: top; }
th { border-bottom: 2px solid #444; }
tr.missing td { color: #666; }
p.drawn { background: #fff4d6; border-left: 4px solid #e69f00; padding: .5rem .8rem; }
code { font-size: 12px; overflow-wrap: anywhere; }
svg { max-width: 100%; height: auto; }
"""


def shown(value: float, score: str) -> str:
    """A score as it is printed: percentages with one digit more than a sample of hundreds deserves, AUROC with three.

    Example:
        >>> shown(0.9117, "accuracy"), shown(0.9843, "auroc")
        ('91.17', '0.984')
    """
    if np.isnan(value):
        return MISSING
    if score in _IN_PERCENT:
        return f"{100 * value:.2f}"
    return f"{value:.3f}" if score == "auroc" else f"{value:.2f}"


def ours(row: pd.Series, score: str) -> str:
    """Our score with its spread: mean ± sd over seeds, or one run's value with its 95 % interval."""
    value = shown(row[score], score)
    if value == MISSING:
        return MISSING
    if not np.isnan(row[f"{score}_sd"]):
        return f"{value} ± {shown(row[f'{score}_sd'], score)}"
    if np.isnan(row[f"{score}_low"]):
        return value
    return f"{value} ({shown(row[f'{score}_low'], score)} to {shown(row[f'{score}_high'], score)})"


def score_cells(table: pd.DataFrame, scores: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the table of scores; rows that were not run are starred.

    Args:
        table: Of ``score_table``.
        scores: Columns to show; one that no row has is left out.
    """
    kept = [score for score in scores if table[[score, f"{score}_paper"]].notna().any(axis=None)]
    header = ["System", "Setting", "Variant", "Measured on", "n", "Seeds"]
    for score in kept:
        paper = [f"{SCORE_NAMES[score]}, paper's"] if table[f"{score}_paper"].notna().any() else []
        header += [*paper, f"{SCORE_NAMES[score]}, ours"]
    rows = []
    for _, row in table.iterrows():
        star = STAR if row["not_run"] else ""
        counted = [str(row["n"]), str(row["seeds"])] if not star else [MISSING, MISSING]
        cells = [f"{row['name']}{star}", row["setting"] or MISSING, row["variant"], row["measured_on"], *counted]
        for score in kept:
            if table[f"{score}_paper"].notna().any():
                cells.append(shown(row[f"{score}_paper"], score))
            cells.append(ours(row, score))
        rows.append(cells)
    return header, rows


def notes(table: pd.DataFrame) -> list[str]:
    """What a reader must know beside the numbers: intervals, stars, drawn faces, the papers' own remarks."""
    lines = ["Ours over several seeds: mean ± standard deviation; of one run: its 95 % bootstrap interval."]
    if (table["measured_on"] == DRAWN).any():
        lines.append(
            "Scores on drawn faces show that the way works. They say nothing about real faces and are not comparable "
            "with a paper's."
        )
    for _, row in table.iterrows():
        name = f"{row['name']}, {row['setting'] or row['variant']}"
        if row["not_run"]:
            lines.append(f"{STAR} {name}: {row['not_run']}.")
        if row["note"]:
            lines.append(f"{name}: {row['note']}.")
    return lines


def origin_cells(table: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the table that says how each score came about."""
    run = table[table["not_run"] == ""]
    columns = ["name", "variant", "command", "machine", "date", "run_ids"]
    return ["System", "Variant", "Command", "Machine", "Date", "MLflow runs"], run[columns].astype(str).values.tolist()


def comparison_cells(comparisons: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the paired comparisons."""
    header = ["One", "Other", "n", "Difference in accuracy, points", "Only one right", "Only other right", "McNemar p"]
    rows = [
        [
            row["one"],
            row["other"],
            str(row["n"]),
            f"{100 * row['difference']:+.2f} ({100 * row['low']:+.2f} to {100 * row['high']:+.2f})",
            str(row["only_one"]),
            str(row["only_other"]),
            f"{row['p']:.3f}",
        ]
        for _, row in comparisons.iterrows()
    ]
    return header, rows


def markdown_table(header: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """A table in GitHub's Markdown."""
    header = list(header)
    escaped = [[str(cell).replace("|", "\\|") for cell in line] for line in rows]
    lines = [header, ["---"] * len(header), *escaped]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def to_markdown(table: pd.DataFrame, comparisons: pd.DataFrame, report: ReportParams) -> str:
    """The report as Markdown."""
    parts = ["# Results", markdown_table(*score_cells(table, report.scores))]
    parts.append("\n".join(f"- {note}" for note in notes(table)))
    if len(comparisons):
        parts += ["## Comparisons on the same test samples", markdown_table(*comparison_cells(comparisons))]
        parts.append("\n".join(f"- {sentence}" for sentence in comparisons["sentence"]))
    origin = origin_cells(table)
    if origin[1]:
        parts += ["## How each score came about", markdown_table(*origin)]
    return "\n\n".join(parts) + "\n"


def to_html(table: pd.DataFrame, comparisons: pd.DataFrame, report: ReportParams, figure_svg: str) -> str:
    """The report as one page that needs no other file."""
    parts = ["<h1>Results</h1>"]
    if (table["measured_on"] == DRAWN).any():
        parts.append('<p class="drawn">Measured on drawn faces: no result, and not comparable with any paper.</p>')
    missing = (table["not_run"] != "").tolist()
    parts += [_html_table(*score_cells(table, report.scores), missing), figure_svg]
    parts.append("<ul>" + "".join(f"<li>{html.escape(note)}</li>" for note in notes(table)) + "</ul>")
    if len(comparisons):
        parts += ["<h2>Comparisons on the same test samples</h2>", _html_table(*comparison_cells(comparisons))]
        sentences = "".join(f"<li>{html.escape(text)}</li>" for text in comparisons["sentence"])
        parts.append(f"<ul>{sentences}</ul>")
    if (table["not_run"] == "").any():
        parts += ["<h2>How each score came about</h2>", _html_table(*origin_cells(table), code=(2,))]
    body = "\n".join(parts)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>mien: results</title>'
        f"<style>{_STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def _html_table(
    header: Iterable[str], rows: Iterable[Iterable[str]], missing: Sequence[bool] = (), code: Sequence[int] = ()
) -> str:
    lines = ["<tr>" + "".join(f"<th>{html.escape(cell)}</th>" for cell in header) + "</tr>"]
    for number, row in enumerate(rows):
        marked = ' class="missing"' if number < len(missing) and missing[number] else ""
        cells = [
            f"<td><code>{html.escape(cell)}</code></td>" if column in code else f"<td>{html.escape(cell)}</td>"
            for column, cell in enumerate(row)
        ]
        lines.append(f"<tr{marked}>{''.join(cells)}</tr>")
    return "<table>\n" + "\n".join(lines) + "\n</table>"


_LATEX = {"&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#", "$": r"\$", "±": r"$\pm$", "*": r"$^{*}$"}


def to_latex(table: pd.DataFrame, report: ReportParams) -> str:
    """The table of scores for a paper, with booktabs' rules; notes follow as comments."""
    header, rows = score_cells(table, report.scores)
    lines = [r"\begin{tabular}{" + "l" * len(header) + "}", r"\toprule"]
    lines += [_latex_row(header), r"\midrule", *map(_latex_row, rows), r"\bottomrule", r"\end{tabular}"]
    return "\n".join([*lines, *(f"% {note}" for note in notes(table))]) + "\n"


def _latex_row(cells: Iterable[str]) -> str:
    return " & ".join("".join(_LATEX.get(letter, letter) for letter in cell) for cell in cells) + r" \\"
