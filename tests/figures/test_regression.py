"""Predicted against true age: every sample is counted once, in its cell, with error and correlation in the title."""

import numpy as np
import pytest
from tests.figures.examples import bands

from mien import figures
from mien.metrics import regression_metrics

TRUE = np.array([20, 20, 30, 41])
PREDICTED = np.array([20.4, 19.6, 32.0, 38.0])


def test_samples_are_counted_in_cells_of_whole_years():
    axes = figures.age_plot(TRUE, PREDICTED, "CNN").axes[0]
    cells = axes.collections[0]
    counts, corners = cells.get_array(), cells.get_coordinates()
    assert counts.sum() == 4
    middles = (corners[:-1, :-1] + corners[1:, 1:]) / 2
    found = {tuple(middles[y, x].tolist()): int(counts[y, x]) for y, x in np.argwhere(counts.filled(0))}
    assert found == {(20, 20): 2, (30, 32): 1, (41, 38): 1}
    equal = axes.lines[0]
    assert list(equal.get_xdata()) == list(equal.get_ydata()), "the line where both are equal"
    assert axes.get_xlim() == axes.get_ylim()
    assert axes.get_aspect() == 1


def test_the_title_holds_n_error_and_correlation_as_the_metrics_have_them():
    plot = figures.age_plot(TRUE, PREDICTED, "CNN", intervals={"mae": (1, 2), "pearson": (0.5, 0.99)})
    r = np.corrcoef(TRUE, PREDICTED)[0, 1]
    assert plot._suptitle.get_text() == f"CNN (n = 4)\nMAE 1.45 [1.00, 2.00] years\nr {r:.3f} [0.500, 0.990]"
    metrics = regression_metrics(TRUE, PREDICTED, resamples=1)
    title = figures.age_plot(TRUE, PREDICTED, "CNN")._suptitle.get_text()
    assert title == f"CNN (n = 4)\nMAE {metrics['mae']:.2f} years\nr {metrics['pearson']:.3f}"


def test_ages_over_a_century_are_counted_in_cells_of_two_years_and_none_is_lost():
    rng = np.random.default_rng(0)
    age, predicted = rng.integers(1, 117, 5000), rng.uniform(1, 116, 5000)
    cells = figures.age_plot(age, predicted, "CNN").axes[0].collections[0]
    assert cells.get_array().sum() == 5000
    assert cells.get_array().shape[1] <= 61
    assert cells.get_coordinates()[0, 1, 0] - cells.get_coordinates()[0, 0, 0] == 2


@pytest.mark.parametrize("predicted", [[30.0, 30.0], [30.0, 31.0]])
def test_without_spread_there_is_no_correlation(predicted):
    assert figures.age_plot(np.array([30, 30]), np.array(predicted), "t")._suptitle.get_text().endswith("r undefined")


def test_error_by_band_has_a_bar_per_band_with_two_digits_in_years():
    axes = figures.age_bands_plot(bands(), "CNN").axes[0]
    texts = [text.get_text() for text in axes.texts if text.get_text() != "[95 % interval]"]
    assert texts == ["3.25 [3.00, 3.50]", "4.50", "12.75 [12.50, 13.00]", "none"]
    assert axes.get_xlabel() == "mean absolute error, years"
    assert [bar.get_width() for bar in axes.patches] == [3.25, 4.5, 12.75, 0]
    assert axes.get_yticklabels()[0].get_text() == "0-9 (410)"


@pytest.mark.parametrize(
    ("target", "predicted", "intervals", "message"),
    [
        (TRUE, PREDICTED[:3], None, "4 targets and 3 predictions: give one"),
        (TRUE[:0], PREDICTED[:0], None, "no rows: there is nothing"),
        (TRUE, PREDICTED * np.nan, None, "predicted is not finite in 4 of 4 rows"),
        (TRUE, PREDICTED, {"r": (0, 1)}, r"Intervals of \['r'\] are not shown: name them"),
    ],
)
def test_a_mistake_is_named(target, predicted, intervals, message):
    with pytest.raises(ValueError, match=message):
        figures.age_plot(target, predicted, "t", intervals=intervals)


def test_bands_without_a_column_are_refused():
    with pytest.raises(ValueError, match=r"The age bands lack \['mae'\]"):
        figures.age_bands_plot(bands().drop(columns="mae"), "t")
