"""Colours, dashes and markers tell classes apart; numbers, names and titles are written one way."""

import itertools
import math

import matplotlib.colors
import pandas as pd
import pytest

from mien.figures import style

# Machado, Oliveira and Fernandes (2009), severity 1: what the three kinds of dichromats see, in linear RGB.
DICHROMATS = {
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.01182, 0.04294, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.3039)),
}


def seen(color: str, matrix: tuple[tuple[float, ...], ...]) -> list[float]:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in matplotlib.colors.to_rgb(color)]
    mixed = [min(1, max(0, sum(w * c for w, c in zip(row, linear, strict=True)))) for row in matrix]
    return [12.92 * c if c <= 0.0031308 else 1.055 * c ** (1 / 2.4) - 0.055 for c in mixed]


@pytest.mark.parametrize("kind", DICHROMATS)
def test_neighbouring_classes_differ_for_every_kind_of_colour_vision(kind):
    colors = [seen(color, DICHROMATS[kind]) for color in style.COLORS]
    for one, other in itertools.pairwise(colors):
        assert math.dist(one, other) > 0.2


def test_no_two_of_sixteen_classes_look_alike():
    looks = {(style.class_color(label), style.class_dash(label)) for label in range(16)}
    markers = {(style.class_color(label), style.class_marker(label)) for label in range(16)}
    assert len(looks) == len(markers) == 16
    assert all(style.class_dash(label) != style.class_dash(label + 1) for label in range(7))


@pytest.mark.parametrize(
    ("value", "interval", "digits", "text"),
    [
        (0.9134, (0.8712, 0.9541), 3, "0.913 [0.871, 0.954]"),
        (5.126, (4.0, 6.0), 2, "5.13 [4.00, 6.00]"),
        (0.5, None, 3, "0.500"),
        (0.5, (None, None), 3, "0.500"),
        (0.5, (0.1, math.nan), 3, "0.500"),
    ],
)
def test_a_number_is_followed_by_its_interval_where_both_bounds_are_known(value, interval, digits, text):
    assert style.with_interval(value, interval, digits) == text


def test_names_are_wrapped_between_words_and_underscores_become_spaces():
    assert style.wrapped("east_asian or pacific islander") == "east asian or\npacific islander"
    assert style.wrapped("a b c", "<br>", 3) == "a b<br>c"
    assert style.wrapped("") == ""


def test_a_table_without_a_column_is_refused_by_name():
    with pytest.raises(ValueError, match=r"The bands lack \['n'\] among \['band'\]: give the columns \['band', 'n'\]"):
        style.require_columns(pd.DataFrame({"band": []}), ("band", "n"), "The bands")


def test_a_title_of_several_lines_makes_the_page_higher_and_leaves_the_panels_their_size():
    heights = []
    for title in ("one", "one\ntwo\nthree"):
        figure, (axes,) = style.canvas(3.5, 2, title, synthetic=False)
        figure.canvas.draw()
        heights.append((figure.get_figheight(), axes.get_window_extent().height))
    assert heights[1][0] - heights[0][0] == pytest.approx(2 * 1.25 * 8 / 72)
    assert heights[1][1] == pytest.approx(heights[0][1], rel=0.02)
