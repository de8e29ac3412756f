import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from mien.engine.device import make_fabric
from mien.engine.predict import predict


def loader(n: int, batch_size: int) -> DataLoader:
    points = torch.arange(3.0 * n).reshape(n, 3)
    rows = [((point,), number) for number, point in enumerate(points)]
    return DataLoader(rows, batch_size=batch_size)


def test_outputs_and_targets_come_in_the_order_of_the_samples_whatever_the_batch_size():
    network = nn.Linear(3, 2, bias=False)
    # whole numbers, so that sums are exact in whatever order a batch of another size adds them
    network.weight.data = torch.tensor([[1.0, -2.0, 3.0], [-4.0, 5.0, 0.0]])
    points = torch.arange(21.0).reshape(7, 3)
    for batch_size in (1, 3, 7, 10):
        outputs, targets = predict(make_fabric("cpu"), network, loader(7, batch_size))
        np.testing.assert_array_equal(outputs, points.numpy() @ [[1, -4], [-2, 5], [3, 0]])
        assert targets.tolist() == list(range(7))


def test_the_network_predicts_in_eval_mode_and_learns_nothing():
    network = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(0.5), nn.Linear(3, 2)).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    first, _ = predict(make_fabric("cpu"), network, loader(8, 4))
    second, _ = predict(make_fabric("cpu"), network, loader(8, 2))
    np.testing.assert_allclose(first, second, rtol=1e-6)
    assert all(torch.equal(network.state_dict()[name], value) for name, value in before.items())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_half_precision_outputs_come_back_as_float32():
    class Half(nn.Linear):
        def forward(self, x):
            return super().forward(x).bfloat16()

    outputs, _ = predict(make_fabric("cpu"), Half(3, 2), loader(2, 2))
    assert outputs.dtype == np.float32


def test_several_inputs_reach_the_network_as_its_arguments():
    class Difference(nn.Module):
        def forward(self, onset, apex):
            return apex - onset

    pairs = [((torch.zeros(2), torch.full((2,), float(i))), i) for i in range(4)]
    outputs, targets = predict(make_fabric("cpu"), Difference(), DataLoader(pairs, batch_size=3))
    assert outputs[:, 0].tolist() == targets.tolist() == [0, 1, 2, 3]
