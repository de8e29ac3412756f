import pytest
import torch
from torch import nn

from mien.layers.dense_stack import DenseStack, ScaledOutput, start_weights


def test_layers_stand_in_keras_order_with_dropout_only_where_a_share_is_given():
    stack = DenseStack(3, (4, 2), dropout=(0.5,), activation="elu", batch_norm=True)
    kinds = [type(layer) for layer in stack]
    assert kinds == [nn.Linear, nn.BatchNorm1d, nn.ELU, nn.Dropout, nn.Linear, nn.BatchNorm1d, nn.ELU]
    assert stack[3].p == 0.5


def test_without_widths_the_inputs_stay_as_they_are():
    x = torch.randn(2, 3)
    assert torch.equal(DenseStack(3, ())(x), x)


@pytest.mark.parametrize("dropout", [(0.1, 0.1, 0.1), (1.0,), (-0.1,)])
def test_shares_that_fit_no_layer_or_are_no_shares_are_refused(dropout):
    with pytest.raises(ValueError, match="at most one share per layer"):
        DenseStack(3, (4, 2), dropout=dropout)


def test_an_unknown_activation_or_start_is_named_with_the_known_ones():
    with pytest.raises(ValueError, match="Use one of elu, relu"):
        DenseStack(3, (4,), activation="tanh")
    with pytest.raises(ValueError, match="Use glorot or he"):
        start_weights(nn.Linear(2, 2), "zeros")


def test_glorots_weights_are_within_his_bound_and_hes_have_his_spread():
    layer = nn.Linear(400, 200)
    start_weights(layer, "glorot")
    bound = (6 / (400 + 200)) ** 0.5
    assert layer.weight.abs().max() <= bound
    assert layer.weight.abs().max() > 0.99 * bound
    start_weights(layer, "he")
    assert layer.weight.std().item() == pytest.approx((2 / 400) ** 0.5, rel=0.02)
    assert not layer.bias.any()


def test_a_scaled_output_is_the_mean_where_the_network_says_0():
    scaled = ScaledOutput()
    x = torch.tensor([[0.0], [1.0], [-2.0]])
    assert torch.equal(scaled(x), x)
    scaled.start_from(mean=30.0, std=10.0)
    assert scaled(x)[:, 0].tolist() == [30.0, 40.0, 10.0]
