"""What all figures share: colours, sizes of type, title with n and origin of the faces, the printed page, legends."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mien.errors import MienError
from mien.metrics import confusion_counts

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as MatplotlibFigure

Interval = tuple[float | None, float | None]
"""Lower and upper bound of a 95 % interval; None or NaN where it is undefined."""

COLUMN_WIDTH = 3.5
"""Inches: a column of the two-column layouts of IEEE and CVF."""

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#8C8C8C", "#7A6A00")
"""Okabe and Ito's palette for all kinds of colour vision, blue first; its yellow, too pale for a line, is darkened, and
its black, which kedro-viz would draw on black, is grey."""

DENSITY_COLORS = ("#9ECAE1", "#6BAED6", "#4292C6", "#2171B5", "#08519C", "#08306B")
"""ColorBrewer's Blues without its palest three, so that a lone sample is seen on white."""

DASHES = (("-", "solid"), ("--", "dash"), ("-.", "dashdot"), (":", "dot"))
"""Matplotlib's and Plotly's names."""

MARKERS = (
    ("o", "circle"),
    ("s", "square"),
    ("^", "triangle-up"),
    ("D", "diamond"),
    ("v", "triangle-down"),
    ("P", "cross"),
    ("X", "x"),
    ("*", "star"),
)
"""Matplotlib's and Plotly's names."""

GREY, GRID = "#666666", "#E5E5E5"
TITLE_POINTS, TEXT_POINTS = 8, 7
SYNTHETIC = "synthetic faces"

_TITLE_HEIGHT = 1.25 * TITLE_POINTS / 72  # inches, of a line
_LETTER_WIDTH = 0.052  # inches, of 7 pt type, with room to spare
_LINE_HEIGHT = 0.14  # inches, of a line of 7 pt type in a legend
_HANDLE_WIDTH = 0.47  # inches, of a legend's sample of line and the gaps beside it
_NAME_LETTERS = 16  # of a class name in a line


def class_color(label: int) -> str:
    """Colour of a class; from the ninth on they repeat."""
    return COLORS[label % len(COLORS)]


def class_dash(label: int) -> tuple[str, str]:
    """Dashes of a class; where the colours repeat, the dashes differ."""
    return DASHES[(label + label // len(COLORS)) % len(DASHES)]


def class_marker(label: int) -> tuple[str, str]:
    """Marker of a class; where the colours repeat, the markers differ."""
    return MARKERS[(label + label // len(COLORS)) % len(MARKERS)]


def class_sizes(labels: np.ndarray, M: int) -> list[int]:
    """Rows of each of M classes.

    Raises:
        MienError: as ``mien.metrics.confusion_counts``.
    """
    return [int(count) for count in confusion_counts(labels, labels, M).diagonal()]


def with_n(title: str, n: int) -> str:
    """The title and the number of samples."""
    return f"{title} (n = {n:,})"


def with_interval(value: float, interval: Interval | None, digits: int = 3) -> str:
    """A number and, where both bounds are known, its interval in square brackets.

    Example:
        >>> with_interval(0.9134, (0.8712, 0.9541))
        '0.913 [0.871, 0.954]'
        >>> with_interval(5.12, (None, None), digits=1)
        '5.1'
    """
    text = f"{value:.{digits}f}"
    if interval is None or any(bound is None or not math.isfinite(bound) for bound in interval):
        return text
    low, high = interval
    return f"{text} [{low:.{digits}f}, {high:.{digits}f}]"


def wrapped(name: str, newline: str = "\n", letters: int = _NAME_LETTERS) -> str:
    """A name in lines that are short enough to stand beside an axis."""
    return newline.join(textwrap.wrap(name.replace("_", " "), letters)) or name


def require_columns(table: pd.DataFrame, columns: Sequence[str], what: str) -> None:
    """Refuse a table without the columns that a figure draws.

    Raises:
        MienError: a column is missing; ``what`` begins the message.
    """
    missing = [name for name in columns if name not in table]
    if missing:
        raise MienError(f"{what} lack {missing} among {list(table.columns)}: give the columns {list(columns)}.")


def layout(title: str, synthetic: bool) -> dict[str, Any]:
    """Arguments of Plotly's ``update_layout``: heading, type and margins.

    Args:
        title: of the figure; its lines are put together.
        synthetic: say under the title that the faces are synthetic.
    """
    heading: dict[str, Any] = {"text": title.replace("\n", ", "), "x": 0.5, "xanchor": "center", "font": {"size": 18}}
    if synthetic:
        heading["subtitle"] = {"text": SYNTHETIC, "font": {"size": 14, "color": GREY}}
    return {
        "title": heading,
        "template": "simple_white",
        "font": {"family": "Helvetica, Arial, DejaVu Sans, sans-serif", "size": 14},
        "margin": {"l": 80, "r": 30, "t": 90, "b": 70},
    }


def canvas(
    width: float,
    height: float,
    title: str,
    *,
    synthetic: bool,
    ratios: Sequence[float] = (1,),
    columns: int = 1,
    sharex: bool = True,
) -> tuple[MatplotlibFigure, list[Axes]]:
    """A figure with stacked panels.

    Its canvas is its own: pyplot, its global state and its windows stay out of it.

    Args:
        width: in inches.
        height: in inches, with a title of one line; what further lines take is added.
        title: of the figure; its lines are wrapped.
        synthetic: say under the title that the faces are synthetic.
        ratios: relative height of each row of panels.
        sharex: whether all panels have one abscissa.
        columns: panels side by side.
        sharex: whether all panels share their x axis.

    Returns:
        The figure, laid out when it is drawn, and its panels from top to bottom, each row from the left.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    letters = int(width / 0.07)  # an 8 pt bold letter is about 0.07 inches wide
    whole = title.replace("(n = ", "(n\u00a0=\u00a0")  # not broken amid the number of samples
    lines = [part.replace("\u00a0", " ") for line in whole.split("\n") for part in textwrap.wrap(line, letters)]
    height += (len(lines) - 1 + synthetic) * _TITLE_HEIGHT
    figure = Figure(figsize=(width, height), dpi=300, layout="constrained")
    FigureCanvasAgg(figure)
    # The blank line keeps the layout engine off the place of the smaller line below the title.
    figure.suptitle("\n".join([*lines, " "] if synthetic else lines), fontsize=TITLE_POINTS, fontweight="bold")
    if synthetic:
        top = 0.98 - len(lines) * _TITLE_HEIGHT / height
        figure.text(0.5, top, SYNTHETIC, ha="center", va="top", fontsize=TEXT_POINTS, color=GREY)
    panels = figure.subplots(len(ratios), columns, sharex=sharex, squeeze=False, height_ratios=ratios).ravel().tolist()
    for axes in panels:
        axes.tick_params(labelsize=TEXT_POINTS, width=0.6, length=2.5)
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[:].set_linewidth(0.6)
    return figure, panels


def label_axes(axes: Axes, x: str | None = None, y: str | None = None) -> None:
    """Name a printed panel's axes."""
    if x is not None:
        axes.set_xlabel(x, fontsize=TEXT_POINTS)
    if y is not None:
        axes.set_ylabel(y, fontsize=TEXT_POINTS)


def legend_height(labels: Sequence[str], heading: str = "") -> float:
    """Inches that ``legend_below`` takes."""
    rows = math.ceil(len(labels) / _legend_columns(labels))
    lines = rows + sum(label.count("\n") for label in labels) + (heading.count("\n") + 1 if heading else 0)
    return lines * _LINE_HEIGHT + 0.15


def legend_below(
    figure: MatplotlibFigure,
    handles: Sequence[Any],
    labels: Sequence[str],
    heading: str = "",
    handle_width: float = 2.6,
) -> None:
    """A legend beneath the panels, in as many columns as fit, where it hides nothing.

    Args:
        figure: of ``canvas``, ``legend_height`` higher than its panels need.
        handles: what stands for each entry.
        labels: the text of each entry; may have several lines.
        heading: lines above the entries.
        handle_width: in letters.
    """
    legend = figure.legend(
        handles,
        labels,
        title=heading or None,
        loc="outside lower center",
        ncols=_legend_columns(labels),
        fontsize=TEXT_POINTS,
        title_fontsize=TEXT_POINTS,
        handlelength=handle_width,
        labelspacing=0.3,
        columnspacing=1.2,
        borderaxespad=0.2,
        frameon=False,
    )
    legend.set_alignment("left")


def text_width(labels: Sequence[str]) -> float:
    """Inches that the longest line of the labels takes at the most."""
    return _LETTER_WIDTH * max(len(line) for label in labels for line in label.split("\n"))


def _legend_columns(labels: Sequence[str]) -> int:
    return max(1, int(COLUMN_WIDTH / (text_width(labels) + _HANDLE_WIDTH)))
