import pytest
import torch

from mien.models.mobilefacenet import MobileFaceNet


def num_parameters(model) -> int:
    return sum(p.numel() for p in model.parameters())


def test_landmark_network_has_the_published_size_and_outputs():
    with torch.device("meta"):
        model = MobileFaceNet()
        x = torch.empty(2, 3, 112, 112)
        assert model.features(x).shape == (2, 512, 7, 7)
        assert model(x).shape == (2, 136)
    assert num_parameters(model) == 1_007_248


def test_without_its_head_it_is_smaller_and_returns_the_features():
    with torch.device("meta"):
        model = MobileFaceNet(num_outputs=None)
        assert model(torch.empty(2, 3, 112, 112)).shape == (2, 512, 7, 7)
    assert num_parameters(model) == 911_232


def test_tensor_names_are_those_of_the_published_checkpoint():
    with torch.device("meta"):
        state = MobileFaceNet().state_dict()
    assert state["conv1.conv.weight"].shape == (64, 3, 3, 3)
    assert state["conv2_dw.prelu.weight"].shape == (64,)
    assert state["conv_34.conv_dw.conv.weight"].shape == (256, 1, 3, 3)
    assert state["conv_4.model.5.project.bn.running_mean"].shape == (128,)
    assert state["conv_6_sep.conv.weight"].shape == (512, 128, 1, 1)
    assert state["output_layer.conv_6_dw.conv.weight"].shape == (512, 1, 7, 7)
    assert state["output_layer.linear.weight"].shape == (136, 512)
    assert state["output_layer.bn.bias"].shape == (136,)
    assert "conv_23.project.prelu.weight" not in state
    assert "output_layer.linear.bias" not in state


def test_widths_units_and_size_scale_down():
    model = MobileFaceNet((8, 12, 16, 20), (1, 2, 1), image_size=64, num_outputs=10).eval()
    x = torch.randn(2, 3, 64, 64)
    assert model.features(x).shape == (2, 20, 4, 4)
    assert model(x).shape == (2, 10)
    assert (model.feature_channels, model.feature_size) == (20, 4)


def test_stride_8_ends_at_conv_4_and_builds_nothing_behind_it():
    with torch.device("meta"):
        model, whole = MobileFaceNet(num_outputs=None, stride=8), MobileFaceNet()
        assert model(torch.empty(2, 3, 112, 112)).shape == (2, 128, 14, 14)
    assert (model.feature_channels, model.feature_size) == (128, 14)
    behind = {
        name for name in whole.state_dict() if name.split(".")[0] in ("conv_45", "conv_5", "conv_6_sep", "output_layer")
    }
    assert set(model.state_dict()) == set(whole.state_dict()) - behind


def test_stride_8_is_what_conv_4_puts_out():
    torch.manual_seed(0)
    whole = MobileFaceNet((8, 12, 16, 20), (1, 2, 1), image_size=64, num_outputs=None).eval()
    model = MobileFaceNet((8, 12, 16, 20), (1, 2, 1), image_size=64, num_outputs=None, stride=8).eval()
    model.load_state_dict({name: tensor for name, tensor in whole.state_dict().items() if name in model.state_dict()})
    seen = []
    whole.conv_4.register_forward_hook(lambda _, __, out: seen.append(out))
    x = torch.randn(2, 3, 64, 64)
    whole(x)
    assert torch.equal(model(x), seen[0])


def test_frozen_it_neither_learns_nor_follows_a_training_mode():
    model = MobileFaceNet((8, 8, 8, 8), (1, 1, 1), image_size=32, num_outputs=None).freeze()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    parent = torch.nn.Sequential(model, torch.nn.Conv2d(8, 2, 2)).train()
    parent(torch.randn(4, 3, 32, 32)).sum().backward()
    assert not any(module.training for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert parent[1].weight.grad is not None


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"stride": 4, "num_outputs": None}, "stride 4 .* Use 16, or 8"),
        ({"stride": 8}, "stride 8 with num_outputs 136, .*Use 16, or 8 with num_outputs None"),
        ({"widths": (8, 16, 16)}, "Give four widths"),
        ({"units": (1, 2)}, "three numbers of units"),
        ({"image_size": 100}, "image_size 100 is not a multiple of 16"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(config, message):
    with pytest.raises(ValueError, match=message):
        MobileFaceNet(**config)


def test_a_head_reported_where_to_start_has_that_mean_and_spread_over_a_batch():
    torch.manual_seed(0)
    model = MobileFaceNet((8, 12, 16, 20), (1, 1, 1), image_size=32, num_outputs=6).train()
    mean, std = torch.linspace(0.2, 0.8, 6), torch.linspace(0.05, 0.3, 6)
    model.output_layer.start_from(mean, std)
    with torch.no_grad():
        out = model(torch.randn(64, 3, 32, 32))
    torch.testing.assert_close(out.mean(dim=0), mean, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(out.std(dim=0, correction=0), std, rtol=1e-2, atol=1e-4)
    assert model.image_size == 32
