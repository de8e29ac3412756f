"""The voice network is deaf beyond the end of a sound, and its attention adds up to one over the rest."""

import pytest
import torch

from mien.models.voice_cnn import VoiceCNN


@pytest.fixture
def model() -> VoiceCNN:
    torch.manual_seed(0)
    return VoiceCNN(num_classes=3, num_channels=4, num_prosody=2, widths=(6, 5), kernel=3).eval()


def test_what_stands_beyond_the_end_changes_nothing(model):
    sound, mask, prosody = torch.randn(1, 16, 4), torch.ones(1, 16), torch.randn(1, 2)
    mask[:, 9:] = 0
    other = sound.clone()
    other[:, 9:] = 50.0
    torch.testing.assert_close(model(sound, mask, prosody), model(other, mask, prosody))


def test_attention_adds_up_to_one_over_the_steps_that_sound(model):
    mask = torch.ones(2, 16)
    mask[1, 8:] = 0
    _, weights = model._attended(torch.randn(2, 16, 4), mask)
    assert weights.shape == (2, 4)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(2))
    assert weights[1, 2:].max() < 1e-6


def test_the_whole_is_the_attended_mean_of_its_steps_logits(model):
    """Linear in the pooled steps, so the mean of the steps' logits by the attention is the utterance's."""
    sound, mask, prosody = torch.randn(1, 12, 4), torch.ones(1, 12), torch.randn(1, 2)
    _, weights = model._attended(sound, mask)
    by_step = model.over_time(sound, mask, prosody)
    torch.testing.assert_close((by_step * weights[..., None]).sum(dim=1), model(sound, mask, prosody))


def test_it_is_standardised_by_what_it_starts_from(model):
    sound, mask, prosody = torch.randn(1, 12, 4), torch.ones(1, 12), torch.randn(1, 2)
    before = model(sound, mask, prosody)
    model.start_from((torch.full((4,), 3.0), torch.full((4,), 2.0)), (torch.ones(2), torch.full((2,), 0.5)))
    torch.testing.assert_close(model(2 * sound + 3, mask, 0.5 * prosody + 1), before)


def test_an_even_kernel_is_refused():
    with pytest.raises(ValueError, match="an odd kernel"):
        VoiceCNN(num_classes=3, num_channels=4, num_prosody=2, kernel=4)
