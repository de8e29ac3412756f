"""From located faces to packed ones: cut out, turned upright, brought to the template and to one size."""

import functools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from mien.io.packed_faces import FaceStream
from mien.nodes.alignment import POINT_COLUMNS, image_columns
from mien.nodes.digest import settings_digest, table_digest
from mien.nodes.params import AlignmentParams, Resize

CROP_BATCH = 256
"""Samples cropped in one go: 10 MB at 112 px."""

Channels = Literal["rgb", "grey"]

Cut = tuple[tuple[str, ...], str, np.ndarray]
"""What a crop needs of a sample: its references, how it is cut, its five points (5, 2)."""


def crop_faces(
    samples: pd.DataFrame, raw: Path, alignment: AlignmentParams, *, size: int, channels: Channels = "rgb"
) -> FaceStream:
    """Cut every located face out of its image, turned upright and brought to the template.

    Args:
        samples: The table of ``locate_faces``.
        raw: The dataset's folder.
        alignment: Its ``workers`` and ``resize`` count here.
        size: Side of the faces, in pixels.
        channels: ``rgb``, or ``grey`` for one channel.

    Returns:
        Faces (n, size, size, C) uint8 in the order of ``row``, computed while they are written. Pairs become
        (n, 2, size, size, C), sequences of K images (n, K, size, size, C), the onset first, all cut by the same points.
    """
    columns = image_columns(samples)
    several = (len(columns),) if len(columns) > 1 else ()
    shape = (*several, size, size, 1 if channels == "grey" else 3)
    cut = functools.partial(_cut, raw=raw, size=size, channels=channels, resize=alignment.resize)
    key = settings_digest("crop_faces", size, channels, alignment.resize, table_digest(samples))
    return stream_cuts(samples, cut, shape, key, alignment.workers)


def stream_cuts(
    samples: pd.DataFrame, cut: Callable[[list[Cut]], np.ndarray], shape: tuple[int, ...], key: str, workers: int
) -> FaceStream:
    """Stream what ``cut`` makes of the kept samples, batch by batch, in several processes.

    Args:
        samples: The table of ``locate_faces``, or some of its rows.
        cut: Takes b samples and gives (b, *shape) uint8; a function of a module, or a partial of one.
        shape: Of one sample.
        key: Digest of all that decides the bytes.
        workers: Processes; 0 is one per core.
    """
    from mien.data.worker_processes import map_in_order

    kept = samples[samples["face_index"] >= 0].sort_values("face_index")

    def batches(start: int) -> Iterable[np.ndarray]:
        return map_in_order(cut, _cuts(kept.iloc[start:]), workers)

    return FaceStream((len(kept), *shape), batches, key)


def _cuts(kept: pd.DataFrame) -> Iterator[list[Cut]]:
    columns = list(image_columns(kept))
    for start in range(0, len(kept), CROP_BATCH):
        batch = kept.iloc[start : start + CROP_BATCH]
        points = batch[POINT_COLUMNS].to_numpy(np.float32).reshape(-1, 5, 2)
        references = [tuple(row) for row in batch[columns].to_numpy()]
        yield list(zip(references, batch["crop"], points, strict=True))


def _cut(cuts: list[Cut], *, raw: Path, size: int, channels: Channels, resize: Resize) -> np.ndarray:
    from mien.data.image_source import ImageSource

    source = ImageSource(raw)
    faces = [
        np.stack([_face(source.read(reference), crop, points, size, channels, resize) for reference in references])
        for references, crop, points in cuts
    ]
    source.close()
    stacked = np.stack(faces)  # (b, k, size, size, C)
    return stacked if stacked.shape[1] > 1 else stacked[:, 0]


def _face(image: np.ndarray, crop: str, points: np.ndarray, size: int, channels: Channels, resize: Resize) -> Any:
    import cv2

    from mien.data.alignment import align_face, centre_crop_face
    from mien.data.face_images import resize_as_poster, resize_square

    if crop == "points":
        face = align_face(image, points, size)
    elif crop == "centre":
        face = centre_crop_face(image, size)
    else:
        face = resize_square(image, size) if resize == "direct" else resize_as_poster(image, size)
    return face if channels == "rgb" else cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)[..., None]
