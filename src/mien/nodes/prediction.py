"""Scores of a trained classifier for every sample that it has not been trained on."""

import numpy as np
import pandas as pd

from mien.models.network import Network
from mien.nodes.params import PredictionParams

SCORE_PREFIX = "score/"


def predict_classes(
    samples: pd.DataFrame, faces: np.ndarray, network: Network, prediction: PredictionParams
) -> pd.DataFrame:
    """Class scores of the val and test samples: the one table that every metric and figure is computed from.

    Args:
        samples: The samples table; rows of split train and rows without a face are passed over.
        faces: Packed faces (n, H, W, 3) uint8.
        network: The trained network.
        prediction: Batch size and device.

    Returns:
        One row per sample, in the table's order: ``sample_id``, ``split``, ``drawn``, ``target`` and one column
        ``score/<class>`` per class, the softmax of the outputs, which add up to 1.
    """
    import torch
    from torch.utils.data import DataLoader

    from mien.data.face_images import FaceImages
    from mien.engine.device import limited_threads, make_fabric
    from mien.engine.predict import predict

    unseen = samples[samples["split"].isin(["val", "test"]) & (samples["row"] >= 0)].reset_index(drop=True)
    model, device = network.model, prediction.device
    images = FaceImages(
        faces,
        unseen["row"].to_numpy(),
        unseen["label"].to_numpy(),
        image_size=model.image_size,
        mean=model.mean,
        std=model.std,
    )
    fabric = make_fabric(device.accelerator, 1, device.precision)
    loader = DataLoader(images, batch_size=prediction.batch_size, num_workers=device.num_workers)
    layout = torch.channels_last if device.channels_last else torch.contiguous_format
    network_on_device = fabric.setup(model.to(memory_format=layout))
    with limited_threads(device.threads):
        outputs, targets = predict(fabric, network_on_device, fabric.setup_dataloaders(loader))
    scores = torch.softmax(torch.from_numpy(outputs).double(), dim=1).numpy()

    table = unseen[["sample_id", "split", "drawn"]].assign(target=targets)
    named = pd.DataFrame(scores, columns=[SCORE_PREFIX + name for name in network.class_names])
    return pd.concat([table, named], axis=1)
