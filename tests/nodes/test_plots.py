"""Figures of a run: drawn from the test rows, of the two kinds, and honest about synthetic faces."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure as MatplotlibFigure
from plotly.graph_objects import Figure as PlotlyFigure

from mien.nodes.evaluation import evaluate_classes
from mien.nodes.params import EvaluationParams
from mien.nodes.plots import plot_classes, show_mistakes

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


def drawn(table: pd.DataFrame) -> dict[str, Any]:
    metrics, _ = evaluate_classes(table, EVALUATION)
    return plot_classes(table, metrics, HISTORY)


def test_roc_thresholds_are_plotlys_and_all_else_is_matplotlibs():
    kinds = {name: type(figure) for name, figure in drawn(predictions()).items()}
    assert kinds.pop("roc_thresholds") is PlotlyFigure
    assert set(kinds.values()) == {MatplotlibFigure}
    assert set(kinds) == {
        *("confusion_matrix", "roc", "precision_recall", "reliability", "class_recall", "training_curves")
    }


def test_only_test_rows_are_counted():
    shown = drawn(predictions())
    assert "n = 3" in shown["confusion_matrix"]._suptitle.get_text()
    assert "n = 3" in shown["roc_thresholds"].layout.title.text
    cells = [text.get_text() for text in shown["confusion_matrix"].axes[0].texts]
    assert cells == ["100.0\n1", "0.0\n0", "50.0\n1", "50.0\n1"]


@pytest.mark.parametrize("synthetic", [True, False])
def test_figures_say_so_where_the_faces_are_synthetic(synthetic):
    shown = drawn(predictions(synthetic))
    assert (shown.pop("roc_thresholds").layout.title.subtitle.text == "synthetic faces") == synthetic
    for name, figure in shown.items():
        assert ("synthetic faces" in [text.get_text() for text in figure.texts]) == synthetic, name


def test_one_synthetic_face_among_real_ones_is_enough_to_say_so():
    table = predictions()
    table.loc[0, "synthetic"] = True
    assert drawn(table)["roc_thresholds"].layout.title.subtitle.text == "synthetic faces"


def test_a_class_that_the_test_split_lacks_has_no_curve_and_the_legend_says_none():
    shown = drawn(predictions().query("split == 'val' or target == 1"))
    (trace,) = [trace for trace in shown["roc_thresholds"].data if "happy" in trace.name]
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
