"""The networks of the paper's Tables I to III, counted, and what is refused."""

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from tests.project.project_config import load_config
from torch import nn

from mien.models import create_model
from mien.models.attribute_cnn import AttributeCNN
from mien.pipelines.age_gender_ethnicity.params import AttributeModelParams

CONF = Path(__file__).resolve().parents[2] / "conf"
DENSE = (1024, 1024, 512, 256, 128)


@pytest.fixture(scope="module")
def published() -> AttributeModelParams:
    section = load_config(CONF, "paper")["parameters"]["age_gender_ethnicity"]["model"]
    return AttributeModelParams.model_validate(section)


def dense_parameters(widths) -> int:
    return sum((before + 1) * after for before, after in pairwise(widths))


def conv_parameters(channels) -> int:
    return sum((9 * before + 1) * after for before, after in zip([1, *channels], channels, strict=False))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("age_cnn", conv_parameters([32, 64, 64]) + dense_parameters([64 * 6 * 6, *DENSE, 1])),
        ("gender_cnn", conv_parameters([16, 16, 32, 64]) + dense_parameters([64 * 3 * 3, 128, 2])),
        ("ethnicity_cnn", conv_parameters([16, 16, 32, 64]) + dense_parameters([64 * 3 * 3, 128, 5])),
        ("age_dnn", dense_parameters([2304, *DENSE, 1])),
        ("age_pca_dnn", dense_parameters([500, *DENSE, 1])),
        ("gender_dnn", dense_parameters([2304, *DENSE, 2])),
        ("gender_pca_dnn", dense_parameters([500, *DENSE, 2])),
        ("ethnicity_dnn", dense_parameters([2304, *DENSE, 5])),
        ("ethnicity_pca_dnn", dense_parameters([500, *DENSE, 5])),
    ],
)
def test_each_published_network_has_the_parameters_that_its_table_gives(published, name, expected):
    member = published.networks[name].architecture(published.num_components, published.image_size)
    model = create_model(member["architecture"], **member["config"])
    assert sum(parameter.numel() for parameter in model.parameters()) == expected


@pytest.mark.parametrize(
    ("name", "shares", "activation"),
    [
        ("age_cnn", [0.3, 0.3, 0.3, 0.5, 0.5, 0.4, 0.4], nn.ReLU),
        ("gender_cnn", [0.25] * 4, nn.ReLU),
        ("ethnicity_cnn", [0.4, 0.4, 0.25, 0.25], nn.ELU),
        ("age_dnn", [0.25] * 5, nn.ELU),
        ("gender_pca_dnn", [0.5, 0.25, 0.4, 0.5], nn.ELU),
        ("ethnicity_dnn", [0.5, 0.25, 0.4, 0.5], nn.ReLU),
    ],
)
def test_dropout_and_activation_are_the_tables(published, name, shares, activation):
    member = published.networks[name].architecture(published.num_components, published.image_size)
    layers = list(create_model(member["architecture"], **member["config"]).modules())
    assert [layer.p for layer in layers if isinstance(layer, nn.Dropout)] == shares
    assert {type(layer) for layer in layers if isinstance(layer, nn.ReLU | nn.ELU)} == {activation}


def test_channels_are_averaged_to_grey():
    model = AttributeCNN(2, channels=(3,), hidden=(4,), image_size=8).eval()
    grey = torch.rand(2, 1, 8, 8)
    torch.testing.assert_close(model(grey.expand(-1, 3, -1, -1)), model(grey))


@pytest.mark.parametrize("channels", [(), (2, 2, 2, 2)])
def test_no_stage_or_more_than_the_size_can_be_halved_are_refused(channels):
    with pytest.raises(ValueError, match="at least one pixel must be left"):
        AttributeCNN(2, channels=channels, hidden=(4,), image_size=8)
