"""Figures show the numbers they are given, say n and "synthetic faces", and stay readable in print."""

import io
import itertools
import json
import subprocess
import sys

import cv2
import matplotlib.colors
import matplotlib.figure
import matplotlib.text
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from mien.labels import EXPRESSIONS, RAF_DB_EXPRESSIONS
from mien.metrics import confusion_counts
from mien.nodes import figures

ALL_RAF = np.repeat(np.arange(7), (33, 7, 16, 1185, 48, 16, 68))


def predictions(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    logits = np.random.default_rng(seed).normal(size=(len(ALL_RAF), 7))
    logits[np.arange(len(ALL_RAF)), ALL_RAF] += 2
    scores = np.exp(logits)
    return ALL_RAF, scores / scores.sum(axis=1, keepdims=True)


def history(num_epochs: int = 40) -> pd.DataFrame:
    epoch = np.arange(1, num_epochs + 1)
    return pd.DataFrame(
        {
            "epoch": epoch,
            "train/loss": 2 / epoch,
            "val/loss": 2 / epoch + 0.2,
            "val/accuracy": 1 - 0.7 / epoch,
            "val/mean_class_accuracy": 0.9 - 0.7 / epoch,
            "lr": 4e-5 * 0.98**epoch,
            "images_per_second": 300.0,
        }
    )


def all_plots(*, synthetic: bool = True) -> dict[str, matplotlib.figure.Figure]:
    target, scores = predictions()
    counts = confusion_counts(target, scores.argmax(axis=1), 7)
    return {
        "confusion": figures.confusion_matrix_plot(counts, RAF_DB_EXPRESSIONS, "SAE on RAF-DB", synthetic=synthetic),
        "roc": figures.roc_plot(target, scores, RAF_DB_EXPRESSIONS, "SAE on RAF-DB", synthetic=synthetic),
        "curves": figures.training_curves_plot(history(), "SAE on RAF-DB", synthetic=synthetic),
    }


def texts(figure) -> list[matplotlib.text.Text]:
    figure.canvas.draw()
    return [text for text in figure.findobj(matplotlib.text.Text) if text.get_visible() and text.get_text().strip()]


@pytest.mark.parametrize("name", ["confusion", "roc", "curves"])
def test_a_plot_is_a_column_wide_with_type_of_seven_points_or_more_inside_its_edges(name):
    figure = all_plots()[name]
    assert figure.get_figwidth() == figures.COLUMN_WIDTH
    assert min(text.get_fontsize() for text in texts(figure)) >= 7
    x0, y0, x1, y1 = figure.get_tightbbox().extents
    assert min(x0, y0) >= 0
    assert x1 <= figure.get_figwidth()
    assert y1 <= figure.get_figheight()


@pytest.mark.parametrize("name", ["confusion", "roc", "curves"])
def test_a_plot_saves_as_png_of_300_dots_per_inch_without_pyplot_or_changed_settings(name):
    settings = dict(matplotlib.rcParams)
    png = io.BytesIO()
    all_plots()[name].savefig(png)
    assert cv2.imdecode(np.frombuffer(png.getvalue(), np.uint8), 1).shape[1] == 3.5 * 300
    assert dict(matplotlib.rcParams) == settings


def test_importing_figures_loads_no_drawing_library():
    heavy = ("matplotlib", "plotly", "pandas", "sklearn")
    code = f"import sys, mien.nodes.figures; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


@pytest.mark.parametrize("synthetic", [True, False])
def test_drawn_faces_are_named_under_the_title_and_real_ones_are_not(synthetic):
    for figure in all_plots(synthetic=synthetic).values():
        assert ("synthetic faces" in [text.get_text() for text in texts(figure)]) is synthetic
    target, scores = predictions()
    for figure in (
        figures.confusion_matrix_figure(np.eye(7, dtype=int), RAF_DB_EXPRESSIONS, "SAE", synthetic=synthetic),
        figures.roc_figure(target, scores, RAF_DB_EXPRESSIONS, "SAE", synthetic=synthetic),
        figures.training_curves_figure(history(), "SAE", synthetic=synthetic),
    ):
        assert (figure.layout.title.subtitle.text == "synthetic faces") is synthetic


def test_the_confusion_cells_hold_percentage_of_the_row_and_count():
    counts = np.array([[1145, 40], [5, 15]])
    figure = figures.confusion_matrix_figure(counts, ["happy", "fear"], "SAE")
    heatmap = figure.data[0]
    assert np.allclose(heatmap.z, [[100 * 1145 / 1185, 100 * 40 / 1185], [25, 75]])
    assert [list(row) for row in heatmap.text] == [["96.6 %<br>1,145", "3.4 %<br>40"], ["25.0 %<br>5", "75.0 %<br>15"]]
    assert (list(heatmap.x), list(heatmap.y)) == (["happy", "fear"], ["happy", "fear"])
    assert figure.layout.title.text == "SAE (n = 1,205)"
    assert figure.layout.yaxis.autorange == "reversed", "the first class must be on top, as in the table"
    printed = [text.get_text() for text in texts(figures.confusion_matrix_plot(counts, ["happy", "fear"], "SAE"))]
    for text in ("96.6\n1,145", "3.4\n40", "25.0\n5", "75.0\n15", "SAE (n = 1,205)"):
        assert text in printed
    assert printed.count("happy") == printed.count("fear") == 2


def test_a_cells_text_fits_in_its_cell_and_contrasts_with_it():
    counts = np.full((8, 8), 1000)
    counts[np.arange(8), np.arange(8)] = 9999
    figure = figures.confusion_matrix_plot(counts, EXPRESSIONS, "FER-former on FER+")
    figure.canvas.draw()
    axes = figure.axes[0]
    (x0, _), (x1, _) = axes.transData.transform([(0, 0), (1, 0)])
    colormap = matplotlib.colormaps["Blues"]
    for text in axes.texts:
        assert text.get_window_extent().width < x1 - x0
        share = float(text.get_text().split("\n")[0]) / 100
        background = np.dot(colormap(share)[:3], (0.2126, 0.7152, 0.0722))
        foreground = np.dot(matplotlib.colors.to_rgb(text.get_color()), (0.2126, 0.7152, 0.0722))
        assert abs(background - foreground) > 0.3


def test_a_class_without_rows_is_blank():
    counts = np.array([[5, 1], [0, 0]])
    assert list(figures.confusion_matrix_figure(counts, ["a", "b"], "t").data[0].text[1]) == ["", ""]
    assert len(figures.confusion_matrix_plot(counts, ["a", "b"], "t").axes[0].texts) == 2


def test_roc_legends_hold_the_auroc_and_the_chance_diagonal():
    target, scores = predictions()
    legend = [f"{roc_auc_score(target == c, scores[:, c]):.3f}  {name}" for c, name in enumerate(RAF_DB_EXPRESSIONS)]
    figure = figures.roc_figure(target, scores, RAF_DB_EXPRESSIONS, "SAE")
    assert [curve.name for curve in figure.data] == [*legend, "0.500  chance"]
    assert (list(figure.data[-1].x), list(figure.data[-1].y)) == ([0, 1], [0, 1])
    assert figure.layout.title.text == "SAE (n = 1,373)"
    plot = figures.roc_plot(target, scores, RAF_DB_EXPRESSIONS, "SAE")
    assert [text.get_text() for text in plot.axes[0].get_legend().get_texts()] == [*legend, "0.500  chance"]


def test_a_class_without_a_curve_stays_in_the_legend():
    target, scores = predictions()
    widened = np.column_stack([scores * 0.9, np.full(len(scores), 0.1)])
    names = [curve.name for curve in figures.roc_figure(target, widened, EXPRESSIONS, "SAE").data]
    assert names[7] == "none   contempt"
    texts_ = [
        t.get_text() for t in figures.roc_plot(target, widened, EXPRESSIONS, "SAE").axes[0].get_legend().get_texts()
    ]
    assert texts_ == names


def test_curves_are_told_apart_by_colour_and_dashes():
    target, scores = predictions()
    widened = np.column_stack([scores * 0.9, np.full(len(scores), 0.1)])
    lines = [curve.line for curve in figures.roc_figure(target, widened, EXPRESSIONS, "SAE").data[:-1]]
    assert len({line.color for line in lines}) == 8
    assert all(a.dash != b.dash for a, b in itertools.pairwise(lines))


def test_training_curves_draw_one_panel_per_quantity_with_loss_first_and_lr_last():
    figure = figures.training_curves_figure(history(), "SAE")
    labels = [figure.layout[f"yaxis{n if n > 1 else ''}"].title.text for n in range(1, 5)]
    assert labels == ["loss", "accuracy", "mean class<br>accuracy", "lr"]
    assert [list(curve.y) for curve in figure.data[:2]] == [
        history()["train/loss"].tolist(),
        history()["val/loss"].tolist(),
    ]
    assert [curve.name for curve in figure.data if curve.showlegend] == ["train", "val"]
    plot = figures.training_curves_plot(history(), "SAE")
    assert [axes.get_ylabel() for axes in plot.axes] == ["loss", "accuracy", "mean class\naccuracy", "lr"]
    assert np.array_equal(plot.axes[3].lines[0].get_ydata(), history()["lr"])


def test_columns_without_numbers_are_left_out_and_gaps_stay_gaps():
    table = history(6).assign(**{"val/accuracy": np.nan})
    table.loc[2, "val/loss"] = np.nan
    plot = figures.training_curves_plot(table, "SAE")
    assert [axes.get_ylabel() for axes in plot.axes] == ["loss", "mean class\naccuracy", "lr"]
    assert np.isnan(plot.axes[0].lines[1].get_ydata()[2])
    json.loads(figures.training_curves_figure(table, "SAE").to_json())


def test_one_epoch_is_a_visible_point_on_a_whole_number():
    plot = figures.training_curves_plot(history(1), "SAE")
    plot.canvas.draw()
    assert all(line.get_marker() == "o" for axes in plot.axes for line in axes.lines)
    low, high = plot.axes[-1].get_xlim()
    assert [tick for tick in plot.axes[-1].get_xticks() if low <= tick <= high] == [1]


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: figures.confusion_matrix_figure(np.eye(3, dtype=int), ["a", "b"], "t"), "for 2 class names"),
        (lambda: figures.confusion_matrix_plot(np.eye(2), ["a", "b"], "t"), "counts are float64"),
        (lambda: figures.confusion_matrix_plot(-np.eye(2, dtype=int), ["a", "b"], "t"), "0 or more"),
        (lambda: figures.confusion_matrix_plot(np.zeros((2, 2), int), ["a", "b"], "t"), "all 0"),
        (lambda: figures.roc_figure(*predictions(), ["a", "b"], "t"), "2 class names for scores"),
        (lambda: figures.roc_plot(predictions()[0], predictions()[1][:, 0], ["a"], "t"), "class names for scores"),
        (lambda: figures.training_curves_plot(history().drop(columns="epoch"), "t"), "give `epoch`"),
        (lambda: figures.training_curves_plot(history().head(0), "t"), "0 rows"),
        (lambda: figures.training_curves_figure(history()[["epoch", "images_per_second"]], "t"), "nothing to draw"),
    ],
)
def test_a_mistake_is_named(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()
