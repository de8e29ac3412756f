"""Points with intervals stand where their numbers are, with a line at the reference."""

import numpy as np
import pytest

from mien.nodes import figures

GIVEN = (("face", "voice", "rules"), [0.5, -0.1, None], [0.4, None, None], [0.75, None, None], "Rows")


def test_points_strokes_and_words_are_the_numbers_given():
    figure = figures.intervals_figure(*GIVEN, quantity="accuracy")
    (points,) = figure.data
    assert np.array_equal(np.array(points.x, float), [0.5, -0.1, np.nan], equal_nan=True)
    assert points.error_x.array[0] == pytest.approx(0.25)
    assert points.error_x.arrayminus[0] == pytest.approx(0.1)
    assert [note.text for note in figure.layout.annotations] == ["0.500 [0.400, 0.750]", "-0.100", "none"]
    assert tuple(figure.layout.yaxis.range) == (2.5, -0.5), "the first must be on top"


def test_the_printed_points_are_those_of_the_interactive_figure():
    axes = figures.intervals_plot(*GIVEN, quantity="accuracy", reference=0.0).axes[0]
    points = next(line for line in axes.lines if line.get_marker() == "o")
    np.testing.assert_array_equal(points.get_xdata(), [0.5, -0.1, np.nan])
    assert axes.collections[0].get_segments()[0][:, 0].tolist() == [0.4, 0.75]
    assert axes.get_xlim()[0] < -0.1
    assert axes.get_xlim()[1] > 0.75


def test_a_reference_beyond_the_points_is_within_the_axis():
    for reference in (-2.0, 3.0):
        low, high = (
            figures.intervals_plot(["a"], [0.5], [0.4], [0.6], "t", quantity="q", reference=reference)
            .axes[0]
            .get_xlim()
        )
        assert low < reference < high


@pytest.mark.parametrize(
    ("values", "message"),
    [([0.5], "2 names have 1 values, 2 lower"), ([None, None], "None of the 2 points of accuracy has a value")],
)
def test_what_cannot_be_drawn_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        figures.intervals_figure(["a", "b"], values, [None, None], [None, None], "t", quantity="accuracy")
