"""What SAE's tokens see: test faces only, the network's own choice, counted right, and said in words."""

import numpy as np
import pandas as pd
import pytest
from tests.pipelines.tiny_systems import PREDICTION_CPU, TINY

from mien import figures
from mien.models import create_model
from mien.models.network import Network
from mien.nodes.params import PredictionParams
from mien.pipelines.sae.tokens import first_of_each, kept_frequency, kept_patches, show_tokens

PREDICTION = PredictionParams(batch_size=8, device={**PREDICTION_CPU, "channels_last": False})
NAMES = ("happy", "sad", "fear")
N_FACES = 30


def network(architecture: str = "sae", **changes) -> Network:
    config = {**TINY["sae"]["model"], "image_size": 48, "depth": 2, "prune_blocks": [0, 1], "num_classes": 3, **changes}
    if architecture == "poster":
        config = {name: value for name, value in config.items() if name not in ("prune_blocks", "keep_rate")}
    return Network(architecture, config, NAMES, create_model(architecture, **config).eval())


@pytest.fixture
def samples() -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "sample_id": [str(k) for k in range(N_FACES)],
            "split": ["test"] * 20 + ["val"] * 10,
            "label": np.arange(N_FACES) % 2,  # no face of the third class
            "face_index": np.arange(N_FACES),
            "synthetic": True,
        }
    )
    table.loc[0, "face_index"] = -1
    return table


@pytest.fixture
def faces() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (N_FACES, 48, 48, 3), dtype=np.uint8)


@pytest.fixture
def sheet_given(monkeypatch) -> dict:
    """What is handed to ``tokens_sheet``."""
    seen: dict = {}
    draw = figures.tokens_sheet

    def record(*arguments, **options):
        names = ("faces", "labels", "alive", "class_names", "stage_names", "title")
        seen.update(dict(zip(names, arguments, strict=True)), **options)
        return draw(*arguments, **options)

    monkeypatch.setattr(figures, "tokens_sheet", record)
    return seen


def words_of(figure) -> str:
    """A figure's title, whose lines are broken to fit."""
    return " ".join(figure._suptitle.get_text().split())


def test_the_sheet_has_the_first_test_faces_of_each_class_and_the_maps_all_of_them(samples, faces, sheet_given):
    sheet, figure = show_tokens(samples, faces, network(), PREDICTION)
    assert (sheet.dtype, sheet.ndim) == (np.uint8, 3)
    np.testing.assert_array_equal(sheet_given["faces"], faces[[2, 4, 1, 3]])  # face 0 has no row; 8 // 3 per class
    assert sheet_given["stage_names"] == ["block 0", "block 1"]
    assert sheet_given["synthetic"] is True
    titles = [axes.get_title() for axes in figure.axes[:4]]
    assert titles == ["mean face", "happy\n(n = 9)", "sad\n(n = 10)", "fear\n(n = 0)"]
    assert words_of(figure) == "Test faces, 5 of 9 patches kept after block 1 in both streams (n = 19)"
    assert "synthetic faces" in [text.get_text() for text in figure.texts]
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), faces[1:20].mean(axis=0).round())


def test_each_map_adds_up_to_the_patches_that_are_kept(samples, faces):
    _, figure = show_tokens(samples, faces, network(), PREDICTION)
    for axes in figure.axes[1:3]:
        assert np.sum(axes.images[0].get_array()) == pytest.approx(100 * 5)  # 9 tokens at keep rate 0.5


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"keep_rate": 1.0}, "nothing is pruned, all 9 patches kept"),
        ({"keep_rate": 1.0, "prune_blocks": []}, "nothing is pruned, all 9 patches kept"),
        ({"architecture": "poster"}, "nothing is pruned, all 9 patches kept"),
        ({"patch_size": 8}, "18 of 36 patches kept after block 1 in both streams"),
        (
            {"alignment": "per_stream"},
            "5 of 9 patches kept after block 1 by the image stream, which chooses for itself",
        ),
        (
            {"alignment": "per_stream", "tokenizer": "poster_view"},
            "5 of 9 patches kept after block 1 by the landmark stream, which chooses for itself",
        ),
    ],
)
def test_what_is_kept_is_said_in_words(samples, faces, sheet_given, changes, words):
    _, figure = show_tokens(samples, faces, network(**changes), PREDICTION)
    assert sheet_given["title"] == f"The first test faces of each class: {words}"
    assert words_of(figure) == f"Test faces, {words} (n = 19)"
    if "nothing" in words:
        assert all(np.all(axes.images[0].get_array() == np.float64(100)) for axes in figure.axes[1:3])


def test_the_patches_are_those_that_the_network_names(samples, faces):
    import torch

    trained = network()
    alive = kept_patches(samples[1:4], faces, trained, PREDICTION)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (trained.model.mean, trained.model.std))
    images = (torch.from_numpy(faces[1:4]).permute(0, 3, 1, 2) / 255 - mean) / std
    for stage, kept in enumerate(trained.model.eval().kept_tokens(images)):
        assert [np.flatnonzero(row).tolist() for row in alive[:, stage]] == kept.tolist()


def test_frequencies_are_shares_of_a_classs_faces_after_the_last_stage():
    alive = np.array([[[1, 1, 1, 1], [1, 0, 0, 0]], [[1, 1, 1, 0], [0, 1, 0, 0]], [[1, 1, 1, 0], [0, 1, 0, 0]]])
    shares, sizes = kept_frequency(alive, np.array([1, 0, 1]), 3)
    np.testing.assert_array_equal(shares, [[0, 1, 0, 0], [0.5, 0.5, 0, 0], [np.nan] * 4])
    assert sizes == [1, 2, 0]


def test_faces_of_a_sheet_are_chosen_in_the_tables_order_class_by_class():
    assert first_of_each(np.array([2, 0, 2, 2, 0]), M=3, most=2).tolist() == [1, 4, 0, 2]
