import pytest
import torch

from mien.layers.drop_path import DropPath, drop_path_rates


def test_in_training_a_sample_is_dropped_whole_or_scaled_to_keep_the_mean():
    torch.manual_seed(0)
    out = DropPath(0.25).train()(torch.ones(4000, 3, 2))
    kept = out.flatten(1)
    assert ((kept == 0).all(1) | (kept == 1 / 0.75).all(1)).all()
    assert out.mean().item() == pytest.approx(1.0, abs=0.05)


def test_in_evaluation_and_at_rate_zero_nothing_happens():
    x = torch.randn(5, 4)
    assert DropPath(0.9).eval()(x) is x
    assert DropPath(0.0).train()(x) is x


def test_rates_grow_linearly_with_depth():
    assert drop_path_rates(0.1, 8) == pytest.approx(torch.linspace(0, 0.1, 8).tolist())
    assert drop_path_rates(0.1, 1) == [0.0]


@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_a_rate_outside_its_range_is_refused(rate):
    with pytest.raises(ValueError, match="outside"):
        DropPath(rate)
