"""The map of what a network sees: test rows only, in the network's own space."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure as MatplotlibFigure
from plotly.graph_objects import Figure as PlotlyFigure
from tests.pipelines.tiny_systems import PREDICTION_CPU

from mien.models import create_model
from mien.models.network import Network
from mien.nodes.embedding import map_features
from mien.nodes.params import PredictionParams

PREDICTION = PredictionParams(batch_size=8, device={**PREDICTION_CPU, "channels_last": False})


@pytest.fixture(scope="module")
def synthetic_map():
    n, classes = 40, ("a", "b")
    samples = pd.DataFrame(
        {
            "sample_id": [str(k) for k in range(n)],
            "split": ["test"] * 30 + ["val"] * 10,
            "label": np.arange(n) % 2,
            "expression": [classes[number % 2] for number in range(n)],
            "face_index": np.arange(n),
            "synthetic": True,
        }
    )
    samples.loc[0, "face_index"] = -1
    model = create_model("softmax_regression", num_classes=2, image_size=16)
    network = Network("softmax_regression", {"num_classes": 2, "image_size": 16}, classes, model)
    faces = np.random.default_rng(0).integers(0, 256, (n, 16, 16, 3), dtype=np.uint8)
    return map_features(samples, faces, network, PREDICTION)


def test_a_map_is_drawn_for_the_screen_and_for_a_paper(synthetic_map):
    kinds = {name: type(figure) for name, figure in synthetic_map[1].items()}
    assert kinds == {"features": MatplotlibFigure, "features_points": PlotlyFigure}


def test_the_test_rows_with_a_face_are_its_points(synthetic_map):
    assert sum(len(trace.x) for trace in synthetic_map[1]["features_points"].data if trace.x is not None) == 29


def test_it_says_that_the_faces_are_drawn(synthetic_map):
    assert synthetic_map[1]["features_points"].layout.title.subtitle.text == "synthetic faces"


def test_the_table_has_the_places_of_the_figure(synthetic_map):
    table, figure = synthetic_map[0], synthetic_map[1]["features_points"]
    assert len(table) == table["sample_id"].nunique() == 29
    for label, trace in enumerate(figure.data):
        own = table[table["label"] == label]
        np.testing.assert_allclose(own["x"], np.array(trace.x, float), rtol=1e-6)
        assert list(trace.customdata) == own["sample_id"].tolist(), "which face a point is"
        assert "%{customdata}" in trace.hovertemplate
