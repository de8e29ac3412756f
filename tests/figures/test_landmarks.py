"""Curves of landmark errors and sheets of faces with landmarks: what they show is what they were given."""

import cv2
import numpy as np
import pytest

from mien import figures

ERRORS = {"network": np.array([0.01, 0.03, 0.05, 0.3]), "mean shape": np.array([0.1, 0.15, 0.19, 0.4])}


def test_curves_rise_at_each_error_and_end_where_the_axis_does():
    figure = figures.cumulative_error_plot(ERRORS, "Errors", synthetic=True)
    network, shape, missed = figure.axes[0].lines
    np.testing.assert_allclose(network.get_xdata(), [0, 1, 1, 3, 3, 5, 5, 20])
    np.testing.assert_allclose(network.get_ydata(), [0, 0, 25, 25, 50, 50, 75, 75])
    assert shape.get_ydata()[-1] == 75
    assert list(missed.get_xdata()) == [8, 8]
    assert figure.axes[0].get_xlim() == (0, 20)
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend[0] == "network, mean 9.75 %"
    assert legend[-1] == "missed from 8 %"


@pytest.mark.parametrize("errors", [{"a": np.zeros(2), "b": np.zeros(3)}, {"a": np.zeros(0)}])
def test_curves_of_other_faces_or_of_none_are_refused(errors):
    with pytest.raises(ValueError, match=r"Curves of errors are given .* at least one"):
        figures.cumulative_error_plot(errors, "t")


def sheet(n: int, most: int = 32, **options) -> np.ndarray:
    faces = np.full((n + 1, 40, 40, 3), 90, np.uint8)
    given = {
        "rows": np.arange(n) + 1,
        "known": np.full((n, 5, 2), 0.25),
        "predicted": np.full((n, 68, 2), 0.75),
        "errors": np.linspace(0, 0.5, n),
    }
    return figures.landmarks_sheet(faces, *{**given, **options}.values(), "Faces", most=most)


def test_known_points_are_green_and_predicted_ones_orange_where_they_lie():
    picture = sheet(1)
    top = picture.shape[0] - figures.LANDMARK_TILE - 26  # heading above, one line of caption below
    tile = picture[top : top + figures.LANDMARK_TILE, 6 : 6 + figures.LANDMARK_TILE].astype(int)
    green = (tile[..., 1] - tile[..., 0] > 80) & (tile[..., 1] - tile[..., 2] > 80)
    orange = (tile[..., 0] - tile[..., 2] > 120) & (tile[..., 0] > 200)
    for mask, place in ((green, 0.25), (orange, 0.75)):
        rows, columns = np.nonzero(mask)
        assert len(rows) > 3
        assert rows.mean() == pytest.approx(place * figures.LANDMARK_TILE - 0.5, abs=1)
        assert columns.mean() == pytest.approx(place * figures.LANDMARK_TILE - 0.5, abs=1)


def test_a_sheet_shows_the_best_and_the_worst_face_and_some_between(monkeypatch):
    written = []
    put = cv2.putText
    monkeypatch.setattr(cv2, "putText", lambda picture, text, *rest: written.append(text) or put(picture, text, *rest))
    sheet(100, most=5)
    assert written[0].startswith("Faces: 5 of 100")
    assert written[1:] == ["error 0.0 %", "error 12.6 %", "error 25.3 %", "error 37.4 %", "error 50.0 %"]


@pytest.mark.parametrize("options", [{"rows": np.arange(2)}, {"errors": np.zeros(4)}])
def test_a_sheet_of_unequal_lists_of_none_or_of_no_face_is_refused(options):
    with pytest.raises(ValueError, match=r"give one of each per face, and at least one face"):
        sheet(3, **options)
    for n, most in ((0, 5), (3, 0)):
        with pytest.raises(ValueError, match="at least one face"):
            sheet(n, most)
