import base64

import cv2
import matplotlib.pyplot as plt
import numpy as np
import plotly.graph_objects as go

from mien.io.figures import FigureFolder


def drawn(kind: str):
    if kind == "figure":
        return go.Figure(go.Scatter(x=[1, 2], y=[3, 4]))
    figure, axes = plt.subplots(figsize=(1, 1))
    axes.plot([1, 2], [3, 4])
    return figure


def test_interactive_figures_come_back_by_name(tmp_path):
    folder = FigureFolder(filepath=str(tmp_path / "models_figures"))
    folder.save({"age_cnn_age": drawn("figure"), "gender_cnn_roc": drawn("figure")})
    assert list(folder.load()) == ["age_cnn_age", "gender_cnn_roc"]
    assert list(folder.load()["age_cnn_age"].data[0].y) == [3, 4]


def test_printed_ones_are_png_beside_svg(tmp_path):
    folder = FigureFolder(filepath=str(tmp_path / "models_plots"), dpi=50)
    folder.save({"age_cnn_age": drawn("plot")})
    assert sorted(file.name for file in (tmp_path / "models_plots").iterdir()) == ["age_cnn_age.png", "age_cnn_age.svg"]
    assert folder.load() == {"age_cnn_age": tmp_path / "models_plots" / "age_cnn_age.png"}


def test_what_an_earlier_run_had_drawn_is_gone(tmp_path):
    folder = FigureFolder(filepath=str(tmp_path / "figures"))
    folder.save({"one": drawn("figure"), "other": drawn("figure")})
    folder.save({"one": drawn("figure")})
    assert list(folder.files()) == ["one"]
    assert [path.name for path in tmp_path.iterdir()] == ["figures"]


def test_the_preview_has_every_printed_figure_side_by_side(tmp_path):
    folder = FigureFolder(filepath=str(tmp_path / "figures"), dpi=50)
    for count, width in ((0, 1), (1, 480), (2, 960), (4, 1440)):
        folder.save({"roc_thresholds": drawn("figure"), **{f"plot_{n}": drawn("plot") for n in range(count)}})
        picture = cv2.imdecode(np.frombuffer(base64.b64decode(folder.preview()), np.uint8), 1)
        assert picture.shape[1] == width
        assert (picture < 255).any() == (count > 0)


def test_figures_of_both_kinds_are_listed_with_the_file_that_shows_them(tmp_path):
    folder = FigureFolder(filepath=str(tmp_path / "figures"), dpi=50)
    folder.save({"roc": drawn("plot"), "roc_thresholds": drawn("figure")})
    assert {name: file.name for name, file in folder.files().items()} == {
        "roc": "roc.png",
        "roc_thresholds": "roc_thresholds.plotly.json",
    }
