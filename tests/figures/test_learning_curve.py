"""Learning curves: the points given, in order of size, and a figure that says when there is none."""

import numpy as np
import pandas as pd
import pytest
from tests.figures.examples import AXES, curve

from mien.figures import learning_curve_plot


def test_points_and_intervals_are_the_numbers_given_whatever_their_order():
    shown = learning_curve_plot(curve(72).sample(frac=1, random_state=0).sort_values("name"), "Accuracy", **AXES)
    axes = shown.axes[0]
    points = [line.get_xydata().round(2) for line in axes.lines if line.get_marker() in "os^"]
    assert any(np.allclose(line, [[10, 0.6], [20, 0.7], [40, 0.72], [80, 0.75]], atol=0.2) for line in points)
    assert any(line[:, 1].tolist() == [0.6, 0.7, 0.72, 0.75] for line in points), "values as they are, places aside"
    assert shown._suptitle.get_text() == "Accuracy (n = 72)"
    assert axes.get_xlabel() == "training subjects"


def test_the_printed_curve_has_a_line_per_model():
    axes = learning_curve_plot(curve(72), "Accuracy", **AXES).axes[0]
    assert [len(line.get_xdata()) for line in axes.lines if line.get_marker() in "os^"] == [4, 4, 1]


def test_without_a_curve_the_figure_says_so():
    nothing = curve(72).iloc[:0]
    printed = learning_curve_plot(nothing, "Accuracy", **AXES)
    printed.draw_without_rendering()
    assert "none was requested" in printed._suptitle.get_text()


def test_a_table_of_something_else_is_refused():
    with pytest.raises(ValueError, match=r"lack \['size'"):
        learning_curve_plot(pd.DataFrame({"name": [], "n": [], "value": []}), "t", **AXES)
