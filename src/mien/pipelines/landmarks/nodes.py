"""Node functions of ``landmarks`` that train and apply the network; ``faces`` and ``evaluation`` have the others."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mien.labels import NUM_LANDMARKS
from mien.models.network import Network
from mien.nodes.alignment import POINT_COLUMNS
from mien.nodes.digest import array_digest, table_digest
from mien.nodes.params import PredictionParams
from mien.nodes.prediction import apply_to_images
from mien.nodes.training import train_network
from mien.pipelines.landmarks.params import (
    LandmarkModelParams,
    LandmarkTrainingParams,
    MovedPredictionParams,
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

_CARRIED = ["sample_id", "split", "subject", "synthetic", "face_index"]


def initialise(samples: pd.DataFrame, model: LandmarkModelParams, training: LandmarkTrainingParams) -> Network:
    """Build MobileFaceNet with its head at the mean and the spread of the train rows' landmarks.

    Args:
        samples: Rows of split train and val, of the table of ``list_faces``.
        model: Sizes of the network.
        training: The recipe; its seed decides every other weight.

    Raises:
        ValueError: No two train rows with landmarks.
    """
    import torch

    from mien.engine.seed import seed_everything
    from mien.models import create_model

    train_rows = samples[(samples["split"] == "train") & samples[LANDMARK_COLUMNS[0]].notna()]
    if len(train_rows) < 2:
        raise ValueError(
            f"{len(train_rows)} of {len(samples)} rows are train faces with landmarks, and a network cannot learn from "
            "them. Set landmarks.synthetic_faces.num_faces higher."
        )
    known = train_rows[LANDMARK_COLUMNS].to_numpy(np.float64)
    seed_everything(training.seed, 0)
    network: Any = create_model(ARCHITECTURE, **model.config())
    mean, std = known.mean(axis=0), np.maximum(known.std(axis=0), 1e-3)
    network.output_layer.start_from(torch.from_numpy(mean), torch.from_numpy(std))
    parameters = sum(parameter.numel() for parameter in network.parameters())
    logger.info("%s: %.2f M parameters, %d landmarks", ARCHITECTURE, parameters / 1e6, NUM_LANDMARKS)
    return Network(ARCHITECTURE, model.config(), tuple(LANDMARK_COLUMNS), network)


def train(
    samples: pd.DataFrame,
    faces: np.ndarray,
    checkpoints: Path,
    initial_network: Network,
    training: LandmarkTrainingParams,
) -> tuple[Network, pd.DataFrame]:
    """Train on the train rows, with landmarks or five points, and choose the epoch by the synthetic faces of split val.

    Args:
        samples: Rows of split train and val, of the table of ``list_faces`` or of ``join_faces``.
        faces: Packed faces (n, H, H, 3) uint8.
        checkpoints: Folder to resume from and to save to.
        initial_network: What training starts from.
        training: The recipe.

    Returns:
        The network with the best epoch's weights, whose outputs are x and y of the 68 landmarks, and the history: one
        row per epoch.
    """
    from mien.engine.fit import Task
    from mien.losses import LandmarkLoss

    images = _train_and_val_images(samples, faces, initial_network.model.image_size, training)
    task = Task(
        loss=LandmarkLoss(**training.loss.model_dump()),
        metrics=_validation_metrics,
        monitor=training.monitor,
        mode="min",
    )
    return train_network(
        initial_network, images, task, checkpoints, training, seen=(table_digest(samples), array_digest(faces))
    )


def _train_and_val_images(
    samples: pd.DataFrame, faces: np.ndarray, image_size: int, training: LandmarkTrainingParams
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
                rows["face_index"].to_numpy(),
                target_points(rows),
                image_size=image_size,
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


def predict(samples: pd.DataFrame, faces: np.ndarray, network: Network, prediction: PredictionParams) -> pd.DataFrame:
    """Landmarks of the synthetic faces that training has not trained on.

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
            "Set landmarks.synthetic_faces.validation_fraction and test_fraction so that some persons are held out."
        )
    images = _images(network, faces, unseen["face_index"].to_numpy(), target_points(unseen))
    predicted = point_columns(PREDICTED_COLUMNS, apply_to_images(images, network.model, prediction, network.model))
    return pd.concat([unseen[[*_CARRIED, *LANDMARK_COLUMNS]], predicted], axis=1)


def predict_dataset(
    dataset_samples: pd.DataFrame,
    dataset_faces: np.ndarray,
    landmark_network: Network,
    network: Network,
    prediction: MovedPredictionParams,
) -> pd.DataFrame:
    """Landmarks of a dataset's val and test faces, by two networks, beside the five points that MTCNN found.

    Every face is looked at twice: as it was cut out, where MTCNN's points lie near the template by construction, and
    turned, resized and moved at random.

    Args:
        dataset_samples: The dataset's samples table.
        dataset_faces: Its packed faces (n, H, H, 3) uint8.
        landmark_network: The network that trained on synthetic faces alone.
        network: The one that trained on weak labels too.
        prediction: Batch size and device, and how far faces are moved.

    Returns:
        Four rows per face that was cut out by MTCNN's points: ``weak_labels`` says by which network, ``moved`` how it
        was looked at; the five points and ``predicted_*`` are those in the face as it was looked at.

    Raises:
        ValueError: There is no such face.
    """
    from mien.data.landmark_transforms import Movement

    usable = dataset_samples["split"].isin(("val", "test")) & (dataset_samples["crop"] == "points")
    rows = dataset_samples[usable & (dataset_samples["face_index"] >= 0)].reset_index(drop=True)
    if rows.empty:
        raise ValueError(
            f"None of the {len(dataset_samples)} samples of the dataset is a val or test face that was cut out by "
            "MTCNN's points: there is nothing to compare with. Set the dataset's alignment.method to mtcnn and prepare "
            "it again."
        )
    unknown = np.full((len(rows), NUM_LANDMARKS, 2), np.nan)
    points = np.concatenate([unknown, detected_points(rows)], axis=1)
    movement = Movement(**prediction.movement.model_dump())
    tables = []
    for by, weak_labels in ((landmark_network, False), (network, True)):
        for augment in (None, movement):
            images = _images(by, dataset_faces, rows["face_index"].to_numpy(), points, augment, prediction.seed)
            predicted = apply_to_images(images, by.model, prediction, by.model)
            seen = np.stack([images[number][1].numpy() for number in range(len(rows))])
            columns = [
                point_columns(POINT_COLUMNS, seen[:, NUM_LANDMARKS:]),
                point_columns(PREDICTED_COLUMNS, predicted),
            ]
            table = pd.concat([rows[_CARRIED], *columns], axis=1)
            tables.append(table.assign(weak_labels=weak_labels, moved=augment is not None))
    return pd.concat(tables, ignore_index=True)


def _images(
    network: Network, faces: np.ndarray, rows: np.ndarray, points: np.ndarray, augment: Any = None, seed: int = 0
) -> Any:
    from mien.data.landmark_images import LandmarkImages

    return LandmarkImages(faces, rows, points, image_size=network.model.image_size, augment=augment, seed=seed)
