import math

import pytest
import torch
from torch.nn import functional

from mien.losses import ExpressionLoss, JointLoss


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
