import pytest
import torch
from torch import nn
from torch.nn import functional

from mien.layers.multi_granularity import ConvPositionEncoding, MultiGranularityEmbedding


def feature_map(channels: int = 4, size: int = 14) -> torch.Tensor:
    return torch.randn(2, channels, size, size, generator=torch.Generator().manual_seed(1))


def num_parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_the_published_sizes():
    with torch.device("meta"):
        embedding = MultiGranularityEmbedding(256, 256)
    assert [num_parameters(each) for each in embedding.embeddings] == [262_400, 1_048_832, 2_359_552, 9_437_440]
    assert [grid**2 for grid in embedding.grid_sizes] == [36, 9, 4, 1]
    assert embedding.num_tokens == 50


@pytest.mark.parametrize(("division", "tokens"), [(2, 36), (3, 16), (4, 9), (6, 4), (12, 1)])
def test_every_single_division_of_table_vi(division, tokens):
    embedding = MultiGranularityEmbedding(4, 8, divisions=(division,))
    assert embedding(feature_map()).shape == (2, tokens, 8)


@pytest.mark.parametrize("division", [2, 3, 4, 6, 12])
def test_a_token_is_the_convolution_of_its_patch_with_a_stride_of_the_patch(division):
    embedding = MultiGranularityEmbedding(4, 8, divisions=(division,))
    linear = embedding.embeddings[0][-1]
    x = feature_map()
    pooled = functional.adaptive_avg_pool2d(x, 12)
    kernel = linear.weight.view(8, 4, division, division)
    expected = functional.conv2d(pooled, kernel, linear.bias, stride=division).flatten(2).transpose(1, 2)
    torch.testing.assert_close(embedding(x), expected)


def test_sizes_follow_one_another_as_given():
    together = MultiGranularityEmbedding(4, 8, divisions=(2, 4, 6))
    x, tokens = feature_map(), together(feature_map())
    start = 0
    for number, division in enumerate((2, 4, 6)):
        alone = MultiGranularityEmbedding(4, 8, divisions=(division,))
        alone.embeddings[0].load_state_dict(together.embeddings[number].state_dict())
        torch.testing.assert_close(tokens[:, start : start + alone.num_tokens], alone(x))
        start += alone.num_tokens
    assert start == together.num_tokens == tokens.shape[1] == 49


def test_a_low_rank_projection_is_a_linear_one_whose_matrix_is_a_product():
    low = MultiGranularityEmbedding(4, 8, projection="low_rank", rank=3)
    full = MultiGranularityEmbedding(4, 8)
    with torch.no_grad():
        for target, source in zip(full.embeddings, low.embeddings, strict=True):
            target[-1].weight.copy_(source[-1].weight @ source[-2].weight)
            target[-1].bias.copy_(source[-1].bias)
            assert torch.linalg.matrix_rank(target[-1].weight) == 3
    torch.testing.assert_close(low(feature_map()), full(feature_map()))


def test_a_pooled_projection_sees_the_means_of_four_quarters():
    embedding = MultiGranularityEmbedding(4, 8, divisions=(12,), projection="pooled")
    pooled = functional.adaptive_avg_pool2d(feature_map(), 12)
    quarters = pooled.unflatten(2, (2, 6)).unflatten(4, (2, 6)).mean(dim=(3, 5))  # (B, C, 2, 2)
    expected = embedding.embeddings[0][-1](quarters.flatten(1)).unsqueeze(1)
    torch.testing.assert_close(embedding(feature_map()), expected)


@pytest.mark.parametrize(
    ("projection", "count"), [("linear", 13_108_224), ("low_rank", 3_343_360), ("pooled", 1_049_600)]
)
def test_weights_of_our_variants(projection, count):
    with torch.device("meta"):
        embedding = MultiGranularityEmbedding(256, 256, projection=projection)
    assert num_parameters(embedding) == count


def test_patches_of_three_keep_their_full_linear_when_the_others_are_pooled():
    pooled = MultiGranularityEmbedding(4, 8, divisions=(3, 6), projection="pooled")
    assert [each[-1].in_features for each in pooled.embeddings] == [4 * 9, 4 * 4]


def test_the_encoding_is_each_grids_own_convolution_added_to_it():
    encoding, x = ConvPositionEncoding(5, (3, 1)), torch.randn(2, 10, 5)
    out = encoding(x)
    for b in range(2):
        for channel in range(5):
            kernel, bias = encoding.convs[0].weight[channel, 0], encoding.convs[0].bias[channel]
            grid = functional.pad(x[b, :9, channel].view(3, 3), (1, 1, 1, 1))
            for row in range(3):
                for column in range(3):
                    value = (grid[row : row + 3, column : column + 3] * kernel).sum() + bias
                    torch.testing.assert_close(
                        out[b, 3 * row + column, channel], x[b, 3 * row + column, channel] + value
                    )
    centre = encoding.convs[1].weight[:, 0, 1, 1] * x[:, 9] + encoding.convs[1].bias
    torch.testing.assert_close(out[:, 9], x[:, 9] + centre)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"divisions": ()}, r"divisions \(\) must name at least one patch side.*such as"),
        ({"divisions": (4, 2)}, "must name at least one patch side, ascending"),
        ({"divisions": (2, 2)}, "without repetition"),
        ({"divisions": (2, 5)}, r"patch sides \[5\] of divisions do not divide the map's side 12.*2, 3, 4, 6, 12"),
        ({"divisions": (0, 2)}, r"patch sides \[0\]"),
        ({"divisions": (4,), "map_size": 6}, "map's side 6. Choose among 2, 3, 6"),
        ({"projection": "conv"}, "unknown patch projection 'conv'. Use 'linear', 'low_rank' or 'pooled'"),
        ({"projection": "low_rank", "rank": 0}, "rank 0 of the patch projection"),
    ],
)
def test_settings_that_do_not_fit_are_refused(config, message):
    with pytest.raises(ValueError, match=message):
        MultiGranularityEmbedding(4, 8, **config)
