"""Parameters of ``benchmark``."""

from typing import Annotated

from pydantic import Field

from mien.nodes.params import Params

Count = Annotated[int, Field(ge=1)]


class DetectorBenchmark(Params):
    """What the detector is timed on.

    Attributes:
        image_sizes: Sides of the drawn square scenes, in pixels.
        batch_sizes: Images detected together. As many scenes are drawn as the largest holds.
        threads: Threads that torch and OpenCV compute on.
        repeats: Times that everything is timed, all ways in turn.
        min_face_size: Smallest face looked for, in pixels.
        seed: Of the scenes.
    """

    image_sizes: tuple[Annotated[int, Field(ge=64, le=2048)], ...] = Field(min_length=1)
    batch_sizes: tuple[Count, ...] = Field(min_length=1)
    threads: tuple[Count, ...] = Field(min_length=1)
    repeats: Count
    min_face_size: int = Field(ge=12)
    seed: int = Field(ge=0)
