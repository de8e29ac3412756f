"""Learning curves: the points given, in order of size, and a figure that says when there is none."""

import pandas as pd
import pytest
from tests.nodes.figures.examples import AXES, curve

from mien.nodes.figures import learning_curve_figure, learning_curve_plot


def test_points_and_intervals_are_the_numbers_given_whatever_their_order():
    shown = learning_curve_figure(curve(72).sample(frac=1, random_state=0).sort_values("name"), "Accuracy", **AXES)
    by_name = {trace.name: trace for trace in shown.data}
    assert list(by_name["DiffCNN"].x) == [10, 20, 40, 80]
    assert list(by_name["DiffCNN"].y) == [0.6, 0.7, 0.72, 0.75]
    assert list(by_name["DiffCNN"].error_y.array) == pytest.approx([0.04] * 4)
    assert list(by_name["DiffCNN"].error_y.arrayminus) == pytest.approx([0.05] * 4)
    assert shown.layout.title.text == "Accuracy (n = 72)"
    assert shown.layout.xaxis.title.text == "training subjects"


def test_the_printed_curve_has_a_line_per_model():
    axes = learning_curve_plot(curve(72), "Accuracy", **AXES).axes[0]
    assert [len(line.get_xdata()) for line in axes.lines if line.get_marker() in "os^"] == [4, 4, 1]


def test_without_a_curve_the_figure_says_so():
    nothing = curve(72).iloc[:0]
    assert learning_curve_figure(nothing, "Accuracy", **AXES).layout.title.text == "Accuracy: none was requested"
    printed = learning_curve_plot(nothing, "Accuracy", **AXES)
    printed.draw_without_rendering()
    assert "none was requested" in printed._suptitle.get_text()


def test_a_table_of_something_else_is_refused():
    with pytest.raises(ValueError, match=r"lack \['size'"):
        learning_curve_figure(pd.DataFrame({"name": [], "n": [], "value": []}), "t", **AXES)
