import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from mien.labels import RAF_DB_EXPRESSIONS
from mien.models.fer_former import FERFormer
from mien.models.fer_former_macs import fer_former_macs, text_tower_macs
from mien.models.prompts import write_prompts
from mien.models.text_encoder import TextTower

SMALL = {"image_size": 48, "embed_dim": 64, "depth": 3, "backbone_widths": (8, 16), "backbone_units": (1, 2)}


def build(**config) -> FERFormer:
    with torch.device("meta"):
        return FERFormer(7, write_prompts("phrase", RAF_DB_EXPRESSIONS), **config).eval()


def counted(model: torch.nn.Module, *inputs: torch.Tensor) -> int:
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH), torch.no_grad():
        model(*inputs)
    return counter.get_total_flops() // 2


def test_the_parts_are_those_of_the_published_table():
    macs = fer_former_macs(build(last_block_heads_only=False, pos_encoding="none"))
    assert round(macs.image_backbone / 1e9, 3) == 5.468
    assert round(macs.embedding / 1e6, 1) == 37.7
    assert round(macs.encoder / 1e6) == 676
    assert round(macs.total / 1e9, 2) == 6.18


def test_the_rows_that_are_not_read_cost_48_million():
    full, read = (fer_former_macs(build(last_block_heads_only=only)) for only in (False, True))
    # all but 2 of 52 rows: queries and output projection, attention, MLP
    assert full.encoder - read.encoder == 50 * (2 * 256**2 + 2 * 52 * 256 + 8 * 256**2)
    assert full.total - full.encoder == read.total - read.encoder


def test_a_text_of_77_tokens_costs_2_98_gigamacs():
    with torch.device("meta"):
        assert round(text_tower_macs(TextTower(), 77) / 1e9, 2) == 2.98


@pytest.mark.parametrize(("projection", "millions"), [("linear", 37.7), ("low_rank", 10.3), ("pooled", 13.1)])
def test_our_variants_of_the_patch_projection(projection, millions):
    macs = fer_former_macs(build(patch_projection=projection))
    assert round(macs.embedding / 1e6, 1) == millions


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"last_block_heads_only": False, "pos_encoding": "none", "mlp_ratio": 2.0},
        {"divisions": (3,), "token_norm": "layer", "pos_encoding": "learned"},
        {"patch_projection": "low_rank", "patch_rank": 8, "text_encoder": "table"},
        {"patch_projection": "pooled", "text_readout": "cls", "text_encoder": "table"},
        {"text_encoder": "none"},
        {**SMALL, "text_width": 32, "text_depth": 2, "text_heads": 2, "text_embed_dim": 16, "text_vocab_size": 20},
    ],
)
def test_the_formula_equals_torchs_counter(config):
    model = build(**config)
    macs = fer_former_macs(model)
    cosines = 0 if model.text_encoder is None else model.head.in_features * 7  # a sum of products to torch, no matrix
    image = torch.empty(1, 3, model.image_size, model.image_size, device="meta")
    assert macs.total + macs.text - cosines == counted(model, image)
