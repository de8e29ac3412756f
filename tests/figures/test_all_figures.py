"""What every figure keeps: readable in a column, saved as PNG and SVG, honest about synthetic faces."""

import io
import itertools
import subprocess
import sys
from xml.etree import ElementTree

import cv2
import matplotlib
import numpy as np
import pytest
from tests.figures.examples import DRAWINGS, OF_CLASSES, OTHERS, draw, history, interactive, plot, texts

from mien import figures

WITH_LEGEND = (
    "roc",
    "roc with intervals",
    "precision and recall",
    "reliability",
    "embedding",
    "landmark errors",
    "learning curve",
)

KINDS = ("_plot", "_figure")
INTERACTIVE = ("roc", "roc with intervals", "embedding")

every_plot = pytest.mark.parametrize(("case", "name"), DRAWINGS)


def test_importing_figures_loads_no_drawing_library():
    heavy = ("matplotlib", "plotly", "pandas", "sklearn", "torch")
    code = f"import sys, mien.figures; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_every_figure_is_printed_and_only_those_that_tell_more_by_hovering_are_interactive():
    names = {kind: {name.rpartition("_")[0] for name in figures.__all__ if name.endswith(kind)} for kind in KINDS}
    assert len(names["_plot"]) == 19
    assert names["_figure"] == {"roc", "embedding"}


@every_plot
def test_a_plot_is_a_column_wide_with_type_of_seven_points_or_more_inside_its_edges(case, name):
    figure = plot(case, name)
    assert figure.get_figwidth() == figures.COLUMN_WIDTH
    assert min(text.get_fontsize() for text in texts(figure)) >= 7
    x0, y0, x1, y1 = figure.get_tightbbox().extents
    assert min(x0, y0) >= 0
    assert x1 <= figure.get_figwidth()
    assert y1 <= figure.get_figheight()


@every_plot
def test_words_of_a_plot_do_not_overlap(case, name):
    level = [text for text in texts(plot(case, name)) if text.get_rotation() % 90 == 0]
    boxes = [text.get_window_extent() for text in level]
    for (one, first), (other, second) in itertools.combinations(zip(level, boxes, strict=True), 2):
        width = min(first.x1, second.x1) - max(first.x0, second.x0)
        height = min(first.y1, second.y1) - max(first.y0, second.y0)
        if "synthetic faces" not in (one.get_text(), other.get_text()):  # stands on the title's blank line
            assert width <= 1 or height <= 2, (one.get_text(), other.get_text())


@every_plot
def test_the_line_below_the_title_stands_clear_of_its_words_and_of_the_panels(case, name):
    figure = plot(case, name)
    title, lines = figure._suptitle.get_window_extent(), figure._suptitle.get_text().count("\n") + 1
    note = next(text for text in figure.texts if text.get_text() == "synthetic faces").get_window_extent()
    assert note.y1 <= title.y1 - title.height * (lines - 1) / lines + 2
    assert note.y0 > max(axes.get_tightbbox().y1 for axes in figure.axes) - 4


@pytest.mark.parametrize(("case", "name"), [(case, name) for case, name in DRAWINGS if name in WITH_LEGEND])
def test_a_legend_below_stands_clear_of_the_panels(case, name):
    figure = plot(case, name)
    assert figure.legends[0].get_window_extent().y1 <= min(axes.get_tightbbox().y0 for axes in figure.axes)


@pytest.mark.parametrize("name", ["confusion", "roc with intervals", "embedding", "age"])
def test_a_plot_saves_as_png_of_300_dots_per_inch_and_as_svg_without_pyplot_or_changed_settings(name):
    settings = dict(matplotlib.rcParams)
    png, svg = io.BytesIO(), io.BytesIO()
    plot("usual", name).savefig(png)
    plot("usual", name).savefig(svg, format="svg")
    assert cv2.imdecode(np.frombuffer(png.getvalue(), np.uint8), 1).shape[1] == 3.5 * 300
    assert float(ElementTree.fromstring(svg.getvalue()).get("width").removesuffix("pt")) == 3.5 * 72
    assert len(svg.getvalue()) < 1_000_000
    assert dict(matplotlib.rcParams) == settings


@pytest.mark.parametrize("name", [*OF_CLASSES, *OTHERS])
@pytest.mark.parametrize("synthetic", [True, False])
def test_synthetic_faces_are_named_under_the_title_and_real_ones_are_not(name, synthetic):
    printed = plot("usual", name) if synthetic else draw("usual", name, "plot", synthetic=False)
    assert ("synthetic faces" in [text.get_text() for text in printed.texts]) is synthetic
    if name in INTERACTIVE:
        shown = interactive("usual", name) if synthetic else draw("usual", name, "figure", synthetic=False)
        assert (shown.layout.title.subtitle.text == "synthetic faces") is synthetic


@pytest.mark.parametrize(("case", "name"), [(case, name) for case, name in DRAWINGS if name in INTERACTIVE])
def test_an_interactive_figure_is_json_with_type_that_can_be_read_and_the_printed_title(case, name):
    figure = interactive(case, name)
    assert "NaN" not in figure.to_json()
    assert figure.layout.font.size >= 12
    assert figure.layout.width <= 900
    printed = plot(case, name)._suptitle.get_text()
    assert figure.layout.title.text.replace(",", "").split() == printed.replace(",", "").split()


@pytest.mark.parametrize("length", range(30, 60))
def test_a_title_is_not_broken_amid_the_number_of_samples(length):
    title = ("word " * 20)[:length].strip()
    lines = figures.training_curves_plot(history(3), f"{title} (n = 1,234)")._suptitle.get_text().splitlines()
    assert any("(n = 1,234)" in line for line in lines)
