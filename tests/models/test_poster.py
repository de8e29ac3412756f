import hashlib

import pytest
import torch
from tests.models.poster_checkpoint import SMALL, draw_poster
from torch import nn
from torch.nn import functional

from mien.io.network_file import NetworkFile
from mien.losses import ExpressionLoss
from mien.models import create_model
from mien.models.poster import Poster, load_poster
from mien.models.weight_file import write_weights
from mien.optim import build_optimizer


def small(**config) -> Poster:
    torch.manual_seed(0)
    return Poster(**({"num_classes": 7} | SMALL | config)).eval()


def images(size: int = 32) -> torch.Tensor:
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(1))


def num_parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(("depth", "trainable"), [(4, 51.222), (6, 61.033), (8, 70.843)])
def test_sizes_are_those_that_posters_training_prints_without_what_it_never_reads(depth, trainable):
    with torch.device("meta"):
        model = Poster(num_classes=7, depth=depth)
    unread = 2 * 512 + 512 * 512 * 7**2 + 512 + 2 * 512 + 512  # IR-50's embedding and the class token
    own = num_parameters(model) - num_parameters(model.landmark_backbone)
    assert round((own + unread) / 1e6, 3) == trainable


def written_out_fusion(weights: dict[str, torch.Tensor], image, landmark) -> torch.Tensor:
    """POSTER's pyramid for one sample by its own names: tokens (N, D) of both streams → vector (D,)."""
    w = {name.removeprefix("pyramid_fuse."): tensor for name, tensor in weights.items()}

    def linear(name, x):
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def norm(name, x):
        return functional.layer_norm(x, x.shape[-1:], w[f"{name}.weight"], w[f"{name}.bias"], 1e-6)

    def over_tokens(name, x):
        """A convolution whose channels are tokens, striding over its kernel's width along the features."""
        kernel = w[f"{name}.weight"]
        runs = x.unflatten(1, (-1, kernel.shape[2]))  # (tokens, D / k, k)
        return torch.einsum("oik,irk->or", kernel, runs) + w[f"{name}.bias"][:, None]

    def twice_as_wide(name, x):
        return torch.einsum("iok,ir->ork", w[f"{name}.weight"], x).flatten(1) + w[f"{name}.bias"][:, None]

    def stream(block, own, other, attention, norms, mlp):
        query, context = norm(f"{block}.{norms[0]}", other), norm(f"{block}.{norms[0]}", own)
        key, value = linear(f"{block}.{attention}.kv", context).chunk(2, dim=1)
        heads = [
            torch.softmax(q @ k.T / q.shape[1] ** 0.5, dim=1) @ v
            for q, k, v in zip(query.chunk(2, 1), key.chunk(2, 1), value.chunk(2, 1), strict=True)
        ]
        out = own + linear(f"{block}.{attention}.proj", torch.cat(heads, dim=1))
        hidden = functional.gelu(linear(f"{block}.{mlp}.fc1", norm(f"{block}.{norms[1]}", out)))
        return out + linear(f"{block}.{mlp}.fc2", hidden)

    x = torch.cat([torch.cat([image.mean(0)[None], image]) + w["pos_embed"][0], landmark.mean(0)[None], landmark])
    levels = {"l": x, "m": over_tokens("downsample_m", x), "s": over_tokens("downsample_s", x)}
    for number in range(2):
        for level, x in levels.items():
            block = f"blocks.{number}.block_{level}"
            rows = x.split(5)
            new_image = stream(block, rows[0], rows[1], "attn_img", ("norm1", "norm2"), "mlp1")
            new_landmark = stream(block, rows[1], rows[0], "attn_lm", ("norm3", "norm4"), "mlp2")
            levels[level] = over_tokens(f"{block}.conv", torch.cat([new_image, new_landmark]))
        levels["m"] = levels["m"] + twice_as_wide(f"blocks.{number}.upsample_s", levels["s"])
        levels["l"] = levels["l"] + twice_as_wide(f"blocks.{number}.upsample_m", levels["m"])
    return norm("norm", levels["l"])[0]


@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_checkpoint_of_posters_own_gives_posters_logits(tmp_path, prefix):
    weights, model = draw_poster(), small(channel_order="rgb", landmark_input="poster")
    content = {prefix + name: tensor for name, tensor in weights.items()}
    torch.save({"iter": 216, "model_state_dict": content, "optimizer_state_dict": {}}, tmp_path / "poster.pth")
    report = load_poster(model, tmp_path / "poster.pth")
    assert report.missing == report.mismatched == ()

    x = images()
    with torch.no_grad():
        tokens = model.image_backbone(x).contiguous().view(2, 4, 32) @ weights["ir_layer.weight"].T
        tokens = tokens + weights["ir_layer.bias"]
        landmarks = model.landmark_backbone.features(x).view(2, 32, 4).transpose(1, 2)
        vector = torch.stack([written_out_fusion(weights, tokens[b], landmarks[b]) for b in range(2)])
        w = [weights[f"se_block.linear{i}.{part}"] for i in (1, 2) for part in ("weight", "bias")]
        gated = vector * torch.sigmoid(torch.relu(vector @ w[0].T + w[1]) @ w[2].T + w[3])
        expected = gated @ weights["head.linear.weight"].T + weights["head.linear.bias"]
        torch.testing.assert_close(model(x), expected, rtol=1e-4, atol=1e-5)
    assert expected.std() > 0.1


def test_the_report_names_what_the_model_does_not_have(tmp_path):
    torch.save({"model_state_dict": draw_poster()}, tmp_path / "poster.pth")
    lean = load_poster(small(), tmp_path / "poster.pth")
    assert {name.split(".")[0] for name in lean.unexpected} == {"image_embedding", "landmark_backbone", "fusion"}
    assert len(lean.matched) + len(lean.unexpected) == len(draw_poster())
    deeper = load_poster(small(depth=3), tmp_path / "poster.pth")
    assert all(name.startswith("fusion.blocks.2.") for name in deeper.missing)
    other_size = load_poster(small(image_size=48), tmp_path / "poster.pth")
    assert "fusion.pos_embed" in other_size.mismatched
    assert "fusion.blocks.0.mix.0.weight" in other_size.mismatched


def test_its_own_checkpoints_load_too(tmp_path):
    trained, model = small(), small()
    nn.init.normal_(trained.head.weight)
    torch.save(trained.state_dict(), tmp_path / "own.pth")
    assert load_poster(model, tmp_path / "own.pth").summary().endswith("missing 0; unexpected 0; mismatched 0")
    assert torch.equal(model(images()), trained(images()))


def test_a_checkpoint_of_other_classes_is_refused_and_loads_nothing(tmp_path):
    torch.save({"model_state_dict": draw_poster(num_classes=8)}, tmp_path / "affectnet.pth")
    model = small()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(
        ValueError, match=r"affectnet\.pth tells 8 classes apart, the model 7\. Give .*load_head to false"
    ):
        load_poster(model, tmp_path / "affectnet.pth")
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    report = load_poster(model, tmp_path / "affectnet.pth", load_head=False)
    assert report.missing == ("head.weight", "head.bias")
    assert torch.equal(model.head.weight, before["head.weight"])
    assert torch.equal(model.gate.fc1.weight, draw_poster(num_classes=8)["se_block.linear1.weight"])


@pytest.mark.parametrize("landmark_input", ["bgr01", "poster"])
@pytest.mark.parametrize(("order", "channels"), [("bgr", [2, 1, 0]), ("rgb", [0, 1, 2])])
def test_ir50_sees_the_channel_order_and_the_landmark_network_what_it_was_trained_on(order, channels, landmark_input):
    model, seen = small(channel_order=order, landmark_input=landmark_input), []
    model.image_backbone.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    model.landmark_backbone.conv1.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    rgb = torch.rand(2, 3, 32, 32)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (model.mean, model.std))
    model((rgb - mean) / std)
    image, landmark = seen
    torch.testing.assert_close(image, (rgb[:, channels] - mean) / std)
    torch.testing.assert_close(landmark, rgb[:, [2, 1, 0]] if landmark_input == "bgr01" else image)


@pytest.mark.parametrize("landmark_input", ["bgr01", "poster"])
def test_a_frozen_landmark_network_adapts_its_statistics_as_posters_only_where_it_reproduces_poster(landmark_input):
    model = small(freeze_landmarks=True, landmark_input=landmark_input).train()
    before = {name: tensor.clone() for name, tensor in model.landmark_backbone.state_dict().items()}
    model(images())
    changed = {
        name for name, tensor in model.landmark_backbone.state_dict().items() if not torch.equal(tensor, before[name])
    }
    if landmark_input == "bgr01":
        assert not changed
    else:
        assert changed == {name for name in before if "running" in name or "num_batches" in name}
    assert not any(parameter.requires_grad for parameter in model.landmark_backbone.parameters())
    model.eval()
    torch.testing.assert_close(model(images()), model(images()), rtol=0, atol=0)


def test_larger_images_are_thinned_as_posters_nearest_neighbour_does():
    model, x = small(), images(size=64)
    torch.testing.assert_close(model(x), model(functional.interpolate(x, size=32)), rtol=0, atol=0)


def test_every_parameter_that_is_free_learns_and_a_frozen_landmark_network_does_not():
    model = small(freeze_landmarks=True).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    optimizer = build_optimizer("adam", model.parameters(), lr=1e-2)
    ExpressionLoss()(model(images()), torch.tensor([1, 4])).backward()
    for name, parameter in model.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, name
    optimizer.step()
    still = {name for name, tensor in model.state_dict().items() if torch.equal(tensor, before[name])}
    assert {name for name in before if name.startswith("landmark_backbone.")} <= still
    assert not any(name.startswith(("image_backbone.", "image_proj.", "gate.", "head.")) for name in still)


def test_it_prunes_nothing_and_says_so_as_sae_does():
    model = small()
    assert model.fusion.stages == {}
    assert model.kept_tokens(images()) == []


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"keep_rate": 0.6}, "keep_rate 0.6 in POSTER, .*Use keep_rate 1, or architecture sae"),
        ({"image_size": 40}, "image_size 40 is not a multiple of 16, .*Use 112"),
        ({"channel_order": "gbr"}, "unknown channel_order 'gbr' of POSTER. Use 'bgr' or 'rgb'"),
        ({"landmark_input": "rgb"}, "unknown landmark_input 'rgb'. Use 'bgr01' or 'poster'"),
        ({"embed_dim": 64}, "the last of landmark_widths is 32 and embed_dim 64, .*Make them equal"),
        ({"num_heads": 3}, "embed_dim 32 is not divisible by 4 . num_heads"),
        ({"depth": 0}, "depth 0 leaves the pyramid without a block"),
        ({"backbone_units": (1, 1), "backbone_widths": (4, 4)}, "2 backbone stages"),
        ({"std": (1.0,)}, "std above 0"),
    ],
)
def test_settings_that_do_not_fit_are_refused(config, message):
    with pytest.raises(ValueError, match=message):
        create_model("poster", **({"num_classes": 7} | SMALL | config))


@pytest.mark.parametrize("shape", [(2, 3, 32, 64), (2, 1, 32, 32), (3, 32, 32), (2, 3, 48, 48), (2, 3, 16, 16)])
def test_images_of_another_shape_are_refused_with_the_right_one(shape):
    with pytest.raises(ValueError, match=r"takes \(B, 3, 32, 32\) or a whole multiple of 32.*Resize"):
        small()(torch.zeros(shape))


@pytest.mark.parametrize("landmark_input", ["bgr01", "poster"])
def test_poster_is_sae_with_its_settings_and_the_names_of_its_tensors(landmark_input):
    sae = create_model("sae", num_classes=7, **SMALL, keep_rate=1.0, prune_blocks=(), query_proj=False,
                       tokenizer="poster_view", row_mixing="poster", landmark_input=landmark_input).eval()  # fmt: skip
    poster = small(channel_order="rgb", landmark_input=landmark_input)
    sae.load_state_dict(poster.state_dict())
    assert torch.equal(sae(images()), poster(images()))


LOGITS_OF_0_1 = [
    [0.554691, 0.669001, 0.541361, 0.491407, 0.677989, 0.731681, 0.705799],
    [0.552384, 0.668997, 0.535693, 0.48762, 0.668514, 0.719155, 0.706303],
]
"""Of version 0.1's own POSTER, on ``images()`` with ``saved_weights``."""


def saved_weights(shapes: dict[str, torch.Size]) -> dict[str, torch.Tensor]:
    """Weights that depend on names and shapes alone."""
    weights = {}
    for number, (name, shape) in enumerate(sorted(shapes.items())):
        generator = torch.Generator().manual_seed(number)
        values = torch.rand(shape, generator=generator) / 4
        weights[name] = torch.tensor(1) if name.endswith("num_batches_tracked") else values
    return weights


def test_a_network_saved_by_version_0_1_loads_and_gives_the_same_logits(tmp_path):
    config = {"num_classes": 7, **SMALL, "mlp_ratio": 2.0, "mlp_act": "gelu", "drop_path_rate": 0.1, "keep_rate": 1.0}
    config |= {"channel_order": "bgr", "landmark_input": "poster", "freeze_landmarks": True}
    config |= {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
    shapes = {name: tensor.shape for name, tensor in small().state_dict().items()}
    names = hashlib.sha256("".join(f"{name} {tuple(shapes[name])};" for name in sorted(shapes)).encode()).hexdigest()
    assert names[:16] == "fd8e82adebe06590", "tensors have other names or shapes than in version 0.1"
    header = {"architecture": "poster", "config": config, "class_names": list("abcdefg")}
    write_weights(saved_weights(shapes), tmp_path / "network.safetensors", header)
    network = NetworkFile(filepath=str(tmp_path / "network.safetensors")).load()
    with torch.no_grad():
        torch.testing.assert_close(network.model(images()), torch.tensor(LOGITS_OF_0_1), rtol=1e-4, atol=1e-5)
