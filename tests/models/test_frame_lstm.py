"""The recurrent network sees frames in their order and nothing where there is no frame."""

import pytest
import torch

from mien.models.frame_lstm import FrameLSTM


@pytest.fixture
def model() -> FrameLSTM:
    torch.manual_seed(0)
    return FrameLSTM(num_classes=3, num_features=4, hidden=5).eval()


def test_what_stands_in_missing_frames_changes_nothing(model):
    features, mask = torch.randn(2, 6, 4), torch.tensor([[1.0] * 4 + [0, 0], [1.0] * 6])
    other = features.clone()
    other[0, 4:] = 99.0
    torch.testing.assert_close(model(features, mask), model(other, mask))
    torch.testing.assert_close(model(features[:1, :4], mask[:1, :4])[0], model(features, mask)[0])


def test_the_order_of_frames_counts(model):
    features, mask = torch.randn(1, 5, 4), torch.ones(1, 5)
    assert not torch.allclose(model(features, mask), model(features.flip(1), mask))


def test_it_computes_what_torchs_own_lstm_does(model):
    reference = torch.nn.LSTM(4, 5, batch_first=True)
    with torch.no_grad():
        for name, parameter in model.cell.named_parameters():
            getattr(reference, f"{name}_l0").copy_(parameter)
    features = torch.randn(2, 7, 4)
    expected = model.classify(reference(features)[0].mean(dim=1))
    torch.testing.assert_close(model(features, torch.ones(2, 7)), expected)


def test_a_clip_without_frames_is_evaluated_by_the_bias(model):
    torch.testing.assert_close(model(torch.randn(1, 3, 4), torch.zeros(1, 3))[0], model.classify.bias)


def test_bad_sizes_are_refused():
    with pytest.raises(ValueError, match="widths of 1 or more"):
        FrameLSTM(num_classes=3, num_features=0)
