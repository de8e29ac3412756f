"""The report as one page: what was run first, published scores beside what compares with them, the rest folded."""

import html
from collections.abc import Iterable, Sequence

import pandas as pd

from mien.pipelines.report.comparisons import comparison_sections
from mien.pipelines.report.formats import (
    COMPARISONS,
    NOT_RUN,
    ON_SYNTHETIC,
    ORIGIN,
    SPREAD_NOTE,
    SYNTHETIC_NOTE,
    lead,
    notes,
    origin_cells,
    ours,
    parts,
    peer_title,
    score_cells,
    sources,
)
from mien.pipelines.report.peers import OURS, PUBLISHED, class_cells, comparable, peer_cells, peer_notes
from mien.pipelines.report.scores import MISSING, SCORE_NAMES, shown
from mien.pipelines.report.tables import SYNTHETIC

_SHORT = 24
"""Letters of a cell that is not broken into lines."""

_FIGURES = "Figures"

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #222; max-width: 84rem; margin: 1.2rem auto; padding: 0 1.2rem; }
h1 { margin: 0; }
h2 { margin: 1.6rem 0 .2rem; }
h3 { margin: .8rem 0 .2rem; font-size: 1rem; }
p { margin: .2rem 0 .5rem; }
p.lead, p.source { color: #555; }
nav { display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; padding: .5rem 0; border-bottom: 1px solid #ddd; }
nav a { color: #0072b2; }
div.tiles { display: flex; flex-wrap: wrap; gap: .8rem; margin: .5rem 0; }
div.tile { border: 1px solid #ccc; border-radius: 6px; padding: .5rem .9rem; min-width: 11rem; }
div.tile b { display: block; font-size: 2.3rem; line-height: 1.15; font-variant-numeric: tabular-nums; }
div.tile span { display: block; color: #555; font-size: 14px; }
div.synthetic div.tile { border: 1px dashed #b87300; background: #fff9e8; }
div.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: .5rem 0; font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .6rem; text-align: left; border-bottom: 1px solid #ddd; vertical-align: top; }
th { border-bottom: 2px solid #444; vertical-align: bottom; }
td.short { white-space: nowrap; }
td.long { min-width: 13rem; }
.badge { background: #ffe3a0; border-radius: 4px; padding: .1rem .5rem; font-size: 14px; font-weight: normal; }
p.synthetic { background: #fff4d6; border-left: 4px solid #e69f00; padding: .4rem .8rem; }
ul.notes { padding-left: 1.1rem; margin: .2rem 0; font-size: 14px; color: #444; }
td.code { min-width: 15rem; }
code { font-size: 12px; overflow-wrap: anywhere; }
details { border: 1px solid #ddd; border-radius: 6px; padding: .4rem .8rem; margin: .5rem 0; }
summary { cursor: pointer; font-weight: 600; }
figure { margin: .6rem 0; max-width: 52rem; }
svg { max-width: 100%; height: auto; }
"""


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
    ran, left = table[table["not_run"] == ""], table[table["not_run"] != ""]
    systems = [(str(system), rows) for system, rows in ran.groupby("system", sort=False)]
    anchors = {system: rows["name"].iloc[0] for system, rows in systems}
    anchors |= {"figures": _FIGURES} if figures else {}
    anchors |= {"comparisons": COMPARISONS, **({"origin": ORIGIN} if len(ran) else {})}
    anchors |= {"not-run": NOT_RUN} if len(left) else {}
    body = ["<h1>Results</h1>", _paragraph(lead(table), "lead"), _contents(anchors)]
    if (ran["measured_on"] == SYNTHETIC).any():
        body.append(_paragraph(SYNTHETIC_NOTE, "synthetic"))
    body += [_paragraph(SPREAD_NOTE, "source")] * bool(len(ran))
    for system, rows in systems:
        body += _system(system, rows, peers[peers["system"] == system], scores)
    body += [f'<h2 id="figures">{_FIGURES}</h2>'] * bool(figures)
    body += [f'<figure role="img" aria-label="{html.escape(what)}">{svg}</figure>' for what, svg in figures.items()]
    body += _comparisons(comparisons)
    if len(ran):
        body += [f'<h2 id="origin">{ORIGIN}</h2>', _table(*origin_cells(ran), code=(2, 5))]
    body += _not_run(left, peers, scores) if len(left) else []
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>mien: results</title>'
        f"<style>{_STYLE}</style></head>\n<body>\n{chr(10).join(body)}\n</body></html>\n"
    )


def _contents(anchors: dict[str, str]) -> str:
    links = (f'<a href="#{html.escape(anchor)}">{html.escape(title)}</a>' for anchor, title in anchors.items())
    return f'<nav aria-label="Contents">{"".join(links)}</nav>'


def _system(system: str, rows: pd.DataFrame, peers: pd.DataFrame, scores: Sequence[str]) -> list[str]:
    """What one system scored: on real faces, beside what compares with it, and on synthetic ones by themselves."""
    lines = [f'<h2 id="{html.escape(system)}">{html.escape(rows["name"].iloc[0])}</h2>']
    lines += [_paragraph(f"{reference}.", "source") for reference in rows["reference"].unique() if reference]
    beside = comparable(peers)
    for title, part in parts(rows):
        synthetic = title == ON_SYNTHETIC
        lines.append(f"<h3>{html.escape(title)}{_badge() if synthetic else ''}</h3>")
        single = len(part) == 1
        header, cells = score_cells(part, scores)
        shown_rows = _tiles(part.iloc[0], scores) if single else _table(header[1:], [row[1:] for row in cells])
        lines.append(f'<div class="synthetic">{shown_rows}</div>' if synthetic else shown_rows)
        of_part = peers[(peers["whose"] == OURS) & ((peers["measured_on"] == SYNTHETIC) == synthetic)]
        classes = class_cells(of_part)
        if len(classes[0]) > 1 and (synthetic or not len(beside)):
            lines.append(_table(*classes))
        above = {SPREAD_NOTE, SYNTHETIC_NOTE, *sources(part)}
        lines.append(_list([note for note in notes(part) if note not in above]))
        if len(beside) and not synthetic:
            lines += [f"<h3>{html.escape(peer_title(rows['name'].iloc[0], beside))}</h3>", _table(*peer_cells(beside))]
            lines.append(_list(peer_notes(beside)))
    return lines


def _badge() -> str:
    return ' <span class="badge">no result on real faces</span>'


def _tiles(row: pd.Series, scores: Sequence[str]) -> str:
    """The scores of the only row of a part, in large digits, and the published one beside where it compares."""
    tiles = []
    for score in scores:
        text = ours(row, score)
        if text == MISSING:
            continue
        value, _, spread = text.removesuffix(" †").partition(" ")
        mark = " †" if text.endswith("†") else ""
        published = shown(row[f"{score}_paper"], score)
        small = [SCORE_NAMES[score], spread.strip("()")]
        small += [f"published: {published}"] if published != MISSING else []
        spans = "".join(f"<span>{html.escape(line)}</span>" for line in small if line)
        tiles.append(f'<div class="tile"><b>{html.escape(value + mark)}</b>{spans}</div>')
    what = f"variant {row['variant']}, {row['measured_on']}, n = {row['n']:,}, "
    what += f"{row['seeds']} {'seed' if row['seeds'] == 1 else 'seeds'}"
    named = f"{row['setting']}; {what}" if row["setting"] else what
    return f'<div class="tiles">{"".join(tiles)}</div>{_paragraph(named, "source")}'


def _comparisons(comparisons: pd.DataFrame) -> list[str]:
    lines = [f'<h2 id="comparisons">{COMPARISONS}</h2>']
    for title, cells, sentences in comparison_sections(comparisons):
        lines += [f"<h3>{html.escape(title)}</h3>"] * bool(title) + ([_table(*cells)] if cells else [])
        lines.append(_list(sentences))
    return lines


def _not_run(left: pd.DataFrame, peers: pd.DataFrame, scores: Sequence[str]) -> list[str]:
    """Rows without a run, folded by system: what was published, and the command that would repeat it."""
    lines = [f'<h2 id="not-run">{NOT_RUN}</h2>']
    lines.append(_paragraph("Each row with the command that repeats it on your own copy of the dataset.", "source"))
    beside = set(comparable(peers)["system"])
    for system, rows in left.groupby("system", sort=False):
        header, cells = score_cells(rows, scores)
        kept = [place for place in range(len(header)) if header[place] not in ("System", "Seeds")]
        titles = [*(header[place].removesuffix(" (published)") for place in kept), "Command"]
        commands = rows["command"].tolist()
        full = [[*(row[place] for place in kept), command] for row, command in zip(cells, commands, strict=True)]
        inner = [_table(titles, full, code=(len(titles) - 1,)), _list(notes(rows))]
        others = peers[(peers["system"] == system) & (peers["whose"] == PUBLISHED)]
        if len(others) and system not in beside:
            inner += [_table(*peer_cells(others)), _list(peer_notes(others))]
        counted = f"{len(rows)} {'row' if len(rows) == 1 else 'rows'}"
        name, where = rows["name"].iloc[0], rows["measured_on"].iloc[0]
        summary = f"{name}{'' if where in name else f' on {where}'}: {counted}"
        lines.append(f"<details><summary>{html.escape(summary)}</summary>{''.join(inner)}</details>")
    return lines


def _table(header: Iterable[str], rows: Iterable[Iterable[str]], *, code: Sequence[int] = ()) -> str:
    lines = ["<tr>" + "".join(f"<th>{html.escape(cell)}</th>" for cell in header) + "</tr>"]
    for row in rows:
        cells = []
        for column, cell in enumerate(row):
            text = f"<code>{html.escape(cell)}</code>" if column in code and cell != MISSING else html.escape(cell)
            kind = "code" if column in code else "short" if len(cell) <= _SHORT else "long"
            cells.append(f'<td class="{kind}">{text}</td>')
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return '<div class="wide"><table>\n' + "\n".join(lines) + "\n</table></div>"


def _paragraph(text: str, kind: str) -> str:
    return f'<p class="{kind}">{html.escape(text)}</p>'


def _list(lines: Sequence[str]) -> str:
    listed = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
    return f'<ul class="notes">{listed}</ul>' if listed else ""
