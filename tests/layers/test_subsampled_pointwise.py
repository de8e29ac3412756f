import pytest
import torch
from torch import nn

from mien.layers.subsampled_pointwise import SubsampledPointwise


@pytest.mark.parametrize("channels", [3, 4, 16])
def test_a_narrow_strided_shortcut_learns_the_same_with_channels_last(channels):
    """oneDNN's own strided 1x1 convolution corrupts memory here, on processors with AVX2."""
    torch.manual_seed(0)
    ours = SubsampledPointwise(channels, 8, 1, 2, bias=False)
    textbook = nn.Conv2d(channels, 8, 1, 2, bias=False)
    textbook.load_state_dict(ours.state_dict())
    images = torch.randn(8, channels, 32, 32)
    layout = torch.channels_last
    for _ in range(20):
        ours.zero_grad()
        ours.to(memory_format=layout)(images.to(memory_format=layout)).square().sum().backward()
    textbook(images).square().sum().backward()
    torch.testing.assert_close(ours.weight.grad, textbook.weight.grad, rtol=1e-4, atol=1e-3)
