"""Parameters of ``face_aging``."""

from typing import Any, Literal

from pydantic import Field, model_validator

from mien.errors import MienError
from mien.nodes.params import (
    MOST,
    MOST_PIXELS,
    Count,
    DeviceParams,
    EvaluationParams,
    Fraction,
    LearningRate,
    NotNegative,
    Params,
    PredictionParams,
    Rate,
    Seed,
    Width,
)


class AgingModelParams(Params):
    """Arguments of ``mien.models.face_aging.FaceAging``, and the network by which its faces are evaluated.

    Attributes:
        estimator: Name of a network of ``age_gender_ethnicity`` that reads the image and says an age.
    """

    image_size: int = Field(ge=8, le=MOST_PIXELS, multiple_of=4)
    noise_dim: Width
    widths: tuple[Width, Width]
    critic_widths: tuple[Width, ...] = Field(min_length=1)
    label_mode: Literal["scalar", "embedding"]
    max_age: int = Field(ge=1, le=130)
    output: Literal["relu", "sigmoid"]
    batch_norm: bool
    spectral_norm: bool
    encoder: bool
    estimator: str

    def config(self) -> dict[str, Any]:
        """The architecture's keyword arguments, ready for JSON, without the estimator's."""
        return self.model_dump(mode="json", exclude={"estimator"})


class AdamParams(Params):
    """Adam's learning rate and the decay of its first moment."""

    lr: LearningRate
    beta1: Rate


class CollapseParams(Params):
    """When a generator counts as collapsed.

    Attributes:
        least_diversity: Part of the real faces' mean distance below which generated ones are too much alike.
        patience: Epochs of that in a row after which training stops.
    """

    least_diversity: Rate
    patience: Count


class AgingTrainingParams(Params):
    """How generator and critic are trained.

    Attributes:
        loss: ``bce`` or ``hinge``.
        mismatch_weight: Weight of real faces under another one's age, which the critic is to reject; 0 for none.
        reconstruction_weight: Of the encoder, where there is one: mean absolute difference of a face from itself.
        noise_weight: Likewise: squared difference of noise and what the encoder finds in its face.
        average: Share of the generator's running average that each step keeps; 0 keeps none.
        flip: Share of faces that are mirrored.
        grid_every: Epochs between two grids of faces.
    """

    max_epochs: Count
    batch_size: int = Field(ge=2, le=MOST)
    seed: Seed
    monitor: Literal["val/epoch_frechet_distance", "val/epoch_mae_years"]
    optimizer: AdamParams
    loss: Literal["bce", "hinge"]
    mismatch_weight: NotNegative
    reconstruction_weight: NotNegative
    noise_weight: NotNegative
    average: Rate
    flip: Fraction
    grid_every: Count
    collapse: CollapseParams
    device: DeviceParams

    @model_validator(mode="after")
    def _trains_on_one_device(self) -> "AgingTrainingParams":
        if self.device.devices != 1:
            raise MienError(
                f"training.device.devices is {self.device.devices}, and the two adversaries step in turn on one "
                "device. Set it to 1."
            )
        return self


class AgingPredictionParams(PredictionParams):
    """How the networks are applied.

    Attributes:
        seed: Of the noise and of the ages that persons are given.
    """

    seed: Seed


class AgingEvaluationParams(EvaluationParams):
    """How generated faces are evaluated.

    Attributes:
        least_diversity: As in ``CollapseParams``.
    """

    least_diversity: Rate
