"""The reliability diagram shows the bins it is given, and nothing where a bin is empty."""

import numpy as np
import pandas as pd
import pytest
from tests.nodes.figures.examples import predictions

from mien.metrics import reliability_bins
from mien.nodes import figures

BINS = pd.DataFrame(
    {
        "low": [0.0, 0.25, 0.5, 0.75],
        "high": [0.25, 0.5, 0.75, 1.0],
        "n": [0, 10, 1200, 30],
        "confidence": [np.nan, 0.375, 0.625, 0.875],
        "accuracy": [np.nan, 0.5, 0.25, 1.0],
    }
)


def test_bars_gaps_and_counts_are_those_of_the_bins_that_hold_predictions():
    accuracy, gaps, points, ideal, counts = figures.reliability_figure(BINS, 0.25, "SAE").data
    assert list(accuracy.x) == list(counts.x) == [0.375, 0.625, 0.875]
    assert list(accuracy.width) == list(counts.width) == [0.25] * 3
    assert list(accuracy.y) == list(points.y) == [0.5, 0.25, 1]
    assert list(points.x) == [0.375, 0.625, 0.875]
    assert list(counts.y) == [10, 1200, 30]
    assert list(gaps.x) == [0.375, 0.375, None, 0.625, 0.625, None, 0.875, 0.875, None]
    assert list(gaps.y) == [0.5, 0.375, None, 0.25, 0.625, None, 1, 0.875, None]
    assert (list(ideal.x), list(ideal.y)) == ([0, 1], [0, 1])


def test_the_printed_diagram_is_that_of_the_interactive_figure():
    upper, lower = figures.reliability_plot(BINS, 0.25, "SAE").axes
    for axes, heights in ((upper, [0.5, 0.25, 1]), (lower, [10, 1200, 30])):
        assert [(bar.get_x(), bar.get_width(), bar.get_height()) for bar in axes.patches] == [
            (low, 0.25, height) for low, height in zip([0.25, 0.5, 0.75], heights, strict=True)
        ]
    strokes = [segment.tolist() for segment in upper.collections[0].get_segments()]
    assert strokes == [[[0.375, 0.5], [0.375, 0.375]], [[0.625, 0.25], [0.625, 0.625]], [[0.875, 1], [0.875, 0.875]]]


def test_the_title_holds_n_and_the_calibration_error_with_its_interval():
    plot = figures.reliability_plot(BINS, 0.0432, "SAE", interval=(0.03, 0.06))
    assert plot._suptitle.get_text() == "SAE (n = 1,240)\nECE 0.043 [0.030, 0.060]"
    assert figures.reliability_figure(BINS, 0.0432, "SAE").layout.title.text == "SAE (n = 1,240), ECE 0.043"


def test_the_gaps_weighted_by_n_are_the_calibration_error_of_real_bins():
    target, scores = predictions()
    bins = reliability_bins(target, scores)
    _, gaps, _, _, counts = figures.reliability_figure(bins, 0.0, "SAE").data
    lengths = [abs(a - b) for a, b in zip(gaps.y[::3], gaps.y[1::3], strict=True)]
    error = np.average(lengths, weights=counts.y)
    confidence, right = scores.max(axis=1), scores.argmax(axis=1) == target
    by_hand = [abs((right - confidence)[np.ceil(confidence * 15) == k].sum()) for k in range(1, 16)]
    assert error == pytest.approx(sum(by_hand) / len(target))


@pytest.mark.parametrize(
    ("bins", "message"),
    [
        (BINS.drop(columns="n"), r"The bins of confidence lack \['n'\]"),
        (BINS.assign(n=0), "None of the 4 bins of confidence has a prediction: there is nothing to draw. Check"),
        (BINS.assign(accuracy=[0, 0.5, 1.5, 1]), "Bin of confidence 2 has .*: give low below high"),
        (BINS.assign(high=BINS["low"]), "give low below high"),
        (BINS.assign(confidence=np.nan), "confidence and accuracy from 0 to 1"),
    ],
)
def test_a_mistake_is_named(bins, message):
    for draw in (figures.reliability_figure, figures.reliability_plot):
        with pytest.raises(ValueError, match=message):
            draw(bins, 0.1, "t")
