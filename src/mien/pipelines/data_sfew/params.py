"""Parameters of ``data_sfew``."""

from typing import Annotated, Literal

from pydantic import Field

from mien.nodes.params import MOST, MOST_PIXELS, Count, ReaderParams, Seed, SyntheticParams

Side = Annotated[int, Field(ge=96, le=MOST_PIXELS)]


class SyntheticSfew(SyntheticParams):
    """The synthetic version of SFEW.

    Attributes:
        num_train: Frames of Train.
        num_val: Frames of Val, which is tested on.
        num_unlabelled: Frames of Test, without labels.
        image_size: Height and width of the synthetic frames, in pixels.
    """

    num_train: Count
    num_val: Count
    num_unlabelled: int = Field(ge=0, le=MOST)
    image_size: tuple[Side, Side]


class SfewReader(ReaderParams):
    """How the user's files are read.

    Attributes:
        source: The ``original`` frames or the authors' ``aligned`` faces.
        hold_out: Whether whole ``movies`` of Train become the validation split, or single ``images``.
        validation_fraction: Part of Train that becomes the validation split.
        seed: Seed of that split.
    """

    source: Literal["original", "aligned"]
    hold_out: Literal["movies", "images"]
    validation_fraction: float = Field(gt=0, le=0.5)
    seed: Seed
