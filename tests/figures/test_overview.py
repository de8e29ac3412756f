"""The overview of a dataset shows the counts and measurements it is given, whatever is missing from them."""

import io

import cv2
import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure as MatplotlibFigure
from matplotlib.text import Text

from mien.data.file_account import count_table
from mien.figures.overview import PAGE_WIDTH, overview_plot

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
    return overview_plot(count_table(table, published, "expression"), table, "raf_db", synthetic=synthetic)


def steps(axes) -> list[tuple[float, float, float]]:
    """Edges and height of each bin that is not empty."""
    values, edges, _ = axes.patches[0].get_data()
    return [(low, high, y) for low, high, y in zip(edges[:-1], edges[1:], values, strict=True) if y]


def texts(figure: MatplotlibFigure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]


def test_counts_stand_beside_the_published_ones_by_split_and_class():
    plot = draw(samples())
    plot.draw_without_rendering()
    axes = plot.axes[0]
    assert sorted(bar.get_height() for bar in axes.patches) == [1, 2, 2, 2]
    assert sorted(value for line in axes.lines for value in line.get_ydata()) == [1, 2, 3]
    middles = {round(bar.get_x() + bar.get_width() / 2, 6) for bar in axes.patches}
    assert {round(float(x), 6) for line in axes.lines for x in line.get_xdata()} <= middles, "each marker above its bar"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["happy", "sad"]
    assert {text.get_text() for text in axes.get_legend().get_texts()} == {"train", "test", "published"}


def test_bars_of_one_class_stand_beside_each_other_without_overlap():
    plot = draw(samples(split=["train", "val", "test", "folds", "unlabelled", "train", "val"]), published={"val": {}})
    bars = [bar for bar in plot.axes[0].patches if bar.get_x() < 0.5]
    starts, width = np.sort([bar.get_x() for bar in bars]), bars[0].get_width()
    np.testing.assert_allclose(np.diff(starts), width)
    assert starts[0] > -0.5
    assert starts[-1] + width < 0.5


def test_without_published_counts_no_marker_is_drawn():
    assert len(draw(samples(), published={}).axes[0].lines) == 0


def test_histograms_count_every_measured_sample_in_its_bin():
    brightness, roll = draw(samples()).axes[2:4]
    assert {round((low + high) / 2): y for low, high, y in steps(brightness)} == {4: 2, 12: 1, 100: 1, 204: 1, 252: 1}
    assert {round((low + high) / 2): y for low, high, y in steps(roll)} == {-180: 1, 0: 3, 5: 1, 40: 1}


def test_sizes_are_two_outlines_that_hold_every_sample():
    axes = draw(samples()).axes[1]
    for name, sizes in (("width", [100, 120, 300]), ("height", [90, 200])):
        x, y = next(line for line in axes.lines if line.get_label() == name).get_data()
        assert y[::2].sum() == 6
        bins = np.stack([x[::2], x[1::2]], axis=1)[y[::2] > 0]
        assert all(any(low < size < high for low, high in bins) for size in sizes)


def test_outcomes_are_named_with_count_and_share():
    plot = draw(samples())
    plot.draw_without_rendering()  # which writes the names of ticks
    shown = {"aligned", "several faces", "not an image", "5 (71.4 %)", "1 (14.3 %)"}
    assert shown <= set(texts(plot))


@pytest.mark.parametrize("synthetic", [True, False])
def test_synthetic_faces_are_named_under_the_title(synthetic):
    plot = draw(samples(), synthetic=synthetic)
    assert plot._suptitle.get_text().startswith("raf_db (7 samples)")
    assert ("synthetic faces" in texts(plot)) is synthetic


def test_what_was_not_measured_is_said():
    assert texts(draw(samples(roll_degrees=np.float32(np.nan)))).count("not measured") == 1
    empty = dict.fromkeys(["roll_degrees", "width", "height", "brightness"], np.float32(np.nan))
    assert texts(draw(samples(**empty))).count("not measured") == 3


@pytest.mark.parametrize("side", [1, 48, 20_000])
def test_one_size_for_all_is_one_bar(side):
    axes = draw(samples(width=np.float32(side), height=np.float32(side))).axes[1]
    x, y = next(line for line in axes.lines if line.get_label() == "width").get_data()
    high = [place for place, value in zip(x, y, strict=True) if value]
    assert min(high) < side < max(high)
    assert y[0] == y[-1] == 0, "the outline comes down on both sides"


@pytest.mark.parametrize("num_classes", [1, 40])
def test_the_plot_is_a_page_wide_and_readable_inside_its_edges(num_classes):
    names = [f"expression {number}" for number in range(num_classes)]
    table = pd.concat([samples()] * 8, ignore_index=True)
    table["expression"] = [names[row % num_classes] for row in range(len(table))]
    plot = draw(table, synthetic=True)
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
    draw(samples()).savefig(png)
    assert cv2.imdecode(np.frombuffer(png.getvalue(), np.uint8), 1).shape[1] == PAGE_WIDTH * 200
    assert dict(matplotlib.rcParams) == settings
