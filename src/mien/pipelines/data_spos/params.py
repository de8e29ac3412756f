"""Parameters of ``data_spos``."""

from pydantic import Field

from mien.nodes.params import Params, TwinParams


class SposTwin(TwinParams):
    """The drawn twin of SPOS.

    Attributes:
        share: Of the published 84 posed and 150 spontaneous pairs, how many are drawn.
        image_size: Side of the drawn images, in pixels.
    """

    share: float = Field(ge=0.1, le=1)
    image_size: int = Field(ge=96)


class SposReader(Params):
    """How the user's files are read: the manifest decides all, and every subject is a fold."""
