"""A map of the test samples as the network sees them."""

from typing import Any

import numpy as np
import pandas as pd

from mien import figures
from mien.models.network import Network
from mien.nodes.params import PredictionParams
from mien.nodes.prediction import apply_network, unseen_samples

SEED = 0
"""Of t-SNE: ours, any would do."""


def map_features(
    samples: pd.DataFrame, faces: np.ndarray, network: Network, prediction: PredictionParams
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Draw the vectors that the network classifies, of the test samples, in a plane by t-SNE.

    Args:
        samples: The samples table.
        faces: Packed faces (n, H, W, 3) uint8.
        network: The trained network, whose model has ``features``: (B, 3, H, H) → (B, D).
        prediction: Batch size and device.

    Returns:
        Table: one row per sample that is shown, ``sample_id``, ``expression``, ``label``, ``synthetic`` and its place
        ``x``, ``y``; and figures by name: ``features`` is matplotlib's, ``features_points`` Plotly's.
    """
    test = unseen_samples(samples, ("test",))
    vectors = apply_network(test, faces, network, prediction, network.model.features)
    points, rows, left_out = figures.tsne_points(vectors, seed=SEED)
    shown = (points, test["label"].to_numpy()[rows], network.class_names, "Features of the test samples, t-SNE")
    said = {"left_out": len(left_out), "synthetic": bool(test["synthetic"].any())}
    placed = test.loc[rows, ["sample_id", "expression", "label", "synthetic"]].reset_index(drop=True)
    placed = placed.assign(x=points[:, 0], y=points[:, 1])
    return placed, {
        "features": figures.embedding_plot(*shown, **said),
        "features_points": figures.embedding_figure(*shown, **said, sample_ids=placed["sample_id"].tolist()),
    }
