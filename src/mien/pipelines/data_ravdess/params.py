"""Parameters of ``data_ravdess``."""

from typing import Literal

from pydantic import Field

from mien.nodes.params import ReaderParams, SplitParams, SyntheticParams


class SyntheticRavdess(SyntheticParams):
    """The synthetic version of RAVDESS.

    Attributes:
        num_actors: Men and women in turn.
        clips_per_actor: Spoken clips of each.
        image_size: Side of the frames, in pixels.
        fps: Frames per second.
    """

    num_actors: int = Field(ge=3, le=24)
    clips_per_actor: int = Field(ge=8, le=60)
    image_size: int = Field(ge=64, le=1024, multiple_of=2)
    fps: int = Field(ge=1, le=30)


class RavdessReader(SplitParams, ReaderParams):
    """Which clips are listed, and how the actors are divided.

    Attributes:
        channels: ``speech``, ``song`` or both.
    """

    channels: tuple[Literal["speech", "song"], ...] = Field(min_length=1)
