import torch

from mien.models.row_mixing import raise_levels, row_down_samplers, row_mixers

DIMS = (16, 8, 4)


def levels(num_rows: int = 6) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(2, num_rows, dim, generator=generator) for dim in DIMS]


def test_the_way_down_weighs_every_row_and_every_place_of_a_step():
    large = levels()[0]
    for down, dim in zip(row_down_samplers(3), DIMS[1:], strict=True):
        steps = large.unflatten(2, (dim, -1))  # (B, rows, D', D / D')
        expected = torch.einsum("bris,ors->boi", steps, down.weight) + down.bias[:, None]
        torch.testing.assert_close(down(large), expected)


def test_a_mixer_of_a_level_is_a_matrix_over_the_rows_of_both_streams():
    mixers, _ = row_mixers(3, DIMS)
    for mix, x in zip(mixers, levels(), strict=True):
        torch.testing.assert_close(mix(x), mix.weight[:, :, 0] @ x + mix.bias[:, None])


def test_every_level_gets_the_raised_one_below_it_that_has_got_its_own():
    _, up = row_mixers(3, DIMS)

    def raised(x, layer):  # place 2i + k of wide row o: sum over the narrow rows r of x[r, i] · weight[r, o, k]
        return torch.einsum("bri,rok->boik", x, layer.weight).flatten(2) + layer.bias[:, None]

    large, medium, small = levels()
    medium = medium + raised(small, up[1])
    for got, expected in zip(raise_levels(levels(), up), (large + raised(medium, up[0]), medium, small), strict=True):
        torch.testing.assert_close(got, expected)
