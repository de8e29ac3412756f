"""Node functions of ``landmarks`` that train and apply the network; ``faces`` and ``judging`` have the others."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mien.labels import NUM_LANDMARKS
from mien.models.network import Network
from mien.nodes.alignment import POINT_COLUMNS
from mien.nodes.digest import array_digest, table_digest
from mien.nodes.prediction import apply_to_images
from mien.nodes.training import train_network
from mien.pipelines.landmarks.params import (
    LandmarkModelParams,
    LandmarkPredictionParams,
    LandmarkTrainingParams,
)
from mien.pipelines.landmarks.tables import (
    LANDMARK_COLUMNS,
    PREDICTED_COLUMNS,
    detected_points,
    point_columns,
    target_points,
)

logger = logging.getLogger(__name__)

ARCHITECTURE = "mobilefacenet"

_CARRIED = ["sample_id", "split", "subject", "drawn", "row"]


def train(
    samples: pd.DataFrame,
    faces: np.ndarray,
    checkpoints: Path,
    model: LandmarkModelParams,
    training: LandmarkTrainingParams,
) -> tuple[Network, pd.DataFrame]:
    """Train MobileFaceNet on the train rows and choose the epoch by the error on the drawn faces of split val.

    The head starts at the mean and the spread of the train rows' landmarks.

    Args:
        samples: Rows of split train and val, of the table of ``list_faces``.
        faces: Packed faces (n, H, H, 3) uint8.
        checkpoints: Folder to resume from and to save to.
        model: Sizes of the network.
        training: The recipe.

    Returns:
        The network with the best epoch's weights, whose outputs are x and y of the 68 landmarks, and the history: one
        row per epoch.
    """
    from mien.engine.fit import Task
    from mien.losses import LandmarkLoss

    images = _train_and_val_images(samples, faces, model, training)
    task = Task(
        loss=LandmarkLoss(**training.loss.model_dump()),
        metrics=_validation_metrics,
        monitor=training.monitor,
        mode="min",
    )
    seen = table_digest(samples), array_digest(faces)
    return train_network(_initial(samples, model, training), images, task, checkpoints, training, seen)


def _initial(samples: pd.DataFrame, model: LandmarkModelParams, training: LandmarkTrainingParams) -> Network:
    import torch

    from mien.engine.seed import seed_everything
    from mien.models import create_model

    train_rows = samples[(samples["split"] == "train") & samples[LANDMARK_COLUMNS[0]].notna()]
    if len(train_rows) < 2:
        raise ValueError(
            f"{len(train_rows)} of {len(samples)} rows are train faces with landmarks, and a network cannot learn from "
            "them. Set landmarks.drawing.num_faces higher."
        )
    known = train_rows[LANDMARK_COLUMNS].to_numpy(np.float64)
    seed_everything(training.seed, 0)
    network: Any = create_model(ARCHITECTURE, **model.config())
    mean, std = known.mean(axis=0), np.maximum(known.std(axis=0), 1e-3)
    network.output_layer.start_from(torch.from_numpy(mean), torch.from_numpy(std))
    parameters = sum(parameter.numel() for parameter in network.parameters())
    logger.info("%s: %.2f M parameters, %d landmarks", ARCHITECTURE, parameters / 1e6, NUM_LANDMARKS)
    return Network(ARCHITECTURE, model.config(), tuple(LANDMARK_COLUMNS), network)


def _train_and_val_images(
    samples: pd.DataFrame, faces: np.ndarray, model: LandmarkModelParams, training: LandmarkTrainingParams
) -> list[Any]:
    from mien.data.landmark_images import LandmarkImages
    from mien.data.landmark_transforms import LandmarkAugmentation, Movement

    options = training.augmentation.model_dump(exclude={"movement"})
    movement = Movement(**training.augmentation.movement.model_dump())
    augment = LandmarkAugmentation(movement=movement, **options)
    images = []
    for split in ("train", "val"):
        rows = samples[samples["split"] == split]
        images.append(
            LandmarkImages(
                faces,
                rows["row"].to_numpy(),
                target_points(rows),
                image_size=model.image_size,
                augment=augment if split == "train" else None,
                seed=training.seed,
            )
        )
    return images


def _validation_metrics(outputs: np.ndarray, target: np.ndarray) -> dict[str, float]:
    from mien.metrics.landmarks import interocular_distances, normalised_errors

    true = target[:, :NUM_LANDMARKS]
    errors = normalised_errors(true, outputs.reshape(true.shape), interocular_distances(true))
    return {"nme_interocular": float(errors.mean())}


def predict(
    samples: pd.DataFrame, faces: np.ndarray, network: Network, prediction: LandmarkPredictionParams
) -> pd.DataFrame:
    """Landmarks of the drawn faces that training has not learnt from.

    Args:
        samples: The table of ``list_faces``.
        faces: Packed faces (n, H, H, 3) uint8.
        network: The trained network.
        prediction: Batch size and device.

    Returns:
        One row per face of split val or test: what the samples table says of it, ``landmark_*`` where its landmarks are
        and ``predicted_*`` where the network puts them.

    Raises:
        ValueError: There is no such face.
    """
    unseen = samples[samples["split"].isin(("val", "test"))].reset_index(drop=True)
    if unseen.empty:
        raise ValueError(
            f"None of the {len(samples)} rows of the samples table is of split val or test: nothing to predict. "
            "Set landmarks.drawing.validation_fraction and test_fraction so that some persons are held out."
        )
    predicted, _ = _apply(network, faces, unseen["row"].to_numpy(), target_points(unseen), prediction)
    return pd.concat([unseen[[*_CARRIED, *LANDMARK_COLUMNS]], point_columns(PREDICTED_COLUMNS, predicted)], axis=1)


def predict_dataset(
    dataset_samples: pd.DataFrame, dataset_faces: np.ndarray, network: Network, prediction: LandmarkPredictionParams
) -> pd.DataFrame:
    """Landmarks of a dataset's val and test faces beside the five points that MTCNN found.

    Every face is looked at twice: as it was cut out, where MTCNN's points lie near the template by construction, and
    turned, resized and moved at random.

    Args:
        dataset_samples: The dataset's samples table.
        dataset_faces: Its packed faces (n, H, H, 3) uint8.
        network: The trained network.
        prediction: Batch size and device, and how far faces are turned.

    Returns:
        Two rows per face that was cut out by MTCNN's points: ``moved`` says which; the five points and ``predicted_*``
        are those in the face as it was looked at. No row where the dataset's faces were not cut out by such points.
    """
    usable = dataset_samples["split"].isin(("val", "test")) & (dataset_samples["crop"] == "points")
    rows = dataset_samples[usable & (dataset_samples["row"] >= 0)].reset_index(drop=True)
    if rows.empty:
        logger.warning(
            "No val or test face of the dataset was cut out by MTCNN's points: distances to them are left out. "
            "Set the dataset's alignment.method to mtcnn to have them"
        )
    unknown = np.full((len(rows), NUM_LANDMARKS, 2), np.nan)
    points = np.concatenate([unknown, detected_points(rows)], axis=1)
    tables = []
    for moved in (False, True):
        predicted, target = _apply(network, dataset_faces, rows["row"].to_numpy(), points, prediction, moved=moved)
        known = point_columns(POINT_COLUMNS, target[:, NUM_LANDMARKS:])
        table = pd.concat([rows[_CARRIED], known, point_columns(PREDICTED_COLUMNS, predicted)], axis=1)
        tables.append(table.assign(moved=moved))
    return pd.concat(tables, ignore_index=True)


def _apply(
    network: Network,
    faces: np.ndarray,
    rows: np.ndarray,
    points: np.ndarray,
    prediction: LandmarkPredictionParams,
    *,
    moved: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Predicted landmarks (n, 68, 2) of some faces, and their known points (n, 73, 2) as they were looked at."""
    from mien.data.landmark_images import LandmarkImages
    from mien.data.landmark_transforms import Movement

    images = LandmarkImages(
        faces,
        rows,
        points,
        image_size=network.model.image_size,
        augment=Movement(**prediction.movement.model_dump()) if moved else None,
        seed=prediction.seed,
    )
    if not len(rows):
        return np.empty((0, NUM_LANDMARKS, 2)), points
    outputs = apply_to_images(images, network.model, prediction, network.model)
    known = np.stack([images[number][1].numpy() for number in range(len(rows))])
    return outputs.reshape(-1, NUM_LANDMARKS, 2), known
