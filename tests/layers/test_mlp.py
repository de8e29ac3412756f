import pytest
import torch

from mien.layers.mlp import Mlp


@pytest.mark.parametrize(
    ("act", "function"),
    [
        ("gelu", torch.nn.functional.gelu),
        ("quick_gelu", lambda x: x / (1 + torch.exp(-1.702 * x))),
    ],
)
def test_mlp_is_two_matrix_products_around_its_activation(act, function):
    mlp = Mlp(6, ratio=2.0, act=act)
    x = torch.randn(2, 3, 6)
    hidden = function(x @ mlp.fc1.weight.T + mlp.fc1.bias)
    torch.testing.assert_close(mlp(x), hidden @ mlp.fc2.weight.T + mlp.fc2.bias)
    assert mlp.fc1.weight.shape == (12, 6)


def test_unknown_activation_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'swish'.*Use one of gelu, quick_gelu"):
        Mlp(6, act="swish")
