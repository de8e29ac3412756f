import torch

from mien.layers.squeeze_excitation import SqueezeExcitation


def test_the_gate_is_half_where_its_logit_is_zero_and_opens_with_it():
    gate = SqueezeExcitation(2)
    with torch.no_grad():
        gate.fc1.weight.copy_(torch.eye(2))
        gate.fc1.bias.zero_()
        gate.fc2.weight.copy_(torch.eye(2))
        gate.fc2.bias.zero_()
    # ReLU closes the negative entry, so its gate is sigmoid(0)
    expected = torch.tensor([[3.0 / (1.0 + torch.exp(torch.tensor(-3.0))), -1.0]])
    torch.testing.assert_close(gate(torch.tensor([[3.0, -2.0]])), expected)


def test_poster_gate_has_two_full_matrices():
    assert sum(p.numel() for p in SqueezeExcitation(512).parameters()) == 2 * (512 * 512 + 512)
