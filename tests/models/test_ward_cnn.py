"""The network of the thesis' author has the layers of his code."""

import pytest
import torch
from torch import nn

from mien.models.ward_cnn import WardCNN


def test_the_convolutions_and_the_output_are_those_of_the_code():
    model = WardCNN(num_classes=6)
    widths = [layer.out_channels for layer in model.conv if isinstance(layer, nn.Conv2d)]
    assert widths == [32, 64, 64, 96, 96, 128, 128, 128, 128, 128]
    pools = [(layer.kernel_size, layer.stride) for layer in model.conv if isinstance(layer, nn.MaxPool2d)]
    assert pools == [(3, 1), (2, 2), (2, 2), (2, 2), (2, 1)]
    assert model.classify.in_features == 5 * 5 * 128


def test_features_of_other_sizes_fit_the_output():
    for size in (24, 48, 50, 64):
        assert WardCNN(num_classes=6, image_size=size, widths=(1, 1, 1, 1))(torch.zeros(2, 3, size, size)).shape == (
            2,
            6,
        )


def test_sizes_that_leave_no_map_are_refused():
    with pytest.raises(ValueError, match="20 pixels and four widths"):
        WardCNN(num_classes=6, widths=(1, 1))
