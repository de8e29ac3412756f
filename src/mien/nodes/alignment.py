"""From listed images to aligned faces: the preparation that every face dataset shares."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mien.io.packed_faces import FaceStream
from mien.nodes.params import AlignmentParams

logger = logging.getLogger(__name__)

CROP_BATCH = 256
"""Faces cropped before they are written: 10 MB at 112 px."""

POINT_COLUMNS = [
    f"{point}_{axis}"
    for point in ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")  # left in the image
    for axis in ("x", "y")
]
BOX_COLUMNS = ["box_x0", "box_y0", "box_x1", "box_y1"]


def locate_faces(listed: pd.DataFrame, raw: Path, alignment: AlignmentParams) -> pd.DataFrame:
    """Find the face in every listed image: the samples table.

    Args:
        listed: One row per image, with ``image`` relative to ``raw``.
        raw: The dataset's folder.
        alignment: How faces are found and what becomes of images without one.

    Returns:
        ``listed`` with, per image: ``box_*`` and points ``<point>_x``, ``<point>_y`` in pixels of the image, detection
        ``score`` in [0, 1], ``roll_degrees`` of the eye line, ``num_faces``, ``reason`` (``aligned``,
        ``several_faces``, ``no_face``, ``unreadable``, ``already_aligned``), ``crop`` (how it becomes a face:
        ``points``, ``whole``, ``centre``, ``none``) and ``row``, its place among the packed faces or -1.
    """
    if alignment.method == "given":
        records = [{"reason": "already_aligned", "crop": "whole"} for _ in range(len(listed))]
    else:
        from mien.engine.device import limited_threads

        with limited_threads(alignment.threads):
            records = list(_detect(listed, raw, alignment))
    located = pd.DataFrame(records).reindex(
        columns=["reason", "crop", "num_faces", "score", "roll_degrees", *BOX_COLUMNS, *POINT_COLUMNS]
    )
    located = located.astype(dict.fromkeys(located.columns[2:], "float32"))
    samples = pd.concat([listed.reset_index(drop=True), located], axis=1)
    kept = (samples["crop"] != "none").to_numpy()
    samples["row"] = np.where(kept, np.cumsum(kept) - 1, -1)
    counts = samples["reason"].value_counts()
    logger.info("Faces: %s", ", ".join(f"{count} {reason}" for reason, count in counts.items()))
    if not kept.all():
        logger.warning("%d of %d images give no face and are left out", (~kept).sum(), len(samples))
    return samples


def _detect(listed: pd.DataFrame, raw: Path, alignment: AlignmentParams) -> Iterator[dict[str, Any]]:
    """One record per listed image, in order, detected in batches."""
    from mien.data.images import ImageError, read_image
    from mien.models.face_detector import FaceDetector

    detector = FaceDetector(min_face_size=alignment.min_face_size, thresholds=alignment.thresholds)
    paths = [raw / image for image in listed["image"]]
    for start in range(0, len(paths), alignment.batch_size):
        images: list[np.ndarray | None] = []
        for path in paths[start : start + alignment.batch_size]:
            try:
                images.append(read_image(path))
            except ImageError as error:
                logger.warning("%s", error)
                images.append(None)
        found = iter(detector.detect([image for image in images if image is not None]))
        for image in images:
            if image is None:
                yield {"reason": "unreadable", "crop": "none"}
            else:
                yield _record(next(found), image, alignment)


def _record(faces: Any, image: np.ndarray, alignment: AlignmentParams) -> dict[str, Any]:
    from mien.data.alignment import choose_face, roll_angle_degrees

    n = len(faces.scores)
    if n == 0:
        crop = {"drop": "none", "keep_original": "whole", "centre_crop": "centre"}[alignment.without_face]
        return {"reason": "no_face", "crop": crop, "num_faces": 0}
    best = choose_face(faces.boxes, image.shape[:2])
    return {
        "reason": "aligned" if n == 1 else "several_faces",
        "crop": "points",
        "num_faces": n,
        "score": faces.scores[best],
        "roll_degrees": roll_angle_degrees(faces.points[best]),
        **dict(zip(BOX_COLUMNS, faces.boxes[best], strict=True)),
        **dict(zip(POINT_COLUMNS, faces.points[best].ravel(), strict=True)),
    }


def crop_faces(samples: pd.DataFrame, raw: Path, size: int) -> FaceStream:
    """Cut every located face out of its image, turned upright and brought to the template.

    Args:
        samples: The table of ``locate_faces``.
        raw: The dataset's folder.
        size: Side of the faces, in pixels.

    Returns:
        Faces (n, size, size, 3) uint8 RGB in the order of ``row``, computed while they are written.
    """
    kept = samples[samples["row"] >= 0].sort_values("row")
    return FaceStream((len(kept), size, size, 3), _crop_batches(kept, raw, size))


def _crop_batches(kept: pd.DataFrame, raw: Path, size: int) -> Iterator[np.ndarray]:
    for start in range(0, len(kept), CROP_BATCH):
        batch = kept.iloc[start : start + CROP_BATCH]
        points = batch[POINT_COLUMNS].to_numpy(np.float32).reshape(-1, 5, 2)
        rows = zip(batch["image"], batch["crop"], points, strict=True)
        yield np.stack([_crop(raw / image, crop, five_points, size) for image, crop, five_points in rows])


def _crop(path: Path, crop: str, five_points: np.ndarray, size: int) -> np.ndarray:
    from mien.data.alignment import align_face, centre_crop_face
    from mien.data.face_images import resize_square
    from mien.data.images import read_image

    image = read_image(path)
    if crop == "points":
        return align_face(image, five_points, size)
    if crop == "centre":
        return centre_crop_face(image, size)
    return resize_square(image, size)
