"""The measured networks as a figure and as a page."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from mien.pipelines.benchmark.networks import BY_CPU, TRAINING_STEP
from mien.pipelines.benchmark.params import WHOLE
from mien.pipelines.benchmark.words import counted, markdown_page, with_spread

REST = "the rest"
"""What the parts leave of the whole."""


def draw_networks(table: pd.DataFrame) -> Any:
    """Draw the milliseconds per image of each network, part by part.

    Args:
        table: Of ``measure_networks``.

    Returns:
        Plotly's figure: a panel per mode, number of threads and batch size.
    """
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    from mien.figures import COLORS, layout

    passes = table[table["part"] != TRAINING_STEP]
    panels = list(passes.groupby(["mode", "threads", "batch_size"], sort=False))
    names = passes["way"].unique().tolist()
    titles = [f"batch of {size}, {mode}, {counted(threads, 'thread')}" for (mode, threads, size), _ in panels]
    figure = make_subplots(rows=len(panels), cols=1, subplot_titles=titles)
    parts = [part for part in passes["part"].unique() if part != WHOLE]
    for panel, ((_, _, batch_size), rows) in enumerate(panels, start=1):
        ms = rows.pivot(index="way", columns="part", values="ms").reindex(index=names, columns=[*parts, WHOLE])
        ms[REST] = (ms[WHOLE] - ms[parts].sum(axis=1)).clip(lower=0)
        for part, color in zip([*parts, REST], COLORS, strict=False):
            bar = go.Bar(
                x=(ms[part] / batch_size).fillna(0).tolist(),
                y=names,
                name=part,
                legendgroup=part,
                showlegend=panel == 1,
                orientation="h",
                marker={"color": color},
            )
            figure.add_trace(bar, row=panel, col=1)
        figure.update_yaxes(autorange="reversed", row=panel, col=1)
        figure.update_xaxes(title_text="milliseconds per image", row=panel, col=1)
    title = f"Time of networks, {table['device'].iloc[0]}"
    figure.update_layout(**layout(title, synthetic=False), barmode="stack", width=900)
    figure.update_layout(height=160 + len(panels) * (90 + 26 * len(names)), margin={"l": 160})
    figure.update_layout(title_font_size=15)
    return figure


def write_networks(table: pd.DataFrame, aims: pd.DataFrame) -> str:
    """Write what was measured as Markdown, with what must be known to read it.

    Args:
        table: Of ``measure_networks``.
        aims: Of ``measure_networks``.

    Returns:
        The text.
    """
    tables = [("Aims", *_aims_table(aims)), ("Operations and memory", *_costs_table(table))]
    for (mode, threads, batch_size), rows in table.groupby(["mode", "threads", "batch_size"], sort=False):
        for training in (False, True):
            shown = rows[(rows["part"] == TRAINING_STEP) == training]
            if len(shown):
                what = f"{'Training step' if training else 'Passes'}, batch of {batch_size}"
                tables.append(
                    (f"{what}, {mode}, {counted(threads, 'thread')}", *_times_table(shown, table["baseline"].iloc[0]))
                )
    return markdown_page("Cost of networks", tables, _notes(table))


def _aims_table(aims: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    header = ["Time of", "Beside", "Batch", "Run", "Aim", "Ratio", "By", "Met"]
    lines = [
        [
            f"{row['way']}, {row['part']}",
            row["of"],
            str(row["batch_size"]),
            f"{row['mode']}, {counted(row['threads'], 'thread')}",
            f"at most {row['at_most']:.2f}",
            with_spread(row, "ratio", 3),
            row["estimated_by"],
            "yes" if row["met"] else "no",
        ]
        for _, row in aims.iterrows()
    ]
    return header, lines or [["none of those measured", *[""] * (len(header) - 1)]]


def _costs_table(table: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    first = table[table["part"] != TRAINING_STEP].drop_duplicates(["way", "part"]).set_index(["way", "part"])
    ways, parts = table["way"].unique(), [part for part in first.index.unique("part") if part != WHOLE]
    header = ["Network", "Parameters, M", "GMAC", "GFLOP"]
    header += [f"{part}, GMAC" for part in parts]
    header += [f"Peak memory, MB, batch of {table['memory_batch_size'].iloc[0]}"]
    lines = []
    for way in ways:
        whole = first.loc[(way, WHOLE)]
        macs = [f"{first.loc[(way, part), 'gmac']:.3f}" if (way, part) in first.index else "" for part in parts]
        numbers = [f"{whole['parameters'] / 1e6:.2f}", f"{whole['gmac']:.3f}", f"{whole['gflop']:.2f}"]
        lines.append([way, *numbers, *macs, f"{whole['peak_mb']:.0f}"])
    return header, lines


def _times_table(rows: pd.DataFrame, baseline: str) -> tuple[list[str], list[list[str]]]:
    """One line per network: the parts side by side."""
    by_cpu = rows["estimated_by"].iloc[0] == BY_CPU
    ms, ratio = ("cpu_ms", "cpu_ratio") if by_cpu else ("ms", "ratio")
    by = f" by {BY_CPU}" if by_cpu else ""
    parts = rows["part"].unique().tolist()
    header = ["Network", "Images/s", "ms", *(f"{part}{by}, ms" for part in parts)]
    header += [f"{part}, times {baseline}{by}" for part in parts]
    lines = []
    for way, own in rows.groupby("way", sort=False):
        of = {row["part"]: row for _, row in own.iterrows()}
        first = of[parts[0]]
        line = [str(way), with_spread(first, "images_per_s", 1), with_spread(first, "ms", 1)]
        line += [f"{of[part][ms]:.1f}" if part in of else "" for part in parts]
        known = [part in of and not pd.isna(of[part].get(ratio)) for part in parts]
        line += [with_spread(of[part], ratio, 3) if has else "" for part, has in zip(parts, known, strict=True)]
        lines.append(line)
    return header, lines


def _notes(table: pd.DataFrame) -> Sequence[str]:
    few, many = table["rounds"].min(), table["rounds"].max()
    rounds = str(few) if few == many else f"{few} to {many}"
    return [
        f"Machine: {table['device'].iloc[0]}; {table['precision'].iloc[0]}. Random weights and images. Median of "
        f"{rounds} rounds (least to largest), all networks and parts in turn in one process, after a pass that warms "
        "up; a ratio is taken within its round.",
        "A part is timed alone, on what the network gives it. The training step is a pass forward and back, twice with "
        "SAM, and the optimiser's step.",
        "GMAC: multiply-accumulate operations of one image, counted by torch: matrix products and convolutions. GFLOP: "
        "twice that.",
        "Peak memory is what a pass takes above the weights: on a CPU the growth of a fresh process with all that a "
        "first pass brings along, on a GPU what torch's allocator held.",
        "On a CPU that other programs keep busy read the ratio by CPU time, and of one thread: several threads wait "
        "for each other in a loop that takes CPU time too.",
    ]
