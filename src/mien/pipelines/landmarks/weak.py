"""Node functions for weak labels: faces of a dataset join the synthetic ones with the five points that MTCNN found."""

import logging
from collections.abc import Iterator

import numpy as np
import pandas as pd

from mien.io.packed_faces import FaceStream
from mien.labels import NUM_LANDMARKS
from mien.nodes.alignment import POINT_COLUMNS
from mien.nodes.digest import settings_digest, table_digest
from mien.pipelines.landmarks.params import WeakLabelParams
from mien.pipelines.landmarks.tables import LANDMARK_COLUMNS, detected_points, point_columns

logger = logging.getLogger(__name__)

_COPIED = 256  # faces of one kind copied in one go: 10 MB at 112 px


def join_faces(
    synthetic_samples: pd.DataFrame, dataset_rows: pd.DataFrame, weak_labels: WeakLabelParams
) -> pd.DataFrame:
    """Add train faces of a dataset, with five points, to the synthetic train and val faces.

    Args:
        synthetic_samples: Rows of split train and val, of the table of ``list_faces``.
        dataset_rows: Train and val rows of the dataset's samples table; val rows never join.
        weak_labels: How many join.

    Returns:
        The synthetic rows, then those of the dataset: ``person`` and ``picture`` -1, the five points in the aligned
            face,
        landmarks NaN. ``row`` counts them all, ``source_face_index`` says which packed face each was.

    Raises:
        ValueError: No train face of the dataset was cut out by MTCNN's points.
    """
    usable = dataset_rows[(dataset_rows["split"] == "train") & (dataset_rows["crop"] == "points")]
    if usable.empty:
        raise ValueError(
            f"None of the {len(dataset_rows)} train and val rows of the dataset is a train face that was cut out by "
            "MTCNN's points, so there are no weak labels. Set the dataset's alignment.method to mtcnn and prepare it "
            "again."
        )
    number = min(len(usable), weak_labels.most)
    chosen = usable.iloc[np.sort(np.random.default_rng(weak_labels.seed).choice(len(usable), number, replace=False))]
    weak = pd.DataFrame(
        {
            "sample_id": "dataset/" + chosen["sample_id"].to_numpy().astype(object),
            "split": "train",
            "subject": None,
            "synthetic": chosen["synthetic"].to_numpy(bool),
            "expression": chosen["expression"].to_numpy(),
            "aligned": True,
            "person": -1,
            "picture": -1,
            "source_face_index": chosen["face_index"].to_numpy(),
        }
    )
    unknown = point_columns(LANDMARK_COLUMNS, np.full((number, NUM_LANDMARKS, 2), np.nan))
    weak = pd.concat([weak, unknown, point_columns(POINT_COLUMNS, detected_points(chosen))], axis=1)
    joined = pd.concat([synthetic_samples.rename(columns={"face_index": "source_face_index"}), weak], ignore_index=True)
    logger.info(
        "%d synthetic faces with landmarks and %d of the dataset with five points", len(synthetic_samples), number
    )
    return joined.assign(face_index=np.arange(len(joined)))


def pack_joined(samples: pd.DataFrame, synthetic_faces: np.ndarray, dataset_faces: np.ndarray) -> FaceStream:
    """Copy the joined faces into one file.

    Args:
        samples: The table of ``join_faces``.
        synthetic_faces: Packed synthetic faces (n, H, H, 3) uint8.
        dataset_faces: Packed faces of the dataset, of any side; they are resized.

    Returns:
        Faces (n, H, H, 3) uint8 RGB in the order of ``row``.
    """
    from mien.data.face_images import resize_square

    size = synthetic_faces.shape[1]
    sources, drawn = samples["source_face_index"].to_numpy(), (samples["picture"] >= 0).to_numpy()

    def batches(start: int) -> Iterator[np.ndarray]:
        for first in range(start, len(samples), _COPIED):
            rows = range(first, min(first + _COPIED, len(samples)))
            faces = (np.asarray((synthetic_faces if drawn[row] else dataset_faces)[sources[row]]) for row in rows)
            yield np.stack([resize_square(face, size) for face in faces])

    return FaceStream((len(samples), size, size, 3), batches, settings_digest("joined", size, table_digest(samples)))
