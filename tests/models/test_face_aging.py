"""The paper's generator and critic counted, what the age changes, and what is refused."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from mien.models.face_aging import AgePlane, FaceAging

SMALL = {"noise_dim": 8, "widths": (8, 4), "critic_widths": (4, 8), "image_size": 16}


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def small(**changes) -> FaceAging:
    torch.manual_seed(0)
    return FaceAging(**{**SMALL, **changes}).eval()


def test_the_published_networks_have_the_parameters_of_their_layers():
    model = FaceAging()
    dense, plane = 101 * 128 * 12 * 12, 2 * 12 * 12
    convolutions = (9 * 129 + 1) * 128 + (9 * 128 + 1) * 64 + (9 * 64 + 1)
    assert parameters(model.generator) == dense + plane + convolutions
    stages = [2, 32, 64, 128, 256]
    convolutions = sum((9 * before + 1) * after for before, after in pairwise(stages))
    assert parameters(model.critic) == 2 * 48 * 48 + convolutions + (256 * 3 * 3 + 1)
    assert model.encoder is None


def test_a_published_face_is_48_pixels_wide_and_never_below_0():
    faces = FaceAging().eval()(torch.randn(3, 100), torch.tensor([1.0, 30.0, 90.0]))
    assert faces.shape == (3, 1, 48, 48)
    assert faces.min() >= 0


def test_after_a_sigmoid_pixels_lie_between_0_and_1():
    faces = small(output="sigmoid")(10 * torch.randn(4, 8), torch.full((4,), 30.0))
    assert 0 < faces.min() < faces.max() < 1


@pytest.mark.parametrize("mode", ["scalar", "embedding"])
def test_another_age_makes_another_face_of_the_same_noise(mode):
    model, noise = small(label_mode=mode, output="sigmoid"), torch.randn(1, 8)
    young, old, again = (model(noise, torch.tensor([age])) for age in (20.0, 70.0, 20.0))
    assert torch.equal(young, again)
    assert not torch.equal(young, old)


def test_a_scalar_age_goes_in_as_its_share_of_the_largest_and_an_embedded_one_as_its_year():
    scalar = AgePlane("scalar", side=2, max_age=100)
    low, middle, high = (scalar(torch.tensor([age])) for age in (0.0, 50.0, 100.0))
    torch.testing.assert_close(middle, (low + high) / 2)
    embedded = AgePlane("embedding", side=2, max_age=100)
    assert torch.equal(embedded(torch.tensor([30.4])), embedded(torch.tensor([30.0])))
    assert torch.equal(embedded(torch.tensor([130.0])), embedded(torch.tensor([100.0])))


def test_spectral_norm_holds_every_weight_of_the_critic_at_norm_1():
    critic = small(spectral_norm=True).critic.train()
    for _ in range(50):  # the power iteration makes a step per pass
        critic(torch.rand(2, 1, 16, 16), torch.tensor([10.0, 20.0]))
    for layer in critic.layers:
        if hasattr(layer, "weight"):
            assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.02)


def test_a_person_is_aged_through_the_encoder_and_refused_without_one():
    images, ages = torch.rand(2, 1, 16, 16), torch.tensor([20.0, 30.0])
    model = small(encoder=True)
    expected = model.generator(model.encoder(images, ages), ages + 40)
    assert torch.equal(model.age_face(images, ages, ages + 40), expected)
    with pytest.raises(ValueError, match=r"Set model\.encoder to true"):
        small().age_face(images, ages, ages)


def test_the_estimator_does_not_learn():
    estimator = {
        "architecture": "attribute_cnn",
        "config": {"num_outputs": 1, "channels": [2], "hidden": [3], "image_size": 16},
    }
    model = small(estimator=estimator)
    assert not any(parameter.requires_grad for parameter in model.estimator.parameters())
    assert any(name.startswith("estimator.") for name in model.state_dict())


@pytest.mark.parametrize("changes", [{"widths": (8,)}, {"image_size": 18}, {"output": "tanh"}])
def test_sizes_and_outputs_that_do_not_fit_are_refused(changes):
    with pytest.raises(ValueError, match="relu or sigmoid"):
        FaceAging(**{**SMALL, **changes})


def test_an_unknown_label_mode_is_refused():
    with pytest.raises(ValueError, match="Use scalar or embedding"):
        FaceAging(**{**SMALL, "label_mode": "one_hot"})
