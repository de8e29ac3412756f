import pytest
import torch
from torch import nn

from mien.layers.cross_attention import CrossAttention


def reference(
    attention: CrossAttention, query: torch.Tensor, context: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The equations, one sample and one head at a time, with the full matrix."""
    q, (k, v) = attention.q(query), attention.kv(context).chunk(2, dim=-1)
    width = q.shape[-1] // attention.num_heads
    outs, rows = [], []
    for b in range(q.shape[0]):
        heads, weights = [], []
        for h in range(attention.num_heads):
            part = slice(h * width, (h + 1) * width)
            a = torch.softmax(q[b, :, part] @ k[b, :, part].T / width**0.5, dim=1)
            heads.append(a @ v[b, :, part])
            weights.append(a[0])
        outs.append(torch.cat(heads, dim=1))
        rows.append(torch.stack(weights).mean(0))
    return attention.proj(torch.stack(outs)), torch.stack(rows)


@pytest.mark.parametrize("query_proj", [True, False])
def test_output_and_first_row_equal_the_written_out_equations(query_proj):
    attention = CrossAttention(16, 4, query_proj)
    query, context = torch.randn(3, 5, 16), torch.randn(3, 7, 16)
    out, row = attention(query, context, score_first=True)
    expected_out, expected_row = reference(attention, query, context)
    torch.testing.assert_close(out, expected_out)
    torch.testing.assert_close(row, expected_row)


def test_the_first_querys_attention_sums_to_one():
    _, row = CrossAttention(16, 2)(torch.randn(2, 4, 16), torch.randn(2, 9, 16), score_first=True)
    torch.testing.assert_close(row.sum(1), torch.ones(2))


def test_scores_are_not_made_unless_requested():
    assert CrossAttention(8, 2)(torch.randn(1, 3, 8), torch.randn(1, 3, 8))[1] is None


def test_with_projection_it_equals_torch_multi_head_attention():
    ours, theirs = CrossAttention(16, 4), nn.MultiheadAttention(16, 4, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([ours.q.weight, ours.kv.weight]))
        theirs.in_proj_bias.copy_(torch.cat([ours.q.bias, ours.kv.bias]))
        theirs.out_proj.load_state_dict(ours.proj.state_dict())
    query, context = torch.randn(2, 5, 16), torch.randn(2, 6, 16)
    out, row = ours(query, context, score_first=True)
    expected, weights = theirs(query, context, context)
    torch.testing.assert_close(out, expected)
    torch.testing.assert_close(row, weights[:, 0])


def test_heads_that_do_not_divide_the_width_are_refused():
    with pytest.raises(ValueError, match="dim 10 is not divisible by num_heads 4"):
        CrossAttention(10, 4)
