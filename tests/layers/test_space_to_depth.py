import torch

from mien.layers.space_to_depth import SpaceToDepth


def test_a_token_holds_exactly_its_own_patch():
    x = torch.arange(2 * 3 * 4 * 6, dtype=torch.float32).view(2, 3, 4, 6)
    tokens = SpaceToDepth(2)(x)
    assert tokens.shape == (2, 6, 12)
    for token in range(6):
        row, column = 2 * (token // 3), 2 * (token % 3)
        torch.testing.assert_close(tokens[:, token], x[:, :, row : row + 2, column : column + 2].flatten(1))


def test_ir50_features_become_49_tokens_of_1024():
    assert SpaceToDepth(2)(torch.empty(1, 256, 14, 14)).shape == (1, 49, 1024)
