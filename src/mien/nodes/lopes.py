"""The preparation of Lopes et al.: faces of 32 px, contrast normalised, and synthetic neighbours of training faces."""

import functools
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from kedro.pipeline import node
from kedro.pipeline.node import Node
from pydantic import Field, field_validator

from mien.errors import MienError
from mien.io.packed_faces import FaceStream
from mien.nodes.alignment import image_columns
from mien.nodes.cropping import Cut, stream_cuts
from mien.nodes.digest import settings_digest, table_digest
from mien.nodes.params import MOST, NotNegative, Params, Positive, Seed, Workers

TRAINED_ON = ("train", "folds")
"""Splits whose samples a system may learn from, in every fold or in all but one."""


LOPES_ENTRIES = ("faces_lopes", "jittered_lopes")
"""Every face as the networks see it; and of the training rows, each followed by its synthetic neighbours."""


class LopesParams(Params):
    """Lopes et al.'s steps; each can be switched off.

    Attributes:
        size: Side of the faces, in pixels.
        rotate: Turn each face until its eyes are level.
        crop: Cut it out around the eyes; otherwise the whole image is shrunk.
        above: Kept above the line of the eyes, in half eye distances.
        below: Kept below it, likewise.
        beside: Kept to either side of the point between the eyes, likewise.
        normalise: Express each pixel in standard deviations of its neighbourhood.
        window: Pixels per side of that neighbourhood.
        num_synthetic: Synthetic neighbours of each training face, besides itself; 0 for none.
        jitter_sigma: Standard deviation by which an eye is moved for one, in pixels, in either direction.
        jitter_eye_distance: Pixels between the eyes at which that holds; it grows and shrinks with the face.
        seed: Seed of the jitter.
        workers: Processes; 0 is one per core. No result depends on it.
    """

    size: int = Field(ge=1, le=512)
    rotate: bool
    crop: bool
    above: Positive
    below: Positive
    beside: Positive
    normalise: bool
    window: int = Field(ge=3, le=511)
    num_synthetic: int = Field(ge=0, le=MOST)
    jitter_sigma: NotNegative
    jitter_eye_distance: Positive
    seed: Seed
    workers: Workers

    @field_validator("window")
    @classmethod
    def _has_a_middle(cls, window: int) -> int:
        if window % 2 == 0:
            raise MienError(f"window is {window} px and has no middle pixel: give an odd number.")
        return window


def lopes_steps() -> list[Node]:
    """The steps from a samples table to ``LOPES_ENTRIES``, for a dataset's pipeline."""
    read = ["samples", "raw", "params:lopes"]
    return [
        node(normalise_faces, read, LOPES_ENTRIES[0], name="normalise_lopes"),
        node(synthesise_faces, read, LOPES_ENTRIES[1], name="synthesise_lopes"),
    ]


def normalise_faces(samples: pd.DataFrame, raw: Path, lopes: LopesParams) -> FaceStream:
    """Prepare every face: rotation, crop, down-sampling, contrast.

    Args:
        samples: The table of ``locate_faces``.
        raw: The dataset's folder.
        lopes: The steps.

    Returns:
        Faces (n, size, size, 1) uint8 in the order of ``row``, computed while they are written; of pairs
        (n, 2, size, size, 1), both prepared by the same eyes.
    """
    return _stream("normalise_faces", samples, raw, [lopes], None)


def synthesise_faces(samples: pd.DataFrame, raw: Path, lopes: LopesParams) -> FaceStream:
    """Prepare every training face, followed by its synthetic neighbours.

    What an image's neighbours are is decided by the seed and the image's name alone, not by the rest of the table.

    Args:
        samples: The table of ``locate_faces``; rows of the splits val, test and unlabelled are left out.
        raw: The dataset's folder.
        lopes: The steps.

    Returns:
        Faces (n, 1 + num_synthetic, size, size, 1) uint8, n being the number of training rows with a face, in the order
        of their ``row``; the first of each is the one that ``normalise_faces`` gives. Of pairs
        (n, 1 + num_synthetic, 2, size, size, 1), onset and apex jittered alike.

    Raises:
        MienError: No row can be trained on.
    """
    return _stream("synthesise_faces", _trained(samples), raw, [lopes], lopes.num_synthetic)


def prepare_in_several_ways(
    samples: pd.DataFrame, raw: Path, ways: Sequence[LopesParams]
) -> tuple[FaceStream, FaceStream]:
    """Prepare every face in several ways, each image being read once.

    Args:
        samples: The table of ``locate_faces``.
        raw: The dataset's folder.
        ways: The steps of each; all of one size, with as many synthetic neighbours.

    Returns:
        What ``normalise_faces`` gives, (n, K, size, size, 1), and what ``synthesise_faces`` gives,
        (m, K, 1 + num_synthetic, size, size, 1), of K ways; of pairs with the pair behind the ways.

    Raises:
        MienError: Sizes or numbers of neighbours differ, or no row can be trained on.
    """
    if len({(each.size, each.num_synthetic) for each in ways}) != 1:
        raise MienError(
            f"Faces prepared in {len(ways)} ways have different sizes or numbers of neighbours: give one size and one "
            "num_synthetic for all."
        )
    plain = _stream("normalise_faces", samples, raw, ways, None)
    return plain, _stream("synthesise_faces", _trained(samples), raw, ways, ways[0].num_synthetic)


def _trained(samples: pd.DataFrame) -> pd.DataFrame:
    """Rows that neighbours are made for."""
    trained = samples[samples["split"].isin(TRAINED_ON)]
    if not (trained["face_index"] >= 0).any():
        raise MienError(
            f"No face to synthesise neighbours of: none of the {len(samples)} samples is a face of split "
            f"{' or '.join(TRAINED_ON)}. Look at the columns split and reason of the samples table."
        )
    return trained


def _stream(
    step: str, samples: pd.DataFrame, raw: Path, ways: Sequence[LopesParams], num_synthetic: int | None
) -> FaceStream:
    several = (len(ways),) if len(ways) > 1 else ()
    neighbours = () if num_synthetic is None else (1 + num_synthetic,)
    images = len(image_columns(samples))
    pair = (images,) if images > 1 else ()
    prepare = functools.partial(_prepare, raw=raw, ways=tuple(ways), num_synthetic=num_synthetic)
    settings = [lopes.model_dump(mode="json", exclude={"workers"}) for lopes in ways]
    key = settings_digest(step, settings if several else settings[0], table_digest(samples))
    size = ways[0].size
    return stream_cuts(samples, prepare, (*several, *neighbours, *pair, size, size, 1), key, ways[0].workers)


def _prepare(cuts: list[Cut], *, raw: Path, ways: tuple[LopesParams, ...], num_synthetic: int | None) -> np.ndarray:
    """Faces (b, ..., size, size, 1) of b samples; runs in a process of its own."""
    import cv2

    from mien.data.image_source import ImageSource

    source = ImageSource(raw)
    faces = []
    for references, crop, points in cuts:
        images = [cv2.cvtColor(source.read(reference), cv2.COLOR_RGB2GRAY) for reference in references]
        prepared = [_prepare_one(images, "\n".join(references), crop, points, lopes, num_synthetic) for lopes in ways]
        faces.append(np.stack(prepared) if len(ways) > 1 else prepared[0])
    source.close()
    return np.stack(faces)[..., None]


def _prepare_one(
    images: list[np.ndarray],
    name: str,
    crop: str,
    points: np.ndarray,
    lopes: LopesParams,
    num_synthetic: int | None,
) -> np.ndarray:
    """Faces (..., size, size) of one sample, its neighbours decided by the seed and its name."""
    from mien.data.lopes import contrast_as_grey, normalise_contrast, resample

    rng = np.random.default_rng([lopes.seed, zlib.crc32(name.encode("utf-8", "surrogateescape"))])
    matrices = _transforms(crop, points, images[0].shape, lopes, num_synthetic or 0, rng)
    face = np.array([[resample(image, matrix, lopes.size) for image in images] for matrix in matrices])
    if lopes.normalise:
        face = contrast_as_grey(normalise_contrast(face, lopes.window))
    face = face if len(images) > 1 else face[:, 0]
    return face[0] if num_synthetic is None else face


def _transforms(
    crop: str, points: np.ndarray, image_size: Any, lopes: LopesParams, num_synthetic: int, rng: np.random.Generator
) -> list[np.ndarray]:
    """Matrices from an image to its face and to each synthetic neighbour."""
    from mien.data import lopes as steps

    geometry = steps.CropGeometry(lopes.above, lopes.below, lopes.beside)
    whole = steps.image_box(image_size, square=crop == "centre")
    eyes = points[:2].astype(np.float64)
    if crop != "points":
        eyes, geometry = steps.box_as_face(whole, geometry)
    sigma = steps.jitter_sigma(eyes, lopes.jitter_sigma, lopes.jitter_eye_distance)
    matrices = []
    for seen in [eyes, *steps.jitter_eyes(eyes, num_synthetic, sigma, rng)]:
        box = steps.face_box(seen, geometry) if lopes.crop else whole
        matrix = steps.box_to_square(box, lopes.size)
        matrices.append(steps.compose(matrix, steps.level_eyes(seen)) if lopes.rotate else matrix)
    return matrices
