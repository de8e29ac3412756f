"""The overview of a dataset shows the counts and measurements it is given, whatever is missing from them."""

import io
import json

import cv2
import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure as MatplotlibFigure
from matplotlib.text import Text

from mien.data.file_account import count_table
from mien.nodes.data_figures import PAGE_WIDTH, overview_figure, overview_plot

PUBLISHED = {"train": {"happy": 3, "sad": 2}, "test": {"happy": 1}}


def samples(**changes) -> pd.DataFrame:
    """Seven samples: five aligned ones, one with several faces, one that cannot be read."""
    nan = np.nan
    table = pd.DataFrame(
        {
            "split": ["train"] * 4 + ["test"] * 3,
            "expression": ["happy", "happy", "sad", "sad", "happy", "sad", "happy"],
            "reason": ["aligned"] * 5 + ["several_faces", "not_an_image"],
            "width": np.float32([100, 100, 120, 100, 100, 300, nan]),
            "height": np.float32([90, 90, 90, 90, 90, 200, nan]),
            "brightness": np.float32([0, 7.9, 8, 100, 200, 255, nan]),
            "roll_degrees": np.float32([0, 2, -2, 40, -178, 3, nan]),
        }
    )
    return table.assign(**changes)


def draw(table: pd.DataFrame, *, published=PUBLISHED, synthetic: bool = False):
    counts = count_table(table, published, "expression")
    return (
        overview_figure(counts, table, "raf_db", synthetic=synthetic),
        overview_plot(counts, table, "raf_db", synthetic=synthetic),
    )


def traces(figure, **wanted):
    return [trace for trace in figure.data if all(trace[name] == value for name, value in wanted.items())]


def texts(figure: MatplotlibFigure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]


def test_counts_stand_beside_the_published_ones_by_split_and_class():
    figure, plot = draw(samples())
    train, test = traces(figure, name="train")[0], traces(figure, name="test")[0]
    assert (list(train.y), list(test.y)) == ([2, 2], [2, 1])
    assert list(figure.layout.xaxis.ticktext) == ["happy", "sad"]
    markers = traces(figure, name="published")
    assert [list(marker.y) for marker in markers] == [[3, 2], [1]]
    assert list(markers[0].x) == list(train.x), "each marker above its bar"
    assert list(markers[1].x) == [test.x[0]]
    assert [marker.showlegend for marker in markers] == [True, False]
    axes = plot.axes[0]
    assert sorted(bar.get_height() for bar in axes.patches) == [1, 2, 2, 2]
    assert sorted(axes.lines[0].get_ydata()) == [1, 2, 3]
    assert {text.get_text() for text in axes.get_legend().get_texts()} == {"train", "test", "published"}


def test_bars_of_one_class_stand_beside_each_other_without_overlap():
    figure, _ = draw(
        samples(split=["train", "val", "test", "folds", "unlabelled", "train", "val"]), published={"val": {}}
    )
    bars = traces(figure, type="bar", xaxis="x")
    starts = np.sort([bar.x[0] - bar.width / 2 for bar in bars])
    np.testing.assert_allclose(np.diff(starts), bars[0].width)
    assert starts[0] > -0.5
    assert starts[-1] + bars[0].width < 0.5


def test_without_published_counts_no_marker_is_drawn():
    figure, plot = draw(samples(), published={})
    assert traces(figure, name="published") == []
    assert len(plot.axes[0].lines) == 0


def test_histograms_count_every_measured_sample_in_its_bin():
    figure, plot = draw(samples())
    brightness = traces(figure, xaxis="x3")[0]
    counted = {round(x): y for x, y in zip(brightness.x, brightness.y, strict=True) if y}
    assert counted == {4: 2, 12: 1, 100: 1, 204: 1, 252: 1}
    roll = traces(figure, xaxis="x4")[0]
    assert {round(x): y for x, y in zip(roll.x, roll.y, strict=True) if y} == {-180: 1, 0: 3, 5: 1, 40: 1}
    assert [sum(stairs.get_data().values) for axes in plot.axes[2:4] for stairs in axes.patches] == [6, 6]


def test_sizes_are_two_outlines_that_hold_every_sample():
    figure, plot = draw(samples())
    for name, sizes in (("width", [100, 120, 300]), ("height", [90, 200])):
        trace = traces(figure, name=name)[0]
        x, y = np.array(trace.x), np.array(trace.y)
        assert y[::2].sum() == 6
        bins = np.stack([x[::2], x[1::2]], axis=1)[y[::2] > 0]
        assert all(any(low < size < high for low, high in bins) for size in sizes)
        line = next(line for line in plot.axes[1].lines if line.get_label() == name)
        np.testing.assert_allclose(line.get_ydata(), y)


def test_outcomes_are_named_with_count_and_share():
    figure, plot = draw(samples())
    plot.draw_without_rendering()  # which writes the names of ticks
    bars = traces(figure, xaxis="x5")[0]
    assert list(bars.y) == ["aligned", "several faces", "not an image"]
    assert list(bars.text) == ["5 (71.4 %)", "1 (14.3 %)", "1 (14.3 %)"]
    assert {"aligned", "several faces", "not an image", "5 (71.4 %)"} <= set(texts(plot))


@pytest.mark.parametrize("synthetic", [True, False])
def test_synthetic_faces_are_named_under_the_title(synthetic):
    figure, plot = draw(samples(), synthetic=synthetic)
    assert figure.layout.title.text == "raf_db (7 samples)"
    assert (figure.layout.title.subtitle.text == "synthetic faces") is synthetic
    assert ("synthetic faces" in texts(plot)) is synthetic


def test_what_was_not_measured_is_said():
    figure, plot = draw(samples(roll_degrees=np.float32(np.nan)))
    assert [note.text for note in figure.layout.annotations].count("not measured") == 1
    assert texts(plot).count("not measured") == 1
    empty = dict.fromkeys(["roll_degrees", "width", "height", "brightness"], np.float32(np.nan))
    figure, plot = draw(samples(**empty))
    assert [note.text for note in figure.layout.annotations].count("not measured") == 3
    assert texts(plot).count("not measured") == 3


@pytest.mark.parametrize("side", [1, 48, 20_000])
def test_one_size_for_all_is_one_bar(side):
    figure, _ = draw(samples(width=np.float32(side), height=np.float32(side)))
    trace = traces(figure, name="width")[0]
    high = [x for x, y in zip(trace.x, trace.y, strict=True) if y]
    assert min(high) < side < max(high)
    assert trace.y[0] == trace.y[-1] == 0, "the outline comes down on both sides"


def test_the_figure_does_not_grow_with_the_number_of_samples():
    few, many = (draw(pd.concat([samples()] * times, ignore_index=True))[0].to_json() for times in (1, 500))
    assert len(many) < 1.2 * len(few)
    json.loads(many)


@pytest.mark.parametrize("num_classes", [1, 40])
def test_the_plot_is_a_page_wide_and_readable_inside_its_edges(num_classes):
    names = [f"expression {number}" for number in range(num_classes)]
    table = pd.concat([samples()] * 8, ignore_index=True)
    table["expression"] = [names[row % num_classes] for row in range(len(table))]
    _, plot = draw(table, synthetic=True)
    assert plot.get_figwidth() == PAGE_WIDTH
    plot.draw_without_rendering()
    shown = [text for text in plot.findobj(Text) if text.get_visible() and text.get_text().strip()]
    assert min(text.get_fontsize() for text in shown) >= 7
    x0, y0, x1, y1 = plot.get_tightbbox().extents
    assert min(x0, y0) >= 0
    assert x1 <= plot.get_figwidth()
    assert y1 <= plot.get_figheight()


def test_the_plot_saves_as_png_without_changed_settings():
    settings = dict(matplotlib.rcParams)
    png = io.BytesIO()
    draw(samples())[1].savefig(png)
    assert cv2.imdecode(np.frombuffer(png.getvalue(), np.uint8), 1).shape[1] == PAGE_WIDTH * 200
    assert dict(matplotlib.rcParams) == settings
