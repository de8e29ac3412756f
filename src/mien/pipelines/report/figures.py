"""The report's figure: every variant's main score with its spread, and its paper's beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mien.figures.style import COLORS, GRID, TEXT_POINTS, TITLE_POINTS
from mien.pipelines.report.scores import SCORE_NAMES, printed_unit
from mien.pipelines.report.tables import SYNTHETIC

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as MatplotlibFigure

PAGE_WIDTH = 7.0
"""Inches: both columns of the two-column layouts of IEEE and CVF."""

MAIN_SCORES = ("accuracy", "error_rate", "mae_years")
"""Scores that have a panel, where a row has them."""

TITLE = "Test scores"
OURS, OURS_SYNTHETIC, PAPERS = "ours", "ours, on synthetic faces: no result", "the paper's"
SPREAD = "± standard deviation over seeds, or the 95 % interval of one run"

_ROW_HEIGHT = 0.24  # inches
_OUR_COLOR, _PAPER_COLOR = COLORS[0], COLORS[1]


@dataclass(frozen=True)
class _Panel:
    """One score of the rows that have it, in the unit it is printed in, the top row first."""

    score: str
    labels: list[str]
    ours: np.ndarray
    below: np.ndarray  # length of the lower and the upper half of the stroke
    above: np.ndarray
    paper: np.ndarray
    synthetic: np.ndarray

    def parts(self) -> list[tuple[str, np.ndarray, np.ndarray, bool]]:
        """Name, values, rows where there are any, and whether the markers are hollow, of each kind of point."""
        known = np.isfinite(self.ours)
        kinds = [
            (OURS, self.ours, known & ~self.synthetic, False),
            (OURS_SYNTHETIC, self.ours, known & self.synthetic, True),
            (PAPERS, self.paper, np.isfinite(self.paper), True),
        ]
        return [kind for kind in kinds if kind[2].any()]


def scores_plot(table: pd.DataFrame) -> MatplotlibFigure:
    """Printed dot plot, two columns wide, one panel per score.

    Args:
        table: Of ``score_table``.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = _panels(table)
    sizes = [len(panel.labels) for panel in panels] or [1]
    height = 0.7 + sum(0.45 + _ROW_HEIGHT * size for size in sizes)
    figure = Figure(figsize=(PAGE_WIDTH, height), dpi=300, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(f"{TITLE} ({SPREAD})", fontsize=TITLE_POINTS)
    ratios = [0.3 + _ROW_HEIGHT * size for size in sizes]
    all_axes = figure.subplots(len(sizes), 1, squeeze=False, height_ratios=ratios)[:, 0]
    handles: dict[str, Any] = {}
    for axes, panel in zip(all_axes, panels, strict=False):
        handles |= _draw_panel(axes, panel)
    if not panels:
        all_axes[0].set_axis_off()
        all_axes[0].text(0.5, 0.5, "no score yet", ha="center", fontsize=TEXT_POINTS)
    if handles:
        figure.legend(
            handles.values(),
            handles.keys(),
            loc="outside lower center",
            ncols=len(handles),
            fontsize=TEXT_POINTS,
            frameon=False,
        )
    return figure


def _draw_panel(axes: Axes, panel: _Panel) -> dict[str, Any]:
    """Draw one score; the legend's handles by name."""
    handles = {}
    for name, values, rows, hollow in panel.parts():
        paper = name == PAPERS
        handles[name] = axes.errorbar(
            values[rows],
            np.flatnonzero(rows),
            xerr=None if paper else np.stack([panel.below[rows], panel.above[rows]]),
            fmt="D" if paper else "o",
            color=_PAPER_COLOR if paper else _OUR_COLOR,
            markerfacecolor="white" if hollow else None,
            markersize=5,
            capsize=2.5,
            linewidth=1,
        )
    axes.set_yticks(range(len(panel.labels)), panel.labels)
    axes.set_ylim(len(panel.labels) - 0.5, -0.5)
    axes.tick_params(labelsize=TEXT_POINTS, width=0.6, length=2.5)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(SCORE_NAMES[panel.score], fontsize=TEXT_POINTS)
    axes.grid(axis="x", color=GRID, linewidth=0.4)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[:].set_linewidth(0.6)
    return handles


def _panels(table: pd.DataFrame) -> list[_Panel]:
    scores = [score for score in MAIN_SCORES if score in table]
    return [_panel(table, score) for score in scores if table[[score, f"{score}_paper"]].notna().any(axis=None)]


def _panel(table: pd.DataFrame, score: str) -> _Panel:
    rows = table[table[[score, f"{score}_paper"]].notna().any(axis=1)]
    unit, _ = printed_unit(score)
    ours, sd, low, high = (unit * rows[f"{score}{end}"].to_numpy(float) for end in ("", "_sd", "_low", "_high"))
    return _Panel(
        score,
        [f"{row['name']}, {row['setting'] or row['variant']}" for _, row in rows.iterrows()],
        ours,
        np.nan_to_num(np.where(np.isnan(sd), ours - low, sd)),
        np.nan_to_num(np.where(np.isnan(sd), high - ours, sd)),
        unit * rows[f"{score}_paper"].to_numpy(float),
        (rows["measured_on"] == SYNTHETIC).to_numpy(),
    )
