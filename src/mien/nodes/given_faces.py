"""Whether images that are taken whole, as a dataset's own aligned crops, show faces that fill them."""

import functools
import logging
from pathlib import Path

import numpy as np
import pandas as pd

from mien.errors import MienError
from mien.nodes.params import AlignmentParams

logger = logging.getLogger(__name__)

SAMPLE = 24
"""Images looked at: two seconds."""

LEAST = 12
"""Faces that have to be found among them for a verdict."""

FILLS = 0.5
"""Median height of the face over the image's shorter side, below which images are no aligned crops.

Source: ours: by our detector 1.09 in FER+ (79 images), 0.90 in synthetic aligned faces, so that half is a photograph's.
"""


def check_given_faces(listed: pd.DataFrame, raw: Path, column: str, alignment: AlignmentParams) -> None:
    """Look for faces in a few images that are called aligned, and refuse photographs.

    Args:
        listed: Rows with references.
        raw: The dataset's folder.
        column: Of the references.
        alignment: Thresholds of the detector.

    Raises:
        MienError: The faces fill less than half of the images.
    """
    from mien.data.alignment import choose_face
    from mien.data.image_source import ImageSource
    from mien.data.images import ImageError
    from mien.models.face_detector import FaceDetector
    from mien.models.face_search import FaceSearch

    @functools.cache  # images of one dataset have few sizes
    def search(min_face_size: int) -> FaceSearch:
        return FaceSearch(
            FaceDetector(min_face_size=min_face_size, thresholds=alignment.thresholds), turns=(), enlarge=2.0
        )

    source, shares = ImageSource(raw), []
    places = np.unique(np.linspace(0, len(listed) - 1, min(SAMPLE, len(listed))).astype(int)) if len(listed) else []
    for reference in listed[column].iloc[places]:
        try:
            image = source.read(reference)
        except ImageError:  # reported where all are read
            continue
        side = min(image.shape[:2])
        (found,) = search(max(12, side // 8)).search([image])
        if len(found.faces):
            _, top, _, bottom = found.faces.boxes[choose_face(found.faces.boxes, image.shape[:2])]
            shares.append((bottom - top) / side)
    source.close()
    if len(shares) < LEAST:
        logger.info("Faces are taken as they are given: a face was found in %d of %d", len(shares), len(places))
        return
    median = float(np.median(shares))
    logger.info("Faces are taken as they are given: of %d they fill %.0f %% of the side", len(shares), 100 * median)
    if median < FILLS:
        raise MienError(
            f"The images in {raw} are called aligned and are photographs: in {len(shares)} of {len(places)} that were "
            f"looked at the face fills {median:.0%} of the shorter side, in aligned faces it is {FILLS:.0%} or more. "
            "Set alignment.method to mtcnn (and reader.source to original, where the dataset has both), or copy the "
            "aligned faces again."
        )
