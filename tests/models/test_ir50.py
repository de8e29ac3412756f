import pytest
import torch
from torch import nn

from mien.models.ir50 import IR50Stages


def test_three_stages_have_the_published_size_and_output():
    with torch.device("meta"):
        model = IR50Stages()
        out = model(torch.empty(1, 3, 112, 112))
    assert sum(p.numel() for p in model.parameters()) == 17_611_968
    assert out.shape == (1, 256, 14, 14)
    assert (model.feature_channels, model.feature_size) == (256, 14)


def test_a_fourth_stage_completes_ir50():
    with torch.device("meta"):
        model = IR50Stages((64, 128, 256, 512), (3, 4, 14, 3))
        out = model(torch.empty(1, 3, 112, 112))
    assert sum(p.numel() for p in model.parameters()) == 30_727_360
    assert out.shape == (1, 512, 7, 7)


def test_tensor_names_are_those_of_the_published_checkpoints():
    with torch.device("meta"):
        state = IR50Stages().state_dict()
    # POSTER loads 304 tensors, 12 of them in the embedding that nothing reads
    assert len(state) == 304 - 12
    assert {name.split(".")[1] for name in state if name.startswith("body.")} == {str(i) for i in range(21)}
    assert state["input_layer.0.weight"].shape == (64, 3, 3, 3)
    assert state["body.3.shortcut_layer.0.weight"].shape == (128, 64, 1, 1)
    assert state["body.20.res_layer.4.running_var"].shape == (256,)
    assert not any(name.startswith("body.0.shortcut_layer") for name in state)


def test_every_convolution_starts_within_xavier_uniform_bounds():
    for module in IR50Stages((8, 16), (1, 2), image_size=32).modules():
        if isinstance(module, nn.Conv2d):
            receptive = module.kernel_size[0] ** 2
            bound = (6 / (receptive * (module.in_channels + module.out_channels))) ** 0.5
            assert 0.8 * bound < module.weight.abs().max() <= bound


def test_a_unit_adds_its_strided_input_without_a_final_activation():
    model = IR50Stages((4,), (1,), image_size=8).eval()
    unit = model.body[0]
    nn.init.zeros_(unit.res_layer[4].weight)  # silences the residual branch
    x = torch.randn(2, 4, 8, 8)
    torch.testing.assert_close(unit(x), x[:, :, ::2, ::2])


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"widths": (8, 16), "units": (1,)}, r"widths \(8, 16\) and units \(1,\)"),
        ({"widths": (8,), "units": (0,)}, "at least one unit"),
        ({"image_size": 100}, "image_size 100 cannot be halved 3 times"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(config, message):
    with pytest.raises(ValueError, match=message):
        IR50Stages(**config)
