import pytest
import torch
from torch import nn
from torch.nn import functional

from mien.models.pyramid_fusion import PyramidBlock, PyramidFusion, TokenPruning


def fusion(pruning: TokenPruning | None = None, **config) -> PyramidFusion:
    config = {"num_tokens": 16, "embed_dim": 32, "depth": 3, "num_heads": 2, "mlp_ratio": 2.0} | config
    torch.manual_seed(0)
    if pruning is None:
        pruning = TokenPruning(keep_rate=0.4, blocks=(0, 1))
    return PyramidFusion(mlp_act="gelu", drop_path_rate=0.1, pruning=pruning, **config).eval()


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

    own = [attend(m, x, y) for m, x, y in zip(block.image_attn, image, landmark, strict=True)]
    other = [attend(m, y, x) for m, x, y in zip(block.landmark_attn, image, landmark, strict=True)]
    scores = (sum(a for _, a in own) / 3 + sum(a for _, a in other) / 3) / 2
    kept = sorted(sorted(range(competitors), key=lambda i: -scores[i].item())[:keep])
    dropped = [i for i in range(len(scores)) if i not in kept]
    out = []
    for levels, mlps in (([x for x, _ in own], block.image_mlp), ([y for y, _ in other], block.landmark_mlp)):
        pruned = [torch.cat([x[:1], x[1:][kept], sum(scores[i] * x[1 + i] for i in dropped)[None]]) for x in levels]
        large, medium, small = (x + m.mlp(norm(m.norm, x)) for m, x in zip(mlps, pruned, strict=True))
        medium = medium + block.up[1](small)
        out.append([large + block.up[0](medium), medium, small])
    return out, kept


def test_pruning_blocks_equal_the_papers_equations_written_out():
    model = fusion()
    nn.init.normal_(model.pos_embed, std=0.5)
    image, landmark = model._embed(*streams())
    new_image, new_landmark, kept = model.blocks[0](image, landmark)
    last_image, last_landmark, last_kept = model.blocks[1](new_image, new_landmark)
    for b in range(2):
        first, rows = written_out_block(model.blocks[0], [x[b] for x in image], [x[b] for x in landmark], 11, 16)
        assert kept[0][b].tolist() == kept[1][b].tolist() == rows
        second, rows = written_out_block(model.blocks[1], *first, 7, 11)  # row 11 is the fused token: it never competes
        assert last_kept[0][b].tolist() == rows
        for level in range(3):
            torch.testing.assert_close(new_image[level][b], first[0][level])
            torch.testing.assert_close(new_landmark[level][b], first[1][level])
            torch.testing.assert_close(last_image[level][b], second[0][level])
            torch.testing.assert_close(last_landmark[level][b], second[1][level])


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


def test_positions_count_once_they_are_learned():
    model, (image, landmark) = fusion(), streams()
    nn.init.normal_(model.pos_embed)
    assert not torch.allclose(model(image.flip(1), landmark.flip(1)), model(image, landmark), atol=1e-3)


@pytest.mark.parametrize(
    "pruning",
    [
        TokenPruning(0.3, (0, 1, 2)),
        TokenPruning(0.5, (0, 2), mode="per_stage"),
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


def test_a_competing_fused_token_can_win_a_place_and_is_marked():
    pruning = TokenPruning(0.5, (0, 1), fused_competes=True)
    model = fusion(pruning)
    assert model.stages[1].num_candidates == model.stages[0].num_kept + 1
    rows = model.kept_tokens(*streams(batch=64))[1][0]
    won = (rows == -1).any(1)
    assert won.any()
    assert not won.all()
    assert ((rows == -1).sum(1) <= 1).all()
    assert torch.isfinite(model(*streams())).all()


def test_importance_averages_levels_drops_cls_and_renormalises_on_request():
    rows = [torch.tensor([[0.4, 0.2, 0.4]]), torch.tensor([[0.6, 0.4, 0.0]]), torch.tensor([[0.2, 0.0, 0.8]])]
    torch.testing.assert_close(TokenPruning().importance(rows), torch.tensor([[0.2, 0.4]]))
    torch.testing.assert_close(TokenPruning(score_levels="large").importance(rows), torch.tensor([[0.2, 0.4]]))
    torch.testing.assert_close(TokenPruning(score_levels="large").importance(rows[::-1]), torch.tensor([[0.0, 0.8]]))
    torch.testing.assert_close(TokenPruning(renormalize=True).importance(rows), torch.tensor([[1 / 3, 2 / 3]]))


@pytest.mark.parametrize("cls", ["mean", "learned"])
def test_gradients_reach_every_parameter_that_can_learn(cls):
    model = fusion(cls=cls)
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
                p.numel()
                for p in PyramidFusion(49, 512, 8, 8, 2.0, "gelu", 0.1, TokenPruning(), query_proj=query).parameters()
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
        ({"cls": "max"}, "unknown cls token 'max'"),
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
        ({"score_levels": "small"}, "unknown score_levels 'small'"),
        ({"blocks": (2, 0)}, "must ascend"),
        ({"blocks": (1, 1)}, "must ascend"),
        ({"blocks": ()}, "needs prune_blocks, which is empty"),
    ],
)
def test_pruning_words_that_do_not_fit_are_refused(config, message):
    with pytest.raises(ValueError, match=message):
        TokenPruning(**config)
