"""Feature maps: each scaled by itself, in its place."""

import numpy as np
import pytest

from mien.figures import feature_maps, feature_maps_plot

MAPS = np.arange(2 * 3 * 4 * 5, dtype=float).reshape(2, 3, 4, 5) * [[[[1.0]], [[-2.0]], [[0.0]]]]
NAMES = (["Sub@1\nposed", "Sub@1\nspontaneous"], ["onset", "apex", "compared"], "Maps")


def test_every_map_is_scaled_from_black_to_white_in_its_own_place():
    picture, rows, columns = feature_maps._mosaic(MAPS, *NAMES[:2])
    assert picture.shape == (2 * 6, 3 * 7)
    first, second, flat = picture[6:10, :5], picture[:4, 7:12], picture[:4, 14:19]
    assert (first[0, 0], first[-1, -1]) == (0, 255)
    assert (second[0, 0], second[-1, -1]) == (255, 0)
    assert not flat.any()
    assert (rows, columns) == ([1.5, 7.5], [2.0, 9.0, 16.0])


def test_a_figure_names_rows_and_columns_and_says_that_faces_are_synthetic():
    printed = feature_maps_plot(MAPS, *NAMES, synthetic=True)
    axes = printed.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == NAMES[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == NAMES[1]
    assert "synthetic faces" in [text.get_text() for text in printed.texts]


@pytest.mark.parametrize("maps", [MAPS[0], MAPS[:1], MAPS[:, :, :0]])
def test_maps_without_a_name_each_are_refused(maps):
    with pytest.raises(ValueError, match="R and K names, and at least one map"):
        feature_maps_plot(maps, *NAMES)
