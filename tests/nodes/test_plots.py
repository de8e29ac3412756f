"""Figures of a run: drawn from the test rows, of the two kinds, and honest about synthetic faces."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure as MatplotlibFigure
from plotly.graph_objects import Figure as PlotlyFigure

from mien.nodes.evaluation import evaluate_classes
from mien.nodes.params import EvaluationParams
from mien.nodes.plots import DRAWN, plot_classes, print_classes, show_mistakes

HISTORY = pd.DataFrame({"epoch": [1, 2], "train/loss": [2.0, 1.0], "val/loss": [2.1, 1.5], "lr": [0.1, 0.09]})
EVALUATION = EvaluationParams(resamples=100, seed=0, subgroups=())


def predictions(synthetic: bool = False) -> pd.DataFrame:
    scores = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]])
    return pd.DataFrame(
        {
            "sample_id": list("abcd"),
            "split": ["test", "test", "test", "val"],
            "synthetic": synthetic,
            "target": [0, 1, 1, 0],
            "score/happy": scores[:, 0],
            "score/sad": scores[:, 1],
        }
    )


def synthetic_figures(draw, table: pd.DataFrame) -> dict[str, object]:
    metrics, _ = evaluate_classes(table, EVALUATION)
    return dict(zip(DRAWN, draw(table, metrics, HISTORY), strict=True))


def test_the_interactive_figures_are_plotly_and_the_printed_ones_matplotlib():
    assert {type(figure) for figure in synthetic_figures(plot_classes, predictions()).values()} == {PlotlyFigure}
    assert {type(figure) for figure in synthetic_figures(print_classes, predictions()).values()} == {MatplotlibFigure}


def test_only_test_rows_are_counted():
    shown = synthetic_figures(plot_classes, predictions())
    assert [list(row) for row in shown["confusion_matrix"].data[0].z] == [[100, 0], [50, 50]]
    assert "n = 3" in shown["confusion_matrix"].layout.title.text
    assert "n = 3" in shown["roc"].layout.title.text
    assert {trace.name for trace in shown["training_curves"].data} >= {"train", "val"}


@pytest.mark.parametrize("synthetic", [True, False])
def test_figures_say_so_where_the_faces_are_drawn(synthetic):
    for name, figure in synthetic_figures(plot_classes, predictions(synthetic)).items():
        assert (figure.layout.title.subtitle.text == "synthetic faces") == synthetic, name
    for name, figure in synthetic_figures(print_classes, predictions(synthetic)).items():
        assert ("synthetic faces" in [text.get_text() for text in figure.texts]) == synthetic, name


def test_one_synthetic_face_among_real_ones_is_enough_to_say_so():
    table = predictions()
    table.loc[0, "synthetic"] = True
    shown = synthetic_figures(plot_classes, table)
    assert shown["confusion_matrix"].layout.title.subtitle.text == "synthetic faces"


def test_a_class_that_the_test_split_lacks_has_no_curve_and_the_legend_says_none():
    shown = synthetic_figures(plot_classes, predictions().query("split == 'val' or target == 1"))
    (trace,) = [trace for trace in shown["roc"].data if "happy" in trace.name]
    assert trace.name.split() == ["none", "happy", "(0)"]
    assert pd.isna(list(trace.x)).all()


def test_the_sheet_shows_the_mislabelled_test_face_and_no_other():
    samples = pd.DataFrame({"sample_id": list("dcba"), "face_index": [3, 2, 1, 0]})
    faces = np.zeros((4, 16, 16, 3), np.uint8)
    faces[0] = faces[1] = faces[3] = (0, 0, 255)
    faces[2] = (255, 0, 0)  # the face of sample c, the only one that is taken for another class
    for sheet in show_mistakes(predictions(), samples, faces):
        assert sheet.dtype == np.uint8
        assert ((sheet == (255, 0, 0)).all(axis=2)).sum() >= 16 * 16
        assert not (sheet == (0, 0, 255)).all(axis=2).any()


def test_a_run_without_mistakes_has_a_sheet_that_says_so():
    table = predictions().query("sample_id != 'c'")
    samples = pd.DataFrame({"sample_id": list("abcd"), "face_index": [0, 1, 2, 3]})
    sheets = show_mistakes(table, samples, np.zeros((4, 16, 16, 3), np.uint8))
    assert [sheet.ndim for sheet in sheets] == [3, 3]


def test_a_face_that_several_seeds_mislabel_is_shown_once():
    table = pd.concat([predictions().assign(seed=seed, primary=seed < 2) for seed in range(3)], ignore_index=True)
    samples = pd.DataFrame({"sample_id": list("abcdabcd"), "face_index": [0, 1, 2, 3] * 2})  # in two trials
    faces = np.zeros((4, 16, 16, 3), np.uint8)
    faces[2] = (255, 0, 0)
    once = show_mistakes(predictions(), samples, faces)
    for sheet, other in zip(show_mistakes(table, samples, faces), once, strict=True):
        assert np.array_equal(sheet, other)
