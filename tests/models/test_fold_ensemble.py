"""All nets of a cross-validation: how they vote, and where each is."""

import numpy as np
import pytest
import torch
from tests.models.test_all_models import SMALL, TINY_CNN

from mien.models import create_model
from mien.models.fold_ensemble import LinearMargin, member_key

CONFIG = SMALL["fold_ensemble"].config


def built(**changes):
    torch.manual_seed(0)
    return create_model("fold_ensemble", **{**CONFIG, **changes}).eval()


def pairs() -> torch.Tensor:
    return torch.randn(4, 2, 20, 20, generator=torch.Generator().manual_seed(1))


def test_the_primary_nets_of_all_voters_are_averaged_as_probabilities():
    ensemble, frames = built(), pairs()
    with torch.no_grad():
        each = [torch.softmax(ensemble.net(trial, 0, "comb_2")(frames), dim=1) for trial in ("fold_0", "fold_1")]
        torch.testing.assert_close(torch.softmax(ensemble(frames), dim=1), torch.stack(each).mean(dim=0))


def test_a_trial_that_does_not_vote_changes_nothing():
    ensemble, frames = built(voters=["fold_1"]), pairs()
    with torch.no_grad():
        expected = torch.log_softmax(ensemble.net("fold_1", 0, "comb_2")(frames), dim=1)
        torch.testing.assert_close(ensemble(frames), expected)


def test_a_stack_joins_the_features_of_its_nets():
    ensemble, frames = built(primary="comb_svm", voters=["fold_0"]), pairs()
    margin = ensemble.margin("fold_0", 0, "comb_svm")
    margin.weight.copy_(torch.arange(15.0) / 10)
    margin.bias.fill_(-0.3)
    with torch.no_grad():
        features = torch.cat([ensemble.net("fold_0", 0, f"comb_{i}").features(frames) for i in (1, 2, 3)], dim=1)
        value = features @ margin.weight - 0.3
        torch.testing.assert_close(torch.softmax(ensemble(frames), dim=1)[:, 1], torch.sigmoid(value))


def test_the_sign_of_the_margin_is_the_class():
    margin = LinearMargin(2)
    margin.mean.copy_(torch.tensor([1.0, 0.0]))
    margin.scale.copy_(torch.tensor([2.0, 1.0]))
    margin.weight.copy_(torch.tensor([1.0, -1.0]))
    logits = margin(torch.tensor([[3.0, 0.5], [1.0, 1.0]]))
    np.testing.assert_allclose((logits[:, 1] - logits[:, 0]).numpy(), [0.5, -1.0])


def test_only_what_predicts_takes_gradients():
    ensemble = built()
    free = {name.split(".")[1] for name, parameter in ensemble.named_parameters() if parameter.requires_grad}
    assert free == {member_key(f"fold_{fold}", 0, "comb_2") for fold in (0, 1)}


def test_it_is_reported_what_it_cannot_do():
    with pytest.raises(ValueError, match="no net or stack 'sub_1'"):
        built(primary="sub_1")
    with pytest.raises(ValueError, match="None of the trainings"):
        built(voters=["fold_7"])


def test_shapes_are_those_of_its_nets():
    ensemble = built()
    assert ensemble.input_shape == (2, TINY_CNN["image_size"], TINY_CNN["image_size"])
