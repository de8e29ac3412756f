import contextlib
import warnings

import pytest
import torch

from mien.engine.device import limited_threads, make_fabric, numeric_settings


def test_the_cpu_is_always_there():
    fabric = make_fabric("cpu")
    assert (fabric.device.type, fabric.world_size) == ("cpu", 1)


def test_more_cuda_devices_than_the_machine_has_are_refused_with_what_to_set(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    hint = r"Set <system>\.training\.device\.accelerator, or prediction's likewise, to cpu or auto"
    with pytest.raises(ValueError, match=rf"2 CUDA device\(s\) requested, 1 found.*{hint}"):
        make_fabric("cuda", devices=2)


def test_precision_reaches_the_networks():
    network = make_fabric("cpu", precision="bf16-mixed").setup(torch.nn.Linear(3, 2))
    assert network(torch.ones(1, 3)).dtype == torch.float32, "outputs come back in full precision"
    assert network.module.weight.dtype == torch.float32, "mixed precision keeps full-precision weights"
    hidden = []
    network.module.register_forward_hook(lambda module, inputs, output: hidden.append(output.dtype))
    network(torch.ones(1, 3))
    assert hidden == [torch.bfloat16]


def test_float16_is_refused_on_a_cpu_where_fabric_would_take_another_precision_unsaid():
    with pytest.raises(
        ValueError, match=r"16-mixed is not .* cpu\. Set <system>\.training\.device\.precision.*bf16-mixed"
    ):
        make_fabric("cpu", precision="16-mixed")


def test_what_changes_numbers_is_said_before_processes_are_spawned():
    assert numeric_settings(make_fabric("cpu", devices=2, precision="bf16-mixed")) == {
        "device": "cpu",
        "processes": 2,
        "precision": "bf16-mixed",
    }


def test_several_processes_are_spawned_from_inside_the_call():
    assert type(make_fabric("cpu", devices=2).strategy.launcher).__name__ == "_MultiProcessingLauncher"


def test_fabric_gives_no_advice_to_the_person_at_the_screen():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make_fabric("cpu")


@pytest.mark.parametrize("before", [1, 2])
def test_threads_are_limited_within_the_block_and_given_back_even_after_a_failure(before):
    ours = torch.get_num_threads()
    torch.set_num_threads(before)
    try:
        with limited_threads(0):
            assert torch.get_num_threads() == before
        with contextlib.suppress(KeyboardInterrupt), limited_threads(3 - before):
            assert torch.get_num_threads() == 3 - before
            raise KeyboardInterrupt
        assert torch.get_num_threads() == before
    finally:
        torch.set_num_threads(ours)


@pytest.mark.gpu
def test_a_gpu_is_taken_where_there_is_one():
    assert make_fabric("auto").device.type == "cuda"
