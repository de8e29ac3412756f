"""Accuracy against a parameter and with the operations that it costs: SAE's keep rate, as in its Figure 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mien.figures.style import COLORS, COLUMN_WIDTH, GREY, GRID, TEXT_POINTS, TITLE_POINTS, layout
from mien.io.run_records import RunRecord
from mien.pipelines.report.params import PaperTable, ReportParams, TradeOff
from mien.pipelines.report.peers import OURS, PUBLISHED, recall_names
from mien.pipelines.report.scores import SCORE_NAMES
from mien.pipelines.report.tables import SYNTHETIC, grouped_runs, measured_on

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as MatplotlibFigure
    from plotly.graph_objects import Figure as PlotlyFigure

COST = "GMAC of one image"

_PANEL_HEIGHT = 2.3  # inches
_COLORS = {OURS: COLORS[0], PUBLISHED: COLORS[1]}


def trade_off_table(records: Sequence[RunRecord], report: ReportParams) -> pd.DataFrame:
    """Accuracy and cost of every variant of the systems that have such a figure.

    Args:
        records: Finished runs.
        report: The papers' tables, which name the parameter.

    Returns:
        One row per point: ``system``, ``name``, ``parameter``, ``value`` of it, ``whose`` (PUBLISHED or OURS),
        ``variant``, ``accuracy`` in [0, 1] with ``accuracy_sd`` over seeds, ``gmac`` (ours alone) and ``measured_on``.
        A system has either points on the paper's dataset, beside the published ones, or points on synthetic faces or
        another dataset, alone.
    """
    rows: list[dict[str, Any]] = []
    groups = grouped_runs(records)
    for system, table in report.papers.items():
        if table.trade_off is None:
            continue
        parameter = table.trade_off.parameter
        common = {"system": system, "name": table.name, "parameter": parameter}
        points = [
            {**common, "whose": OURS, "variant": variant, **_ours(table, table.trade_off, runs)}
            for (name, variant), runs in sorted(groups.items())
            if name == system and parameter in runs[0].parameters
        ]
        comparable = [point for point in points if point["measured_on"] == table.dataset]
        rows += comparable or points
        if points and not comparable:
            continue
        rows += [
            {**common, "whose": PUBLISHED, "variant": row.setting, "measured_on": table.dataset}
            | {"value": row.set[parameter], "accuracy": row.scores["accuracy"]}
            for row in table.rows
            if parameter in row.set and "accuracy" in row.scores
        ]
    names = ["system", "name", "parameter", "whose", "variant", "measured_on", "value", "accuracy", "accuracy_sd"]
    return pd.DataFrame(rows, columns=[*names, "gmac"])


def _ours(table: PaperTable, trade_off: TradeOff, runs: Sequence[RunRecord]) -> dict[str, Any]:
    from mien.models import model_arguments
    from mien.models.cost import macs_of

    accuracies = np.array([run.metrics.get("test/accuracy") for run in runs], np.float64)
    own = {name.removeprefix("model."): value for name, value in runs[0].parameters.items()}
    architecture = own.get("architecture", trade_off.architecture)
    config = {name: own[name] for name in model_arguments(architecture) if name in own}
    classes = len(recall_names(runs[0].metrics))
    return {
        "measured_on": measured_on(runs, table),
        "value": runs[0].parameters[trade_off.parameter],
        "accuracy": float(accuracies.mean()),
        "accuracy_sd": float(accuracies.std(ddof=1)) if len(accuracies) > 1 else np.nan,
        "gmac": macs_of(architecture, {**config, "num_classes": classes})[""] / 1e9,
    }


def trade_off_figure(table: pd.DataFrame) -> PlotlyFigure:
    """Interactive: one panel per system, accuracy on the left axis, cost on the right.

    Args:
        table: Of ``trade_off_table``.
    """
    from plotly.subplots import make_subplots

    panels = _panels(table)
    titles = [title for title, _ in panels]
    specs = [[{"secondary_y": True}] for _ in panels] or [[{}]]
    figure = make_subplots(rows=max(1, len(panels)), cols=1, specs=specs, subplot_titles=titles)
    for row, (_, points) in enumerate(panels, start=1):
        for whose, of_whose in points.groupby("whose", sort=False):
            error = {"type": "data", "array": (100 * of_whose["accuracy_sd"]).fillna(0).tolist()}
            figure.add_scatter(
                x=of_whose["value"].tolist(),
                y=(100 * of_whose["accuracy"]).tolist(),
                text=of_whose["variant"].tolist(),
                error_y=error,
                mode="markers",
                marker={"color": _COLORS[whose], "size": 10, "symbol": "circle" if whose == OURS else "diamond-open"},
                name=whose,
                showlegend=row == 1,
                row=row,
                col=1,
            )
        costs = points[points["gmac"].notna()].sort_values("value")
        figure.add_scatter(
            x=costs["value"].tolist(),
            y=costs["gmac"].tolist(),
            text=costs["variant"].tolist(),
            mode="markers",
            marker={"color": GREY, "symbol": "cross-thin-open", "size": 10},
            name=COST,
            showlegend=row == 1,
            secondary_y=True,
            row=row,
            col=1,
        )
        figure.update_xaxes(title_text=_abscissa(points), row=row, col=1)
        figure.update_yaxes(title_text=SCORE_NAMES["accuracy"], secondary_y=False, row=row, col=1)
        figure.update_yaxes(title_text=COST, rangemode="tozero", showgrid=False, secondary_y=True, row=row, col=1)
    figure.update_layout(**layout("Accuracy and cost", synthetic=False), width=800, height=150 + 350 * len(panels))
    return figure


def trade_off_plot(table: pd.DataFrame) -> MatplotlibFigure:
    """Printed, one column wide: one panel per system, accuracy on the left axis, cost on the right.

    Args:
        table: Of ``trade_off_table``.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = _panels(table)
    size = (COLUMN_WIDTH, 0.4 + _PANEL_HEIGHT * max(1, len(panels)))
    figure = Figure(figsize=size, dpi=300, layout="constrained")
    FigureCanvasAgg(figure)
    all_axes = figure.subplots(max(1, len(panels)), 1, squeeze=False)[:, 0]
    handles: dict[str, Any] = {}
    for axes, (title, points) in zip(all_axes, panels, strict=False):
        handles |= _draw_panel(axes, title, points)
    if not panels:
        all_axes[0].set_axis_off()
        all_axes[0].text(0.5, 0.5, "no run yet", ha="center", fontsize=TEXT_POINTS)
    if handles:
        where = {"loc": "outside lower center", "ncols": len(handles), "fontsize": TEXT_POINTS, "frameon": False}
        figure.legend(handles.values(), handles.keys(), **where)
    return figure


def _draw_panel(axes: Axes, title: str, points: pd.DataFrame) -> dict[str, Any]:
    """Draw one system; the legend's handles by name."""
    handles: dict[str, Any] = {}
    right = axes.twinx()
    costs = points[points["gmac"].notna()].sort_values("value")
    handles[COST] = right.plot(costs["value"], costs["gmac"], "+", color=GREY, markersize=6)[0]
    right.set_ylim(0, 1.15 * costs["gmac"].max() if len(costs) else 1)
    right.set_ylabel(COST, fontsize=TEXT_POINTS, color=GREY)
    for whose, of_whose in points.groupby("whose", sort=False):
        handles[whose] = axes.errorbar(
            of_whose["value"],
            100 * of_whose["accuracy"],
            yerr=(100 * of_whose["accuracy_sd"]).fillna(0),
            fmt="o" if whose == OURS else "D",
            color=_COLORS[whose],
            markerfacecolor=None if whose == OURS else "white",
            markersize=4,
            capsize=2,
            linewidth=1,
        )
    axes.set_title(title, fontsize=TITLE_POINTS)
    axes.set_xlabel(_abscissa(points), fontsize=TEXT_POINTS)
    axes.set_ylabel(SCORE_NAMES["accuracy"], fontsize=TEXT_POINTS)
    axes.grid(axis="y", color=GRID, linewidth=0.4)
    axes.set_axisbelow(True)
    for each in (axes, right):
        each.tick_params(labelsize=TEXT_POINTS, width=0.6, length=2.5)
        each.spines[["top"]].set_visible(False)
    return handles


def _panels(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Title and points of each system that has a point of ours."""
    return [
        (_title(name, points), points)
        for name, points in table.groupby("name", sort=False)
        if (points["whose"] == OURS).any()
    ]


def _title(name: str, points: pd.DataFrame) -> str:
    synthetic = (points["measured_on"] == SYNTHETIC).any()
    return f"{name}{', ours on synthetic faces: no result' if synthetic else ''}"


def _abscissa(points: pd.DataFrame) -> str:
    return points["parameter"].iloc[0].rsplit(".", 1)[-1].replace("_", " ")
