import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from mien.losses import AttributeLoss, ExpressionLoss, JointLoss, LandmarkLoss, critic_loss, generator_loss


def test_it_is_cross_entropy_plus_twice_the_smoothed_one():
    logits, target = torch.randn(8, 7), torch.randint(0, 7, (8,))
    expected = functional.cross_entropy(logits, target) + 2 * functional.cross_entropy(
        logits, target, label_smoothing=0.2
    )
    torch.testing.assert_close(ExpressionLoss()(logits, target), expected)


def test_without_smoothing_weight_it_is_plain_cross_entropy():
    logits, target = torch.randn(8, 7), torch.randint(0, 7, (8,))
    loss = ExpressionLoss(smoothing_weight=0)(logits, target)
    torch.testing.assert_close(loss, functional.cross_entropy(logits, target))


def test_a_hand_computed_value():
    # p = (3/4, 1/4): CE = -log 3/4; smoothed = .8 CE + .2 * mean of both
    logits, a, b = torch.tensor([[math.log(3.0), 0.0]]), -math.log(0.75), -math.log(0.25)
    expected = a + 2 * (0.8 * a + 0.2 * (a + b) / 2)
    assert ExpressionLoss()(logits, torch.tensor([0])).item() == pytest.approx(expected, rel=1e-6)


def test_a_confident_right_answer_costs_more_than_a_measured_one_because_of_smoothing():
    target = torch.tensor([0])
    confident, measured = torch.tensor([[40.0, 0.0]]), torch.tensor([[3.0, 0.0]])
    assert ExpressionLoss()(confident, target) > ExpressionLoss()(measured, target)
    assert ExpressionLoss(smoothing_weight=0)(confident, target) < ExpressionLoss(smoothing_weight=0)(measured, target)


def test_enormous_logits_stay_finite():
    logits = torch.tensor([[1e4, -1e4, 0.0]], requires_grad=True)
    loss = ExpressionLoss()(logits, torch.tensor([1]))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"smoothing": 1.0}, "smoothing 1.0 is outside"),
        ({"ce_weight": -1.0}, "must not be negative"),
        ({"ce_weight": 0.0, "smoothing_weight": 0.0}, "nor both 0"),
    ],
)
def test_weights_that_make_no_loss_are_refused(config, message):
    with pytest.raises(ValueError, match=message):
        ExpressionLoss(**config)


def test_the_joint_loss_is_the_sum_of_both_heads_cross_entropies():
    logits, target = torch.randn(8, 2, 7), torch.randint(0, 7, (8,))
    image, text = (functional.cross_entropy(head, target) for head in (logits[:, 0], logits[:, 1]))
    torch.testing.assert_close(JointLoss()(logits, target), image + text)
    torch.testing.assert_close(JointLoss(2.0, 0.5)(logits, target), 2 * image + 0.5 * text)


def test_the_joint_loss_of_one_head_is_its_cross_entropy():
    logits, target = torch.randn(8, 1, 7), torch.randint(0, 7, (8,))
    torch.testing.assert_close(JointLoss()(logits, target), functional.cross_entropy(logits[:, 0], target))


def test_a_joint_loss_by_hand():
    # p = (3/4, 1/4) of the class head, (1/2, 1/2) of the steering head
    logits = torch.tensor([[[math.log(3.0), 0.0], [5.0, 5.0]]])
    expected = -math.log(0.25) - math.log(0.5)
    assert JointLoss()(logits, torch.tensor([1])).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("shape", [(8, 7), (8, 3, 7), (8, 0, 7)])
def test_outputs_of_no_two_heads_are_refused(shape):
    with pytest.raises(ValueError, match=r"joint loss got outputs of shape.*takes \(B, H, M\).*ExpressionLoss"):
        JointLoss()(torch.zeros(shape), torch.zeros(8, dtype=torch.int64))


@pytest.mark.parametrize("weights", [(-1.0, 1.0), (0.0, 0.0)])
def test_weights_that_make_no_joint_loss_are_refused(weights):
    with pytest.raises(ValueError, match=r"class_weight.*must not be negative, nor both 0"):
        JointLoss(*weights)


# ---- landmarks ---------------------------------------------------------------------------------------------------


def target(landmarks: float, batch: int = 1) -> torch.Tensor:
    return torch.full((batch, 68, 2), landmarks)


def outputs(value: float, batch: int = 1) -> torch.Tensor:
    return torch.full((batch, 136), value, requires_grad=True)


def test_wing_is_a_logarithm_near_zero_and_a_line_beyond():
    loss = LandmarkLoss("wing", width=0.1, curvature=0.02)
    assert loss(outputs(0.55), target(0.5)).item() == pytest.approx(0.1 * math.log(1 + 0.05 / 0.02), rel=1e-5)
    constant = 0.1 - 0.1 * math.log(1 + 0.1 / 0.02)
    assert loss(outputs(0.9), target(0.5)).item() == pytest.approx(0.4 - constant, rel=1e-5)
    below, above = (loss(outputs(0.5 + x), target(0.5)).item() for x in (0.1 - 1e-5, 0.1 + 1e-5))
    assert above == pytest.approx(below, abs=1e-4), "no step where the line begins"


def test_a_small_error_pulls_harder_than_a_large_one_with_wing_and_as_hard_with_l1():
    pulls = {}
    for name in ("wing", "l1"):
        for error in (0.01, 0.3):
            out = outputs(0.5 + error)
            LandmarkLoss(name, 0.1, 0.02)(out, target(0.5)).backward()
            pulls[name, error] = out.grad.abs().sum().item()
    assert pulls["wing", 0.01] == pytest.approx(0.1 / 0.03, rel=1e-4)  # w / (ε + |x|)
    assert pulls["wing", 0.3] == pytest.approx(1, rel=1e-4)
    assert pulls["l1", 0.01] == pytest.approx(pulls["l1", 0.3], rel=1e-4)


@pytest.mark.parametrize("options", [{"name": "l2"}, {"width": 0.0}, {"curvature": -1.0}], ids=lambda o: next(iter(o)))
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match=r"landmark loss got .* Use wing or l1"):
        LandmarkLoss(**options)


def test_a_number_costs_its_squared_error_and_a_class_its_cross_entropy():
    outputs, ages, classes = torch.randn(6, 6), torch.randint(1, 90, (6,)), torch.randint(0, 5, (6,))
    both = AttributeLoss((1, 5), scale=20.0)(outputs, torch.stack([ages, classes], dim=1))
    error = ((outputs[:, 0] - ages) / 20).square().mean()
    torch.testing.assert_close(both, error + functional.cross_entropy(outputs[:, 1:], classes))
    torch.testing.assert_close(
        AttributeLoss((5,))(outputs[:, 1:], classes), functional.cross_entropy(outputs[:, 1:], classes)
    )


@pytest.mark.parametrize(("outputs", "scale"), [((), 1.0), ((1, 0), 1.0), ((1,), 0.0)])
def test_attributes_without_outputs_or_scale_are_refused(outputs, scale):
    with pytest.raises(ValueError, match="at least one output for each"):
        AttributeLoss(outputs, scale)


def test_the_adversarial_losses_are_binary_cross_entropy_or_hinge():
    real, made = torch.randn(8), torch.randn(8)
    ones, zeros = torch.ones(8), torch.zeros(8)
    bce = functional.binary_cross_entropy_with_logits
    torch.testing.assert_close(critic_loss(real, made, "bce"), bce(real, ones) + bce(made, zeros))
    torch.testing.assert_close(critic_loss(None, made, "bce"), bce(made, zeros))
    torch.testing.assert_close(generator_loss(made, "bce"), bce(made, ones))
    hinge = (1 - real).clamp_min(0).mean() + (1 + made).clamp_min(0).mean()
    torch.testing.assert_close(critic_loss(real, made, "hinge"), hinge)
    torch.testing.assert_close(generator_loss(made, "hinge"), -made.mean())


# ---- shares of classes ---------------------------------------------------------------------------------------------

LOSSES = {
    "expression": lambda logits, target, **options: ExpressionLoss(**options)(logits, target),
    "joint": lambda logits, target, **options: JointLoss(2.0, 0.5, **options)(
        torch.stack([logits, logits.flip(1)], dim=1), target
    ),
}


def logits_and_shares(seed: int, batch: int = 6, classes: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    """Random logits and shares of one to three classes, in double precision."""
    rng = np.random.default_rng(seed)
    votes = np.zeros((batch, classes))
    for row in votes:
        row[rng.choice(classes, rng.integers(1, 4), replace=False)] = 1
    votes *= rng.integers(1, 9, votes.shape)
    logits = torch.from_numpy(rng.normal(size=votes.shape) * 3)
    return logits, torch.from_numpy(votes / votes.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("name", LOSSES)
@settings(deadline=None)
@given(seed=st.integers(0, 10_000), smoothing=st.floats(0, 0.9), accepted=st.booleans())
def test_the_share_one_of_a_class_costs_and_teaches_what_its_id_does(name, seed, smoothing, accepted):
    options = {"any_accepted": accepted, **({"smoothing": smoothing} if name == "expression" else {})}
    logits = logits_and_shares(seed)[0].clamp(-3, 3).requires_grad_()  # e^6 < 1000: no other class takes the maximum
    target = torch.from_numpy(np.random.default_rng(seed).integers(0, 8, len(logits)))
    by_id = LOSSES[name](logits, target, **options)
    by_share = LOSSES[name](logits, functional.one_hot(target, 8).double(), **options)
    torch.testing.assert_close(by_share, by_id)
    torch.testing.assert_close(*(torch.autograd.grad(each, logits)[0] for each in (by_share, by_id)))


@settings(deadline=None)
@given(seed=st.integers(0, 10_000), smoothing=st.floats(0, 0.9))
def test_smoothed_cross_entropy_of_shares_is_torchs_own(seed, smoothing):
    logits, shares = logits_and_shares(seed)
    expected = functional.cross_entropy(logits, shares) + 2 * functional.cross_entropy(
        logits, shares, label_smoothing=smoothing
    )
    torch.testing.assert_close(ExpressionLoss(smoothing=smoothing)(logits, shares), expected)


def test_any_accepted_class_is_as_right_as_another_whatever_its_share():
    p = torch.log(torch.tensor([[0.1, 0.6, 0.3]]))
    plain = ExpressionLoss(smoothing_weight=0, any_accepted=True)
    for shares, best in (
        ([0.9, 0.0, 0.1], 0.3),
        ([0.1, 0.0, 0.9], 0.3),
        ([0.5, 0.5, 0.0], 0.6),
        ([1.0, 0.0, 0.0], 0.1),
    ):
        assert plain(p, torch.tensor([shares])).item() == pytest.approx(-math.log(best), rel=1e-6)
    sure_of_another = torch.tensor([[0.0, math.log(2000.0)]])
    expected = -math.log(0.001 * 2000 / 2001)
    assert plain(sure_of_another, torch.tensor([[1.0, 0.0]])).item() == pytest.approx(expected, rel=1e-6)


def test_smoothing_of_accepted_classes_pulls_towards_all():
    logits, shares = logits_and_shares(3)
    best = ExpressionLoss(1, 0, any_accepted=True)(logits, shares)
    even = -torch.log_softmax(logits, 1).mean()
    torch.testing.assert_close(ExpressionLoss(1, 2, 0.2, True)(logits, shares), best + 2 * (0.8 * best + 0.2 * even))


@pytest.mark.parametrize("accepted", [True, False])
@pytest.mark.parametrize("name", LOSSES)
def test_gradients_of_losses_of_shares_are_their_differences(name, accepted):
    logits, shares = logits_and_shares(5)
    assert torch.autograd.gradcheck(lambda x: LOSSES[name](x, shares, any_accepted=accepted), logits.requires_grad_())


def test_only_the_likeliest_accepted_class_is_pulled_at_and_equal_ones_evenly():
    logits = torch.tensor([[1.0, 0.5, 0.0], [0.0, 0.0, 0.0]], requires_grad=True)
    p = torch.softmax(logits.detach(), 1)
    loss = ExpressionLoss(smoothing_weight=0, any_accepted=True)(
        logits, torch.tensor([[0.0, 0.2, 0.8], [0.5, 0.5, 0.0]])
    )
    (gradient,) = torch.autograd.grad(2 * loss, logits)
    torch.testing.assert_close(gradient, p - torch.tensor([[0.0, 1.0, 0.0], [0.5, 0.5, 0.0]]))


def test_both_heads_learn_from_the_same_shares():
    logits, shares = torch.randn(4, 2, 3), torch.tensor([[0.5, 0.5, 0.0]]).expand(4, 3)
    heads = [functional.cross_entropy(head, shares) for head in logits.unbind(1)]
    torch.testing.assert_close(JointLoss(1.0, 0.5)(logits, shares), heads[0] + 0.5 * heads[1])


def test_class_ids_cost_to_the_bit_what_torchs_cross_entropy_does():
    logits, target = torch.randn(64, 2, 8, requires_grad=True), torch.randint(0, 8, (64,))
    own = JointLoss(1.0, 0.5)(logits, target)
    torchs = torch.stack(
        [
            weight * functional.cross_entropy(head, target)
            for weight, head in zip((1.0, 0.5), logits.unbind(1), strict=True)
        ]
    ).sum()
    assert torch.equal(own, torchs)
    assert torch.equal(*(torch.autograd.grad(each, logits)[0] for each in (own, torchs)))


@pytest.mark.parametrize("accepted", [True, False])
def test_shares_of_other_classes_than_the_networks_are_refused(accepted):
    with pytest.raises(ValueError, match=r"shares of shape \(2, 1\) .* predictions of shape \(2, 3\)"):
        ExpressionLoss(any_accepted=accepted)(torch.zeros(2, 3), torch.ones(2, 1))
