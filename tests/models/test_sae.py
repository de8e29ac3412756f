import pytest
import torch
from torch import nn

from mien.losses import ExpressionLoss
from mien.models import create_model
from mien.models.cost import count_macs
from mien.models.sae import IMAGENET_MEAN, IMAGENET_STD, SAE, KeptPatches
from mien.models.weights import load_weights
from mien.optim import build_optimizer, frozen_batch_norm_statistics

SMALL = {
    "num_classes": 7,
    "image_size": 64,
    "embed_dim": 32,
    "depth": 3,
    "num_heads": 2,
    "prune_blocks": (0, 1),
    "keep_rate": 0.4,
    "backbone_widths": (8, 8, 16),
    "backbone_units": (1, 2, 1),
    "landmark_widths": (8, 8, 8, 32),
    "landmark_units": (1, 1, 1),
}


def small(**config) -> SAE:
    torch.manual_seed(0)
    return SAE(**(SMALL | config)).eval()


def images(batch: int = 2) -> torch.Tensor:
    return torch.randn(batch, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def num_parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_the_published_sizes():
    with torch.device("meta"):
        model = SAE(num_classes=7)
    assert num_parameters(model.image_backbone) == 17_611_968
    assert round((num_parameters(model) - num_parameters(model.landmark_backbone)) / 1e6, 2) == 64.40
    assert (model.image_size, model.mean, model.std) == (112, IMAGENET_MEAN, IMAGENET_STD)
    assert [model.fusion.stages[block].num_kept for block in (0, 2, 4)] == [42, 35, 30]
    assert isinstance(model.landmark_proj, nn.Identity)


def test_features_are_what_the_head_classifies():
    model, x = small(), images()
    assert model.features(x).shape == (2, 32)
    torch.testing.assert_close(model.head(model.features(x)), model(x))


@pytest.mark.parametrize(
    "config",
    [
        {"keep_rate": 1.0},
        {"alignment": "per_stream"},
        {"query_proj": False},
        {"last_block_cls_only": True},
        {"mlp_ratio": 4.0},
        {"landmark_input": "poster"},
        {"freeze_landmarks": True},
        {"embed_dim": 64},
        {"patch_size": 8},
        {"patch_size": 8, "embed_dim": 8, "num_heads": 2},
        {"tokenizer": "poster_view"},
        {"row_mixing": "poster", "prune_blocks": (0,)},
        {"row_mixing": "poster", "prune_blocks": (0,), "keep_rate": 1.0, "last_block_cls_only": True},
        {"shrink_start_epoch": 1, "shrink_epochs": 2},
        {"image_size": 32},
        {"depth": 1, "prune_blocks": (0,)},
    ],
)
def test_every_switch_trains(config):
    model = small(**config).train()
    x = images()[:, :, : model.image_size, : model.image_size]
    ExpressionLoss()(model(x), torch.tensor([0, 3])).backward()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name


def test_with_mixed_rows_the_last_block_is_read_whole_and_nothing_is_skipped():
    config = {"row_mixing": "poster", "prune_blocks": (0,)}
    whole, requested = small(**config), small(**config, last_block_cls_only=True)
    assert torch.equal(whole(images()), requested(images()))
    assert count_macs(whole, images(1)) == count_macs(requested, images(1))


def test_streams_that_choose_for_themselves_change_the_logits_of_the_same_weights():
    assert not torch.allclose(small(alignment="per_stream")(images()), small()(images()), atol=1e-6)


@pytest.mark.parametrize("keep_rate", [1.0, 0.4, 0.1])
@pytest.mark.parametrize("prune_blocks", [(0, 1), (0, 2)])
def test_skipping_what_the_last_block_is_not_read_for_leaves_the_logits(keep_rate, prune_blocks):
    config = {"keep_rate": keep_rate, "prune_blocks": prune_blocks}
    torch.testing.assert_close(
        small(**config, last_block_cls_only=True)(images()), small(**config)(images()), rtol=0, atol=1e-6
    )


def test_keep_rate_one_is_bit_for_bit_the_model_that_names_no_pruning_block():
    full, plain = small(keep_rate=1.0), small(keep_rate=1.0, prune_blocks=())
    assert torch.equal(full(images()), plain(images()))
    losses = []
    for model in (full.train(), plain.train()):
        torch.manual_seed(5)  # of stochastic depth
        losses.append(ExpressionLoss()(model(images()), torch.tensor([0, 3])))
        losses[-1].backward()
    assert torch.equal(*losses)
    for one, other in zip(full.parameters(), plain.parameters(), strict=True):
        assert one.grad is None if other.grad is None else torch.equal(one.grad, other.grad)


def test_finer_patches_at_the_published_size():
    with torch.device("meta"):
        fine, coarse = SAE(num_classes=7, patch_size=8), SAE(num_classes=7)
        image, landmark = fine.tokenize(torch.empty(1, 3, 112, 112))
    assert image.shape == landmark.shape == (1, 196, 512)
    assert (fine.grid_size, coarse.grid_size) == (14, 7)
    assert fine.image_proj.weight.shape == (512, 256)
    assert fine.landmark_proj.weight.shape == (512, 128)
    assert [fine.fusion.stages[block].num_kept for block in (0, 2, 4)] == [166, 140, 118]


@pytest.mark.parametrize(("patch_size", "places"), [(16, 2), (8, 1)])
def test_token_i_of_both_streams_is_the_same_place_in_raster_order(patch_size, places):
    model, seen = small(patch_size=patch_size), []
    model.image_backbone.register_forward_hook(lambda _, __, out: seen.append(out))
    model.landmark_backbone.register_forward_hook(lambda _, __, out: seen.append(out))
    image, landmark = model.tokenize(images())
    grid = model.grid_size
    assert grid == 64 // patch_size
    for row, column in ((0, 0), (1, grid - 1), (grid - 1, 2)):
        top, left = places * row, places * column
        patch = seen[0][:, :, top : top + places, left : left + places].flatten(1)
        torch.testing.assert_close(image[:, row * grid + column], model.image_proj(patch))
        torch.testing.assert_close(landmark[:, row * grid + column], model.landmark_proj(seen[1][:, :, row, column]))


def test_posters_view_gives_the_projection_runs_of_channels():
    model, seen = small(tokenizer="poster_view"), []
    model.image_proj.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    model.image_backbone.register_forward_hook(lambda _, __, out: seen.append(out))
    model(images())
    assert seen[1].shape == (2, 16, 64)
    assert torch.equal(seen[1].flatten(1), seen[0].flatten(1))


def test_the_keep_rate_falls_in_training_and_evaluation_keeps_its_own():
    model = small(keep_rate=0.25, shrink_start_epoch=1, shrink_epochs=4, drop_path_rate=0.0)
    expected = model(images())
    kept = []
    for epoch in range(7):
        model.train().begin_epoch(epoch)
        kept.append([stage.num_kept for stage in model.fusion.training_stages.values()])
        assert torch.equal(model.eval()(images()), expected)
    # rates 1, 1, .890, .625, .360, .25, .25 of 16 tokens in two stages
    assert kept == [[16, 16], [16, 16], [16, 15], [13, 10], [10, 6], [8, 4], [8, 4]]


def test_an_epoch_before_the_fall_trains_as_without_pruning():
    warming, full = small(shrink_start_epoch=3), small(keep_rate=1.0)
    warming.begin_epoch(2)
    outputs = []
    for model in (warming, full):
        torch.manual_seed(5)
        outputs.append(model.train()(images()))
    assert torch.equal(*outputs)


def test_a_checkpoint_serves_every_keep_rate_and_either_last_block():
    full = small(keep_rate=1.0, last_block_cls_only=True)
    full.load_state_dict(small().state_dict())
    assert torch.isfinite(full(images())).all()


def test_the_landmark_network_sees_the_crop_as_bgr_from_zero_to_one():
    model, seen = small(), []
    model.landmark_backbone.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    rgb = torch.rand(2, 3, 64, 64)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (model.mean, model.std))
    model((rgb - mean) / std)
    torch.testing.assert_close(seen[0], rgb[:, [2, 1, 0]])


def test_poster_feeds_the_landmark_network_the_normalised_image():
    model, seen, x = small(landmark_input="poster"), [], images()
    model.landmark_backbone.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    model(x)
    assert seen[0] is x


def train_step(model: SAE) -> None:
    optimizer = build_optimizer("adam", model.parameters(), lr=1e-2, weight_decay=0.1, sam_rho=0.05)
    loss, target = ExpressionLoss(), torch.tensor([1, 4])
    loss(model(images()), target).backward()
    with optimizer.perturbed(), frozen_batch_norm_statistics(model):
        loss(model(images()), target).backward()
    optimizer.step()


@pytest.mark.parametrize("fresh", [True, False])
def test_a_frozen_landmark_network_is_untouched_by_a_training_step(fresh):
    model = SAE(**SMALL, freeze_landmarks=True) if fresh else small(freeze_landmarks=True).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    train_step(model)
    assert not any(module.training for module in model.landmark_backbone.modules())
    assert all(p.grad is None for p in model.landmark_backbone.parameters())
    changed = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert not any(name.startswith("landmark_backbone.") for name in changed)
    assert "image_backbone.body.0.res_layer.0.running_mean" in changed


def test_a_free_landmark_network_learns():
    model = small().train()
    before = {name: tensor.clone() for name, tensor in model.landmark_backbone.state_dict().items()}
    train_step(model)
    changed = {n for n, tensor in model.landmark_backbone.state_dict().items() if not torch.equal(tensor, before[n])}
    assert changed == set(before)


def test_kept_tokens_are_places_of_the_grid_and_leave_no_graph():
    model = small(alignment="per_stream")
    image, landmark = model.kept_tokens(images()), model.kept_tokens(images(), stream="landmark")
    assert [kept.shape[1] for kept in image] == [model.fusion.stages[block].num_kept for block in (0, 1)]
    assert image[-1].min() >= 0
    assert image[-1].max() < 16
    assert not torch.equal(image[0], landmark[0])


def test_at_keep_rate_one_every_token_is_kept():
    assert all(torch.equal(kept, torch.arange(16).expand(2, -1)) for kept in small(keep_rate=1.0).kept_tokens(images()))


def test_a_batch_of_mixed_precision_stays_finite():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = small()(images())
    assert torch.isfinite(logits).all()
    torch.testing.assert_close(logits.float(), small()(images()), rtol=0.1, atol=0.1)


def test_backbones_load_from_checkpoints_of_the_published_naming(tmp_path):
    trained, model = small(), small(freeze_landmarks=True)
    nn.init.normal_(trained.image_backbone.input_layer[0].weight)
    torch.save({"state_dict": trained.image_backbone.state_dict()}, tmp_path / "ir50.pth")
    report = load_weights(model.image_backbone, tmp_path / "ir50.pth")
    assert report.missing == report.unexpected == report.mismatched == ()
    assert torch.equal(model.image_backbone.input_layer[0].weight, trained.image_backbone.input_layer[0].weight)


def test_sequences_from_json_are_as_good_as_tuples():
    as_lists = {key: list(value) if isinstance(value, tuple) else value for key, value in SMALL.items()}
    torch.manual_seed(0)
    assert torch.equal(SAE(**as_lists).eval()(images()), small()(images()))


@pytest.mark.parametrize("shape", [(2, 3, 64, 32), (2, 1, 64, 64), (3, 64, 64), (2, 3, 112, 112)])
def test_images_of_another_shape_are_refused_with_the_right_one(shape):
    with pytest.raises(ValueError, match=r"takes \(B, 3, 64, 64\).*Resize"):
        small()(torch.zeros(shape))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"image_size": 100}, "image_size 100 is not a multiple of 16.*Use 112"),
        ({"image_size": 0}, "image_size 0"),
        ({"embed_dim": 60, "num_heads": 8}, "embed_dim 60 is not divisible by 4 . num_heads"),
        ({"keep_rate": 0.0}, r"keep_rate 0.0 is outside \(0, 1\]"),
        ({"keep_rate": 1.5}, "keep_rate 1.5 is outside"),
        ({"prune_blocks": (0, 7)}, "outside 0..2 of depth 3"),
        ({"prune_blocks": ()}, "needs prune_blocks"),
        ({"patch_size": 4}, "patch_size 4 fits no map .*Use 16, or 8"),
        ({"row_mixing": "all"}, "unknown row_mixing 'all' of the pyramid. Use 'none' or 'poster'"),
        ({"row_mixing": "poster"}, r"row_mixing poster and pruning in blocks \[1\].*prune_blocks \[0\]"),
        (
            {"row_mixing": "poster", "prune_blocks": (0,), "shrink_start_epoch": 1, "shrink_epochs": 2},
            "falls over 2 epochs from epoch 1 on.*Set shrink_start_epoch and shrink_epochs to 0",
        ),
        ({"tokenizer": "linear"}, "unknown tokenizer 'linear' of SAE. Use 'spatial' or 'poster_view'"),
        ({"tokenizer": "poster_view", "patch_size": 8}, "patch_size is 8. Use patch_size 16, or tokenizer 'spatial'"),
        ({"shrink_epochs": -1}, "-1 of falling. Neither may be negative"),
        ({"landmark_input": "rgb"}, "unknown landmark_input 'rgb'"),
        ({"backbone_units": (1, 1), "backbone_widths": (8, 8)}, "2 backbone stages"),
        ({"std": (0.0, 1.0, 1.0)}, "std above 0"),
        ({"mean": (0.5,)}, "one value per RGB channel"),
    ],
)
def test_settings_that_do_not_fit_are_refused(config, message):
    with pytest.raises(ValueError, match=message):
        small(**config)


@pytest.mark.parametrize("stream", ["image", "landmark"])
def test_kept_patches_mark_each_patch_that_the_model_names_and_no_other(stream):
    model = small(alignment="per_stream")
    alive = KeptPatches(model, stream).eval()(images())
    for stage, kept in enumerate(model.kept_tokens(images(), stream)):
        assert [row.nonzero().flatten().tolist() for row in alive[:, stage]] == kept.tolist()


def test_kept_patches_never_come_back_and_are_as_many_as_the_plan_says():
    alive = KeptPatches(small(keep_rate=0.25)).eval()(images(batch=5))
    assert alive.sum(dim=2).tolist() == [[8, 4]] * 5  # 16 tokens at 0.25 over two stages
    assert (alive[:, 1] <= alive[:, 0]).all()


def test_kept_patches_have_the_grid_of_finer_patches_and_no_stage_in_poster():
    assert KeptPatches(small(patch_size=8)).eval()(images()).shape == (2, 2, 64)
    poster = create_model("poster", **{k: v for k, v in SMALL.items() if k not in ("keep_rate", "prune_blocks")})
    assert KeptPatches(poster.eval())(images()).shape == (2, 0, 16)


def test_arguments_of_earlier_versions_are_taken_with_the_value_that_is_left():
    old = {"keep_rate_mode": "final", "score_levels": "all", "renormalize": False, "fused_competes": False}
    saved = create_model("sae", **SMALL, **old, cls="mean", mlp_act="gelu").eval()
    saved.load_state_dict(small().state_dict())
    assert torch.equal(saved(images()), small()(images()))
    with pytest.raises(ValueError, match=r"with renormalize True, which this version .* no longer has\. Train it anew"):
        create_model("sae", **SMALL, renormalize=True)
