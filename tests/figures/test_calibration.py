"""The reliability diagram shows the bins it is given, and nothing where a bin is empty."""

import numpy as np
import pandas as pd
import pytest
from tests.figures.examples import predictions

from mien import figures
from mien.metrics import reliability_bins

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


def test_the_gaps_weighted_by_n_are_the_calibration_error_of_real_bins():
    target, scores = predictions()
    bins = reliability_bins(target, scores)
    upper, lower = figures.reliability_plot(bins, 0.0, "SAE").axes
    lengths = [abs(stroke[0, 1] - stroke[1, 1]) for stroke in upper.collections[0].get_segments()]
    error = np.average(lengths, weights=[bar.get_height() for bar in lower.patches])
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
    with pytest.raises(ValueError, match=message):
        figures.reliability_plot(bins, 0.1, "t")
