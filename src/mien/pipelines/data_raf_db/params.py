"""Parameters of ``data_raf_db``."""

from typing import Literal

from pydantic import Field

from mien.nodes.params import MOST_PIXELS, Count, ReaderParams, Seed, Share, SyntheticParams


class SyntheticRafDb(SyntheticParams):
    """The synthetic version of RAF-DB.

    Attributes:
        num_train: Images in the training list.
        num_test: Images in the test list.
        image_size: Side of the synthetic originals, in pixels.
    """

    num_train: Count
    num_test: Count
    image_size: int = Field(ge=64, le=MOST_PIXELS)


class RafDbReader(ReaderParams):
    """How the user's files are read.

    Attributes:
        source: The authors' ``aligned`` crops or the ``original`` photographs.
        layout: The published ``list``, ``class_folders``, Kaggle's ``csv`` pair, or ``auto`` for the one that is there.
        validation_fraction: Part of the training list that becomes the validation split.
        seed: Seed of that split.
    """

    source: Literal["aligned", "original"]
    layout: Literal["auto", "list", "class_folders", "csv"]
    validation_fraction: Share
    seed: Seed
