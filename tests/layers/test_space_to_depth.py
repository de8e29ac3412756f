import torch

from mien.layers.space_to_depth import ChannelRuns, SpaceToDepth


def test_a_token_holds_exactly_its_own_patch():
    x = torch.arange(2 * 3 * 4 * 6, dtype=torch.float32).view(2, 3, 4, 6)
    tokens = SpaceToDepth(2)(x)
    assert tokens.shape == (2, 6, 12)
    for token in range(6):
        row, column = 2 * (token // 3), 2 * (token % 3)
        torch.testing.assert_close(tokens[:, token], x[:, :, row : row + 2, column : column + 2].flatten(1))


def test_ir50_features_become_49_tokens_of_1024():
    assert SpaceToDepth(2)(torch.empty(1, 256, 14, 14)).shape == (1, 49, 1024)


def test_a_block_of_one_is_a_token_per_place():
    x = torch.randn(2, 5, 3, 4)
    assert torch.equal(SpaceToDepth(1)(x), x.flatten(2).transpose(1, 2))


def test_posters_view_cuts_the_maps_memory_into_runs_that_are_no_places():
    x = torch.arange(2 * 256 * 14 * 14, dtype=torch.float32).view(2, 256, 14, 14)
    tokens = ChannelRuns(2)(x)
    assert tokens.shape == (2, 49, 1024)
    assert tokens[1, 3].tolist() == list(range(256 * 196 + 3 * 1024, 256 * 196 + 4 * 1024))
    channels = [int(value) // 196 for value in tokens[0, 0].tolist()]
    assert sorted(set(channels)) == [0, 1, 2, 3, 4, 5]  # five whole channels and a part of a sixth


def test_posters_view_does_not_depend_on_the_memory_layout():
    x = torch.randn(2, 8, 4, 4)
    assert torch.equal(ChannelRuns(2)(x.to(memory_format=torch.channels_last)), ChannelRuns(2)(x))
