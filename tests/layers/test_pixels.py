import pytest
import torch

from mien.layers.pixels import IMAGENET_MEAN, IMAGENET_STD, NormalizedBGR, PixelsBGR, check_statistics


def normalised(rgb: torch.Tensor) -> torch.Tensor:
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    return (rgb - mean) / std


def test_pixels_come_back_from_their_normalisation_as_bgr():
    rgb = torch.rand(2, 3, 4, 5)
    torch.testing.assert_close(PixelsBGR(IMAGENET_MEAN, IMAGENET_STD)(normalised(rgb)), rgb[:, [2, 1, 0]])


def test_bgr_is_normalised_by_statistics_in_rgb_order_as_posters_loader_does():
    rgb = torch.rand(2, 3, 4, 5)
    expected = normalised(rgb[:, [2, 1, 0]])  # blue minus red's mean
    torch.testing.assert_close(NormalizedBGR(IMAGENET_MEAN, IMAGENET_STD)(normalised(rgb)), expected)


def test_statistics_are_no_part_of_a_checkpoint():
    assert NormalizedBGR(IMAGENET_MEAN, IMAGENET_STD).state_dict() == {}


@pytest.mark.parametrize(
    ("mean", "std"), [((0.5,), (1.0,) * 3), ((0.5,) * 3, (1.0, 1.0)), ((0.5,) * 3, (1.0, 0.0, 1.0))]
)
def test_statistics_that_do_not_fit_are_refused(mean, std):
    with pytest.raises(ValueError, match=r"one value per RGB channel, std above 0\. Give three each"):
        check_statistics(mean, std)
