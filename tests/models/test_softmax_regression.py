"""Softmax regression: the closed form of its output and gradient, and what it refuses."""

import numpy as np
import pytest
import torch

from mien.models.softmax_regression import SoftmaxRegression


def test_logits_are_the_linear_map_of_grey_pixels():
    model = SoftmaxRegression(num_classes=3, image_size=4)
    with torch.no_grad():
        model.classify.weight.copy_(torch.arange(48).reshape(3, 16))
        model.classify.bias.copy_(torch.tensor([1.0, 2.0, 3.0]))
    images = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    grey = images.numpy().mean(axis=1).reshape(2, 16)
    expected = grey @ np.arange(48).reshape(3, 16).T + [1, 2, 3]
    np.testing.assert_allclose(model(images).detach().numpy(), expected, rtol=1e-5)


def test_the_first_gradient_is_the_mean_of_pixels_times_surprise():
    model = SoftmaxRegression(num_classes=2, image_size=2)
    torch.nn.init.zeros_(model.classify.weight)
    torch.nn.init.zeros_(model.classify.bias)
    images, target = torch.randn(6, 3, 2, 2), torch.tensor([0, 0, 1, 0, 1, 1])
    torch.nn.functional.cross_entropy(model(images), target).backward()
    surprise = 0.5 - np.eye(2)[target.numpy()]  # softmax of zeros less the truth
    expected = surprise.T @ images.numpy().mean(axis=1).reshape(6, 4) / 6
    np.testing.assert_allclose(model.classify.weight.grad.numpy(), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("config", [{"num_classes": 1}, {"num_classes": 7, "image_size": 0}])
def test_no_class_to_tell_from_another_or_no_pixel_is_refused(config):
    with pytest.raises(ValueError, match="at least two classes and one pixel"):
        SoftmaxRegression(**config)
