"""The pipeline from a dataset's folder to its samples table and packed faces, shared by every face dataset."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.pipeline import Pipeline, node
from kedro.pipeline.node import Node

from mien.data.file_account import PublishedCounts, count_deviations, count_table
from mien.io.packed_faces import FaceStream
from mien.nodes.alignment import locate_faces
from mien.nodes.cropping import Channels, crop_faces
from mien.nodes.data_report import account_of_files, report_faces
from mien.nodes.params import AlignmentParams, SyntheticParams

logger = logging.getLogger(__name__)

CROPS: Mapping[int, Channels] = {112: "rgb", 48: "rgb"}
"""Packed faces by side: 112 px for networks pretrained on aligned faces, 48 px as FER2013's."""

REPORTED = ("counts", "summary", "overview_plot", "aligned_sheet", "rejected_sheet", "file_account")
"""What a data report consists of, as entries of the catalog."""


def provide_folder(
    synthetic: SyntheticParams, *, name: str, find: Callable[[Path], Path], draw: Callable[..., None]
) -> Callable[[Path], None]:
    """Choose what is done with a dataset's raw folder: draw it, or check that the user's own is there.

    Args:
        synthetic: Whether to draw, and with which arguments.
        name: Of the dataset, for the log.
        find: Checks the user's folder.
        draw: Draws the published layout; takes the folder and the synthetic dataset's other parameters.

    Returns:
        What the catalog entry of the raw folder does with its path.
    """
    if synthetic.generate:
        return lambda folder: draw(folder, **synthetic.model_dump(exclude={"generate"}))
    return lambda folder: logger.info("%s is read from %s", name, find(folder))


def list_samples(
    samples: pd.DataFrame, raw: Path, *, name: str, published: PublishedCounts, column: str = "expression"
) -> pd.DataFrame:
    """Mark synthetic samples, and compare the counts of real ones with the published.

    Args:
        samples: What the dataset's reader returns.
        raw: The dataset's folder.
        name: Of the dataset, for the log.
        published: Samples by split and class.
        column: Of ``samples`` that names the class.

    Returns:
        ``samples`` with ``synthetic``, whether the faces are synthetic.
    """
    from mien.data.synthetic.folder import is_synthetic

    synthetic = is_synthetic(raw)
    if synthetic:
        logger.info(
            "%d synthetic samples in %s's layout: scores on them say nothing about real faces", len(samples), name
        )
    else:
        for deviation in count_deviations(count_table(samples, published, column)):
            logger.warning("%s: %s", name, deviation)
    return samples.assign(synthetic=synthetic)


def face_dataset_pipeline(
    dataset: str,
    *,
    provide: Callable,
    read: Callable,
    published: PublishedCounts,
    column: str = "expression",
    crops: Mapping[int, Channels] = CROPS,
) -> Pipeline:
    """Chain provide → read → locate → crop → report under the namespace of one dataset.

    Args:
        dataset: Name of the dataset and of the namespace, as in ``raf_db``.
        provide: Node function (``params:synthetic``) → function that draws the folder or checks the user's.
        read: Node function (raw folder, ``params:reader``) → listed samples, and what became of every file.
        published: Samples by split and class, as the authors publish them.
        column: Of the samples that names the class.
        crops: Which faces are packed: side in pixels and channels.
    """
    steps = [
        node(provide, "params:synthetic", "raw", name="provide"),
        node(read, ["raw", "params:reader"], ["listed", "files"], name="read"),
        *face_steps("listed", published=published, column=column, crops=crops),
    ]
    read_by_systems = ["samples", *(f"faces_{size}" for size in crops)]
    return Pipeline(
        steps,
        namespace=dataset,
        outputs={name: f"{dataset}_{name}" for name in read_by_systems},
    )


def face_steps(
    listed: str,
    *,
    published: PublishedCounts,
    column: str,
    crops: Mapping[int, Channels],
    counted: str | None = None,
) -> list[Node]:
    """The steps from listed images to packed faces and the data report.

    Args:
        listed: Entry with one row per image or pair.
        published: Samples by split and class.
        column: Names the class.
        crops: Side in pixels and channels of each packed file; the report shows the first.
        counted: Entry whose rows are counted; ``listed`` when None.
    """

    def report(
        counted: pd.DataFrame, samples: pd.DataFrame, raw: Path, faces: Any, files: pd.DataFrame
    ) -> tuple[Any, ...]:
        """Counts, summary, overview, sheets and the account of the files of a dataset."""
        report = report_faces(counted, samples, raw, faces, published=published, column=column)
        return *report, account_of_files(files, samples, counted, column)

    shown = f"faces_{next(iter(crops))}"
    return [
        node(
            locate_faces,
            [listed, "raw", "unfinished", "params:alignment", "params:reader.max_passed_over"],
            "samples",
            name="locate_faces",
        ),
        *[
            node(_crop_at(size, channels), ["samples", "raw", "params:alignment"], f"faces_{size}", name=f"crop_{size}")
            for size, channels in crops.items()
        ],
        node(report, [counted or listed, "samples", "raw", shown, "files"], list(REPORTED), name="report"),
    ]


def _crop_at(size: int, channels: Channels) -> Callable:
    def crop(samples: pd.DataFrame, raw: Path, alignment: AlignmentParams) -> FaceStream:
        return crop_faces(samples, raw, alignment, size=size, channels=channels)

    crop.__name__ = f"crop_{size}"
    crop.__doc__ = f"Cut out every located face at {size} px, {channels}."
    return crop
