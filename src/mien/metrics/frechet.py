"""Fréchet distance of two sets of vectors, each taken for normally distributed."""

import numpy as np

from mien.errors import MienError


def frechet_distance(one: np.ndarray, other: np.ndarray) -> float:
    """Squared distance of the means, plus how the covariances differ.

    Args:
        one: (n, D) vectors, such as features of real images.
        other: (m, D) others.

    Returns:
        |μ₁ - μ₂|² + tr(C₁ + C₂ - 2 (C₁ C₂)^½), at least 0, in the square of the vectors' unit. With few vectors it is
        too large, so only values from equally many compare.

    Raises:
        MienError: Not two tables of one width with two rows each, or values that are not finite.

    Source: Dowson and Landau 1982; on features of Inception-v3 it is FID (Heusel et al. 2017), on others it is not.

    Example:
        >>> points = np.array([[0.0], [2.0]])
        >>> frechet_distance(points, points + 3)
        9.0
    """
    one, other = np.asarray(one, np.float64), np.asarray(other, np.float64)
    tables = one.ndim == other.ndim == 2 and one.shape[1:] == other.shape[1:] and min(len(one), len(other)) > 1
    if not tables or not (np.isfinite(one).all() and np.isfinite(other).all()):
        raise MienError(
            f"Vectors of shapes {one.shape} and {other.shape}: give two tables of finite numbers, equally wide, with "
            "two rows each at least."
        )
    first, second = (np.atleast_2d(np.cov(table, rowvar=False)) for table in (one, other))
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    shared = np.sqrt(np.linalg.eigvalsh(root @ second @ root).clip(0)).sum()
    gap = np.square(one.mean(axis=0) - other.mean(axis=0)).sum()
    return float(max(0.0, gap + np.trace(first) + np.trace(second) - 2 * shared))
