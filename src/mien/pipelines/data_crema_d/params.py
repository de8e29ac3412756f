"""Parameters of ``data_crema_d``."""

from pydantic import Field

from mien.nodes.params import ReaderParams, SplitParams, SyntheticParams


class SyntheticCremaD(SyntheticParams):
    """The synthetic version of CREMA-D.

    Attributes:
        num_actors: Men and women in turn.
        clips_per_actor: Of each.
        image_size: Side of the frames, in pixels.
        fps: Frames per second.
    """

    num_actors: int = Field(ge=3, le=91)
    clips_per_actor: int = Field(ge=6, le=82)
    image_size: int = Field(ge=64, le=1024, multiple_of=2)
    fps: int = Field(ge=1, le=30)


class CremaDReader(SplitParams, ReaderParams):
    """How the actors are divided."""
