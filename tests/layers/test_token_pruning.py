import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.layers.token_pruning import (
    PruningStage,
    fuse_dropped,
    prune_tokens,
    pruning_stages,
    top_k_ascending,
    warmed_up_keep_rate,
)


def counts(*args, **kwargs) -> tuple[int, ...]:
    return tuple(stage.num_kept for stage in pruning_stages(*args, **kwargs))


@pytest.mark.parametrize(
    ("rate", "expected"), [(0.9, (48, 46, 45)), (0.6, (42, 35, 30)), (0.3, (33, 22, 15)), (0.1, (23, 11, 5))]
)
def test_three_stages_keep_the_published_design_counts(rate, expected):
    assert counts(49, rate, 3) == expected


@pytest.mark.parametrize(("rate", "expected"), [(0.9, 45), (0.6, 30), (0.3, 15), (0.1, 5)])
def test_a_single_stage_keeps_the_rate_itself(rate, expected):
    assert counts(49, rate, 1) == (expected,)


@given(st.integers(1, 200), st.floats(1e-4, 1.0), st.integers(1, 5))
def test_counts_never_grow_never_reach_zero_and_never_exceed_the_candidates(tokens, rate, stages):
    plan = pruning_stages(tokens, rate, stages)
    assert all(1 <= stage.num_kept <= stage.num_candidates for stage in plan)
    assert all(later.num_candidates == earlier.num_kept for earlier, later in pairwise(plan))
    if rate < 1:
        assert plan[-1].num_kept == max(1, math.ceil(tokens * rate - 1e-9))


@given(st.integers(1, 200), st.integers(1, 5))
def test_rate_one_drops_nothing(tokens, stages):
    assert not any(stage.drops for stage in pruning_stages(tokens, 1.0, stages))


def test_a_product_that_is_whole_but_for_rounding_gains_no_token():
    assert 100 * 0.07 > 7
    assert counts(100, 0.07, 1) == (7,)


@pytest.mark.parametrize("rate", [0.0, -0.5, 1.01, float("nan")])
def test_a_rate_outside_its_range_is_refused(rate):
    with pytest.raises(ValueError, match=r"keep_rate .* outside \(0, 1\]"):
        pruning_stages(49, rate, 3)


def test_a_warmed_up_rate_stays_at_one_then_falls_by_half_a_cosine():
    rates = [warmed_up_keep_rate(0.5, epoch, start_epoch=10, epochs=100) for epoch in range(120)]
    assert rates[:11] == [1.0] * 11
    assert rates[35] == pytest.approx(0.5 + 0.25 * (1 + math.sqrt(0.5)))
    assert rates[60] == pytest.approx(0.75)
    assert rates[110:] == [0.5] * 10
    assert all(later <= earlier for earlier, later in pairwise(rates))


@given(st.floats(1e-3, 1.0), st.integers(0, 400), st.integers(0, 20), st.integers(0, 200))
def test_a_warmed_up_rate_lies_between_its_ends(rate, epoch, start, epochs):
    assert rate <= warmed_up_keep_rate(rate, epoch, start, epochs) <= 1.0


@pytest.mark.parametrize("epoch", [0, 7])
def test_no_warm_up_is_the_rate_itself(epoch):
    assert warmed_up_keep_rate(0.3, epoch, 0, 0) == 0.3


def test_a_start_without_a_fall_switches_at_once():
    assert [warmed_up_keep_rate(0.3, epoch, 2, 0) for epoch in range(4)] == [1.0, 1.0, 0.3, 0.3]


@pytest.mark.parametrize(("start", "epochs"), [(-1, 5), (0, -1)])
def test_a_negative_warm_up_is_refused(start, epochs):
    with pytest.raises(ValueError, match="Neither may be negative; 0 and 0 is none"):
        warmed_up_keep_rate(0.5, 0, start, epochs)


@settings(max_examples=50)
@given(st.integers(1, 12), st.data())
def test_top_k_agrees_with_a_stable_numpy_sort_even_with_ties(n, data):
    values = data.draw(st.lists(st.integers(0, 3), min_size=2 * n, max_size=2 * n))
    scores = np.array(values, dtype=np.float32).reshape(2, n)
    k = data.draw(st.integers(1, n))
    expected = np.sort(np.argsort(-scores, axis=1, kind="stable")[:, :k], axis=1)
    np.testing.assert_array_equal(top_k_ascending(torch.from_numpy(scores), k).numpy(), expected)


def test_a_stage_leaves_an_earlier_fused_token_out_of_the_competition():
    scores = torch.tensor([[0.1, 0.2, 0.05, 0.9]])  # the last is the fused token
    assert PruningStage(num_candidates=3, num_kept=2).choose(scores).tolist() == [[0, 1]]
    assert PruningStage(num_candidates=4, num_kept=2).choose(scores).tolist() == [[1, 3]]


def test_pruning_gives_cls_the_kept_rows_and_the_weighted_sum_of_the_dropped():
    tokens = torch.tensor([[[9.0], [1.0], [2.0], [3.0], [4.0]]])
    scores = torch.tensor([[0.1, 0.2, 0.3, 0.15]])
    out = prune_tokens(tokens, scores, torch.tensor([[1, 2]]))
    torch.testing.assert_close(out, torch.tensor([[[9.0], [2.0], [3.0], [0.1 * 1 + 0.15 * 4]]]))


def test_the_fused_token_sums_exactly_the_dropped_rows_of_each_sample():
    torch.manual_seed(0)
    rows, scores = torch.randn(3, 10, 4), torch.rand(3, 10)
    kept = top_k_ascending(scores, 6)
    for b in range(3):
        dropped = [i for i in range(10) if i not in kept[b].tolist()]
        expected = sum(scores[b, i] * rows[b, i] for i in dropped)
        torch.testing.assert_close(fuse_dropped(rows, scores, kept)[b, 0], expected)


def test_gradients_reach_the_scores_through_the_fused_token_only():
    tokens, scores = torch.randn(1, 6, 3), torch.rand(1, 5, requires_grad=True)
    kept = torch.tensor([[0, 3]])
    out = prune_tokens(tokens, scores, kept)
    assert not torch.autograd.grad(out[:, :-1].sum(), scores, retain_graph=True)[0].any()
    gradient = torch.autograd.grad(out[:, -1].sum(), scores)[0]
    expected = tokens[0, 1:].sum(1) * torch.tensor([0.0, 1.0, 1.0, 0.0, 1.0])
    torch.testing.assert_close(gradient[0], expected)
