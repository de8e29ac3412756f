import numpy as np
import pytest
from scipy.linalg import sqrtm

from mien.metrics import frechet_distance


def points(seed: int, n: int = 50, width: int = 4) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, width)) @ rng.normal(size=(width, width)) + rng.normal(size=width)


def test_it_is_the_formula_with_scipys_matrix_root():
    one, other = points(0), points(1)
    first, second = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    root = sqrtm(first @ second).real
    gap = np.square(one.mean(axis=0) - other.mean(axis=0)).sum()
    assert frechet_distance(one, other) == pytest.approx(gap + np.trace(first + second - 2 * root))


def test_it_is_0_from_itself_symmetric_and_the_squared_shift_of_moved_points():
    one, other = points(0), points(1)
    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(one, other) == pytest.approx(frechet_distance(other, one))
    assert frechet_distance(one, one + 2) == pytest.approx(4 * one.shape[1])


def test_twice_the_spread_in_one_dimension_costs_the_squared_difference_of_the_spreads():
    one = points(0, width=1)
    mean, spread = one.mean(), one.std(ddof=1)
    assert frechet_distance(one, mean + 2 * (one - mean)) == pytest.approx(spread**2)


def test_it_stands_more_dimensions_than_points():
    assert np.isfinite(frechet_distance(points(0, n=3, width=8), points(1, n=5, width=8)))


@pytest.mark.parametrize(
    "other",
    [points(1, width=3), points(1, n=1), np.full((5, 4), np.nan), np.zeros(4)],
    ids=["width", "face_index", "nan", "1d"],
)
def test_tables_that_do_not_compare_are_refused(other):
    with pytest.raises(ValueError, match="two tables of finite numbers"):
        frechet_distance(points(0), other)
