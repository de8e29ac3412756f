"""Where the face is in every listed image: the step of preparation that every face dataset shares."""

import functools
import logging
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from kedro.io import DatasetError

from mien import __version__
from mien.io.schemas import FACE_REASONS
from mien.io.tables import ParquetTable
from mien.nodes.digest import settings_digest
from mien.nodes.given_faces import check_given_faces
from mien.nodes.params import AlignmentParams
from mien.outputs import remove_all_dead_parts, sole_use

if TYPE_CHECKING:
    from mien.models.face_search import FaceSearch, SearchedImage

logger = logging.getLogger(__name__)

CHUNK = 256
"""Samples located in one go by one process: half a minute at most, which is what an interruption costs."""

IMAGE_COLUMNS = ("image",)
PAIR_COLUMNS = ("onset", "apex")
_FRAME_COLUMN = re.compile(r"frame_[0-9]+")

POINT_COLUMNS = [
    f"{point}_{axis}"
    for point in ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")  # left in the image
    for axis in ("x", "y")
]
BOX_COLUMNS = ["box_x0", "box_y0", "box_x1", "box_y1"]
SEEN_COLUMNS = ["pixels", "perceptual_hash"]
MEASURED_COLUMNS = [
    *["num_faces", "score", "roll_degrees", "turned_degrees", "enlarged", "height", "width", "brightness"],
    *BOX_COLUMNS,
    *POINT_COLUMNS,
]
RESULT_SETTINGS = {"method", "min_face_size", "thresholds", "turns", "enlarge", "without_face"}
"""Settings that a result depends on; the others only decide how fast it is there."""


def image_columns(samples: pd.DataFrame) -> tuple[str, ...]:
    """Columns that name the images of a sample in the order of time: ``image``, or those from ``onset`` to ``apex``.

    Between these two a sequence has ``frame_1``, ``frame_2`` and so on.
    """
    if PAIR_COLUMNS[0] not in samples:
        return IMAGE_COLUMNS
    between = [name for name in samples if _FRAME_COLUMN.fullmatch(str(name))]
    onset, apex = PAIR_COLUMNS
    return onset, *sorted(between, key=lambda name: int(name.removeprefix("frame_"))), apex


def locate_faces(
    listed: pd.DataFrame, raw: Path, unfinished: Path, alignment: AlignmentParams, max_passed_over: float = 1.0
) -> pd.DataFrame:
    """Find the face in every listed image or pair: the samples table.

    Args:
        listed: One row per sample, with the ``image_columns``, relative to ``raw``.
        raw: The dataset's folder.
        unfinished: Folder that keeps what an interrupted run has located; emptied at the end. Another run that looks
            for the same faces waits for this one.
        alignment: How faces are found and what becomes of images without one.
        max_passed_over: Share of a split above which images that cannot be read are an error; 1 refuses nothing.

    Returns:
        ``listed`` with, per sample: ``reason`` (``aligned``, ``several_faces``, ``no_face``, ``already_aligned``, or
        why the image cannot be read, in one word), ``crop`` (how it becomes a face: ``points``, ``whole``, ``centre``,
        ``none``), ``num_faces``, detection ``score`` in [0, 1], ``roll_degrees`` of the eye line, ``turned_degrees``
        and ``enlarged`` (how the image was looked at when the face was found), ``height``, ``width`` and mean
        ``brightness`` (0 to 255) of the image, ``box_*`` and points ``<point>_x``, ``<point>_y`` in its pixels, and
        ``row``, its place among the packed faces or -1. Of a pair or a sequence all this is the onset's, or the next
        image's where the onset shows no face: all images are cut by the same points.

    Raises:
        MienError: Faces that are given fill less than half of their images, or more than ``max_passed_over`` of a
            split cannot be read. What is located is kept for the next run.
    """
    from mien.data.file_account import check_unreadable

    columns = list(image_columns(listed))
    if alignment.method == "given":
        check_given_faces(listed, raw, columns[0], alignment)
    chunks = [
        _Chunk([tuple(row) for row in listed[columns].iloc[start : start + CHUNK].to_numpy()], raw, alignment)
        for start in range(0, len(listed), CHUNK)
    ]
    with sole_use(unfinished):
        remove_all_dead_parts([unfinished])
        parts = list(_located(chunks, unfinished, alignment.workers))
        samples = _joined(listed, pd.concat(parts, ignore_index=True) if parts else _table([]), raw.name)
        reasons = samples["reason"].where(~samples["reason"].isin(FACE_REASONS))
        check_unreadable(reasons, samples["split"], samples["sample_id"], max_passed_over, "images")
        shutil.rmtree(unfinished, ignore_errors=True)
    return samples


def _located(chunks: list["_Chunk"], unfinished: Path, workers: int) -> Iterator[pd.DataFrame]:
    """The result of each chunk, from its file where an interrupted run has left a whole one."""
    from mien.data.worker_processes import map_in_order
    from mien.engine.device import limited_threads

    with limited_threads(1):  # in this process too, so that the number of workers changes no bit
        kept = [_kept(chunk, unfinished) for chunk in chunks]
        waiting = [chunk for chunk, table in zip(chunks, kept, strict=True) if table is None]
        if 0 < len(waiting) < len(chunks):
            logger.info("%d of %d parts are located already", len(chunks) - len(waiting), len(chunks))
        results = map_in_order(_locate, waiting, workers)
        total = sum(len(chunk.references) for chunk in chunks)
        for number, (chunk, table) in enumerate(zip(chunks, kept, strict=True), start=1):
            if table is None:
                entry = ParquetTable(filepath=str(chunk.file(unfinished)))
                entry.save(next(results))
                table = entry.load()  # as a resumed run has it
            yield table
            if number % 10 == 0:
                logger.info("Faces looked for in %d of %d samples", min(number * CHUNK, total), total)


def _kept(chunk: "_Chunk", unfinished: Path) -> pd.DataFrame | None:
    """What an interrupted run has located of a chunk; None if nothing, or if the file is damaged, which is said."""
    file = chunk.file(unfinished)
    if not file.is_file():
        return None
    try:
        return ParquetTable(filepath=str(file)).load()
    except DatasetError:
        logger.warning("%s is damaged: its faces are looked for again", file)
        file.unlink()
        return None


def _joined(listed: pd.DataFrame, located: pd.DataFrame, dataset: str) -> pd.DataFrame:
    samples = _marked(pd.concat([listed.reset_index(drop=True), located], axis=1), dataset)
    kept = (samples["crop"] != "none").to_numpy()
    samples["face_index"] = np.where(kept, np.cumsum(kept) - 1, -1)
    counts = samples["reason"].value_counts()
    logger.info("Faces: %s", ", ".join(f"{count} {reason}" for reason, count in counts.items()))
    if not kept.all():
        logger.warning("%d of %d samples give no face and are left out", (~kept).sum(), len(samples))
    return samples


def _marked(samples: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """Mark what is there twice, unless the reader has, and say what of it is in the training split and another."""
    from mien.data.duplicates import mark_duplicates, warn_of_leaks

    if "duplicate_of" not in samples:
        digests = [None if pd.isna(each) else bytes.fromhex(each) for each in samples["pixels"]]
        samples = mark_duplicates(samples, digests)
        warn_of_leaks(samples, dataset)
        _log_shared(samples)
    return samples.drop(columns="pixels")


def _log_shared(samples: pd.DataFrame) -> None:
    """Say where two people have one image: one of both names is wrong."""
    named = samples[samples["pixels"].notna() & samples["subject"].notna()] if "subject" in samples else samples[:0]
    people = named.groupby("pixels")["subject"].nunique()
    if (people > 1).any():
        first = named.loc[named["pixels"] == people.index[people > 1][0], "sample_id"].astype(str)
        logger.warning(
            "%d images are of several people by their names, the first %s: look whether these are one person",
            int((people > 1).sum()),
            " and ".join(first.iloc[:2]),
        )


@dataclass(frozen=True)
class _Chunk:
    """Consecutive samples, each with its references, one or several, and all that decides what is found in them."""

    references: list[tuple[str, ...]]
    raw: Path
    alignment: AlignmentParams

    def file(self, folder: Path) -> Path:
        """Where the result is kept; its name changes with the images' files and the settings."""
        names = dict.fromkeys(reference.partition("#")[0] for sample in self.references for reference in sample)
        states = [(name, *_state(self.raw / name)) for name in names]
        settings = self.alignment.model_dump(mode="json", include=RESULT_SETTINGS)
        digest = settings_digest(__version__, SEEN_COLUMNS, self.references, states, settings)
        return folder / f"located-{digest}.parquet"


def _state(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return -1, -1
    return status.st_size, status.st_mtime_ns


def _locate(chunk: _Chunk) -> pd.DataFrame:
    """What is found in each sample of a chunk; runs in a process of its own."""
    from mien.data.image_source import ImageSource

    source = ImageSource(chunk.raw)
    records: list[dict[str, Any]] = []
    batch_size = max(1, chunk.alignment.batch_size // len(chunk.references[0]))
    for start in range(0, len(chunk.references), batch_size):
        records += _locate_batch(chunk.references[start : start + batch_size], source, chunk.alignment)
    source.close()
    return _table(records)


def _table(records: list[dict[str, Any]]) -> pd.DataFrame:
    table = pd.DataFrame(records).reindex(columns=["reason", "crop", *SEEN_COLUMNS, *MEASURED_COLUMNS])
    texts = {"reason": str, "crop": str, **dict.fromkeys(SEEN_COLUMNS, "string")}
    return table.astype({**texts, **dict.fromkeys(MEASURED_COLUMNS, "float32")})


def _locate_batch(
    references: list[tuple[str, ...]], source: Any, alignment: AlignmentParams
) -> Iterator[dict[str, Any]]:
    samples = [_read(sample, source) for sample in references]
    readable = [image for images, _ in samples for image in images]
    searched = iter(_search(alignment).search(readable) if alignment.method == "mtcnn" else ())
    for images, reason in samples:
        seen = _seen(images)
        found = [next(searched) for _ in images] if alignment.method == "mtcnn" else []
        if reason:
            yield {"reason": reason, "crop": "none"}
        elif not found:
            yield {"reason": "already_aligned", "crop": "whole", **_appearance(images[0]), **seen}
        else:
            yield {**_record(found, images, alignment), **seen}


def _seen(images: list[np.ndarray]) -> dict[str, str]:
    """By what the images of a sample are recognised: all of them pixel by pixel, the first one by its look."""
    from mien.data.duplicates import perceptual_hash, pixel_digest

    if not images:
        return {}
    return {"pixels": pixel_digest(np.stack(images)).hex(), "perceptual_hash": perceptual_hash(images[0])}


def _read(sample: tuple[str, ...], source: Any) -> tuple[list[np.ndarray], str]:
    """The images of a sample, or none and the reason."""
    from mien.data.images import ImageError

    try:
        images = [source.read(reference) for reference in sample]
    except ImageError as error:
        logger.warning("%s", error)
        return [], error.reason
    if len({image.shape for image in images}) > 1:
        logger.warning("Images of one pair differ in size: %s. All are cut by the same points.", " and ".join(sample))
        return [], "sizes_differ"
    return images, ""


@functools.cache
def _face_search(
    min_face_size: int, thresholds: tuple[float, float, float], turns: tuple[int, ...], enlarge: float
) -> "FaceSearch":
    from mien.models.face_detector import FaceDetector
    from mien.models.face_search import FaceSearch

    return FaceSearch(FaceDetector(min_face_size=min_face_size, thresholds=thresholds), turns=turns, enlarge=enlarge)


def _search(alignment: AlignmentParams) -> "FaceSearch":
    return _face_search(alignment.min_face_size, alignment.thresholds, alignment.turns, alignment.enlarge)


def _appearance(image: np.ndarray) -> dict[str, float]:
    return {"height": image.shape[0], "width": image.shape[1], "brightness": float(image.mean())}


def _record(found: list["SearchedImage"], images: list[np.ndarray], alignment: AlignmentParams) -> dict[str, Any]:
    from mien.data.alignment import choose_face, roll_angle_degrees

    searched = next((each for each in found if len(each.faces)), None)
    appearance = _appearance(images[0])
    if searched is None:
        crop = {"drop": "none", "keep_original": "whole", "centre_crop": "centre"}[alignment.without_face]
        return {"reason": "no_face", "crop": crop, "num_faces": 0, **appearance}
    faces = searched.faces
    best = choose_face(faces.boxes, images[0].shape[:2])
    return {
        "reason": "aligned" if len(faces) == 1 else "several_faces",
        "crop": "points",
        "num_faces": len(faces),
        "score": faces.scores[best],
        "roll_degrees": roll_angle_degrees(faces.points[best]),
        "turned_degrees": searched.turned_degrees,
        "enlarged": searched.enlarged,
        **appearance,
        **dict(zip(BOX_COLUMNS, faces.boxes[best], strict=True)),
        **dict(zip(POINT_COLUMNS, faces.points[best].ravel(), strict=True)),
    }
