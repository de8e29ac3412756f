"""Operations as torch counts them, against hand counts and the published tables."""

import pytest
import torch
from torch import nn

from mien.labels import RAF_DB_EXPRESSIONS
from mien.layers.cross_attention import CrossAttention
from mien.models import create_model
from mien.models.cost import count_macs, macs_of
from mien.models.prompts import write_prompts
from mien.models.text_encoder import TextTower

RATES = (1.0, 0.9, 0.6, 0.3, 0.1)


def macs(architecture: str, **config) -> dict[str, int]:
    return macs_of(architecture, {"num_classes": 7, **config})


def test_attention_is_counted_with_its_projections_and_both_products():
    with torch.device("meta"):
        attention, query, context = CrossAttention(16, 4), torch.empty(1, 3, 16), torch.empty(1, 5, 16)
        counted = count_macs(attention, query, context)
    projections = 2 * 3 * 16**2 + 5 * 2 * 16**2
    assert counted[""] == projections + 2 * 3 * 5 * 16
    assert counted["kv"] == 5 * 2 * 16**2


def test_convolutions_are_counted_by_place_kernel_and_channels_and_nothing_elementwise_is():
    with torch.device("meta"):
        model = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8), nn.ReLU()).eval()
        assert count_macs(model, torch.empty(1, 3, 8, 8)) == {"": 4 * 4 * 9 * 3 * 8, "0": 4 * 4 * 9 * 3 * 8}


@pytest.mark.parametrize(
    ("config", "fusion", "whole"),
    [
        ({}, (2.424, 2.335, 1.804, 1.220, 0.760), (8.140, 8.050, 7.519, 6.935, 6.475)),
        ({"last_block_cls_only": True}, (2.161, 2.087, 1.638, 1.134, 0.726), (7.876, 7.803, 7.353, 6.849, 6.441)),
        ({"prune_blocks": (0,)}, (2.424, 2.285, 1.597, 0.920, 0.475), (8.140, 8.001, 7.312, 6.635, 6.190)),
        ({"prune_blocks": (2, 4, 6)}, (2.424, 2.372, 2.025, 1.621, 1.279), None),
    ],
)
def test_saes_gigamacs_are_those_of_the_design_table_but_for_a_thousandth(config, fusion, whole):
    counted = [macs("sae", keep_rate=rate, **config) for rate in RATES]
    # the table leaves out a pruning block's scores and weighted sums, under a thousandth of the fusion
    assert [each["fusion"] / 1e9 for each in counted] == pytest.approx(fusion, abs=6e-4 + 6e-4)
    if whole is not None:
        assert [each[""] / 1e9 for each in counted] == pytest.approx(whole, abs=6e-4 + 6e-4)


def test_saes_parts_are_those_of_the_design_table():
    counted = macs("sae")
    parts = ("image_backbone", "landmark_backbone", "image_proj")
    assert [round(counted[part] / 1e9, 3) for part in parts] == [5.468, 0.221, 0.026]
    assert counted["gate"] + counted["head"] == 2 * 512**2 + 512 * 7


@pytest.mark.parametrize(
    ("prune_blocks", "keep_rate", "whole", "saved"),
    [((0, 2, 4), 1.0, 16.1, 0), ((0, 2, 4), 0.1, 8.6, 46), ((0,), 0.1, 7.5, 54)],
)
def test_finer_patches_cost_what_the_design_says(prune_blocks, keep_rate, whole, saved):
    all_of_the_landmark_network = macs("sae")["landmark_backbone"]  # the design counts it, though conv_4 ends it here

    def designed(rate: float) -> float:
        counted = macs("sae", patch_size=8, prune_blocks=prune_blocks, keep_rate=rate)
        return (counted[""] - counted["landmark_backbone"] + all_of_the_landmark_network) / 1e9

    assert round(designed(keep_rate), 1) == whole
    assert round(100 * (1 - designed(keep_rate) / designed(1.0))) == saved


def test_query_projections_cost_what_the_design_says():
    difference = macs("sae", keep_rate=1.0)["fusion"] - macs("sae", keep_rate=1.0, query_proj=False)["fusion"]
    assert round(difference / 1e9, 3) == 0.275


@pytest.mark.parametrize(
    ("depth", "fusion", "whole", "published"),
    [(4, 1.076, 6.791, 13.6), (6, 1.609, 7.324, 14.7), (8, 2.142, 7.857, 15.7)],
)
def test_posters_gigamacs_are_half_its_published_gigaflops(depth, fusion, whole, published):
    counted = macs("poster", depth=depth)
    assert (round(counted["fusion"] / 1e9, 3), round(counted[""] / 1e9, 3)) == (fusion, whole)
    assert 2 * counted[""] / 1e9 == pytest.approx(published, abs=0.06)


def test_fer_formers_parts_are_those_of_the_published_table():
    prompts = write_prompts("phrase", RAF_DB_EXPRESSIONS)
    config = {"prompts": prompts, "last_block_heads_only": False, "pos_encoding": "none", "text_encoder": "table"}
    counted = macs("fer_former", **config)
    assert round(counted["image_backbone"] / 1e9, 3) == 5.468
    assert round(counted["embedding"] / 1e6, 1) == 37.7
    encoder = sum(number for name, number in counted.items() if name.startswith("blocks.") and name.count(".") == 1)
    assert round(encoder / 1e6) == 676
    assert round(counted[""] / 1e9, 2) == 6.18


@pytest.mark.parametrize(("projection", "millions"), [("linear", 37.7), ("low_rank", 10.3), ("pooled", 13.1)])
def test_fer_formers_patch_projections_cost_what_its_card_says(projection, millions):
    counted = macs("fer_former", patch_projection=projection, text_encoder="none")
    assert round(counted["embedding"] / 1e6, 1) == millions


def test_fer_formers_tokens_that_no_head_reads_cost_48_million():
    prompts = write_prompts("phrase", RAF_DB_EXPRESSIONS)
    full, read = (
        macs("fer_former", prompts=prompts, last_block_heads_only=only, text_encoder="table") for only in (False, True)
    )
    # all but 2 of 52 tokens: queries and output projection, attention, MLP
    assert full[""] - read[""] == 50 * (2 * 256**2 + 2 * 52 * 256 + 8 * 256**2)


def test_a_text_of_77_tokens_costs_2_98_gigamacs():
    with torch.device("meta"):
        tower = TextTower().eval()
        counted = count_macs(tower, torch.zeros(1, 77, dtype=torch.long))
    assert round(counted[""] / 1e9, 2) == 2.98


@pytest.mark.parametrize("name", ["resnet18", "sae"])
def test_a_network_of_random_weights_is_counted_as_on_the_meta_device(name):
    sizes = {"num_classes": 3, "image_size": 32}
    model = create_model(name, **sizes).eval()
    assert count_macs(model, torch.zeros(1, 3, 32, 32)) == macs_of(name, sizes)
