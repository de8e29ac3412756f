from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.nn import functional

from mien.models.sae import PyramidBlock, PyramidFusion, TokenPruning


def fusion(pruning: TokenPruning | None = None, **config) -> PyramidFusion:
    sizes = {"num_tokens": 16, "embed_dim": 32, "depth": 3, "num_heads": 2, "mlp_ratio": 2.0, "drop_path_rate": 0.1}
    torch.manual_seed(0)
    if pruning is None:
        pruning = TokenPruning(keep_rate=0.4, blocks=(0, 1))
    return PyramidFusion(pruning=pruning, **(sizes | config)).eval()


def streams(batch: int = 2, seed: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(batch, 16, 32, generator=generator) for _ in range(2))


def written_out_block(block: PyramidBlock, image, landmark, keep: int, competitors: int):
    """SAE's equations 7 to 19 for one sample with full attention matrices, levels as lists of (1 + N, D)."""

    def norm(module, x):
        return functional.layer_norm(x, x.shape[-1:], module.weight, module.bias, 1e-6)

    def attend(module, x, other):
        attn, width = module.attn, x.shape[1] // module.attn.num_heads
        q, (k, v) = attn.q(norm(module.norm, other)), attn.kv(norm(module.norm, x)).chunk(2, dim=1)
        split = [part.unflatten(1, (-1, width)).transpose(0, 1) for part in (q, k, v)]  # (heads, rows, width)
        a = torch.softmax(split[0] @ split[1].mT / width**0.5, dim=2)
        return x + attn.proj((a @ split[2]).transpose(0, 1).flatten(1)), a.mean(0)[0, 1:]

    pruning = block.pruning
    streams, scores = [], []
    for attentions, own, other in ((block.image_attn, image, landmark), (block.landmark_attn, landmark, image)):
        attended = [attend(m, x, y) for m, x, y in zip(attentions, own, other, strict=True)]
        scores.append(sum(a for _, a in attended) / 3)
        streams.append([x for x, _ in attended])
    if pruning.alignment == "shared":
        scores = [(scores[0] + scores[1]) / 2] * 2
    out, chosen = [], []
    for levels, score, mlps in zip(streams, scores, (block.image_mlp, block.landmark_mlp), strict=True):
        kept = sorted(sorted(range(competitors), key=lambda i, score=score: -score[i].item())[:keep])
        dropped = [i for i in range(len(score)) if i not in kept]
        pruned = [torch.cat([x[:1], x[1:][kept], sum(score[i] * x[1 + i] for i in dropped)[None]]) for x in levels]
        large, medium, small = (x + m.mlp(norm(m.norm, x)) for m, x in zip(mlps, pruned, strict=True))
        medium = medium + block.up[1](small)
        out.append([large + block.up[0](medium), medium, small])
        chosen.append(kept)
    return out, chosen


@pytest.mark.parametrize("alignment", ["shared", "per_stream"])
@pytest.mark.parametrize("query_proj", [True, False])
def test_pruning_blocks_equal_the_papers_equations_written_out(alignment, query_proj):
    kept, competitors = (11, 7), (16, 11)  # token 11 of the second block is the fused one: it never competes
    model = fusion(TokenPruning(keep_rate=0.4, blocks=(0, 1), alignment=alignment), query_proj=query_proj)
    nn.init.normal_(model.pos_embed, std=0.5)
    image, landmark = model._embed(*streams())
    for number in range(2):
        block = model.blocks[number]
        new_image, new_landmark, chosen = block(image, landmark)
        for b in range(2):
            of_sample = [x[b] for x in image], [x[b] for x in landmark]
            expected, rows = written_out_block(block, *of_sample, kept[number], competitors[number])
            assert [stream[b].tolist() for stream in chosen] == rows
            for level in range(3):
                torch.testing.assert_close(new_image[level][b], expected[0][level])
                torch.testing.assert_close(new_landmark[level][b], expected[1][level])
        image, landmark = new_image, new_landmark


@pytest.mark.parametrize(
    ("keep_rate", "rows"),
    [
        (1.0, (50,) * 9),
        (0.9, (50, 50, 50, 48, 48, 47, 47, 47, 47)),
        (0.6, (50, 44, 44, 37, 37, 32, 32, 32, 32)),
        (0.3, (50, 35, 35, 24, 24, 17, 17, 17, 17)),
        (0.1, (50, 25, 25, 13, 13, 7, 7, 7, 7)),
    ],
)
def test_rows_per_block_are_those_of_the_design_table_in_plan_and_in_fact(keep_rate, rows):
    model, seen = fusion(TokenPruning(keep_rate), num_tokens=49, depth=8), []
    assert model.tokens_per_block == tuple(pairwise(rows))
    for block in model.blocks:
        block.register_forward_hook(lambda _, __, out: seen.append({x.shape[1] for x in (*out[0], *out[1])}))
    model(torch.randn(1, 49, 32), torch.randn(1, 49, 32))
    assert seen == [{count} for count in rows[1:]]


def test_the_rows_that_are_left_of_both_streams_are_mixed_and_then_carried_up():
    model, seen = fusion(TokenPruning(keep_rate=0.2, blocks=(0,)), row_mixing="poster"), []
    assert model.tokens_per_block == ((17, 6), (6, 6), (6, 6))
    block = model.blocks[0]
    for mix in block.mix:
        mix.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    image, landmark, kept = block(*model._embed(*streams()))
    assert [rows.shape for rows in kept] == [(2, 4), (2, 4)]
    assert [x.shape for x in seen] == [(2, 12, 32), (2, 12, 16), (2, 12, 8)]

    mixed = [mix.weight[:, :, 0] @ x + mix.bias[:, None] for mix, x in zip(block.mix, seen, strict=True)]
    mixed = block._raise_levels(mixed)
    for level in range(3):
        torch.testing.assert_close(torch.cat([image[level], landmark[level]], dim=1), mixed[level])


def test_a_pyramid_of_mixed_rows_takes_no_other_keep_rate_in_training():
    model = fusion(TokenPruning(keep_rate=0.4, blocks=(0,)), row_mixing="poster")
    model.set_training_keep_rate(0.4)
    with pytest.raises(ValueError, match=r"keep rate 0.7 in training.*left at 0.4.*Train without a warm-up"):
        model.set_training_keep_rate(0.7)


def test_clss_attention_to_itself_and_to_all_others_sums_to_one(monkeypatch):
    model, seen = fusion(), []
    importance = TokenPruning.importance

    def spy(self, rows):
        seen.append((rows, importance(self, rows)))
        return seen[-1][1]

    monkeypatch.setattr(TokenPruning, "importance", spy)
    model(*streams())
    assert len(seen) == 4  # two blocks, two streams
    for rows, scores in seen:
        to_itself = torch.stack(list(rows)).mean(0)[:, 0]
        assert (to_itself > 0).all()
        torch.testing.assert_close(to_itself + scores.sum(1), torch.ones(2))


def test_attention_goes_through_the_fused_kernel_and_scores_are_one_row(monkeypatch):
    model, calls, scored = fusion(), [], []
    kernel, softmax = functional.scaled_dot_product_attention, torch.softmax
    monkeypatch.setattr(
        functional, "scaled_dot_product_attention", lambda *a, **k: calls.append(a[0].shape) or kernel(*a, **k)
    )
    monkeypatch.setattr(torch, "softmax", lambda x, dim: scored.append(x.shape) or softmax(x, dim))
    model(*streams())
    assert len(calls) == 3 * 3 * 2  # blocks, levels, streams
    assert len(scored) == 2 * 3 * 2  # blocks that prune, levels, streams
    assert {shape[:3] for shape in scored} == {(2, 2, 1)}  # samples, heads, CLS alone


def test_a_training_keep_rate_holds_in_training_and_leaves_evaluation(monkeypatch):
    model, counts = fusion(drop_path_rate=0.0), []
    expected = model(*streams())
    model.set_training_keep_rate(1.0)
    for block in model.blocks:
        block.register_forward_hook(lambda _, __, out: counts.append(out[0][0].shape[1]))
    trained = model.train()(*streams())
    assert torch.equal(trained, fusion(TokenPruning(1.0, (0, 1)), drop_path_rate=0.0).train()(*streams()))
    assert torch.equal(model.eval()(*streams()), expected)
    model.set_training_keep_rate(0.1)
    model.train()(*streams())
    model.set_training_keep_rate(0.4)
    model(*streams())
    assert counts == [17, 17, 17, 13, 9, 9, 8, 4, 4, 13, 9, 9]
    assert model.tokens_per_block[-1] == (9, 9)


def test_a_training_keep_rate_outside_its_range_is_refused():
    with pytest.raises(ValueError, match=r"keep_rate 0\.0 is outside \(0, 1\]"):
        fusion().set_training_keep_rate(0.0)


def test_keep_rate_one_is_bit_for_bit_the_model_without_pruning():
    plain = fusion(TokenPruning(keep_rate=1.0, blocks=()))
    full = fusion(TokenPruning(keep_rate=1.0, blocks=(0, 1)))
    assert torch.equal(full(*streams()), plain(*streams()))
    assert full.tokens_per_block == ((17, 17),) * 3


@pytest.mark.parametrize("blocks", [(0, 1), (0, 2)])
def test_computing_only_cls_of_the_last_block_changes_nothing(blocks):
    model = fusion(TokenPruning(keep_rate=0.3, blocks=blocks))
    expected = model(*streams())
    model.last_block_cls_only = True
    torch.testing.assert_close(model(*streams()), expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("keep_rate", [1.0, 0.3])
def test_moving_image_and_landmark_tokens_together_changes_nothing(keep_rate):
    model, (image, landmark) = fusion(TokenPruning(keep_rate, (0, 1))), streams()
    order = torch.randperm(16, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(model(image[:, order], landmark[:, order]), model(image, landmark), rtol=0, atol=1e-5)
    assert not torch.allclose(model(image[:, order], landmark), model(image, landmark), atol=1e-3)


def test_cls_is_the_mean_of_a_streams_tokens_and_positions_are_the_image_streams_alone():
    model, (image, landmark) = fusion(), streams()
    nn.init.normal_(model.pos_embed)
    (x, *_), (y, *_) = model._embed(image, landmark)
    torch.testing.assert_close(x - model.pos_embed, torch.cat([image.mean(1, keepdim=True), image], dim=1))
    torch.testing.assert_close(y, torch.cat([landmark.mean(1, keepdim=True), landmark], dim=1))


def test_positions_count_once_they_are_learned():
    model, (image, landmark) = fusion(), streams()
    nn.init.normal_(model.pos_embed)
    assert not torch.allclose(model(image.flip(1), landmark.flip(1)), model(image, landmark), atol=1e-3)


@pytest.mark.parametrize(
    "pruning",
    [
        TokenPruning(0.3, (0, 1, 2)),
        TokenPruning(0.5, (0, 2)),
        TokenPruning(0.3, (0, 1), alignment="per_stream"),
    ],
)
def test_kept_tokens_nest_ascend_and_have_the_planned_count(pruning):
    model = fusion(pruning)
    history = model.kept_tokens(*streams(batch=3))
    assert len(history) == len(pruning.blocks)
    for stream in range(2):
        alive = [set(range(16))] * 3
        for block, stage in zip(pruning.blocks, history, strict=True):
            assert stage[stream].shape == (3, model.stages[block].num_kept)
            rows = stage[stream].tolist()
            assert all(row == sorted(row) for row in rows)
            assert all(set(row) <= before for row, before in zip(rows, alive, strict=True))
            alive = [set(row) for row in rows]


def test_streams_share_places_unless_each_chooses():
    shared = fusion(TokenPruning(0.3, (0,))).kept_tokens(*streams())[0]
    own = fusion(TokenPruning(0.3, (0,), alignment="per_stream")).kept_tokens(*streams())[0]
    assert torch.equal(*shared)
    assert not torch.equal(*own)


def test_kept_tokens_are_those_that_the_blocks_of_a_forward_pass_kept():
    model, seen = fusion(), []
    for block in model.blocks:
        block.register_forward_hook(lambda _, __, out: seen.append(out[2]))
    model(*streams())
    first, second = seen[0][0], seen[1][0]
    history = model.kept_tokens(*streams())
    assert seen[2] is None
    assert torch.equal(history[0][0], first)
    for b in range(2):
        assert history[1][0][b].tolist() == [first[b].tolist()[i] for i in second[b].tolist()]


def test_importance_averages_levels_and_drops_cls():
    rows = [torch.tensor([[0.4, 0.2, 0.4]]), torch.tensor([[0.6, 0.4, 0.0]]), torch.tensor([[0.2, 0.0, 0.8]])]
    torch.testing.assert_close(TokenPruning().importance(rows), torch.tensor([[0.2, 0.4]]))


def test_gradients_reach_every_parameter_that_can_learn():
    model = fusion()
    model.train()(*streams()).square().mean().backward()
    without = {name for name, p in model.named_parameters() if p.grad is None}
    frozen = {name for name, p in model.named_parameters() if not p.requires_grad}
    assert without == frozen
    assert all(name.startswith("blocks.2.landmark_") for name in frozen)


def test_the_frozen_half_of_the_last_block_could_not_have_learned():
    model = fusion().requires_grad_(True)
    model(*streams()).square().mean().backward()
    assert {name.split(".")[2] for name, p in model.named_parameters() if p.grad is None} == {
        "landmark_attn",
        "landmark_mlp",
    }


def test_the_published_size_of_the_fusion():
    with torch.device("meta"):
        size, without_query = (
            sum(
                p.numel() for p in PyramidFusion(49, 512, 8, 8, 2.0, 0.1, TokenPruning(), query_proj=query).parameters()
            )
            for query in (True, False)
        )
    assert size == 45_738_368
    assert size - without_query == 5_519_360


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"embed_dim": 36, "num_heads": 2}, "embed_dim 36 is not divisible by 4 . num_heads.*multiple of 8"),
        ({"depth": 0}, "depth 0 leaves"),
        ({"pruning": TokenPruning(0.5, (0, 3))}, r"prune_blocks \(0, 3\) name a block outside 0..2"),
        ({"pruning": TokenPruning(0.5, (-1, 0))}, "name a block outside"),
        ({"pruning": TokenPruning(1.5, (0,))}, "keep_rate 1.5 is outside"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(config, message):
    with pytest.raises(ValueError, match=message):
        fusion(**config)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"alignment": "none"}, "unknown alignment 'none'"),
        ({"blocks": (2, 0)}, "must ascend"),
        ({"blocks": (1, 1)}, "must ascend"),
        ({"blocks": ()}, "needs prune_blocks, which is empty"),
    ],
)
def test_pruning_words_that_do_not_fit_are_refused(config, message):
    with pytest.raises(ValueError, match=message):
        TokenPruning(**config)


def mixed_levels(num_tokens: int = 6) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(2, num_tokens, dim, generator=generator) for dim in (32, 16, 8)]


def mixing() -> PyramidFusion:
    return fusion(TokenPruning(keep_rate=1.0, blocks=()), num_tokens=2, row_mixing="poster")


def test_mixed_tokens_go_down_by_weighing_every_token_and_every_place_of_a_step():
    large = mixed_levels()[0]
    for down, dim in zip(mixing().down, (16, 8), strict=True):
        steps = large.unflatten(2, (dim, -1))  # (B, tokens, D', D / D')
        expected = torch.einsum("bris,ors->boi", steps, down.weight) + down.bias[:, None]
        torch.testing.assert_close(down(large), expected)


def test_mixed_levels_get_the_raised_one_below_them_that_has_got_its_own():
    block = mixing().blocks[0]

    def raised(x, layer):  # place 2i + k of wide token o: sum over the narrow tokens r of x[r, i] · weight[r, o, k]
        return torch.einsum("bri,rok->boik", x, layer.weight).flatten(2) + layer.bias[:, None]

    large, medium, small = mixed_levels()
    medium = medium + raised(small, block.up[1])
    expected = large + raised(medium, block.up[0]), medium, small
    for got, level in zip(block._raise_levels(mixed_levels()), expected, strict=True):
        torch.testing.assert_close(got, level)
