"""Patches that are left of a grid, as a tensor: the model's own indices, with no place for a fused token."""

import pytest
import torch

from mien.models import create_model
from mien.models.kept_patches import KeptPatches

SMALL = {
    "num_classes": 3,
    "image_size": 64,
    "embed_dim": 32,
    "depth": 3,
    "num_heads": 2,
    "keep_rate": 0.25,
    "prune_blocks": (0, 2),
    "backbone_widths": (4, 4, 8),
    "backbone_units": (1, 1, 1),
    "landmark_widths": (4, 4, 4, 32),
    "landmark_units": (1, 1, 1),
}


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(5, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def build(**changes) -> torch.nn.Module:
    torch.manual_seed(0)
    return create_model("sae", **SMALL | changes).eval()


@pytest.mark.parametrize("stream", ["image", "landmark"])
def test_each_patch_that_the_model_names_is_marked_and_no_other(images, stream):
    model = build(alignment="per_stream")
    alive = KeptPatches(model, stream).eval()(images)
    for stage, kept in enumerate(model.kept_tokens(images, stream)):
        for face, places in enumerate(kept.tolist()):
            assert alive[face, stage].nonzero().flatten().tolist() == places


def test_patches_never_come_back_and_are_as_many_as_the_plan_says(images):
    alive = KeptPatches(build()).eval()(images)
    assert alive.sum(dim=2).tolist() == [[8, 4]] * 5  # 16 tokens at 0.25 over two stages
    assert (alive[:, 1] <= alive[:, 0]).all()


def test_a_fused_token_that_won_a_place_marks_no_patch(images, monkeypatch):
    model = build(fused_competes=True)
    monkeypatch.setattr(model, "kept_tokens", lambda x, stream: [torch.tensor([[0, 15], [3, -1]])])
    alive = KeptPatches(model)(images[:2])
    assert [row.nonzero().flatten().tolist() for row in alive[:, 0]] == [[0, 15], [3]]


def test_finer_patches_give_a_finer_grid_and_poster_keeps_everything(images):
    assert KeptPatches(build(patch_size=8)).eval()(images).shape == (5, 2, 64)
    without = {"keep_rate", "prune_blocks"}
    poster = create_model("poster", **{name: value for name, value in SMALL.items() if name not in without}).eval()
    assert KeptPatches(poster)(images).shape == (5, 0, 16)
