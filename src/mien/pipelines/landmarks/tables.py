"""Columns in which tables of this pipeline hold points, and the arrays that they stand for."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mien.labels import FIVE_POINT_LANDMARKS, NUM_LANDMARKS
from mien.nodes.alignment import POINT_COLUMNS

LANDMARK_COLUMNS = [f"landmark_{number:02d}_{axis}" for number in range(NUM_LANDMARKS) for axis in "xy"]
"""Where the 68 landmarks are: x and y in the face, whose corners are (0, 0) and (1, 1)."""

PREDICTED_COLUMNS = [f"predicted_{number:02d}_{axis}" for number in range(NUM_LANDMARKS) for axis in "xy"]
"""Where a network puts them, likewise."""


def point_columns(columns: Sequence[str], points: np.ndarray) -> pd.DataFrame:
    """Points (n, P, 2) as a table of n rows and 2 P columns, float32."""
    return pd.DataFrame(np.asarray(points, np.float32).reshape(len(points), len(columns)), columns=list(columns))


def points_of(table: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    """Points (n, P, 2) float64 of the rows of a table."""
    return table[list(columns)].to_numpy(np.float64).reshape(len(table), len(columns) // 2, 2)


def target_points(samples: pd.DataFrame) -> np.ndarray:
    """(n, 73, 2) the 68 landmarks, then MTCNN's five points, NaN where the table does not know them."""
    return np.concatenate([points_of(samples, LANDMARK_COLUMNS), points_of(samples, POINT_COLUMNS)], axis=1)


def detected_points(samples: pd.DataFrame) -> np.ndarray:
    """(n, 5, 2) MTCNN's five points in the aligned faces of a dataset's samples, whose corners are (0, 0) and (1, 1).

    Args:
        samples: Rows whose face was cut out by those points (``crop`` is ``points``).
    """
    from mien.data.alignment import TEMPLATE_SIZE, apply_transform, template_transform

    points = points_of(samples, POINT_COLUMNS)
    in_face = [apply_transform(each, template_transform(each)) for each in points]
    return (np.reshape(in_face, (len(points), len(FIVE_POINT_LANDMARKS), 2)) + 0.5) / TEMPLATE_SIZE
