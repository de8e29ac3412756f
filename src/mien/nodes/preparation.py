"""The pipeline from a dataset's folder to its samples table and packed faces, shared by every face dataset."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
from kedro.pipeline import Pipeline, node

from mien.io.packed_faces import FaceStream
from mien.nodes.alignment import crop_faces, locate_faces

FACE_SIZES = (112, 48)
"""Sides of the packed faces: 112 px for networks pretrained on aligned faces, 48 px as FER2013's."""


def face_dataset_pipeline(dataset: str, *, provide: Callable, read: Callable) -> Pipeline:
    """Chain provide → read → locate → crop under the namespace of one dataset.

    Args:
        dataset: Name of the dataset and of the namespace, as in ``raf_db``.
        provide: Node function (``params:twin``) → function that draws the folder or checks the user's.
        read: Node function (raw folder, ``params:reader``) → listed images.
    """
    steps = [
        node(provide, "params:twin", "raw", name="provide"),
        node(read, ["raw", "params:reader"], "listed", name="read"),
        node(locate_faces, ["listed", "raw", "params:alignment"], "samples", name="locate_faces"),
        *[node(_crop_at(size), ["samples", "raw"], f"faces_{size}", name=f"crop_{size}") for size in FACE_SIZES],
    ]
    read_by_systems = ["samples", *(f"faces_{size}" for size in FACE_SIZES)]
    return Pipeline(steps, namespace=dataset, outputs={name: f"{dataset}_{name}" for name in read_by_systems})


def _crop_at(size: int) -> Callable:
    def crop(samples: pd.DataFrame, raw: Path) -> FaceStream:
        return crop_faces(samples, raw, size)

    crop.__name__ = f"crop_{size}"
    crop.__doc__ = f"Cut out every located face at {size} px."
    return crop
