"""The overview of a dataset: counts beside the published ones, sizes, brightness, angles, what became of each image.

Twice from the same numbers, as all figures: ``overview_figure`` is interactive (Plotly; kedro-viz shows it),
``overview_plot`` is for print. Histograms are binned here, so that neither grows with the number of samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mien.nodes.figures.style import COLORS, GREY, SYNTHETIC, TEXT_POINTS, TITLE_POINTS, layout

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as MatplotlibFigure
    from plotly.graph_objects import Figure as PlotlyFigure

PAGE_WIDTH = 7.2
"""Inches: both columns of the two-column layouts of IEEE and CVF."""

_SIZE_BINS = 40
_BRIGHTNESS_EDGES = np.linspace(0, 256, 33)
_ROLL_STEP, _ROLL_LEAST = 5, 45  # degrees: width of a bin, and the least that the axis reaches either way
_GROUP_WIDTH = 0.8  # of the distance between two classes
_TITLES = ("Samples by class", "Image size", "Brightness", "Roll of the eye line", "Outcome of the search")
_NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class _Bars:
    """Counts of one split: middle of each bar on an axis where class k is at k, its height, and what is published."""

    split: str
    x: np.ndarray
    found: np.ndarray
    published: np.ndarray  # NaN where no number is published


def overview_figure(counts: pd.DataFrame, samples: pd.DataFrame, title: str, *, synthetic: bool) -> PlotlyFigure:
    """Interactive overview of a dataset, in five panels.

    Args:
        counts: The table of ``mien.data.file_account.count_table``.
        samples: The table of ``mien.nodes.alignment.locate_faces``.
        title: The number of samples is appended.
        synthetic: Say under the title that the faces are drawn.
    """
    from plotly.subplots import make_subplots

    figure = make_subplots(
        rows=3,
        cols=2,
        specs=[[{"colspan": 2}, None], [{}, {}], [{}, {}]],
        subplot_titles=_TITLES,
        vertical_spacing=0.11,
        horizontal_spacing=0.12,
    )
    _add_counts(figure, counts)
    widths, heights = _measured(samples, "width"), _measured(samples, "height")
    edges = _size_edges(widths, heights)
    sides = (("width", widths, COLORS[0], "solid"), ("height", heights, COLORS[1], "dash"))
    for name, values, color, dash in sides:
        x, y = _outline(values, edges)
        line = {"color": color, "dash": dash, "width": 2}
        hover = f"{name} %{{x:.0f}} px<br>%{{y:,}} images<extra></extra>"
        figure.add_scatter(
            x=x, y=y, name=name, mode="lines", line=line, hovertemplate=hover, legend="legend2", row=2, col=1
        )
    _add_histogram(figure, _measured(samples, "brightness"), _BRIGHTNESS_EDGES, (2, 2))
    roll = _measured(samples, "roll_degrees")
    _add_histogram(figure, roll, _roll_edges(roll), (3, 1))
    _add_outcomes(figure, samples)
    for values, (row, col) in ((widths, (2, 1)), (_measured(samples, "brightness"), (2, 2)), (roll, (3, 1))):
        if not len(values):
            figure.add_annotation(
                text=_NOT_MEASURED, x=0.5, y=0.5, xref="x domain", yref="y domain", showarrow=False, row=row, col=col
            )
    figure.update_layout(**layout(_with_n(title, len(samples)), synthetic), width=1000, height=1050, margin_t=130)
    figure.update_layout(
        legend={"x": 1, "xanchor": "right", "y": 1, "yanchor": "top", "bgcolor": "rgba(255,255,255,0.7)"},
        legend2={"x": 0.43, "xanchor": "right", "y": 0.62, "yanchor": "top", "bgcolor": "rgba(255,255,255,0.7)"},
    )
    for row, col, label in ((2, 1, "pixels"), (2, 2, "mean grey level of an image"), (3, 1, "degrees")):
        figure.update_xaxes(title_text=label, row=row, col=col)
    for row, col, label in ((1, 1, "samples"), (2, 1, "samples"), (2, 2, "samples"), (3, 1, "samples")):
        figure.update_yaxes(title_text=label, rangemode="tozero", row=row, col=col)
    figure.update_xaxes(tickvals=_roll_ticks(roll), row=3, col=1)
    figure.update_xaxes(title_font_size=14)
    figure.update_yaxes(title_font_size=14)
    return figure


def overview_plot(counts: pd.DataFrame, samples: pd.DataFrame, title: str, *, synthetic: bool) -> MatplotlibFigure:
    """Printed overview of a dataset, a page wide; arguments as in ``overview_figure``."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(PAGE_WIDTH, 6.6), dpi=200, layout="constrained")
    FigureCanvasAgg(figure)
    heading = _with_n(title, len(samples)) + ("\n" if synthetic else "")
    figure.suptitle(heading, fontsize=TITLE_POINTS, fontweight="bold")
    if synthetic:
        figure.text(0.5, 0.972, SYNTHETIC, ha="center", va="top", fontsize=TEXT_POINTS, color=GREY)
    grid = figure.add_gridspec(3, 2)
    panels = [figure.add_subplot(grid[0, :])]
    panels += [figure.add_subplot(grid[row, col]) for row in (1, 2) for col in (0, 1)]
    for axes, name in zip(panels, _TITLES, strict=True):
        axes.set_title(name, fontsize=TITLE_POINTS, loc="left")
        axes.tick_params(labelsize=TEXT_POINTS, width=0.6, length=2.5)
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[:].set_linewidth(0.6)
    _draw_counts(panels[0], counts)
    widths, heights = _measured(samples, "width"), _measured(samples, "height")
    edges = _size_edges(widths, heights)
    for name, values, color, dash in (("width", widths, COLORS[0], "-"), ("height", heights, COLORS[1], "--")):
        panels[1].plot(*_outline(values, edges), color=color, linestyle=dash, linewidth=1.1, label=name)
    panels[1].xaxis.set_major_locator(MaxNLocator(6, integer=True))
    panels[1].legend(fontsize=TEXT_POINTS, frameon=False, handlelength=2.6)
    roll = _measured(samples, "roll_degrees")
    _draw_histogram(panels[2], _measured(samples, "brightness"), _BRIGHTNESS_EDGES)
    _draw_histogram(panels[3], roll, _roll_edges(roll))
    panels[3].set_xticks(_roll_ticks(roll))
    _draw_outcomes(panels[4], samples)
    for axes, label in zip(panels[1:4], ("pixels", "mean grey level of an image", "degrees"), strict=True):
        axes.set_xlabel(label, fontsize=TEXT_POINTS)
    for axes in panels[:4]:
        axes.set_ylabel("samples", fontsize=TEXT_POINTS)
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
        axes.yaxis.set_major_formatter("{x:,.0f}")
    if not len(widths):
        panels[1].text(0.5, 0.5, _NOT_MEASURED, ha="center", fontsize=TEXT_POINTS, transform=panels[1].transAxes)
    return figure


def _add_counts(figure: PlotlyFigure, counts: pd.DataFrame) -> None:
    names, groups = _bars(counts)
    width = _GROUP_WIDTH / max(1, len(groups))
    published_named = False
    for number, bars in enumerate(groups):
        hover = f"{bars.split}, %{{customdata}}<br>%{{y:,}} samples<extra></extra>"
        figure.add_bar(
            x=bars.x.tolist(),
            y=bars.found.tolist(),
            width=width,
            name=bars.split,
            marker={"color": COLORS[number % len(COLORS)]},
            customdata=names,
            hovertemplate=hover,
            row=1,
            col=1,
        )
        known = np.isfinite(bars.published)
        if known.any():
            figure.add_scatter(
                x=bars.x[known].tolist(),
                y=bars.published[known].tolist(),
                mode="markers",
                name="published",
                legendgroup="published",
                legendrank=2000,  # after the splits
                showlegend=not published_named,
                marker={"symbol": "diamond-open", "size": 9, "color": "black", "line": {"width": 1.5}},
                hovertemplate=f"{bars.split}, published<br>%{{y:,}} samples<extra></extra>",
                row=1,
                col=1,
            )
            published_named = True
    figure.update_xaxes(tickvals=list(range(len(names))), ticktext=names, ticks="", row=1, col=1)


def _draw_counts(axes: Axes, counts: pd.DataFrame) -> None:
    names, groups = _bars(counts)
    width = _GROUP_WIDTH / max(1, len(groups))
    for number, bars in enumerate(groups):
        axes.bar(bars.x, bars.found, width=width, color=COLORS[number % len(COLORS)], label=bars.split)
    known = [(x, y) for bars in groups for x, y in zip(bars.x, bars.published, strict=True) if np.isfinite(y)]
    if known:
        x, y = zip(*known, strict=True)
        axes.plot(
            x,
            y,
            "D",
            color="black",
            fillstyle="none",
            ms=4,
            mew=0.8,
            linestyle="none",
            label="published",
            clip_on=False,
        )
    crowded = sum(len(name) for name in names) > 80  # letters of 7 pt beside each other across the page
    rotation = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if crowded else {}
    axes.set_xticks(range(len(names)), names, **rotation)
    axes.tick_params(axis="x", length=0)
    axes.legend(fontsize=TEXT_POINTS, frameon=False)


def _bars(counts: pd.DataFrame) -> tuple[list[str], list[_Bars]]:
    """Class names, and one group of bars per split."""
    names = list(dict.fromkeys(counts["class"].astype(str)))
    splits = list(dict.fromkeys(counts["split"].astype(str)))
    width = _GROUP_WIDTH / max(1, len(splits))
    groups = []
    for number, split in enumerate(splits):
        rows = counts[counts["split"] == split].set_index("class").reindex(names)
        groups.append(
            _Bars(
                split,
                np.arange(len(names)) + (number - (len(splits) - 1) / 2) * width,
                rows["found"].fillna(0).to_numpy(float),
                rows["published"].astype("Float64").to_numpy(float, na_value=np.nan),
            )
        )
    return names, groups


def _add_histogram(figure: PlotlyFigure, values: np.ndarray, edges: np.ndarray, place: tuple[int, int]) -> None:
    numbers, _ = np.histogram(values, edges)
    figure.add_bar(
        x=((edges[1:] + edges[:-1]) / 2).tolist(),
        y=numbers.tolist(),
        width=np.diff(edges).tolist(),
        marker={"color": COLORS[0], "line": {"color": "white", "width": 0.5}},
        showlegend=False,
        hovertemplate="%{x:.0f}<br>%{y:,} samples<extra></extra>",
        row=place[0],
        col=place[1],
    )


def _draw_histogram(axes: Axes, values: np.ndarray, edges: np.ndarray) -> None:
    numbers, _ = np.histogram(values, edges)
    axes.stairs(numbers, edges, fill=True, color=COLORS[0])
    axes.set_xlim(edges[0], edges[-1])
    if not len(values):
        axes.text(0.5, 0.5, _NOT_MEASURED, ha="center", fontsize=TEXT_POINTS, transform=axes.transAxes)


def _add_outcomes(figure: PlotlyFigure, samples: pd.DataFrame) -> None:
    names, numbers, texts = _outcomes(samples)
    figure.add_bar(
        y=names,
        x=numbers,
        orientation="h",
        text=texts,
        textposition="auto",
        cliponaxis=False,
        marker={"color": COLORS[0]},
        showlegend=False,
        hovertemplate="%{y}<br>%{text}<extra></extra>",
        row=3,
        col=2,
    )
    figure.update_yaxes(autorange="reversed", ticks="", row=3, col=2)
    figure.update_xaxes(title_text="samples", row=3, col=2)


def _draw_outcomes(axes: Axes, samples: pd.DataFrame) -> None:
    from matplotlib.ticker import MaxNLocator

    names, numbers, texts = _outcomes(samples)
    bars = axes.barh(names, numbers, color=COLORS[0])
    axes.bar_label(bars, texts, fontsize=TEXT_POINTS, padding=3)
    axes.invert_yaxis()
    axes.margins(x=0.3)  # room for the text beside the longest bar
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel("samples", fontsize=TEXT_POINTS)


def _outcomes(samples: pd.DataFrame) -> tuple[list[str], list[int], list[str]]:
    """Names, counts and texts of the reasons, the most frequent first."""
    counts = samples["reason"].value_counts()
    names = [str(reason).replace("_", " ") for reason in counts.index]
    texts = [f"{number:,} ({100 * number / max(1, len(samples)):.1f} %)" for number in counts]
    return names, [int(number) for number in counts], texts


def _measured(samples: pd.DataFrame, column: str) -> np.ndarray:
    values = samples[column].to_numpy(float, na_value=np.nan)
    return values[np.isfinite(values)]


def _size_edges(widths: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """Edges of at most 40 bins of whole pixels around both sides' range, with an empty bin at either end."""
    both = np.concatenate([widths, heights])
    if not len(both):
        return np.array([0.0, 1.0])
    low, high = both.min(), both.max()
    step = max(1, int(np.ceil((high - low + 1) / _SIZE_BINS)))
    return np.arange(low - step, high + 2 * step + 1, step) - 0.5


def _outline(values: np.ndarray, edges: np.ndarray) -> tuple[list[float], list[int]]:
    """A histogram as the corners of its steps."""
    numbers, _ = np.histogram(values, edges)
    return np.repeat(edges, 2)[1:-1].tolist(), np.repeat(numbers, 2).tolist()


def _roll_edges(roll: np.ndarray) -> np.ndarray:
    reach = max(_ROLL_LEAST, float(np.abs(roll).max(initial=0)))
    steps = int(np.ceil(reach / _ROLL_STEP))
    return (np.arange(-steps, steps + 2) - 0.5) * _ROLL_STEP  # the middle bin is around 0


def _roll_ticks(roll: np.ndarray) -> list[int]:
    edges = _roll_edges(roll)
    step = 90 if edges[-1] > 90 else 15
    reach = int(edges[-1] // step) * step
    return list(range(-reach, reach + 1, step))


def _with_n(title: str, n: int) -> str:
    return f"{title} ({n:,} samples)"
