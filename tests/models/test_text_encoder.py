from copy import deepcopy

import pytest
import torch
from torch import nn

from mien.models.text_encoder import PromptTable, PromptTower, TextEncoder, TextTower
from mien.optim import build_optimizer

TOKENS = [[8, 0, 1, 9], [8, 0, 2, 3, 9], [8, 4, 9]]


def tower(**config) -> TextTower:
    torch.manual_seed(0)
    sizes = {"vocab_size": 10, "context_length": 8, "width": 16, "depth": 2, "num_heads": 2, "embed_dim": 12}
    return TextTower(**(sizes | config))


def encoder() -> PromptTower:
    return PromptTower(tower(), TOKENS)


def counting(module: TextEncoder) -> list[int]:
    """A list that grows whenever the features are computed."""
    calls, encode = [], module.encode

    def counted():
        calls.append(1)
        return encode()

    module.encode = counted
    return calls


def test_the_published_size():
    with torch.device("meta"):
        assert sum(p.numel() for p in TextTower().parameters()) == 63_428_096


def test_a_text_alone_has_the_features_it_has_beside_longer_ones():
    model = encoder()
    for ids, features in zip(TOKENS, model(), strict=True):
        torch.testing.assert_close(PromptTower(model.tower, [ids])()[0], features, rtol=0, atol=1e-6)


def test_what_follows_the_end_of_a_text_is_not_read():
    model = tower()
    short, padded = torch.tensor([[8, 4, 9]]), torch.tensor([[8, 4, 9, 9, 0, 7]])
    torch.testing.assert_close(model(short), model(padded), rtol=0, atol=1e-6)


def test_order_and_words_of_a_text_matter():
    features = tower()(torch.tensor([[8, 1, 2, 9], [8, 2, 1, 9], [8, 1, 3, 9]]))
    assert not torch.allclose(features[0], features[1], atol=1e-4)
    assert not torch.allclose(features[0], features[2], atol=1e-4)


def test_it_starts_as_openais_code_starts_it():
    model = tower(width=256, depth=8, vocab_size=200)
    block = model.blocks[3]
    stds = {
        "token_embedding": (model.token_embedding.weight, 0.02),
        "q": (block.attn.attn.q.weight, 256**-0.5),
        "out": (block.attn.attn.proj.weight, 256**-0.5 / 4),
        "fc1": (block.mlp.mlp.fc1.weight, 512**-0.5),
        "fc2": (block.mlp.mlp.fc2.weight, 256**-0.5 / 4),
    }
    for name, (weight, std) in stds.items():
        assert weight.std().item() == pytest.approx(std, rel=0.03), name
    assert not block.mlp.mlp.fc2.bias.any()


@pytest.mark.parametrize("mode", [True, False])
def test_without_gradients_the_tower_is_called_once_for_many_batches(mode):
    model = encoder().train(mode)
    calls = counting(model)
    with torch.no_grad():
        first = model()
        assert all(model() is first for _ in range(5))
    assert len(calls) == 1
    assert not first.requires_grad


def test_with_gradients_it_is_called_every_time():
    model = encoder().eval()
    calls = counting(model)
    model().sum().backward()
    model().sum().backward()
    assert len(calls) == 2
    assert model.tower.proj.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_an_optimisers_step_is_noticed(name):
    model = encoder()
    with torch.no_grad():
        before = model()
    optimizer = build_optimizer(name, model.parameters(), lr=0.1)
    model().square().sum().backward()
    optimizer.step()
    with torch.no_grad():
        assert not torch.allclose(model(), before)
        torch.testing.assert_close(model(), model.encode())


def load(model: nn.Module) -> None:
    model.load_state_dict({name: tensor + 0.5 for name, tensor in model.state_dict().items()})


def write(model: nn.Module) -> None:
    with torch.no_grad():
        model.tower.position_embedding[0] += 1.0


def replace(model: nn.Module) -> None:
    model.tower.proj.weight = nn.Parameter(torch.ones(12, 16))


def convert(model: nn.Module) -> None:
    model.double()


@pytest.mark.parametrize("change", [load, write, replace, convert])
def test_weights_that_change_otherwise_are_noticed(change):
    model = encoder().eval()
    with torch.no_grad():
        before = model()
        change(model)
        after = model()
        torch.testing.assert_close(after, model.encode())
    assert after.dtype != before.dtype or not torch.allclose(after, before)


def test_a_copy_keeps_features_of_its_own():
    model = encoder()
    with torch.no_grad():
        before = model()
        other = deepcopy(model)
        write(other)
        assert not torch.allclose(other(), before)
        assert model() is before


def test_features_kept_in_half_precision_do_not_serve_full_precision():
    model = encoder()
    with torch.no_grad():
        with torch.autocast("cpu", dtype=torch.bfloat16):
            half = model()
        assert (half.dtype, model().dtype) == (torch.bfloat16, torch.float32)


def test_a_frozen_encoder_is_called_once_in_training_too_and_serves_what_learns_behind_it():
    model, behind = encoder().requires_grad_(False), nn.Linear(12, 4)
    calls = counting(model)
    with torch.inference_mode():
        model()
    for _ in range(3):
        behind(model()).sum().backward()
    assert len(calls) == 1
    assert all(p.grad is None for p in model.parameters())
    assert behind.weight.grad.abs().sum() > 0


def test_kept_features_are_no_part_of_the_state():
    model = encoder()
    before = set(model.state_dict())
    with torch.no_grad():
        model()
    assert set(model.state_dict()) == before == {f"tower.{name}" for name in model.tower.state_dict()}


def test_a_table_is_its_weights_and_learns():
    table = PromptTable(3, 5)
    assert table().shape == (3, 5)
    table()[1].sum().backward()
    assert table.weight.grad.sum(1).tolist() == [0.0, 5.0, 0.0]


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ([[8, *range(7), 9]], "prompt 0 has 9 tokens with start and end, and the text tower's context is 8.*Shorten"),
        ([[8, 9], [9]], "prompt 1 has 1 tokens"),
        ([[8, 10]], "prompt 0 has token ids 8 to 10, outside 0 to 9.*text_vocab_size"),
        ([[8, -1, 9]], "token ids -1 to 9"),
        ([[9, 1, 2]], "prompt 0 with tokens .9, 1, 2. does not end in its highest id.*CLIP's tokenizer"),
        ([[8, 9, 1, 9]], "does not end in its highest id"),
    ],
)
def test_tokens_that_the_tower_cannot_read_are_refused(tokens, message):
    with pytest.raises(ValueError, match=message):
        PromptTower(tower(), tokens)


def test_sizes_that_make_no_tower_are_refused():
    with pytest.raises(ValueError, match="none of them may be below 1"):
        tower(depth=0)
    with pytest.raises(ValueError, match="dim 16 is not divisible by num_heads 3"):
        tower(num_heads=3)
