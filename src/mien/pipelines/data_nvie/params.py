"""Parameters of ``data_nvie``."""

from typing import Literal

from pydantic import Field

from mien.nodes.params import MOST, MOST_PIXELS, ReaderParams, Seed, SyntheticParams


class SyntheticNvie(SyntheticParams):
    """The synthetic version of USTC-NVIE.

    Attributes:
        num_subjects: People.
        num_emotions: Of the six, how many each of them shows, posed and spontaneously.
        image_size: Side of the synthetic images, in pixels.
        num_frames: Images of each expression, from its onset to its apex.
    """

    num_subjects: int = Field(ge=10, le=MOST)
    num_emotions: int = Field(ge=1, le=6)
    image_size: int = Field(ge=96, le=MOST_PIXELS)
    num_frames: int = Field(ge=2, le=100)


class NvieReader(ReaderParams):
    """How the user's files are read.

    Attributes:
        subset: ``full`` for all pairs, ``subset`` for those listed in ``subset.txt``.
        num_folds: Folds of about equal size, no subject in two.
        seed: Seed of the folds.
        num_frames: Images of a sample, evenly spaced from its onset to its apex; 2 for these alone.
    """

    subset: Literal["full", "subset"]
    num_folds: int = Field(ge=2, le=MOST)
    seed: Seed
    num_frames: int = Field(ge=2, le=MOST)
