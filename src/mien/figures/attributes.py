"""Ages, genders and ethnicities of a dataset, and how much of its faces principal components explain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mien.errors import MienError
from mien.figures.style import COLORS, COLUMN_WIDTH, GRID, canvas, label_axes, with_n

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MatplotlibFigure

_AGE, _COUNT = "age, years", "samples"
_COMPONENTS, _EXPLAINED = "principal components", "explained variance"


def attributes_plot(
    ages: np.ndarray,
    genders: Sequence[tuple[str, int]],
    ethnicities: Sequence[tuple[str, int]],
    title: str,
    *,
    synthetic: bool = False,
) -> MatplotlibFigure:
    """Distributions: samples per ethnicity, per gender, and per year of age.

    Args:
        ages: (n,) whole years.
        genders: Name and number of samples of each.
        ethnicities: Likewise.
        title: n is appended.
        synthetic: Say under the title that the faces are synthetic.

    Raises:
        MienError: No ages, or one that is no whole number from 0 on.
    """
    years = _per_year(ages)
    figure, all_axes = canvas(
        COLUMN_WIDTH, 4.2, with_n(title, len(ages)), synthetic=synthetic, ratios=[1, 1, 1], sharex=False
    )
    for axes, counts in zip(all_axes, (ethnicities, genders), strict=False):
        names, numbers = zip(*counts, strict=True)
        bars = axes.bar(names, numbers, color=COLORS[0], width=0.7)
        axes.bar_label(bars, fontsize=7, padding=1)
        axes.margins(y=0.25)
        label_axes(axes, y=_COUNT)
    all_axes[2].bar(range(len(years)), years, color=COLORS[0], width=1.0)
    label_axes(all_axes[2], _AGE, _COUNT)
    figure.align_ylabels(all_axes)
    return figure


def _per_year(ages: np.ndarray) -> np.ndarray:
    ages = np.asarray(ages)
    if not len(ages) or ages.dtype.kind not in "iu" or ages.min() < 0:
        raise MienError(f"{len(ages)} ages of type {ages.dtype}: give whole years from 0 on, at least one.")
    return np.bincount(ages)


def explained_variance_plot(explained: np.ndarray, title: str, *, synthetic: bool = False) -> MatplotlibFigure:
    """Share of the variance that the first components explain together.

    Args:
        explained: (K,) share of each.
        title: The number of components and their share are appended.
        synthetic: Say under the title that the faces are synthetic.

    Raises:
        MienError: No shares, or shares that add up to more than 1.
    """
    total, title = _summed(explained, title)
    figure, (axes,) = canvas(COLUMN_WIDTH, 2.4, title, synthetic=synthetic)
    axes.plot(range(1, len(total) + 1), total, color=COLORS[0], lw=1.1)
    axes.axhline(0.9, color=COLORS[1], linestyle="--", linewidth=0.9)
    axes.set(ylim=(0, 1.02))
    axes.grid(color=GRID, linewidth=0.4)
    label_axes(axes, _COMPONENTS, _EXPLAINED)
    return figure


def _summed(explained: np.ndarray, title: str) -> tuple[np.ndarray, str]:
    total = np.cumsum(np.asarray(explained, np.float64))
    if not len(total) or total[-1] > 1 + 1e-6:
        raise MienError(
            f"{len(total)} shares of the variance that add up to {total[-1] if len(total) else 0:.3f}: give at least "
            "one, of at most 1 together."
        )
    return total, f"{title}\n{len(total):,} components explain {100 * total[-1]:.1f} %"
