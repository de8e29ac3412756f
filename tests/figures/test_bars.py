"""Bars show values, intervals and n of each class; a class without a value keeps its line."""

import warnings

import pytest

from mien import figures

NAMES = ("happy", "fear", "contempt", "sad")
GIVEN = (NAMES, [0.75, 0.0, None, 1.0], [0.5, 0.0, None, None], [0.875, 0.25, None, None], [1200, 4, 0, 1])
TEXTS = ["0.750 [0.500, 0.875]", "0.000 [0.000, 0.250]", "none", "1.000"]
LABELS = ["happy (1,200)", "fear (4)", "contempt (0)", "sad (1)"]


def test_bars_strokes_and_words_are_the_numbers_given():
    figure = figures.class_bars_plot(*GIVEN, "SAE")
    axes = figure.axes[0]
    assert figure._suptitle.get_text() == "SAE (n = 1,205)"
    assert [bar.get_width() for bar in axes.patches] == [0.75, 0, 0, 1]
    assert [segment[:, 0].tolist() for segment in axes.collections[0].get_segments()] == [[0.5, 0.875], [0, 0.25]]
    assert [text.get_text() for text in axes.texts] == ["[95 % interval]", *TEXTS]
    assert [label.get_text() for label in axes.get_yticklabels()] == LABELS
    assert axes.get_ylim() == (3.5, -0.5)
    assert axes.get_xlabel() == "recall"


def test_bars_of_the_same_samples_name_their_number_once():
    shared = figures.class_bars_plot(["a", "b"], [0.5, 0.6], [0.4, 0.5], [0.6, 0.7], [30, 30], "t", total=30)
    assert shared._suptitle.get_text() == "t (n = 30)"


@pytest.mark.parametrize("title", ["Errors", "Errors over the ten folds of USTC-NVIE's subset, DiffCNN alone"])
def test_one_bar_alone_leaves_room_for_its_title_and_labels(title):
    figure = figures.class_bars_plot(
        ["DiffCNN"], [0.4], [0.3], [0.5], [30], title, quantity="error (%)", synthetic=True
    )
    with warnings.catch_warnings(action="error"):  # matplotlib warns where it finds no room, and lays nothing out
        figure.canvas.draw()


def test_an_interval_that_does_not_hold_the_value_is_drawn_as_it_is():
    (stroke,) = figures.class_bars_plot(["a"], [0.5], [0.6], [0.7], [3], "t").axes[0].collections[0].get_segments()
    assert stroke[:, 0].tolist() == [0.6, 0.7]


def test_errors_have_two_digits_an_open_axis_and_their_unit():
    figure = figures.class_bars_plot(["0-9"], [12.75], [11], [14], [5], "t", quantity="error, years", limit=None)
    axes = figure.axes[0]
    assert "12.75 [11.00, 14.00]" in [text.get_text() for text in axes.texts]
    assert axes.get_xlim()[1] == pytest.approx(1.05 * 14)
    assert axes.get_xlabel() == "error, years"


def test_no_interval_at_all_has_no_heading_for_it():
    axes = figures.class_bars_plot(["a"], [0.5], [None], [None], [3], "t").axes[0]
    assert "[95 % interval]" not in [text.get_text() for text in axes.texts]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((["a"], [1, 0], [0], [1], [2]), r"Bars of 1 names have {'values': 2, .*: give one of each"),
        ((["a"], [None], [None], [None], [0]), "None of the 1 bars of recall has a value: .* Check the metrics"),
        ((["a"], [1.5], [0], [1], [2]), "The bar of a is 1.5"),
        ((["a"], [0.5], [0.7], [0.6], [2]), r"in \[0.7, 0.6\]: give a value from 0 to 1"),
    ],
)
def test_a_mistake_is_named(given, message):
    with pytest.raises(ValueError, match=message):
        figures.class_bars_plot(*given, "t")
