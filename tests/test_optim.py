import copy
import math

import pytest
import torch
from torch import nn

from mien.optim import SAM, build_optimizer, build_scheduler, frozen_batch_norm_statistics


def quadratic(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Half of a² plus b²: its gradient is (a, 2b)."""
    return (a**2 / 2 + b**2).sum()


def test_a_step_on_a_quadratic_equals_the_one_computed_by_hand():
    a, b = nn.Parameter(torch.tensor([3.0])), nn.Parameter(torch.tensor([2.0]))
    groups = [{"params": [a], "lr": 0.1}, {"params": [b], "lr": 0.01}]
    optimizer = build_optimizer("sgd", groups, lr=1.0, sam_rho=0.5)
    quadratic(a, b).backward()  # gradient (3, 4), norm 5 over both groups
    with optimizer.perturbed():
        assert (a.item(), b.item()) == pytest.approx((3.3, 2.4))
        assert a.grad is None
        quadratic(a, b).backward()  # gradient (3.3, 4.8)
    assert (a.item(), b.item()) == (3.0, 2.0)
    optimizer.step()
    assert (a.item(), b.item()) == pytest.approx((3 - 0.1 * 3.3, 2 - 0.01 * 4.8))


def test_the_weights_come_back_bit_for_bit_even_after_an_error():
    model = nn.Linear(50, 50)
    before = copy.deepcopy(model.state_dict())
    optimizer = SAM(torch.optim.Adam(model.parameters()), rho=1e-3)
    model(torch.randn(4, 50)).square().sum().backward()

    def interrupted_second_pass():
        with optimizer.perturbed():
            assert not torch.equal(model.weight, before["weight"])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted_second_pass()
    assert all(torch.equal(model.state_dict()[name], before[name]) for name in before)


def test_parameters_without_a_gradient_neither_move_nor_count():
    used, unused = nn.Parameter(torch.tensor([2.0])), nn.Parameter(torch.tensor([5.0]))
    optimizer = build_optimizer("sgd", [used, unused], lr=0.1, sam_rho=1.0)
    (used**2).sum().backward()
    with optimizer.perturbed():
        assert (used.item(), unused.item()) == (3.0, 5.0)


def test_perturbing_before_backward_is_refused():
    optimizer = build_optimizer("adam", [nn.Parameter(torch.ones(1))], lr=0.1, sam_rho=0.05)
    with pytest.raises(ValueError, match=r"no gradient. Call backward"), optimizer.perturbed():
        pass


def sam_step(model, optimizer, x, backward=torch.Tensor.backward) -> None:
    backward(model(x).square().mean())
    with optimizer.perturbed(), frozen_batch_norm_statistics(model):
        backward(model(x).square().mean())
    optimizer.step()
    optimizer.zero_grad()


def make(seed: int):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 2))
    optimizer = build_optimizer("adam", model.parameters(), lr=0.05, weight_decay=0.01, sam_rho=0.05)
    return model, optimizer, build_scheduler("exponential", optimizer, max_epochs=10, gamma=0.9)


def test_training_that_was_saved_and_restored_goes_on_bit_for_bit(tmp_path):
    batches = torch.randn(10, 16, 4, generator=torch.Generator().manual_seed(0))
    model, optimizer, scheduler = make(seed=0)
    for x in batches[:5]:
        sam_step(model, optimizer, x)
        scheduler.step()
    torch.save([model.state_dict(), optimizer.state_dict(), scheduler.state_dict()], tmp_path / "last.pt")
    resumed, resumed_optimizer, resumed_scheduler = make(seed=1)
    states = torch.load(tmp_path / "last.pt", weights_only=True)
    for part, state in zip((resumed, resumed_optimizer, resumed_scheduler), states, strict=True):
        part.load_state_dict(state)
    for x in batches[5:]:
        for each in ((model, optimizer, scheduler), (resumed, resumed_optimizer, resumed_scheduler)):
            sam_step(each[0], each[1], x)
            each[2].step()
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name
    assert optimizer.param_groups[0]["lr"] == resumed_optimizer.param_groups[0]["lr"] == pytest.approx(0.05 * 0.9**10)


def test_sams_state_is_the_base_optimisers_own():
    model, optimizer, scheduler = make(seed=0)
    sam_step(model, optimizer, torch.randn(16, 4))
    scheduler.step()
    assert optimizer.state_dict()["state"].keys() == optimizer.base.state_dict()["state"].keys() == {0, 1, 2, 3, 4, 5}
    assert optimizer.base.param_groups[0]["lr"] == pytest.approx(0.05 * 0.9)
    optimizer.add_param_group({"params": [nn.Parameter(torch.ones(1))]})
    assert optimizer.base.param_groups[1]["betas"] == (0.9, 0.999)


def test_under_fabric_sam_steps_as_in_plain_torch_and_restores(tmp_path):
    lightning_fabric = pytest.importorskip("lightning_fabric")
    fabric = lightning_fabric.Fabric(accelerator="cpu", devices=1)
    x = torch.randn(16, 4)
    plain, plain_optimizer, _ = make(seed=0)
    raw, raw_optimizer, _ = make(seed=0)
    model, optimizer = fabric.setup(raw, raw_optimizer)
    for _ in range(3):
        sam_step(plain, plain_optimizer, x)
        sam_step(model, optimizer, x, fabric.backward)
    assert torch.equal(plain[0].weight, raw[0].weight)
    fabric.save(tmp_path / "last.ckpt", {"model": model, "optimizer": optimizer})
    raw, raw_optimizer, _ = make(seed=1)
    model, optimizer = fabric.setup(raw, raw_optimizer)
    fabric.load(tmp_path / "last.ckpt", {"model": model, "optimizer": optimizer})
    for _ in range(3):
        sam_step(plain, plain_optimizer, x)
        sam_step(model, optimizer, x, fabric.backward)
    assert torch.equal(plain[0].weight, raw[0].weight)


def test_the_second_pass_leaves_running_statistics_alone_but_normalises_by_the_batch():
    torch.manual_seed(0)
    norm, x = nn.BatchNorm1d(3).train(), torch.randn(8, 3) * 5 + 2
    with frozen_batch_norm_statistics(nn.Sequential(norm)):
        out = norm(x)
    torch.testing.assert_close(out, (x - x.mean(0)) / (x.var(0, unbiased=False) + norm.eps).sqrt())
    assert norm.running_mean.tolist() == [0, 0, 0]
    assert norm.running_var.tolist() == [1, 1, 1]
    assert norm.num_batches_tracked == 0
    norm(x)
    assert norm.num_batches_tracked == 1


def test_freezing_statistics_leaves_evaluation_mode_as_it_is():
    norm, x = nn.BatchNorm1d(3), torch.randn(8, 3)
    norm(x)
    norm.eval()
    expected = norm(x)
    with frozen_batch_norm_statistics(norm):
        torch.testing.assert_close(norm(x), expected)


@pytest.mark.parametrize(
    ("name", "kind"), [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW), ("sgd", torch.optim.SGD)]
)
def test_optimizers_are_built_by_name_with_their_settings(name, kind):
    momentum = 0.9 if name == "sgd" else 0.0
    optimizer = build_optimizer(name, [nn.Parameter(torch.ones(1))], lr=0.3, weight_decay=0.1, momentum=momentum)
    assert type(optimizer) is kind
    group = optimizer.param_groups[0]
    assert (group["lr"], group["weight_decay"], group.get("momentum", 0.0)) == (0.3, 0.1, momentum)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"name": "lion", "lr": 0.1}, "unknown optimizer 'lion'. Use one of adam, adamw, sgd"),
        ({"name": "adam", "lr": 0.1, "momentum": 0.9}, "has no momentum"),
        ({"name": "adam", "lr": -0.1}, "may be negative"),
        ({"name": "adam", "lr": 0.1, "sam_rho": -1.0}, "may be negative"),
        ({"name": "adam", "lr": 0.1, "bn_both_passes": True}, "sam_rho 0 leaves it one pass. Set sam_rho above 0"),
    ],
)
def test_optimizer_settings_that_make_no_sense_are_refused(config, message):
    with pytest.raises(ValueError, match=message):
        build_optimizer(parameters=[nn.Parameter(torch.ones(1))], **config)


def test_sam_without_a_radius_is_refused():
    with pytest.raises(ValueError, match=r"rho 0\.0 must be above 0"):
        SAM(torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=0.1), rho=0.0)


@pytest.mark.parametrize(
    ("name", "options", "rate"),
    [
        ("exponential", {"gamma": 0.98}, lambda epoch: 0.98**epoch),
        ("step", {"gamma": 0.1, "step_size": 3}, lambda epoch: 0.1 ** (epoch // 3)),
        ("cosine", {}, lambda epoch: (1 + math.cos(math.pi * epoch / 10)) / 2),
        ("constant", {}, lambda epoch: 1.0),
    ],
)
@pytest.mark.parametrize("sam_rho", [0.0, 0.05])
def test_schedules_follow_their_closed_form(name, options, rate, sam_rho):
    weight = nn.Parameter(torch.ones(1))
    optimizer = build_optimizer("sgd", [weight], lr=2.0, sam_rho=sam_rho)
    scheduler = build_scheduler(name, optimizer, max_epochs=10, **options)
    for epoch in range(11):
        assert optimizer.param_groups[0]["lr"] == pytest.approx(2.0 * rate(epoch), abs=1e-12)
        optimizer.step()
        scheduler.step()


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("linear", {}, "unknown scheduler 'linear'. Use one of constant"),
        ("exponential", {"gamma": 0.0}, "gamma must lie in"),
        ("step", {"step_size": 0}, "step_size 0"),
    ],
)
def test_schedule_settings_that_make_no_sense_are_refused(name, options, message):
    optimizer = build_optimizer("sgd", [nn.Parameter(torch.ones(1))], lr=1.0)
    with pytest.raises(ValueError, match=message):
        build_scheduler(name, optimizer, max_epochs=10, **options)
