"""Parameters of ``landmarks``."""

from typing import Any, Literal

from pydantic import Field

from mien.labels import NUM_LANDMARKS
from mien.nodes.params import Fraction, Params, PredictionParams, RecipeParams


class CropParams(Params):
    """Arguments of ``mien.data.landmark_faces.LandmarkCrops``: how drawn faces are posed and cut out."""

    size: int = Field(ge=24, le=1024)
    aligned_share: float = Fraction
    rotate_degrees: float = Field(ge=0, le=180)
    scale: float = Field(ge=0, lt=1)
    shift: float = Field(ge=0, lt=1)
    yaw_degrees: float = Field(ge=0)
    pitch_degrees: float = Field(ge=0)
    free_share: float = Fraction


class DrawingParams(Params):
    """The faces that are drawn to learn from.

    Attributes:
        num_faces: How many.
        faces_per_person: How many of them show one person; a person's faces are all in one split.
        validation_fraction: Part of the persons whose faces choose the epoch.
        test_fraction: Part of the persons whose faces are judged.
        seed: Seed of the drawing.
        crops: How they are posed and cut out.
        workers: Processes that draw; 0 is one per core. No result depends on it.
    """

    num_faces: int = Field(ge=1)
    faces_per_person: int = Field(ge=1)
    validation_fraction: float = Field(gt=0, lt=1)
    test_fraction: float = Field(gt=0, lt=1)
    seed: int = Field(ge=0)
    crops: CropParams
    workers: int = Field(ge=0)


class WeakLabelParams(Params):
    """Faces of a dataset that join the training with MTCNN's five points.

    Attributes:
        most: How many at the most, drawn by ``seed``.
        seed: Seed of the choice.
    """

    most: int = Field(ge=1)
    seed: int = Field(ge=0)


class LandmarkModelParams(Params):
    """Arguments of ``mien.models.mobilefacenet.MobileFaceNet``; the number of outputs follows from the landmarks."""

    image_size: int = Field(ge=16, multiple_of=16)
    widths: tuple[int, int, int, int]
    units: tuple[int, int, int]

    def config(self) -> dict[str, Any]:
        """The architecture's keyword arguments, ready for JSON."""
        return {**self.model_dump(mode="json"), "num_outputs": 2 * NUM_LANDMARKS}


class LandmarkLossParams(Params):
    """Arguments of ``mien.losses.LandmarkLoss``."""

    name: Literal["wing", "l1"]
    width: float = Field(gt=0)
    curvature: float = Field(gt=0)
    weak_weight: float = Field(ge=0)


class MovementParams(Params):
    """Arguments of ``mien.data.landmark_transforms.Movement``."""

    flip: float = Fraction
    rotate_degrees: float = Field(ge=0, le=180)
    scale: float = Field(ge=0, lt=1)
    stretch: float = Field(ge=0, lt=1)
    shift: float = Field(ge=0, lt=1)


class LandmarkAugmentationParams(Params):
    """Arguments of ``mien.data.landmark_transforms.LandmarkAugmentation``."""

    movement: MovementParams
    often: float = Fraction
    brightness: float = Fraction
    contrast: float = Field(ge=0, lt=1)
    gamma: float = Field(ge=1)
    tint: float = Field(ge=0, lt=1)
    light: float = Fraction
    grey: float = Fraction
    lowest_size: int = Field(ge=8)
    blur: float = Fraction
    noise: float = Field(ge=0)
    jpeg_quality: int = Field(ge=1, le=100)
    erase: float = Fraction


class LandmarkTrainingParams(RecipeParams):
    """The recipe of the landmark network's training."""

    monitor: Literal["val/nme_interocular", "val/loss"]
    loss: LandmarkLossParams
    augmentation: LandmarkAugmentationParams


class MovedPredictionParams(PredictionParams):
    """How networks are applied to the faces of a dataset.

    Attributes:
        movement: How far a dataset's faces are moved when they are looked at for the second time.
        seed: Seed of that.
    """

    movement: MovementParams
    seed: int = Field(ge=0)


class LandmarkEvaluationParams(Params):
    """How predicted landmarks are judged.

    Attributes:
        resamples: Bootstrap resamples behind each 95 % interval.
        seed: Seed of the bootstrap.
        threshold: Error by the outer eye corners' distance from which a face counts as missed.
    """

    resamples: int = Field(ge=100)
    seed: int = Field(ge=0)
    threshold: float = Field(gt=0)
