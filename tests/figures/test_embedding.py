"""t-SNE keeps neighbours, repeats with its seed and says whom it leaves out; the map shows every point once."""

import itertools

import numpy as np
import pytest

from mien import figures
from mien.labels import EXPRESSIONS

POINTS = np.array([[0.0, 0.0], [1.0, 2.0], [3.0, 1.0]])
LABELS = np.array([1, 0, 1])


def clusters(n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=n)
    return (10 * np.eye(3, 16)[labels] + rng.normal(size=(n, 16))).astype(np.float32), labels


def test_neighbours_of_a_point_are_of_its_cluster():
    features, labels = clusters()
    points, rows, left_out = figures.tsne_points(features, seed=0)
    assert points.shape == (60, 2)
    assert rows.tolist() == list(range(60))
    assert len(left_out) == 0
    distances = np.linalg.norm(points[:, None] - points[None], axis=2) + np.diag([np.inf] * 60)
    assert (labels[distances.argmin(axis=1)] == labels).mean() > 0.95


def test_the_same_seed_gives_the_same_map_and_another_seed_another_choice():
    features, _ = clusters()
    first, rows, left_out = figures.tsne_points(features, seed=0, most=20)
    again, rows_again, _ = figures.tsne_points(features, seed=0, most=20)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(rows, rows_again)
    assert first.shape == (20, 2)
    assert sorted([*rows, *left_out]) == list(range(60))
    assert rows.tolist() == sorted(rows)
    assert figures.tsne_points(features, seed=1, most=20)[1].tolist() != rows.tolist()


def test_four_rows_are_enough():
    assert np.isfinite(figures.tsne_points(clusters(4)[0], seed=0)[0]).all()


def test_each_class_has_its_points_and_their_number_in_the_legend():
    figure = figures.embedding_figure(POINTS, LABELS, ("happy", "sad", "contempt"), "SAE")
    assert [curve.name for curve in figure.data] == ["happy (1)", "sad (2)", "contempt (0)"]
    assert (list(figure.data[0].x), list(figure.data[0].y)) == ([1], [2])
    assert (list(figure.data[1].x), list(figure.data[1].y)) == ([0, 3], [0, 1])
    plot = figures.embedding_plot(POINTS, LABELS, ("happy", "sad", "contempt"), "SAE")
    assert [line.get_xydata().tolist() for line in plot.axes[0].lines] == [[[1, 2]], [[0, 0], [3, 1]], []]
    assert [text.get_text() for text in plot.legends[0].get_texts()] == ["happy (1)", "sad (2)", "contempt (0)"]


def test_rare_classes_are_drawn_over_frequent_ones():
    plot = figures.embedding_plot(POINTS, LABELS, ("happy", "sad"), "SAE")
    happy, sad = plot.axes[0].lines
    assert happy.zorder > sad.zorder
    figure = figures.embedding_figure(POINTS, LABELS, ("happy", "sad"), "SAE")
    assert figure.data[0].zorder > figure.data[1].zorder


def test_classes_are_distinguished_by_colour_and_marker():
    points = np.random.default_rng(0).normal(size=(8, 2))
    markers = [curve.marker for curve in figures.embedding_figure(points, np.arange(8), EXPRESSIONS, "SAE").data]
    assert len({marker.color for marker in markers}) == len({marker.symbol for marker in markers}) == 8
    lines = figures.embedding_plot(points, np.arange(8), EXPRESSIONS, "SAE").axes[0].lines
    assert all(a.get_marker() != b.get_marker() for a, b in itertools.combinations(lines, 2))


def test_the_title_says_of_how_many_samples_the_points_were_chosen():
    names = ("happy", "sad")
    assert figures.embedding_figure(POINTS, LABELS, names, "SAE").layout.title.text == "SAE (n = 3)"
    assert figures.embedding_figure(POINTS, LABELS, names, "SAE", left_out=1997).layout.title.text == "SAE (3 of 2,000)"


@pytest.mark.parametrize(
    ("features", "most", "message"),
    [
        (np.zeros((3, 2)), 9, r"Features have shape \(3, 2\): t-SNE needs \(n, D\), n at least 4"),
        (np.zeros(9), 9, "Features have shape"),
        (np.zeros((9, 2)), 3, "most=3: t-SNE needs at least 4"),
        (np.full((9, 2), np.nan), 9, "not finite in 9 of 9 rows, the first is row 0: check"),
    ],
)
def test_features_that_cannot_be_placed_are_refused(features, most, message):
    with pytest.raises(ValueError, match=message):
        figures.tsne_points(features, seed=0, most=most)


@pytest.mark.parametrize(
    ("points", "labels", "message"),
    [
        (POINTS[:, :1], LABELS, r"Points have shape \(3, 1\)"),
        (POINTS, LABELS[:2], r"labels \(2,\): give"),
        (POINTS[:0], LABELS[:0], "n at least 1"),
        (POINTS, np.array([0, 1, 2]), "ids from 0 to 2: give ids from 0 to 1"),
    ],
)
def test_a_mistake_is_named(points, labels, message):
    for draw in (figures.embedding_figure, figures.embedding_plot):
        with pytest.raises(ValueError, match=message):
            draw(points, labels, ("a", "b"), "t")
