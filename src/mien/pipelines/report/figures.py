"""The report's figure: every variant's accuracy with its spread, and the paper's beside it."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mien.pipelines.report.tables import DRAWN

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MatplotlibFigure
    from plotly.graph_objects import Figure as PlotlyFigure

OURS, PAPERS = "#0072B2", "#D55E00"  # Okabe and Ito's blue and vermilion


def _points(table: pd.DataFrame, score: str = "accuracy") -> dict[str, Any]:
    """Labels, values and spreads in per cent, top row first; a spread is a standard deviation or half an interval."""
    rows = table[table[[score, f"{score}_paper"]].notna().any(axis=1)]
    half = (rows[f"{score}_high"] - rows[f"{score}_low"]) / 2
    spread = rows[f"{score}_sd"].fillna(half).fillna(0)
    drawn = np.where(rows["measured_on"] == DRAWN, ", drawn faces", "")
    return {
        "labels": [
            f"{name} {variant}{mark}" for name, variant, mark in zip(rows["name"], rows["variant"], drawn, strict=True)
        ],
        "ours": 100 * rows[score].to_numpy(float),
        "spread": 100 * spread.to_numpy(float),
        "paper": 100 * rows[f"{score}_paper"].to_numpy(float),
    }


def scores_figure(table: pd.DataFrame) -> "PlotlyFigure":
    """Interactive dot plot of the accuracies.

    Args:
        table: Of ``score_table``.
    """
    import plotly.graph_objects as go

    points = _points(table)
    ours = go.Scatter(
        x=points["ours"].tolist(),
        y=points["labels"],
        error_x={"array": points["spread"].tolist(), "thickness": 1.5},
        mode="markers",
        marker={"color": OURS, "size": 10},
        name="ours (± sd over seeds, or 95 % interval)",
    )
    papers = go.Scatter(
        x=points["paper"].tolist(),
        y=points["labels"],
        mode="markers",
        marker={"color": PAPERS, "size": 10, "symbol": "diamond-open"},
        name="the paper's",
    )
    figure = go.Figure([ours, papers])
    figure.update_layout(
        template="plotly_white", title="Test accuracy", height=180 + 36 * len(points["labels"]), legend={"y": -0.2}
    )
    figure.update_xaxes(title_text="accuracy, %")
    figure.update_yaxes(autorange="reversed", automargin=True)
    return figure


def scores_plot(table: pd.DataFrame) -> "MatplotlibFigure":
    """Printed dot plot of the accuracies, two columns wide.

    Args:
        table: Of ``score_table``.
    """
    from matplotlib.figure import Figure

    points = _points(table)
    figure = Figure(figsize=(7.0, 1.0 + 0.3 * len(points["labels"])), layout="constrained")
    axes = figure.subplots()
    place = np.arange(len(points["labels"]))
    axes.errorbar(points["ours"], place, xerr=points["spread"], fmt="o", color=OURS, capsize=3, label="ours")
    axes.scatter(points["paper"], place, marker="D", facecolors="none", edgecolors=PAPERS, label="the paper's")
    axes.set_yticks(place, points["labels"], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("test accuracy, % (± sd over seeds, or 95 % interval of one run)", fontsize=8)
    axes.tick_params(axis="x", labelsize=8)
    axes.grid(axis="x", color="#dddddd")
    axes.set_axisbelow(True)
    axes.legend(fontsize=8, loc="best")
    axes.spines[["top", "right"]].set_visible(False)
    return figure
