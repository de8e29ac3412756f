"""Node functions of ``landmarks``: synthetic faces with their landmarks, and the network that finds them."""

import functools
import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mien.errors import MienError
from mien.io.packed_faces import FaceStream
from mien.labels import NUM_LANDMARKS
from mien.models.network import Network
from mien.nodes.digest import array_digest, settings_digest, table_digest
from mien.nodes.params import PredictionParams
from mien.nodes.prediction import apply_to_images
from mien.nodes.training import train_network
from mien.pipelines.landmarks.params import (
    CropParams,
    LandmarkModelParams,
    LandmarkTrainingParams,
    SyntheticFacesParams,
)

logger = logging.getLogger(__name__)

ARCHITECTURE = "mobilefacenet"

LANDMARK_COLUMNS = [f"landmark_{number:02d}_{axis}" for number in range(NUM_LANDMARKS) for axis in "xy"]
"""Where the 68 landmarks are: x and y in the face, whose corners are (0, 0) and (1, 1)."""

PREDICTED_COLUMNS = [f"predicted_{number:02d}_{axis}" for number in range(NUM_LANDMARKS) for axis in "xy"]
"""Where a network puts them, likewise."""

_CARRIED = ["sample_id", "split", "subject", "synthetic", "face_index"]

CHUNK = 64
"""Faces that a process makes in one go: three seconds at 112 px."""

Pictures = list[tuple[int, int]]
"""Person and number of each picture: with the parameters of the drawing they decide a face."""


def list_faces(synthetic_faces: SyntheticFacesParams) -> pd.DataFrame:
    """Place every face that will be generated.

    Args:
        synthetic_faces: How many faces, of whom, how cut out.

    Returns:
        One row per face: ``sample_id``, ``split`` (by person), ``subject``, ``synthetic``, ``expression``, ``aligned``,
        ``person`` and ``picture``, by which it is generated, ``face_index``, its place among the packed faces, and the
        68 landmarks, x and y with (0, 0) and (1, 1) the corners of the face.

    Raises:
        MienError: Too few persons for three splits.
    """
    samples = _synthetic_faces(synthetic_faces)
    counts = samples["split"].value_counts()
    logger.info("Synthetic faces: %s", ", ".join(f"{counts[split]} {split}" for split in ("train", "val", "test")))
    return samples


def _synthetic_faces(synthetic_faces: SyntheticFacesParams) -> pd.DataFrame:
    from mien.data.worker_processes import map_in_order

    persons = np.arange(synthetic_faces.num_faces) // synthetic_faces.faces_per_person
    splits = _splits(int(persons[-1]) + 1, synthetic_faces)
    pictures = list(zip(persons.tolist(), range(synthetic_faces.num_faces), strict=True))
    place = functools.partial(_place, crops=synthetic_faces.crops, seed=synthetic_faces.seed)
    placed = map_in_order(place, _chunks(pictures), synthetic_faces.workers)
    landmarks, expressions, aligned = zip(*(face for chunk in placed for face in chunk), strict=True)
    table = pd.DataFrame(
        {
            "sample_id": [f"synthetic_{picture:06d}" for _, picture in pictures],
            "split": splits[persons],
            "subject": [f"person_{person:06d}" for person, _ in pictures],
            "synthetic": True,
            "expression": expressions,
            "aligned": aligned,
            "person": persons,
            "picture": np.arange(synthetic_faces.num_faces),
            "face_index": np.arange(synthetic_faces.num_faces),
        }
    )
    return pd.concat([table, point_columns(LANDMARK_COLUMNS, np.stack(landmarks))], axis=1)


def _splits(num_persons: int, synthetic_faces: SyntheticFacesParams) -> np.ndarray:
    """(num_persons,) the split of each person's faces."""
    num_val, num_test = (
        round(part * num_persons) for part in (synthetic_faces.validation_fraction, synthetic_faces.test_fraction)
    )
    if min(num_val, num_test) < 1 or num_val + num_test >= num_persons:
        raise MienError(
            f"{num_persons} synthetic persons give {num_val} to split val and {num_test} to split test, where each "
            "split needs one at least. Set landmarks.synthetic_faces.num_faces higher, or faces_per_person, "
            "validation_fraction and test_fraction to what leaves a person for each."
        )
    names = np.repeat(["val", "test", "train"], [num_val, num_test, num_persons - num_val - num_test]).astype(object)
    splits = np.empty(num_persons, object)
    splits[np.random.default_rng([synthetic_faces.seed, 2]).permutation(num_persons)] = names
    return splits


def pack_faces(samples: pd.DataFrame, synthetic_faces: SyntheticFacesParams) -> FaceStream:
    """Generate every placed face.

    Args:
        samples: The table of ``list_faces``.
        synthetic_faces: The same as the table was made by.

    Returns:
        Faces (n, size, size, 3) uint8 RGB in the order of ``face_index``, computed while they are written.
    """
    from mien.data.worker_processes import map_in_order

    size = synthetic_faces.crops.size
    pictures = samples[["person", "picture"]].to_numpy().tolist()
    draw = functools.partial(_draw, crops=synthetic_faces.crops, seed=synthetic_faces.seed)

    def batches(start: int) -> Iterable[np.ndarray]:
        return map_in_order(draw, _chunks(pictures[start:]), synthetic_faces.workers)

    key = settings_digest("landmarks", synthetic_faces.model_dump(exclude={"workers"}), table_digest(samples))
    return FaceStream((len(samples), size, size, 3), batches, key)


def _chunks(pictures: Pictures) -> Iterator[Pictures]:
    return (pictures[start : start + CHUNK] for start in range(0, len(pictures), CHUNK))


def _place(pictures: Pictures, *, crops: CropParams, seed: int) -> list[tuple[np.ndarray, str, bool]]:
    """Landmarks, expression and alignment of some faces; runs in a process of its own."""
    from mien.data.landmarks import LandmarkCrops, place_landmark_face

    how = LandmarkCrops(**crops.model_dump())
    faces = [place_landmark_face(how, seed, person, picture) for person, picture in pictures]
    return [(face.landmarks, face.expression, face.aligned) for face in faces]


def _draw(pictures: Pictures, *, crops: CropParams, seed: int) -> np.ndarray:
    """Some faces (b, size, size, 3) uint8; runs in a process of its own."""
    from mien.data.landmarks import LandmarkCrops, place_landmark_face, render_landmark_face

    how = LandmarkCrops(**crops.model_dump())
    placed = (place_landmark_face(how, seed, person, picture) for person, picture in pictures)
    return np.stack([render_landmark_face(face, how.size) for face in placed])


def point_columns(columns: Sequence[str], points: np.ndarray) -> pd.DataFrame:
    """Points (n, P, 2) as a table of n rows and 2 P columns, float32."""
    return pd.DataFrame(np.asarray(points, np.float32).reshape(len(points), len(columns)), columns=list(columns))


def points_of(table: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    """Points (n, P, 2) float64 of the rows of a table."""
    return table[list(columns)].to_numpy(np.float64).reshape(len(table), len(columns) // 2, 2)


def initialise(samples: pd.DataFrame, model: LandmarkModelParams, training: LandmarkTrainingParams) -> Network:
    """Build MobileFaceNet with its head at the mean and the spread of the train rows' landmarks.

    Args:
        samples: Rows of split train and val, of the table of ``list_faces``.
        model: Sizes of the network.
        training: The recipe; its seed decides every other weight.

    Raises:
        MienError: Fewer than two train rows.
    """
    import torch

    from mien.engine.seed import seed_everything
    from mien.models import create_model

    train_rows = samples[samples["split"] == "train"]
    if len(train_rows) < 2:
        raise MienError(
            f"{len(train_rows)} of {len(samples)} rows are train faces, and a network cannot learn from "
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
    """Train on the train rows and choose the epoch on those of split val.

    Args:
        samples: Rows of split train and val, of the table of ``list_faces``.
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
    from mien.data.landmarks import LandmarkAugmentation, LandmarkImages, Movement

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
                points_of(rows, LANDMARK_COLUMNS),
                image_size=image_size,
                augment=augment if split == "train" else None,
                seed=training.seed,
            )
        )
    return images


def _validation_metrics(outputs: np.ndarray, target: np.ndarray) -> dict[str, float]:
    from mien.metrics.landmarks import interocular_distances, normalised_errors

    errors = normalised_errors(target, outputs.reshape(target.shape), interocular_distances(target))
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
        MienError: There is no such face.
    """
    from mien.data.landmarks import LandmarkImages

    unseen = samples[samples["split"].isin(("val", "test"))].reset_index(drop=True)
    if unseen.empty:
        raise MienError(
            f"None of the {len(samples)} rows of the samples table is of split val or test: nothing to predict. "
            "Set landmarks.synthetic_faces.validation_fraction and test_fraction so that some persons are held out."
        )
    points = points_of(unseen, LANDMARK_COLUMNS)
    images = LandmarkImages(faces, unseen["face_index"].to_numpy(), points, image_size=network.model.image_size)
    predicted = point_columns(PREDICTED_COLUMNS, apply_to_images(images, network.model, prediction, network.model))
    return pd.concat([unseen[[*_CARRIED, *LANDMARK_COLUMNS]], predicted], axis=1)
