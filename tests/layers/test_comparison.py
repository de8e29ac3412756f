"""Comparison operators: what each computes, and that all start as the subtraction."""

import pytest
import torch

from mien.layers.comparison import COMPARISONS, Combine, build_comparison


def maps(seed: int, channels: int = 3) -> torch.Tensor:
    return torch.randn(2, channels, 4, 5, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", sorted(COMPARISONS))
def test_every_operator_starts_as_the_difference(name):
    x, y = maps(0), maps(1)
    torch.testing.assert_close(build_comparison(name, 3)(x, y), x - y, rtol=0, atol=1e-6)


def test_the_combination_adds_up_all_channels_of_both_maps_as_its_weights_say():
    combine, x, y = Combine(3), maps(0), maps(1)
    with torch.no_grad():
        combine.weight.copy_(torch.randn(combine.weight.shape, generator=torch.Generator().manual_seed(2)))
    alpha, beta = combine.weight[:, :3, 0, 0], combine.weight[:, 3:, 0, 0]
    expected = torch.einsum("rk,bkhw->brhw", alpha, x) + torch.einsum("rk,bkhw->brhw", beta, y)
    torch.testing.assert_close(combine(x, y), expected)


def test_the_combination_has_two_weights_per_pair_of_channels_and_no_bias():
    assert sum(parameter.numel() for parameter in Combine(32).parameters()) == 2 * 32**2


@pytest.mark.parametrize("name", ["combine", "mlp", "attention"])
def test_a_learned_operator_leaves_the_difference_after_a_step(name):
    operator, x, y = build_comparison(name, 3), maps(0), maps(1)
    optimizer = torch.optim.SGD(operator.parameters(), lr=1.0)
    operator(x, y).square().mean().backward()
    optimizer.step()
    assert not torch.allclose(operator(x, y), x - y, atol=1e-4)
