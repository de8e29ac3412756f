"""Lopes et al.'s network has the maps and the number of weights that follow from the paper's sizes."""

import pytest
import torch

from mien.models.lopes_cnn import LopesCNN


def test_maps_shrink_from_32_to_28_14_8_and_4():
    model, sizes = LopesCNN(num_classes=6), []
    for layer in model.conv:
        layer.register_forward_hook(lambda module, given, out: sizes.append(out.shape[-1]))
    model(torch.zeros(1, 1, 32, 32))
    assert [sizes[0], sizes[2], sizes[3], sizes[5]] == [28, 14, 8, 4]


def test_the_weights_are_those_of_the_published_sizes():
    convolutions = (25 * 1 * 32 + 32) + (49 * 32 * 64 + 64)
    linear = (64 * 16 * 256 + 256) + (256 * 6 + 6)
    assert sum(p.numel() for p in LopesCNN(num_classes=6).parameters()) == convolutions + linear


def test_grey_faces_and_rgb_ones_of_equal_channels_are_the_same():
    model = LopesCNN(num_classes=3, widths=(2, 3), hidden=4).eval()
    grey = torch.randn(2, 1, 32, 32)
    torch.testing.assert_close(model(grey), model(grey.expand(-1, 3, -1, -1)))


def test_stacks_keep_their_channels_apart():
    model = LopesCNN(num_classes=3, in_channels=2, widths=(2, 3), hidden=4).eval()
    stack = torch.randn(1, 2, 32, 32)
    assert not torch.allclose(model(stack), model(stack.flip(1)))


def test_sizes_that_leave_no_map_are_refused():
    with pytest.raises(ValueError, match="give at least two classes, 20 pixels and two widths"):
        LopesCNN(num_classes=7, image_size=16)
