"""Parameters of ``landmarks``."""

from typing import Any, Literal

from pydantic import Field

from mien.labels import NUM_LANDMARKS
from mien.nodes.params import (
    MOST,
    MOST_PIXELS,
    Count,
    Degrees,
    Depth,
    Fraction,
    NotNegative,
    Params,
    Positive,
    Rate,
    RecipeParams,
    Seed,
    SplitParams,
    Width,
    Workers,
)


class CropParams(Params):
    """Arguments of ``mien.data.landmarks.LandmarkCrops``: how synthetic faces are posed and cut out."""

    size: int = Field(ge=24, le=1024)
    aligned_share: Fraction
    rotate_degrees: Degrees
    scale: Rate
    shift: Rate
    yaw_degrees: Degrees
    pitch_degrees: Degrees
    free_share: Fraction


class SyntheticFacesParams(SplitParams):
    """The synthetic faces that are trained on.

    Attributes:
        num_faces: How many.
        faces_per_person: How many of them show one person; a person's faces are all in one split.
        crops: How they are posed and cut out.
        workers: Processes that draw; 0 is one per core. No result depends on it.
    """

    num_faces: Count
    faces_per_person: Count
    crops: CropParams
    workers: Workers


class LandmarkModelParams(Params):
    """Arguments of ``mien.models.mobilefacenet.MobileFaceNet``; the number of outputs follows from the landmarks."""

    image_size: int = Field(ge=16, le=MOST_PIXELS, multiple_of=16)
    widths: tuple[Width, Width, Width, Width]
    units: tuple[Depth, Depth, Depth]

    def config(self) -> dict[str, Any]:
        """The architecture's keyword arguments, ready for JSON."""
        return {**self.model_dump(mode="json"), "num_outputs": 2 * NUM_LANDMARKS}


class LandmarkLossParams(Params):
    """Arguments of ``mien.losses.LandmarkLoss``."""

    name: Literal["wing", "l1"]
    width: Positive
    curvature: Positive


class MovementParams(Params):
    """Arguments of ``mien.data.landmarks.Movement``."""

    flip: Fraction
    rotate_degrees: Degrees
    scale: Rate
    stretch: Rate
    shift: Rate


class LandmarkAugmentationParams(Params):
    """Arguments of ``mien.data.landmarks.LandmarkAugmentation``."""

    movement: MovementParams
    often: Fraction
    brightness: Fraction
    contrast: Rate
    gamma: float = Field(ge=1, le=10)
    tint: Rate
    light: Fraction
    grey: Fraction
    lowest_size: int = Field(ge=8, le=MOST_PIXELS)
    blur: Fraction
    noise: NotNegative
    jpeg_quality: int = Field(ge=1, le=100)
    erase: Fraction


class LandmarkTrainingParams(RecipeParams):
    """The recipe of the landmark network's training."""

    monitor: Literal["val/nme_interocular", "val/loss"]
    loss: LandmarkLossParams
    augmentation: LandmarkAugmentationParams


class LandmarkEvaluationParams(Params):
    """How predicted landmarks are evaluated.

    Attributes:
        resamples: Bootstrap resamples behind each 95 % interval.
        seed: Seed of the bootstrap.
        threshold: Error by the outer eye corners' distance from which a face counts as missed.
    """

    resamples: int = Field(ge=100, le=MOST)
    seed: Seed
    threshold: Positive
