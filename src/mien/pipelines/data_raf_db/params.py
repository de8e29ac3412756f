"""Parameters of ``data_raf_db``."""

from typing import Literal

from pydantic import Field

from mien.nodes.params import Params


class RafDbReaderParams(Params):
    """How the published files are read.

    Attributes:
        source: The authors' ``aligned`` crops or the ``original`` photographs.
        validation_fraction: Part of the training list that becomes the validation split.
        seed: Seed of that split.
    """

    source: Literal["aligned", "original"]
    validation_fraction: float = Field(gt=0, lt=1)
    seed: int = Field(ge=0)
