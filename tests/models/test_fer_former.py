import json
import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from mien.labels import RAF_DB_EXPRESSIONS
from mien.losses import JointLoss
from mien.models.fer_former import RAF_DB_MEAN, RAF_DB_STD, FERFormer
from mien.models.prompts import write_prompts
from mien.models.weights import load_weights
from mien.optim import build_optimizer

PROMPTS = write_prompts("phrase", RAF_DB_EXPRESSIONS)
SMALL = {
    "num_classes": 7,
    "prompts": PROMPTS,
    "image_size": 48,
    "embed_dim": 32,
    "depth": 3,
    "num_heads": 2,
    "backbone_widths": (8, 16),
    "backbone_units": (1, 2),
    "text_vocab_size": 16,
    "text_context_length": 8,
    "text_width": 16,
    "text_depth": 1,
    "text_heads": 2,
    "text_embed_dim": 24,
}


def small(**config) -> FERFormer:
    torch.manual_seed(0)
    model = FERFormer(**(SMALL | config)).eval()
    nn.init.normal_(model.head_tokens)  # zeros would make both tokens one
    return model


def images(batch: int = 2) -> torch.Tensor:
    return torch.randn(batch, 3, 48, 48, generator=torch.Generator().manual_seed(1))


def num_parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_the_published_sizes():
    with torch.device("meta"):
        model = FERFormer(7, PROMPTS, pos_encoding="none")
    assert num_parameters(model.image_backbone) == 17_611_968
    linear = [num_parameters(each) for each in model.embedding.embeddings]
    assert linear == [262_400, 1_048_832, 2_359_552, 9_437_440]
    assert round(num_parameters(model.blocks) / 1e6, 3) == 12.624
    assert num_parameters(model.text_encoder) == 63_428_096
    assert round((num_parameters(model) - num_parameters(model.text_encoder)) / 1e6, 2) == 43.48
    assert (model.num_rows, model.num_read, model.heads) == (52, 2, ("class", "steering"))
    assert (model.image_size, model.mean, model.std) == (112, RAF_DB_MEAN, RAF_DB_STD)
    assert model.image_backbone.feature_size == 14


@pytest.mark.parametrize(
    ("divisions", "rows"), [((2,), 38), ((3,), 18), ((4,), 11), ((6,), 6), ((2, 4, 6), 51), ((2, 4, 6, 12), 52)]
)
def test_every_column_of_table_vi_is_a_setting(divisions, rows):
    model = small(divisions=divisions)
    assert model.tokenize(images()).shape == (2, rows, 32)
    assert model(images()).shape == (2, 2, 7)


@pytest.mark.parametrize(
    "config",
    [
        {"divisions": (2,)},
        {"divisions": (3, 12)},
        {"patch_projection": "low_rank", "patch_rank": 4},
        {"patch_projection": "pooled"},
        {"token_norm": "layer"},
        {"pos_encoding": "learned"},
        {"pos_encoding": "none"},
        {"last_block_heads_only": False},
        {"text_encoder": "table"},
        {"text_encoder": "none", "prompts": ()},
        {"text_readout": "cls"},
        {"freeze_text": True},
        {"temperature": 10.0, "mlp_ratio": 2.0},
        {"depth": 1},
        {"map_size": 24, "divisions": (2, 8)},
    ],
)
def test_every_switch_trains(config):
    model = small(**config).train()
    JointLoss()(model(images()), torch.tensor([0, 3])).backward()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name


@pytest.mark.parametrize("text_readout", ["steering", "cls"])
@pytest.mark.parametrize("text_encoder", ["table", "none"])
def test_computing_only_the_rows_that_are_read_leaves_the_logits_and_gradients(text_readout, text_encoder):
    gradients = []
    for heads_only in (True, False):
        model = small(last_block_heads_only=heads_only, text_readout=text_readout, text_encoder=text_encoder)
        logits = model(images())
        JointLoss()(logits, torch.tensor([0, 3])).backward()
        gradients.append((logits, *(p.grad for p in model.parameters())))
    for alone, among_all in zip(*gradients, strict=True):
        torch.testing.assert_close(alone, among_all, rtol=1e-4, atol=1e-5)


def test_the_class_head_is_a_linear_layer_on_row_0_and_the_steering_head_a_cosine_of_row_1():
    model, x = small(temperature=50.0), images()
    rows = model.tokenize(x)
    for block in model.blocks:
        rows = block(rows)
    logits = model(x)
    torch.testing.assert_close(logits[:, 0], rows[:, 0] @ model.head.weight.T + model.head.bias)
    texts = model.text_encoder.tower(model.text_encoder.tokens) @ model.text_proj.weight.T + model.text_proj.bias
    for b in range(2):
        for m in range(7):
            image, text = rows[b, 1], texts[m]
            cosine = (image @ text) / (image.norm() * text.norm())
            torch.testing.assert_close(logits[b, 1, m], 50 * cosine, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(model.features(x), rows[:, 1])


def test_the_temperature_is_100_and_multiplies_a_cosine_known_by_hand():
    model = small(embed_dim=2, num_heads=1, text_encoder="table", num_classes=3, prompts=("a", "b", "c"))
    assert model.temperature == 100.0
    with torch.no_grad():
        model.text_proj.weight.zero_()
        model.text_proj.weight[:, :2] = torch.eye(2)
        model.text_proj.bias.zero_()
        model.text_encoder.weight[:, :2] = torch.tensor([[2.0, 0.0], [0.0, -3.0], [1.0, 1.0]])
    logits = model.steering_logits(torch.tensor([[5.0, 0.0], [3.0, 4.0]]))
    expected = [[100.0, 0.0, 100 / math.sqrt(2)], [60.0, -80.0, 140 / math.sqrt(2)]]
    torch.testing.assert_close(logits, torch.tensor(expected), rtol=1e-5, atol=1e-4)


def test_the_released_code_reads_the_class_token_for_both_heads():
    paper, code = small(), small(text_readout="cls")
    x = images()
    assert code.num_read == 1
    torch.testing.assert_close(paper(x)[:, 0], code(x)[:, 0])
    torch.testing.assert_close(code(x)[:, 1], code.steering_logits(code.read_out(x)[:, 0]), rtol=1e-4, atol=1e-4)
    assert not torch.allclose(paper(x)[:, 1], code(x)[:, 1], atol=1e-2)


def test_without_text_there_is_one_head_and_no_steering_token():
    model = small(text_encoder="none", prompts=())
    assert model(images()).shape == (2, 1, 7)
    assert (model.num_rows, model.heads) == (51, ("class",))
    assert model.text_parameters() == []
    torch.testing.assert_close(model.head(model.features(images())), model(images())[:, 0])
    with pytest.raises(ValueError, match=r"text_encoder 'none'.*Use its class head alone"):
        model.text_features()


def test_with_tokens_at_zero_both_heads_read_the_same_vector_until_training_parts_them():
    torch.manual_seed(0)
    model = FERFormer(**SMALL).train()
    rows = model.read_out(images())
    torch.testing.assert_close(rows[:, 0], rows[:, 1])
    JointLoss()(model(images()), torch.tensor([0, 3])).backward()
    assert not torch.allclose(model.head_tokens.grad[0], model.head_tokens.grad[1])


def shuffled(model: FERFormer) -> torch.Tensor:
    """Logits of the images with their patch tokens in another order."""
    tokens = model.tokenize(images())
    order = torch.randperm(tokens.shape[1] - 2, generator=torch.Generator().manual_seed(0)) + 2
    rows = torch.cat([tokens[:, :2], tokens[:, order]], dim=1)
    for block in model.blocks:
        rows = block(rows)
    return torch.stack([model.head(rows[:, 0]), model.steering_logits(rows[:, 1])], dim=1)


def test_blocks_do_not_know_the_order_of_the_patches():
    torch.testing.assert_close(
        shuffled(small(pos_encoding="none")), small(pos_encoding="none")(images()), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("pos_encoding", ["conv", "learned"])
def test_a_position_encoding_tells_where_equal_patches_lie(pos_encoding):
    model = small(pos_encoding=pos_encoding, divisions=(2,), token_norm="layer").eval()
    model.embedding = nn.Identity()
    model.image_backbone = nn.Identity()
    same = torch.ones(1, 36, 32)
    with torch.no_grad():
        model.token_norm.bias.normal_()
        tokens = model.token_norm(same)
        encoded = model.pos_conv(tokens) if model.pos_conv is not None else tokens + model.pos_embed[2:]
    inside, corner = encoded[0, 14], encoded[0, 0]
    assert not torch.allclose(inside, corner, atol=1e-3)
    assert torch.allclose(encoded[0, 14], encoded[0, 15], atol=1e-6) == (pos_encoding == "conv")


def test_a_mirrored_map_gives_the_same_logits_only_without_position():
    """A pooled 12x12 token is left out, so that a token's content is all that a mirror could change."""
    x = images()
    features = torch.rand(2, 16, 12, 1).expand(-1, -1, -1, 12).contiguous()  # the same in every column
    features[:, :, :, :4] = 0.5
    outputs = {}
    for pos_encoding in ("none", "conv"):
        model = small(pos_encoding=pos_encoding, divisions=(2,))
        for name, feature_map in (("as it is", features), ("mirrored", features.flip(3))):
            model.image_backbone.forward = lambda _, feature_map=feature_map: feature_map
            outputs[pos_encoding, name] = model(x)
    torch.testing.assert_close(outputs["none", "as it is"], outputs["none", "mirrored"], rtol=1e-3, atol=1e-3)
    assert not torch.allclose(outputs["conv", "as it is"], outputs["conv", "mirrored"], rtol=1e-3, atol=1e-2)


def test_batch_norm_normalises_each_token_over_batch_and_width():
    model = small(pos_encoding="none").train()
    tokens = model.embedding(model.image_backbone(images()))
    mean, var = tokens.mean(dim=(0, 2), keepdim=True), tokens.var(dim=(0, 2), unbiased=False, keepdim=True)
    torch.testing.assert_close(
        model.tokenize(images())[:, 2:], (tokens - mean) / (var + 1e-5).sqrt(), rtol=1e-4, atol=1e-4
    )


def step(model: FERFormer, **groups) -> None:
    parameters = [{"params": model.text_parameters(), **groups}] if model.text_parameters() else []
    own = {id(p) for p in model.text_parameters()}
    rest = [p for p in model.parameters() if id(p) not in own and p.requires_grad]
    optimizer = build_optimizer("sgd", [{"params": rest}, *parameters], lr=1e-2, momentum=0.9)
    JointLoss()(model(images()), torch.tensor([0, 3])).backward()
    optimizer.step()


def changed(model: FERFormer, **groups) -> set[str]:
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    step(model.train(), **groups)
    return {name for name, parameter in model.named_parameters() if not torch.equal(parameter, before[name])}


def test_a_frozen_text_encoder_gets_no_gradient_while_its_projection_learns():
    model = small(freeze_text=True)
    names = changed(model)
    assert all(p.grad is None for p in model.text_encoder.parameters())
    assert not any(name.startswith("text_encoder.") for name in names)
    assert {"text_proj.weight", "head.weight", "head_tokens"} <= names


def test_a_text_encoder_that_is_fine_tuned_learns_in_a_group_of_its_own():
    assert any(name.startswith("text_encoder.tower.blocks.0") for name in changed(small()))
    still = changed(small(), lr=0.0)
    assert not any(name.startswith("text_encoder.") for name in still)
    assert "text_proj.weight" in still


def test_the_tower_is_called_once_for_many_batches_and_again_after_a_training_step():
    model, calls = small(), []
    model.text_encoder.tower.register_forward_hook(lambda *args: calls.append(1))
    with torch.no_grad():
        before = [model(images(batch)) for batch in (1, 2, 3)]
    assert len(calls) == 1
    step(model.train())
    assert len(calls) == 2
    model.eval()
    with torch.no_grad():
        after = [model(images(batch)) for batch in (1, 2, 3)]
    assert len(calls) == 3
    assert not torch.allclose(before[1], after[1])


def test_texts_that_a_tokenizer_has_read_replace_the_words():
    tokens = [[14, n, 15] for n in range(7)]
    model = small(prompt_tokens=tokens)
    assert model.text_encoder.tokens.tolist() == tokens
    assert not torch.allclose(model(images())[:, 1], small()(images())[:, 1])


def test_a_checkpoint_serves_either_last_block_and_either_readout():
    other = small(last_block_heads_only=False, text_readout="cls")
    other.load_state_dict(small().state_dict())


def test_its_configuration_survives_json():
    config = json.loads(json.dumps(SMALL | {"prompt_tokens": [[14, n, 15] for n in range(7)]}))
    model, again = FERFormer(**(SMALL | config)).eval(), FERFormer(**config).eval()
    again.load_state_dict(model.state_dict())
    assert torch.equal(again(images()), model(images()))


def test_the_backbone_loads_from_a_checkpoint_of_the_published_naming_with_a_fourth_stage(tmp_path):
    model = small()
    weights = {name: tensor + 1 for name, tensor in model.image_backbone.state_dict().items()}
    torch.save(weights | {"body.21.res_layer.0.weight": torch.ones(4)}, tmp_path / "ir50.pth")
    report = load_weights(model.image_backbone, tmp_path / "ir50.pth")
    assert (report.missing, report.mismatched) == ((), ())
    assert report.unexpected == ("body.21.res_layer.0.weight",)


def test_a_batch_of_mixed_precision_stays_finite_and_close():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = small()(images())
    assert torch.isfinite(logits).all()
    torch.testing.assert_close(logits.float(), small()(images()), rtol=0.1, atol=3.0)  # of 100 times a cosine


def test_the_text_side_learns_to_tell_classes_apart():
    """A few steps on four faces: both heads know them by heart, the steering head by its texts."""
    model = small(num_classes=2, prompts=("a sad face", "a happy face")).train()
    x, target = images(4), torch.tensor([0, 1, 1, 0])
    optimizer = build_optimizer("adam", model.parameters(), lr=2e-3)
    for _ in range(30):
        optimizer.zero_grad()
        JointLoss()(model(x), target).backward()
        optimizer.step()
    logits = model(x)
    assert (logits.argmax(dim=2) == target.unsqueeze(1)).all()
    assert functional.cross_entropy(logits[:, 1], target) < 0.1


@pytest.mark.parametrize("shape", [(2, 3, 48, 64), (2, 1, 48, 48), (3, 48, 48), (2, 3, 112, 112)])
def test_images_of_another_shape_are_refused_with_the_right_one(shape):
    with pytest.raises(ValueError, match=r"FER-former got images.*takes \(B, 3, 48, 48\).*Resize"):
        small()(torch.zeros(shape))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"prompts": PROMPTS[:6]}, "6 prompts for 7 classes.*Write one for each class name"),
        ({"prompts": ()}, "0 prompts for 7 classes.*or set text_encoder to none"),
        (
            {"prompts": (*PROMPTS[:6], PROMPTS[0])},
            "two classes of FER-former have the same prompt 'a face image of surp",
        ),
        ({"prompt_tokens": [[14, 0, 15]] * 7}, "the same prompt"),
        ({"prompt_tokens": [[14, 0, 15]]}, "1 prompts for 7 classes"),
        ({"text_vocab_size": 5}, "different words.*Set text_vocab_size to"),
        ({"text_context_length": 3}, "text tower's context is 3"),
        ({"token_norm": "group"}, "unknown token_norm 'group' of FER-former. Use batch or layer"),
        ({"pos_encoding": "sine"}, "unknown pos_encoding 'sine'.*Use conv or learned or none"),
        ({"text_encoder": "clip"}, "unknown text_encoder 'clip'.*Use tower or table or none"),
        ({"text_readout": "mean"}, "unknown text_readout 'mean'.*Use steering or cls"),
        ({"temperature": 0.0}, "temperature 0.0 of FER-former's cosine must be above 0"),
        ({"depth": 0}, "depth 0 leaves FER-former without a block"),
        ({"image_size": 50}, "image_size 50 cannot be halved 2 times"),
        ({"divisions": (5,)}, r"patch sides \[5\]"),
        ({"embed_dim": 30, "num_heads": 4}, "dim 30 is not divisible by num_heads 4"),
        ({"std": (0.0, 1.0, 1.0)}, "std above 0"),
    ],
)
def test_settings_that_do_not_fit_are_refused(config, message):
    with pytest.raises(ValueError, match=message):
        FERFormer(**(SMALL | config))
