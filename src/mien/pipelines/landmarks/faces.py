"""Node functions that make the faces of ``landmarks``: which are drawn, what is known of them, the pixels."""

import functools
import logging
from collections.abc import Iterator

import numpy as np
import pandas as pd

from mien.io.packed_faces import FaceStream
from mien.labels import FIVE_POINT_LANDMARKS, NUM_LANDMARKS
from mien.nodes.alignment import POINT_COLUMNS
from mien.nodes.digest import settings_digest, table_digest
from mien.pipelines.landmarks.params import CropParams, DrawingParams, WeakLabelParams
from mien.pipelines.landmarks.tables import LANDMARK_COLUMNS, detected_points, point_columns

logger = logging.getLogger(__name__)

CHUNK = 64
"""Faces that a process makes in one go: three seconds at 112 px."""

Pictures = list[tuple[int, int]]
"""Person and number of each picture: with the parameters of the drawing they decide a face."""


def list_faces(dataset_rows: pd.DataFrame, drawing: DrawingParams, weak_labels: WeakLabelParams) -> pd.DataFrame:
    """Place every face that will be drawn, and choose the dataset's faces that join the training.

    Args:
        dataset_rows: Train and val rows of a dataset's samples table; only train rows with MTCNN's points can join.
        drawing: How many faces, of whom, how cut out.
        weak_labels: Whether faces of the dataset join.

    Returns:
        One row per face: ``sample_id``, ``split`` (by person), ``subject``, ``drawn``, ``expression``, ``aligned``,
        ``person`` and ``picture`` (-1 for faces of the dataset), ``dataset_row`` (-1 for drawn ones), ``row``, its
        place among the packed faces, the 68 landmarks of drawn faces and MTCNN's five points of the dataset's, x and y
        with (0, 0) and (1, 1) the corners of the face; NaN where unknown.

    Raises:
        ValueError: Too few persons for three splits, or weak labels are asked for and the dataset has none.
    """
    tables = [_drawn_faces(drawing)]
    if weak_labels.use:
        tables.append(_weak_faces(dataset_rows, weak_labels))
    samples = pd.concat(tables, ignore_index=True)
    samples["row"] = np.arange(len(samples))
    for split, rows in samples.groupby("split"):
        weak = int((rows["picture"] < 0).sum())
        logger.info("%s: %d drawn faces, %d of the dataset with five points", split, len(rows) - weak, weak)
    return samples


def _drawn_faces(drawing: DrawingParams) -> pd.DataFrame:
    from mien.data.worker_processes import map_in_order

    persons = np.arange(drawing.num_faces) // drawing.faces_per_person
    splits = _splits(int(persons[-1]) + 1, drawing)
    pictures = list(zip(persons.tolist(), range(drawing.num_faces), strict=True))
    place = functools.partial(_place, crops=drawing.crops, seed=drawing.seed)
    placed = map_in_order(place, _chunks(pictures), drawing.workers)
    landmarks, expressions, aligned = zip(*(face for chunk in placed for face in chunk), strict=True)
    table = pd.DataFrame(
        {
            "sample_id": [f"drawn_{picture:06d}" for _, picture in pictures],
            "split": splits[persons],
            "subject": [f"person_{person:06d}" for person, _ in pictures],
            "drawn": True,
            "expression": expressions,
            "aligned": aligned,
            "person": persons,
            "picture": np.arange(drawing.num_faces),
            "dataset_row": -1,
        }
    )
    unknown = np.full((len(table), len(FIVE_POINT_LANDMARKS), 2), np.nan)
    known = point_columns(LANDMARK_COLUMNS, np.stack(landmarks))
    return pd.concat([table, known, point_columns(POINT_COLUMNS, unknown)], axis=1)


def _splits(num_persons: int, drawing: DrawingParams) -> np.ndarray:
    """(num_persons,) the split of each person's faces."""
    num_val, num_test = (round(part * num_persons) for part in (drawing.validation_fraction, drawing.test_fraction))
    if min(num_val, num_test) < 1 or num_val + num_test >= num_persons:
        raise ValueError(
            f"{num_persons} drawn persons give {num_val} to split val and {num_test} to split test, where each split "
            "needs one at least. Set landmarks.drawing.num_faces higher, or faces_per_person, validation_fraction and "
            "test_fraction to what leaves a person for each."
        )
    names = np.repeat(["val", "test", "train"], [num_val, num_test, num_persons - num_val - num_test]).astype(object)
    splits = np.empty(num_persons, object)
    splits[np.random.default_rng([drawing.seed, 2]).permutation(num_persons)] = names
    return splits


def _weak_faces(dataset_rows: pd.DataFrame, weak_labels: WeakLabelParams) -> pd.DataFrame:
    usable = dataset_rows[(dataset_rows["split"] == "train") & (dataset_rows["crop"] == "points")]
    if usable.empty:
        raise ValueError(
            f"landmarks.weak_labels.use is on, but none of the {len(dataset_rows)} train and val rows of the dataset "
            "is a train face that was cut out by MTCNN's points. Set its alignment.method to mtcnn and prepare "
            "it again, or switch weak labels off."
        )
    number = min(len(usable), weak_labels.most)
    chosen = usable.iloc[np.sort(np.random.default_rng(weak_labels.seed).choice(len(usable), number, replace=False))]
    table = pd.DataFrame(
        {
            "sample_id": "dataset/" + chosen["sample_id"].to_numpy().astype(object),
            "split": "train",
            "subject": None,
            "drawn": chosen["drawn"].to_numpy(bool),
            "expression": chosen["expression"].to_numpy(),
            "aligned": True,
            "person": -1,
            "picture": -1,
            "dataset_row": chosen["row"].to_numpy(),
        }
    )
    unknown = np.full((number, NUM_LANDMARKS, 2), np.nan)
    known = point_columns(POINT_COLUMNS, detected_points(chosen))
    return pd.concat([table, point_columns(LANDMARK_COLUMNS, unknown), known], axis=1)


def pack_faces(samples: pd.DataFrame, dataset_faces: np.ndarray, drawing: DrawingParams) -> FaceStream:
    """Draw every placed face, and copy those of the dataset.

    Args:
        samples: The table of ``list_faces``.
        dataset_faces: Packed faces of the dataset (n, H, H, 3) uint8.
        drawing: The same as the table was made by.

    Returns:
        Faces (n, size, size, 3) uint8 RGB in the order of ``row``, computed while they are written.
    """
    from mien.data.face_images import resize_square
    from mien.data.worker_processes import map_in_order

    size = drawing.crops.size
    pictures = samples.loc[samples["picture"] >= 0, ["person", "picture"]].to_numpy().tolist()
    copied = samples.loc[samples["picture"] < 0, "dataset_row"].to_numpy()
    draw = functools.partial(_draw, crops=drawing.crops, seed=drawing.seed)

    def batches(start: int) -> Iterator[np.ndarray]:
        yield from map_in_order(draw, _chunks(pictures[start:]), drawing.workers)
        for row in copied[max(0, start - len(pictures)) :]:
            yield resize_square(np.asarray(dataset_faces[row]), size)[None]

    key = settings_digest("landmarks", drawing.model_dump(exclude={"workers"}), table_digest(samples))
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
