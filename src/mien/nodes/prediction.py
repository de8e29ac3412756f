"""Scores of a trained classifier for every sample that it has not been trained on."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from mien.models.network import Network
from mien.nodes.params import PredictionParams

SCORE_PREFIX = "score/"

CARRIED = ("subject", "leaks", "gender", "age", "ethnicity", "illumination", "glasses", "movie", "emotion")
"""Columns of a samples table that go along with the scores where they exist: scores are grouped by them."""


PREDICTED = ("val", "test", "unlabelled")
"""Splits that are predicted; of the last, which has no labels, nothing is scored."""


def predict_classes(
    samples: pd.DataFrame, faces: np.ndarray, network: Network, prediction: PredictionParams
) -> pd.DataFrame:
    """Class scores of the val, test and unlabelled samples: the one table that metrics and figures are computed from.

    Args:
        samples: The samples table; rows of other splits and rows without a face are passed over.
        faces: Packed faces (n, H, W, 3) uint8.
        network: The trained network.
        prediction: Batch size and device.

    Returns:
        One row per sample, in the table's order: ``sample_id``, ``split``, ``synthetic``, ``target`` (-1: unlabelled),
        what the dataset knows of subject, subgroup and leaks, and one column ``score/<class>`` per class, the softmax
        of the outputs, which add up to 1.
    """
    unseen = unseen_samples(samples, PREDICTED)
    outputs = apply_network(unseen, faces, network, prediction, network.model)
    return pd.concat([described(unseen), score_columns(softmax(outputs), network.class_names)], axis=1)


def described(unseen: pd.DataFrame) -> pd.DataFrame:
    """What a predictions table says of each sample beside its scores."""
    carried = [name for name in CARRIED if name in unseen]
    return unseen[["sample_id", "split", "synthetic", *carried]].assign(target=unseen["label"].to_numpy())


def score_columns(scores: np.ndarray, class_names: tuple[str, ...], prefix: str = SCORE_PREFIX) -> pd.DataFrame:
    """Scores (n, M) as columns ``<prefix><class>``."""
    return pd.DataFrame(scores, columns=[prefix + name for name in class_names])


def softmax(outputs: np.ndarray) -> np.ndarray:
    """Scores that add up to 1 over the last axis, float64."""
    import torch

    return torch.softmax(torch.from_numpy(outputs).double(), dim=-1).numpy()


def unseen_samples(samples: pd.DataFrame, splits: tuple[str, ...]) -> pd.DataFrame:
    """Rows of the given splits with a face."""
    return samples[samples["split"].isin(splits) & (samples["face_index"] >= 0)].reset_index(drop=True)


def apply_network(
    samples: pd.DataFrame,
    faces: np.ndarray,
    network: Network,
    prediction: PredictionParams,
    function: Callable,
) -> np.ndarray:
    """Apply a function of the network, itself or its ``features``, to the faces of samples, in evaluation mode.

    Args:
        samples: Rows with a face.
        faces: Packed faces (n, H, W, 3) uint8.
        network: The trained network.
        prediction: Batch size and device.
        function: The network's model, or a method of it: (B, 3, H, H) → (B, D).

    Returns:
        (n, D) float32, in the order of the rows.
    """
    from mien.data.face_images import FaceImages

    model = network.model
    images = FaceImages(
        faces,
        samples["face_index"].to_numpy(),
        samples["label"].to_numpy(),
        image_size=model.image_size,
        mean=model.mean,
        std=model.std,
    )
    return apply_to_images(images, model, prediction, function)


def apply_to_images(images: Any, model: Any, prediction: PredictionParams, function: Callable) -> np.ndarray:
    """Apply a function of a model, itself or a method, to every image of a dataset, in evaluation mode.

    Args:
        images: A map-style dataset of (inputs, target).
        model: The ``torch.nn.Module``.
        prediction: Batch size and device.
        function: The model, or a method of it.

    Returns:
        (n, D) float32, in the order of the images.
    """
    import torch
    from torch.utils.data import DataLoader

    from mien.engine.device import limited_threads, make_fabric
    from mien.engine.predict import predict

    device = prediction.device
    fabric = make_fabric(device.accelerator, precision=device.precision)
    on_gpu = fabric.device.type == "cuda"
    loader = DataLoader(images, prediction.batch_size, num_workers=device.num_workers, pin_memory=on_gpu)
    layout = torch.channels_last if device.channels_last else torch.contiguous_format
    on_device = fabric.setup(model.to(memory_format=layout))
    if function is not model:
        on_device.mark_forward_method(function.__name__)
        function = getattr(on_device, function.__name__)
    with limited_threads(device.threads):
        outputs, _ = predict(fabric, on_device, fabric.setup_dataloaders(loader), function)
    return outputs
