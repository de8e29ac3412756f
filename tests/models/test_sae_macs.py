import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from mien.models.ir50 import IR50Stages
from mien.models.macs import ir50_macs
from mien.models.mobilefacenet import MobileFaceNet
from mien.models.poster import Poster
from mien.models.sae import SAE
from mien.models.sae_macs import mobilefacenet_macs, poster_macs, sae_macs

RATES = (1.0, 0.9, 0.6, 0.3, 0.1)


def build(**config) -> SAE:
    with torch.device("meta"):
        return SAE(num_classes=7, **config).eval()


def counted(model: torch.nn.Module, image_size: int = 112) -> int:
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH), torch.no_grad():
        model(torch.empty(1, 3, image_size, image_size, device="meta"))
    return counter.get_total_flops() // 2


@pytest.mark.parametrize(
    ("config", "fusion", "whole"),
    [
        ({}, (2.424, 2.335, 1.804, 1.220, 0.760), (8.140, 8.050, 7.519, 6.935, 6.475)),
        ({"last_block_cls_only": True}, (2.161, 2.087, 1.638, 1.134, 0.726), (7.876, 7.803, 7.353, 6.849, 6.441)),
        ({"prune_blocks": (0,)}, (2.424, 2.285, 1.597, 0.920, 0.475), (8.140, 8.001, 7.312, 6.635, 6.190)),
        ({"prune_blocks": (2, 4, 6)}, (2.424, 2.372, 2.025, 1.621, 1.279), None),
        (
            {"prune_blocks": (2, 4, 6), "keep_rate_mode": "per_stage"},
            (2.424, 2.199, 1.501, 1.086, 0.911),
            None,
        ),
    ],
)
def test_gigamacs_are_those_of_the_design_table(config, fusion, whole):
    macs = [sae_macs(build(keep_rate=rate, **config)) for rate in RATES]
    assert [each.fusion / 1e9 for each in macs] == pytest.approx(fusion, abs=6e-4)
    if whole is not None:
        assert [each.total / 1e9 for each in macs] == pytest.approx(whole, abs=6e-4)


def test_the_parts_are_those_of_the_design_table():
    macs = sae_macs(build())
    parts = (macs.image_backbone, macs.landmark_backbone, macs.projection, macs.head)
    assert [round(part / 1e9, 3) for part in parts] == [5.468, 0.221, 0.026, 0.001]


@pytest.mark.parametrize(
    ("prune_blocks", "keep_rate", "whole", "saved"),
    [((0, 2, 4), 1.0, 16.1, 0), ((0, 2, 4), 0.1, 8.6, 46), ((0,), 0.1, 7.5, 54)],
)
def test_finer_patches_cost_what_the_design_says(prune_blocks, keep_rate, whole, saved):
    def designed(rate: float) -> float:
        # the design counts all of MobileFaceNet; what lies behind conv_4 is not built, 0.026 G
        macs = sae_macs(build(patch_size=8, prune_blocks=prune_blocks, keep_rate=rate))
        return (macs.total - macs.landmark_backbone + mobilefacenet_macs((64, 128, 128, 512), (4, 6, 2), 112)) / 1e9

    assert round(designed(keep_rate), 1) == whole
    assert round(100 * (1 - designed(keep_rate) / designed(1.0))) == saved


def test_query_projections_cost_what_the_design_says():
    difference = sae_macs(build(keep_rate=1.0)).fusion - sae_macs(build(keep_rate=1.0, query_proj=False)).fusion
    assert round(difference / 1e9, 3) == 0.275


@pytest.mark.parametrize(
    "config",
    [
        {"keep_rate": 1.0},
        {"keep_rate": 0.1},
        {"keep_rate": 0.6, "prune_blocks": (2, 4), "last_block_cls_only": True, "query_proj": False},
        {"keep_rate": 0.5, "keep_rate_mode": "per_stage", "fused_competes": True, "mlp_ratio": 4.0, "embed_dim": 256},
        {"keep_rate": 0.1, "patch_size": 8, "depth": 3, "prune_blocks": (0, 1), "last_block_cls_only": True,
         "backbone_units": (1, 1, 1), "landmark_units": (1, 1, 1)},
        {"keep_rate": 0.5, "tokenizer": "poster_view", "depth": 1, "prune_blocks": (0,),
         "backbone_units": (1, 1, 1), "landmark_units": (1, 1, 1)},
        {"keep_rate": 0.1, "tokenizer": "poster_view", "row_mixing": "poster", "prune_blocks": (0,), "depth": 3,
         "last_block_cls_only": True, "backbone_units": (1, 1, 1), "landmark_units": (1, 1, 1)},
        {"image_size": 64, "embed_dim": 64, "depth": 3, "prune_blocks": (1,), "backbone_widths": (8, 8, 16),
         "backbone_units": (1, 2, 3), "landmark_widths": (8, 16, 24, 32), "landmark_units": (1, 2, 3)},
    ],
)  # fmt: skip
def test_the_formula_equals_torchs_counter_but_for_scores_and_fused_tokens(config):
    model = build(**config)
    extra = 0
    for block, (rows, _) in enumerate(model.fusion.tokens_per_block):
        if model.fusion.blocks[block].stage is not None:
            # per level and stream: one attention row over all rows, one weighted sum over all but CLS
            extra += sum(2 * (rows + rows - 1) * dim for dim in model.fusion.dims)
    assert sae_macs(model).total + extra == counted(model, model.image_size)


def test_backbone_formulas_equal_torchs_counter():
    with torch.device("meta"):
        ir50, landmarks = IR50Stages((64, 128, 256, 512), (3, 4, 14, 3)), MobileFaceNet(num_outputs=None)
    assert ir50_macs((64, 128, 256, 512), (3, 4, 14, 3), 112) == counted(ir50)
    assert mobilefacenet_macs((64, 128, 128, 512), (4, 6, 2), 112) == counted(landmarks)
    with torch.device("meta"):
        fine = MobileFaceNet(num_outputs=None, stride=8)
    assert mobilefacenet_macs((64, 128, 128, 512), (4, 6, 2), 112, stride=8) == counted(fine)
    assert round(counted(ir50) / 1e9, 3) == 6.284


@pytest.mark.parametrize(
    ("depth", "fusion", "whole", "published"),
    [(4, 1.076, 6.791, 13.6), (6, 1.609, 7.324, 14.7), (8, 2.142, 7.857, 15.7)],
)
def test_posters_gigamacs_are_half_its_published_gigaflops(depth, fusion, whole, published):
    with torch.device("meta"):
        model = Poster(num_classes=7, depth=depth).eval()
    macs = poster_macs(model)
    assert (round(macs.fusion / 1e9, 3), round(macs.total / 1e9, 3)) == (fusion, whole)
    assert 2 * macs.total / 1e9 == pytest.approx(published, abs=0.06)
    assert macs.total == counted(model)
