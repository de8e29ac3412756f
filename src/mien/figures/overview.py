"""The overview of a dataset: counts beside the published ones, sizes, brightness, angles, what became of each image.

Histograms are binned here, so that the figure does not grow with the number of samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mien.figures.style import COLORS, GREY, SYNTHETIC, TEXT_POINTS, TITLE_POINTS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as MatplotlibFigure

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


def overview_plot(counts: pd.DataFrame, samples: pd.DataFrame, title: str, *, synthetic: bool) -> MatplotlibFigure:
    """Overview of a dataset, in five panels.

    Args:
        counts: The table of ``mien.data.file_account.count_table``.
        samples: The table of ``mien.nodes.alignment.locate_faces``.
        title: The number of samples is appended.
        synthetic: Say under the title that the faces are synthetic.
    """
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
    rotation: dict[str, Any] = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if crowded else {}
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


def _draw_histogram(axes: Axes, values: np.ndarray, edges: np.ndarray) -> None:
    numbers, _ = np.histogram(values, edges)
    axes.stairs(numbers, edges, fill=True, color=COLORS[0])
    axes.set_xlim(edges[0], edges[-1])
    if not len(values):
        axes.text(0.5, 0.5, _NOT_MEASURED, ha="center", fontsize=TEXT_POINTS, transform=axes.transAxes)


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
