"""Points with intervals stand where their numbers are, with a line at the reference."""

import numpy as np
import pytest

from mien import figures

GIVEN = (("face", "voice", "rules"), [0.5, -0.1, None], [0.4, None, None], [0.75, None, None], "Rows")


def test_points_and_strokes_are_the_numbers_given():
    axes = figures.intervals_plot(*GIVEN, quantity="accuracy", reference=0.0).axes[0]
    points = next(line for line in axes.lines if line.get_marker() == "o")
    np.testing.assert_array_equal(points.get_xdata(), [0.5, -0.1, np.nan])
    assert axes.collections[0].get_segments()[0][:, 0].tolist() == [0.4, 0.75]
    written = [text.get_text() for text in axes.texts]
    assert [word for word in written if word != "[95 % interval]"] == ["0.500 [0.400, 0.750]", "-0.100", "none"]
    assert axes.get_ylim() == (2.5, -0.5), "the first must be on top"
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
        figures.intervals_plot(["a", "b"], values, [None, None], [None, None], "t", quantity="accuracy")
