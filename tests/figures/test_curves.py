"""ROC and precision-recall curves show the points they are given, and their area in the legend."""

import itertools

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score
from tests.figures.examples import predictions

from mien import figures
from mien.labels import EXPRESSIONS, RAF_DB_EXPRESSIONS
from mien.metrics import classification_metrics

TARGET = np.array([0, 0, 1, 1])
SCORES = np.array([[0.9, 0.1], [0.6, 0.4], [0.65, 0.35], [0.2, 0.8]])
KINDS = {
    "roc": (figures.roc_plot, figures.roc_figure),
    "precision_recall": (figures.precision_recall_plot,),
}


def legend(plot) -> list[str]:
    return [text.get_text() for text in plot.legends[0].get_texts()]


def heading(plot) -> list[str]:
    return plot.legends[0].get_title().get_text().split("\n")


def with_contempt() -> tuple[np.ndarray, np.ndarray]:
    target, scores = predictions()
    return target, np.column_stack([scores * 0.9, np.full(len(scores), 0.1)])


def test_four_rows_have_the_curves_that_one_draws_by_hand():
    # By score of class b: right, wrong, right, wrong.
    roc = figures.roc_figure(TARGET, SCORES, "ab", "SAE").data[1]
    assert (list(roc.x), list(roc.y)) == ([0, 0, 0.5, 0.5, 1], [0, 0.5, 0.5, 1, 1])
    assert roc.name == "0.750  b (2)"
    assert list(roc.customdata) == ["no row", "score ≥ 0.800", "score ≥ 0.400", "score ≥ 0.350", "score ≥ 0.100"]
    assert "%{customdata}" in roc.hovertemplate
    plot = figures.precision_recall_plot(TARGET, SCORES, "ab", "SAE")
    steps = plot.axes[0].lines[1]
    assert list(steps.get_xdata()) == [0, 0.5, 0.5, 0.5, 0.5, 1, 1, 1]
    assert np.allclose(steps.get_ydata(), [1, 1, 1 / 2, 1 / 2, 2 / 3, 2 / 3, 1 / 2, 1 / 2])
    assert legend(plot)[1] == "0.833  b (2)"


def test_the_printed_curves_are_those_of_the_interactive_figure():
    target, scores = with_contempt()
    plot, figure = (draw(target, scores, EXPRESSIONS, "SAE") for draw in KINDS["roc"])
    lines = plot.axes[0].lines
    assert len(lines) == len(figure.data) == 9
    for curve, line in zip(figure.data, lines, strict=True):
        np.testing.assert_array_equal(np.array(curve.x, float), line.get_xdata())
        np.testing.assert_array_equal(np.array(curve.y, float), line.get_ydata())
    assert legend(plot) == [curve.name for curve in figure.data]
    assert "<br>".join(heading(plot)) == figure.layout.legend.title.text
    assert figure.layout.title.text == "SAE (n = 1,373)"


def test_the_legend_holds_the_area_and_n_of_each_class_and_the_macro_average_of_the_metrics():
    target, scores = predictions()
    sizes = np.bincount(target)
    metrics = classification_metrics(target, scores, RAF_DB_EXPRESSIONS, resamples=1)
    for kind, area, key, measure in (
        ("roc", "AUC", "auroc", roc_auc_score),
        ("precision_recall", "AP", "average_precision", average_precision_score),
    ):
        plot = KINDS[kind][0](target, scores, RAF_DB_EXPRESSIONS, "SAE")
        expected = [
            f"{measure(target == c, scores[:, c]):.3f}  {name} ({sizes[c]:,})"
            for c, name in enumerate(RAF_DB_EXPRESSIONS)
        ]
        assert legend(plot)[:7] == expected
        assert legend(plot)[7:] == (["0.500  chance"] if kind == "roc" else [])
        assert heading(plot) == [f"{area}, class against the rest (n)", f"{metrics[key]:.3f}  macro average"]


@pytest.mark.parametrize("kind", KINDS)
def test_intervals_stand_behind_the_areas_that_have_one(kind):
    intervals = {"a": (0.25, 0.875), "b": (None, None), figures.MACRO_AVERAGE: (0.3, 0.9)}
    plot = KINDS[kind][0](TARGET, SCORES, "ab", "SAE", intervals=intervals)
    assert "[0.250, 0.875]  a (2)" in legend(plot)[0]
    assert "[" not in legend(plot)[1]
    assert heading(plot)[0].endswith("[95 % interval], class against the rest (n)")
    assert heading(plot)[1].endswith("[0.300, 0.900]  macro average")


def test_the_area_under_the_steps_is_the_average_precision_and_their_end_the_share_of_the_class():
    target, scores = predictions()
    lines = figures.precision_recall_plot(target, scores, RAF_DB_EXPRESSIONS, "SAE").axes[0].lines
    for c, (x, y) in enumerate(line.get_data() for line in lines):
        area = np.trapezoid(y, x)
        assert area == pytest.approx(average_precision_score(target == c, scores[:, c]))
        assert (x[0], x[-1]) == (0, 1)
        assert y[-1] == pytest.approx((target == c).mean())


@pytest.mark.parametrize("kind", KINDS)
def test_a_class_without_a_curve_stays_in_the_legend_and_out_of_the_macro_average(kind):
    target, scores = with_contempt()
    assert legend(KINDS[kind][0](target, scores, EXPRESSIONS, "SAE"))[7] == "none   contempt (0)"
    only = np.zeros(4, int)
    plot = KINDS[kind][0](only, SCORES, "ab", "SAE")
    assert legend(plot)[1] == "none   b (0)"
    if kind == "roc":  # a rate of rows that are not of the class is 0/0
        assert legend(plot)[0] == "none   a (4)"
        assert heading(plot)[1] == "none  macro average"
    else:
        assert heading(plot)[1] == "1.000  macro average"


def test_the_chance_diagonal_is_drawn_in_roc_curves_only():
    chance = figures.roc_figure(TARGET, SCORES, "ab", "SAE").data[-1]
    assert (chance.name, list(chance.x), list(chance.y)) == ("0.500  chance", [0, 1], [0, 1])
    assert len(figures.precision_recall_plot(TARGET, SCORES, "ab", "SAE").axes[0].lines) == 2


def test_curves_are_distinguished_by_colour_and_dashes():
    lines = [curve.line for curve in figures.roc_figure(*with_contempt(), EXPRESSIONS, "SAE").data[:-1]]
    assert len({line.color for line in lines}) == 8
    assert all(a.dash != b.dash for a, b in itertools.pairwise(lines))


@pytest.mark.parametrize("draw", list(itertools.chain(*KINDS.values())))
@pytest.mark.parametrize(
    ("target", "scores", "intervals", "message"),
    [
        (TARGET, np.column_stack([SCORES, SCORES]), None, "2 class names for scores of shape .*: give one name"),
        (TARGET, SCORES[:, 0], None, "2 class names for scores"),
        (TARGET, SCORES * np.nan, None, "no probabilities in 4 of 4 rows"),
        (TARGET + 1, SCORES, None, "ids from 1 to 2: give ids from 0 to 1"),
        (TARGET[:3], SCORES, None, "3 targets and 4 rows of scores"),
        (TARGET, SCORES, {"c": (0, 1)}, r"Intervals of \['c'\], which are no classes"),
    ],
)
def test_a_mistake_is_named(draw, target, scores, intervals, message):
    with pytest.raises(ValueError, match=message):
        draw(target, scores, "ab", "t", intervals=intervals)
