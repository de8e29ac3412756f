import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from mien.models.resnet18 import ResNet18


def test_it_has_the_published_parameters_operations_and_names():
    with torch.device("meta"):
        model = ResNet18(1000, image_size=224).eval()
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            model(torch.empty(1, 3, 224, 224))
    assert sum(p.numel() for p in model.parameters()) == 11_689_512  # torchvision's, of He et al.'s Table 1
    assert round(counter.get_total_flops() / 2e9, 1) == 1.8  # He et al.'s Table 1
    state = model.state_dict()
    assert len(state) == 122
    assert state["layer2.0.downsample.0.weight"].shape == (128, 64, 1, 1)
    assert state["layer4.1.bn2.running_var"].shape == (512,)
    assert "layer1.0.downsample.0.weight" not in state


def test_a_face_of_112_px_ends_in_a_map_of_four():
    with torch.device("meta"):
        model = ResNet18(7).eval()
        maps = []
        model.layer4.register_forward_hook(lambda module, inputs, output: maps.append(output.shape))
        model(torch.empty(2, 3, 112, 112))
    assert maps == [(2, 512, 4, 4)]


def test_a_block_whose_convolutions_give_nothing_hands_its_input_on():
    model = ResNet18(3, image_size=32, widths=(4, 4, 4, 4)).eval()
    block = model.layer1[0]
    torch.nn.init.zeros_(block.bn2.weight)
    x = torch.randn(2, 4, 8, 8)
    torch.testing.assert_close(block(x), x.clamp(min=0))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"image_size": 16}, "image_size 16 is below 32"),
        ({"widths": (8, 8, 8)}, r"widths \(8, 8, 8\). Give four"),
        ({"std": (0.2, 0.2, 0.0)}, "std above 0"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(config, message):
    with pytest.raises(ValueError, match=message):
        ResNet18(7, **config)


def test_images_of_another_size_are_refused():
    with pytest.raises(ValueError, match=r"takes \(B, 3, 64, 64\)"):
        ResNet18(7, image_size=64, widths=(4, 4, 4, 4))(torch.zeros(2, 3, 32, 32))
