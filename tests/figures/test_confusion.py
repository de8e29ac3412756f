"""The confusion matrix holds the counts and their share of the true class."""

import math

import matplotlib.colors
import numpy as np
import pytest
from tests.figures.examples import LONG_NAMES, texts

from mien import figures
from mien.labels import EXPRESSIONS


def test_the_cells_hold_percentage_of_the_row_and_count():
    counts = np.array([[1145, 40], [5, 15]])
    plot = figures.confusion_matrix_plot(counts, ["happy", "fear"], "SAE")
    plot.canvas.draw()
    printed = [text.get_text() for text in texts(plot)]
    for text in ("96.6\n1,145", "3.4\n40", "25.0\n5", "75.0\n15", "SAE (n = 1,205)"):
        assert text in printed
    assert printed.count("happy") == printed.count("fear") == 2


@pytest.mark.parametrize("names", [EXPRESSIONS, (*LONG_NAMES, "none of those", "not to be reported")])
@pytest.mark.parametrize("synthetic", [True, False])
def test_a_cells_text_fits_in_its_cell_and_contrasts_with_it(names, synthetic):
    counts = np.full((8, 8), 1000)
    counts[np.arange(8), np.arange(8)] = 9999
    figure = figures.confusion_matrix_plot(counts, names, "FER-former on FER+", synthetic=synthetic)
    figure.canvas.draw()
    axes = figure.axes[0]
    (x0, _), (x1, _) = axes.transData.transform([(0, 0), (1, 0)])
    colormap = matplotlib.colormaps["Blues"]
    for text in axes.texts:
        assert text.get_window_extent().width < x1 - x0
        share = float(text.get_text().split("\n")[0]) / 100
        background = np.dot(colormap(share)[:3], (0.2126, 0.7152, 0.0722))
        foreground = np.dot(matplotlib.colors.to_rgb(text.get_color()), (0.2126, 0.7152, 0.0722))
        assert abs(background - foreground) > 0.3


def test_slanted_names_stand_further_apart_than_they_are_high_and_long_ones_stand_upright():
    figure = figures.confusion_matrix_plot(np.eye(8, dtype=int), EXPRESSIONS, "t")
    figure.canvas.draw()
    axes = figure.axes[0]
    (x0, _), (x1, _) = axes.transData.transform([(0, 0), (1, 0)])
    angle = axes.get_xticklabels()[0].get_rotation()
    assert (x1 - x0) * math.sin(math.radians(angle)) > 1.2 * 7 / 72 * figure.dpi
    upright = figures.confusion_matrix_plot(np.eye(6, dtype=int), LONG_NAMES, "t")
    assert {label.get_rotation() for label in upright.axes[0].get_xticklabels()} == {90}


def test_a_class_without_rows_is_blank():
    counts = np.array([[5, 1], [0, 0]])
    assert len(figures.confusion_matrix_plot(counts, ["a", "b"], "t").axes[0].texts) == 2


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (np.eye(3, dtype=int), r"shape \(3, 3\) for 2 class names: give integers"),
        (np.eye(2), "counts are float64"),
        (-np.eye(2, dtype=int), "0 or more"),
        (np.zeros((2, 2), int), "all 0: there is nothing to draw. Check"),
    ],
)
def test_a_mistake_is_named(counts, message):
    with pytest.raises(ValueError, match=message):
        figures.confusion_matrix_plot(counts, ["a", "b"], "t")
