"""POSTER through SAE's pipeline, from synthetic raw files and a checkpoint of its own naming to scores and figures."""

import pytest
import torch
from tests.models.poster_checkpoint import SMALL, draw_poster
from tests.pipelines.temporary_project import open_catalog
from tests.pipelines.tiny_systems import TINY, TINY_SOURCES

from mien.pipeline_registry import register_pipelines


@pytest.mark.slow
def test_poster_runs_from_its_checkpoint_to_scores_with_nothing_pruned(project, run_project):
    given = draw_poster(num_classes=7)
    torch.save({"model_state_dict": given}, "poster.pth")
    sizes = {name: list(value) if isinstance(value, tuple) else value for name, value in SMALL.items()}
    poster = {"architecture": "poster", "keep_rate": 1.0, "channel_order": "bgr", "landmark_input": "poster"}
    poster["weights"] = "poster.pth"
    model = {**TINY["sae"]["model"], **sizes, **poster}
    systems = {name: TINY[name] for name in TINY if name != "sae_ferplus"}  # which is then what sae is
    params = {**systems, **TINY_SOURCES, "sae": {**TINY["sae"], "model": model}, "variant": "poster"}
    run_project("sae", params=params)
    catalog = open_catalog(project, params=params)
    network = catalog.load("sae.network")
    assert network.architecture == "poster"
    conv = "conv1.conv.weight"
    assert torch.equal(network.model.landmark_backbone.state_dict()[conv], given[f"face_landback.{conv}"])
    assert 0 <= catalog.load("sae.metrics")["test/accuracy"] <= 1
    sheets = [name for name in register_pipelines()["sae"].all_outputs() if name.endswith(("_plot", "_sheet"))]
    assert sheets
    assert all(catalog.exists(name) for name in sheets)
