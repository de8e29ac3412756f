"""What SAE's tokens see: the patches that are left of a face, and how often each is kept, by class."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mien import figures
from mien.io.sheets import COLUMNS
from mien.models.network import Network
from mien.nodes.params import PredictionParams
from mien.nodes.prediction import apply_network, unseen_samples

if TYPE_CHECKING:
    from mien.models.sae import Stream


def show_tokens(
    samples: pd.DataFrame, faces: np.ndarray, network: Network, prediction: PredictionParams
) -> tuple[np.ndarray, Any]:
    """Draw which patches of the test faces survive the pruning blocks.

    On the sheet stand the first faces of each class in the table's order, as many as fill a row; the maps are of all
    test faces, after the last pruning block. Where each stream chooses for itself, it is the image stream's choice, or
    the landmark stream's where image tokens are no places (tokenizer ``poster_view``).

    Args:
        samples: The samples table.
        faces: Packed faces (n, H, W, 3) uint8.
        network: The trained SAE, or POSTER, which keeps everything.
        prediction: Batch size and device.

    Returns:
        Sheet (H, W, 3) uint8 RGB; the figure of the kept frequencies.
    """
    test = unseen_samples(samples, ("test",))
    stream: Stream = "landmark" if network.config.get("tokenizer") == "poster_view" else "image"
    alive = kept_patches(test, faces, network, prediction, stream)
    labels, rows = test["label"].to_numpy(), test["face_index"].to_numpy()
    names, synthetic = network.class_names, bool(test["synthetic"].any())
    blocks = [f"block {number}" for number in network.model.fusion.stages]
    said = what_is_kept(alive, blocks, stream if network.config.get("alignment") == "per_stream" else None)

    shown = first_of_each(labels, len(names), max(1, COLUMNS // (1 + len(blocks))))
    heading = f"The first test faces of each class: {said}"
    sheet = figures.tokens_sheet(
        faces[rows[shown]], labels[shown], alive[shown], names, blocks, heading, synthetic=synthetic
    )
    frequency, sizes = kept_frequency(alive, labels, len(names))
    mean_face = np.mean(faces[rows], axis=0).round().astype(np.uint8)
    drawn = (frequency, sizes, names, mean_face, f"Test faces, {said}")
    return sheet, figures.kept_frequency_plot(*drawn, synthetic=synthetic)


def kept_patches(
    samples: pd.DataFrame,
    faces: np.ndarray,
    network: Network,
    prediction: PredictionParams,
    stream: "Stream" = "image",
) -> np.ndarray:
    """Which patches are alive after each pruning block, (n, S, N) of 0 and 1.

    Args:
        samples: n rows with a face.
        faces: Packed faces (n', H, W, 3) uint8.
        network: The trained network.
        prediction: Batch size and device.
        stream: Whose patches.
    """
    from mien.models.sae import KeptPatches

    marking = KeptPatches(network.model, stream)
    return apply_network(samples, faces, replace(network, model=marking), prediction, marking)


def kept_frequency(alive: np.ndarray, labels: np.ndarray, M: int) -> tuple[np.ndarray, list[int]]:
    """Share of each class's faces in which a patch is alive at the end.

    Args:
        alive: (n, S, N) of 0 and 1; without a stage everything is alive.
        labels: (n,) class ids.
        M: Number of classes.

    Returns:
        (M, N) shares, NaN for a class without faces, and the faces of each class.

    Example:
        >>> shares, sizes = kept_frequency(np.array([[[1, 0]], [[1, 1]]]), np.array([0, 0]), 2)
        >>> shares.tolist(), sizes
        ([[1.0, 0.5], [nan, nan]], [2, 0])
    """
    final = alive[:, -1] if alive.shape[1] else np.ones((len(alive), alive.shape[2]))
    sizes = np.bincount(labels, minlength=M)
    sums = np.zeros((M, final.shape[1]))
    np.add.at(sums, labels, final)
    return np.where(sizes[:, None] > 0, sums / np.maximum(sizes, 1)[:, None], np.nan), sizes.tolist()


def first_of_each(labels: np.ndarray, M: int, most: int) -> np.ndarray:
    """Places of the first ``most`` of each of M classes in labels (n,), class by class.

    Example:
        >>> first_of_each(np.array([1, 0, 1, 1]), M=3, most=2).tolist()
        [1, 0, 2]
    """
    return np.concatenate([np.flatnonzero(labels == label)[:most] for label in range(M)])


def what_is_kept(alive: np.ndarray, blocks: list[str], alone: str | None) -> str:
    """Say how many patches are left in which stream.

    Args:
        alive: (n, S, N) of 0 and 1.
        blocks: Names of the S pruning blocks.
        alone: The stream that is shown where each chooses for itself; None where both keep the same places.

    Example:
        >>> what_is_kept(np.array([[[1, 0, 0, 1]]]), ["block 2"], alone="image")
        '2 of 4 patches kept after block 2 by the image stream, which chooses for itself'
        >>> what_is_kept(np.ones((1, 1, 4)), ["block 2"], alone=None)
        'nothing is pruned, all 4 patches kept'
    """
    N = alive.shape[2]
    if alive.all():
        return f"nothing is pruned, all {N} patches kept"
    number = int(alive[0, -1].sum())  # the same for every face
    whose = "in both streams" if alone is None else f"by the {alone} stream, which chooses for itself"
    return f"{number} of {N} patches kept after {blocks[-1]} {whose}"
