"""Node functions that make the synthetic faces of ``landmarks``: who and how, where the landmarks are, the pixels."""

import functools
import logging
from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

from mien.io.packed_faces import FaceStream
from mien.labels import FIVE_POINT_LANDMARKS
from mien.nodes.alignment import POINT_COLUMNS
from mien.nodes.digest import settings_digest, table_digest
from mien.pipelines.landmarks.params import CropParams, SyntheticFacesParams
from mien.pipelines.landmarks.tables import LANDMARK_COLUMNS, point_columns

logger = logging.getLogger(__name__)

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
        ``person`` and ``picture``, by which it is generated, ``face_index``, its place among the packed faces, the 68
        landmarks, x and y with (0, 0) and (1, 1) the corners of the face, and MTCNN's five points, which are not
        detected: NaN.

    Raises:
        ValueError: Too few persons for three splits.
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
    unknown = np.full((len(table), len(FIVE_POINT_LANDMARKS), 2), np.nan)
    known = point_columns(LANDMARK_COLUMNS, np.stack(landmarks))
    return pd.concat([table, known, point_columns(POINT_COLUMNS, unknown)], axis=1)


def _splits(num_persons: int, synthetic_faces: SyntheticFacesParams) -> np.ndarray:
    """(num_persons,) the split of each person's faces."""
    num_val, num_test = (
        round(part * num_persons) for part in (synthetic_faces.validation_fraction, synthetic_faces.test_fraction)
    )
    if min(num_val, num_test) < 1 or num_val + num_test >= num_persons:
        raise ValueError(
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
    from mien.data.landmark_faces import LandmarkCrops, place_landmark_face

    how = LandmarkCrops(**crops.model_dump())
    faces = [place_landmark_face(how, seed, person, picture) for person, picture in pictures]
    return [(face.landmarks, face.expression, face.aligned) for face in faces]


def _draw(pictures: Pictures, *, crops: CropParams, seed: int) -> np.ndarray:
    """Some faces (b, size, size, 3) uint8; runs in a process of its own."""
    from mien.data.landmark_faces import LandmarkCrops, draw_landmark_face, place_landmark_face

    how = LandmarkCrops(**crops.model_dump())
    placed = (place_landmark_face(how, seed, person, picture) for person, picture in pictures)
    return np.stack([draw_landmark_face(face, how.size) for face in placed])
