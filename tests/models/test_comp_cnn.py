"""CompCNN: its sizes, its comparison, and what its variants share."""

import pytest
import torch

from mien.models.comp_cnn import CompCNN, SequenceDropout, map_sides


def pairs(n: int = 3, frames: int = 2) -> torch.Tensor:
    return torch.randn(n, frames, 44, 44, generator=torch.Generator().manual_seed(1))


def built(**config) -> CompCNN:
    torch.manual_seed(0)
    return CompCNN(2, **config).eval()


def test_every_pooling_halves_exactly_and_the_sizes_are_those_decided():
    sides = []
    side = 44
    for kernel in (5, 3, 2):
        assert (side - kernel + 1) % 2 == 0
        side = (side - kernel + 1) // 2
        sides.append(side)
    assert tuple(sides) == map_sides(44, (5, 3, 2)) == (20, 9, 4)
    net = built()
    assert [layer.in_features for layer in net.modules() if isinstance(layer, torch.nn.Linear)] == [2048, 512, 256]


def test_it_has_about_one_and_a_quarter_million_parameters_and_a_combination_two_c_squared_more():
    sizes = {
        (name, after): sum(p.numel() for p in built(comparison=name, compare_after=after).parameters())
        for name in ("subtract", "combine")
        for after in (1, 2, 3)
    }
    expected = 5 * 5 * 32 + 32 + 3 * 3 * 32 * 64 + 64 + 2 * 2 * 64 * 128 + 128 + 2049 * 512 + 513 * 256 + 257 * 2
    assert sizes["subtract", 1] == sizes["subtract", 2] == sizes["subtract", 3] == expected
    assert 1.20e6 < expected < 1.28e6
    for after, width in ((1, 32), (2, 64), (3, 128)):
        assert sizes["combine", after] - expected == 2 * width**2


@pytest.mark.parametrize("after", [1, 2, 3])
@pytest.mark.parametrize("name", ["combine", "mlp", "attention"])
def test_a_learned_comparison_starts_as_the_subtraction_from_the_same_seed(name, after):
    with torch.no_grad():
        expected = built(compare_after=after)(pairs())
        torch.testing.assert_close(built(comparison=name, compare_after=after)(pairs()), expected, rtol=1e-5, atol=1e-5)


def test_diff_cnn_sees_the_difference_of_the_images_alone():
    net, frames = built(compare_after=0), pairs()
    with torch.no_grad():
        torch.testing.assert_close(net(frames + 0.5), net(frames), rtol=1e-4, atol=1e-4)
        assert torch.equal(net.difference_maps(frames), frames[:, 1:] - frames[:, :1])


def test_equal_images_leave_nothing_after_the_comparison():
    frames = pairs()[:, :1].expand(-1, 2, -1, -1)
    for after in (1, 2, 3):
        assert built(compare_after=after).difference_maps(frames).abs().max() == 0


def test_what_is_left_is_what_has_grown_and_the_order_says_from_where():
    frames = pairs()
    for after in (1, 2):
        onset, apex = built(compare_after=after).maps_before(frames).unbind(dim=1)
        assert torch.equal(built(compare_after=after).difference_maps(frames), (apex - onset).relu())
        other = built(compare_after=after, order="onset_minus_apex")
        assert torch.equal(other.difference_maps(frames), (onset - apex).relu())


def test_both_images_pass_the_same_weights():
    net, frames = built(compare_after=2), pairs()
    swapped = net.maps_before(frames.flip(1))
    assert torch.equal(net.maps_before(frames), swapped.flip(1))


def test_of_a_sequence_every_later_image_is_compared_with_the_onset():
    frames = pairs(frames=4)
    net = built(num_frames=4, compare_after=1)
    alone = [built(compare_after=1).difference_maps(frames[:, [0, k]]) for k in (1, 2, 3)]
    torch.testing.assert_close(net.difference_maps(frames), torch.stack(alone).mean(dim=0))


@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_a_sequence_gives_logits_of_the_same_weights_and_a_pair_alone_is_what_it_was(after):
    net, pair = built(num_frames=4, compare_after=after), built(compare_after=after)
    assert net.input_shape == (4, 44, 44)
    assert {name: tuple(each.shape) for name, each in net.state_dict().items()} == {
        name: tuple(each.shape) for name, each in pair.state_dict().items()
    }
    frames = pairs()
    repeated = torch.cat([frames[:, :1], frames[:, 1:].expand(-1, 3, -1, -1)], dim=1)
    with torch.no_grad():
        assert net(pairs(frames=4)).shape == (3, 2)
        torch.testing.assert_close(net(repeated), pair(frames), rtol=1e-4, atol=1e-4)


def test_dropout_before_the_comparison_drops_the_same_places_of_all_images():
    torch.manual_seed(0)
    drop = SequenceDropout(0.5).train()
    out = drop(torch.ones(6, 3, 4, 4), num_frames=2).unflatten(0, (3, 2))
    assert torch.equal(out[:, 0], out[:, 1])
    assert set(out.unique().tolist()) == {0.0, 2.0}
    assert torch.equal(drop.eval()(torch.ones(2, 1, 1, 1), 2), torch.ones(2, 1, 1, 1))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"compare_after": 4}, "a pooling layer from 0 to 3"),
        ({"comparison": "divide"}, "knows no comparison 'divide'"),
        ({"image_size": 8}, "leave no map after kernels"),
        ({"widths": (2, 2)}, "CompCNN"),
        ({"num_frames": 1}, "two frames at least|two classes and two"),
    ],
)
def test_arguments_out_of_range_are_named(config, message):
    with pytest.raises(ValueError, match=message):
        CompCNN(2, **config)
