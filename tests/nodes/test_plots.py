"""Figures of a run: drawn from the test rows, of the two kinds, and honest about drawn faces."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure as MatplotlibFigure
from plotly.graph_objects import Figure as PlotlyFigure

from mien.nodes.plots import plot_classes, print_classes

HISTORY = pd.DataFrame({"epoch": [1, 2], "train/loss": [2.0, 1.0], "val/loss": [2.1, 1.5], "lr": [0.1, 0.09]})


def predictions(drawn: bool = False) -> pd.DataFrame:
    scores = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]])
    return pd.DataFrame(
        {
            "sample_id": list("abcd"),
            "split": ["test", "test", "test", "val"],
            "drawn": drawn,
            "target": [0, 1, 1, 0],
            "score/happy": scores[:, 0],
            "score/sad": scores[:, 1],
        }
    )


def test_the_interactive_figures_are_plotly_and_the_printed_ones_matplotlib():
    assert [type(figure) for figure in plot_classes(predictions(), HISTORY)] == [PlotlyFigure] * 3
    assert [type(figure) for figure in print_classes(predictions(), HISTORY)] == [MatplotlibFigure] * 3


def test_only_test_rows_are_counted():
    confusion, roc, curves = plot_classes(predictions(), HISTORY)
    assert [list(row) for row in confusion.data[0].z] == [[100, 0], [50, 50]]
    assert "n = 3" in confusion.layout.title.text
    assert "n = 3" in roc.layout.title.text
    assert {trace.name for trace in curves.data} >= {"train", "val"}


@pytest.mark.parametrize("drawn", [True, False])
def test_figures_say_so_where_the_faces_are_drawn(drawn):
    for figure in plot_classes(predictions(drawn), HISTORY):
        assert (figure.layout.title.subtitle.text == "synthetic faces") == drawn
    for figure in print_classes(predictions(drawn), HISTORY):
        assert ("synthetic faces" in [text.get_text() for text in figure.texts]) == drawn


def test_one_drawn_face_among_real_ones_is_enough_to_say_so():
    table = predictions()
    table.loc[0, "drawn"] = True
    assert plot_classes(table, HISTORY)[0].layout.title.subtitle.text == "synthetic faces"
