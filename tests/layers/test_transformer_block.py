import pytest
import torch
from torch import nn

from mien.layers.transformer_block import ResidualAttention, TransformerBlock


def tokens(rows: int = 6, width: int = 16) -> torch.Tensor:
    return torch.randn(3, rows, width, generator=torch.Generator().manual_seed(1))


def test_it_equals_torchs_pre_norm_encoder_layer():
    ours, theirs = TransformerBlock(16, 4, mlp_ratio=2.0), nn.TransformerEncoderLayer(
        16, 4, 32, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    )  # fmt: skip
    attention, mlp = ours.attn, ours.mlp
    with torch.no_grad():
        for norm in (attention.norm, mlp.norm):
            norm.weight.uniform_(0.5, 1.5)
        theirs.self_attn.in_proj_weight.copy_(torch.cat([attention.attn.q.weight, attention.attn.kv.weight]))
        theirs.self_attn.in_proj_bias.copy_(torch.cat([attention.attn.q.bias, attention.attn.kv.bias]))
        theirs.self_attn.out_proj.load_state_dict(attention.attn.proj.state_dict())
        pairs = ((theirs.norm1, attention.norm), (theirs.norm2, mlp.norm), (theirs.linear1, mlp.mlp.fc1))
        for target, source in (*pairs, (theirs.linear2, mlp.mlp.fc2)):
            target.load_state_dict(source.state_dict())
    torch.testing.assert_close(ours(tokens()), theirs(tokens()))
    mask = nn.Transformer.generate_square_subsequent_mask(6)
    torch.testing.assert_close(ours(tokens(), is_causal=True), theirs(tokens(), src_mask=mask))


def test_the_first_tokens_alone_are_what_they_are_among_all():
    block = TransformerBlock(16, 4)
    torch.testing.assert_close(block(tokens(), num_queries=2), block(tokens())[:, :2], rtol=0, atol=1e-6)


def test_a_causal_token_does_not_see_those_after_it():
    block, x = TransformerBlock(16, 4), tokens()
    changed = x.clone()
    changed[:, 4:] *= -1
    before, after = block(x, is_causal=True), block(changed, is_causal=True)
    torch.testing.assert_close(before[:, :4], after[:, :4])
    assert not torch.allclose(before[:, 4:], after[:, 4:])
    assert not torch.allclose(block(x)[:, :4], block(changed)[:, :4])


def test_without_bias_only_the_output_projection_has_one():
    names = {name for name, _ in TransformerBlock(8, 2, qkv_bias=False).attn.attn.named_parameters()}
    assert names == {"q.weight", "kv.weight", "proj.weight", "proj.bias"}


def test_queries_of_another_sequence_are_normed_and_added_to_the_first_tokens():
    attention = ResidualAttention(8, 2)
    x, other = tokens(5, 8), tokens(2, 8) + 1
    out, row = attention(x, other, score_first=True)
    expected, expected_row = attention.attn(attention.norm(other), attention.norm(x), score_first=True)
    torch.testing.assert_close(out, x[:, :2] + expected)
    torch.testing.assert_close(row, expected_row)


def test_drop_path_drops_both_branches_in_training_alone():
    block = TransformerBlock(8, 2, drop_path_rate=0.999)
    x = tokens(4, 8)
    torch.manual_seed(0)
    torch.testing.assert_close(block.train()(x), x)
    assert not torch.allclose(block.eval()(x), x)


def test_heads_that_do_not_divide_the_width_are_refused():
    with pytest.raises(ValueError, match="dim 10 is not divisible by num_heads 4"):
        TransformerBlock(10, 4)
