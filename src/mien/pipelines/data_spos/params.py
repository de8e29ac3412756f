"""Parameters of ``data_spos``."""

from pydantic import Field

from mien.nodes.params import MOST, MOST_PIXELS, ReaderParams, SyntheticParams


class SyntheticSpos(SyntheticParams):
    """The synthetic version of SPOS.

    Attributes:
        share: Of the published 84 posed and 150 spontaneous pairs, how many are generated.
        image_size: Side of the synthetic images, in pixels.
        num_frames: Images of each expression, from its onset to its apex.
    """

    share: float = Field(ge=0.1, le=1)
    image_size: int = Field(ge=96, le=MOST_PIXELS)
    num_frames: int = Field(ge=2, le=100)


class SposReader(ReaderParams):
    """How the user's files are read: the manifest decides which, and every subject is a fold.

    Attributes:
        num_frames: Images of a sample, evenly spaced from its onset to its apex; 2 for these alone.
    """

    num_frames: int = Field(ge=2, le=MOST)
