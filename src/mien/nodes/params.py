"""Typed parameters that several pipelines share: each section of a parameters file becomes one frozen model."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

Fraction = Field(ge=0, le=1)


def _existing_weights(path: Path) -> Path:
    if not path.is_file():
        raise ValueError(
            f"there is no weights file at {path.absolute()}. Give the path of your copy of the checkpoint, or null to "
            "start at random."
        )
    return path


WeightsFile = Annotated[Path, AfterValidator(_existing_weights)]
"""A checkpoint of the user's own, checked before anything runs."""


class Params(BaseModel):
    """A section of parameters: unknown keys are refused, values do not change during a run."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TwinParams(Params):
    """The drawn twin of a dataset; each dataset adds how much of what is drawn.

    Attributes:
        draw: Draw the published layout with synthetic faces; otherwise the user's files are expected.
        seed: Seed of the drawing.
    """

    draw: bool
    seed: int = Field(ge=0)


class ReaderParams(Params):
    """How a user's files are read; each dataset adds its own choices.

    Attributes:
        max_passed_over: Share of a split above which files that are missing, passed over or unreadable are an error.
    """

    max_passed_over: float = Field(ge=0, le=1)

    def choices(self) -> dict[str, Any]:
        """The dataset's own choices, as its reader takes them."""
        return self.model_dump(exclude={"max_passed_over"})


class AlignmentParams(Params):
    """How faces are found and brought to the template.

    Attributes:
        method: ``mtcnn`` finds five points and aligns; ``given`` takes each image whole, as a dataset's own aligned
            crop.
        min_face_size: Smallest face looked for, in pixels.
        thresholds: Score thresholds of P-Net, R-Net and O-Net.
        turns: Angles in degrees at which an image is looked at again when no upright face is found in it.
        enlarge: Factor by which an image is enlarged when no face is found at any angle; 1 leaves it at that.
        without_face: What becomes of an image in which no face is found.
        batch_size: Images detected together.
        workers: Processes that read, detect and crop; 0 is one per core. No result depends on it.
    """

    method: Literal["mtcnn", "given"]
    min_face_size: int = Field(ge=12)
    thresholds: tuple[float, float, float]
    turns: tuple[Literal[90, 180, 270], ...]
    enlarge: float = Field(ge=1, le=8)
    without_face: Literal["drop", "keep_original", "centre_crop"]
    batch_size: int = Field(ge=1)
    workers: int = Field(ge=0)


class OptimizerParams(Params):
    """The optimiser; ``sam_rho`` > 0 wraps it in sharpness-aware minimisation of that radius.

    Attributes:
        bn_both_passes: Whether SAM's second pass updates running statistics of batch normalisation too, as in POSTER.
    """

    name: Literal["adam", "adamw", "sgd"]
    lr: float = Field(gt=0)
    weight_decay: float = Field(ge=0)
    momentum: float = Field(ge=0, lt=1)
    sam_rho: float = Field(ge=0)
    bn_both_passes: bool = False


class SchedulerParams(Params):
    """The learning rate over the epochs."""

    name: Literal["exponential", "step", "cosine", "constant"]
    gamma: float = Field(gt=0, le=1)
    step_size: int = Field(ge=1)


class LossParams(Params):
    """Cross entropy plus label-smoothing cross entropy, each with its weight."""

    ce_weight: float = Field(ge=0)
    smoothing_weight: float = Field(ge=0)
    smoothing: float = Field(ge=0, lt=1)


class AugmentationParams(Params):
    """Arguments of ``mien.data.transforms.ExpressionAugmentation``."""

    flip: float = Fraction
    flip_or_noise: float = Fraction
    noise_variance: float = Field(ge=0)
    erase: float = Fraction
    erase_area: tuple[float, float]
    erase_aspect: tuple[float, float]
    rotate_degrees: float = Field(ge=0, le=180)
    scale: float = Field(ge=0, lt=1)
    shift: float = Field(ge=0, lt=1)
    grayscale: float = Field(ge=0, le=1, default=0.0)


class DeviceParams(Params):
    """Where and how precisely to compute.

    Attributes:
        accelerator: ``auto`` takes a GPU if there is one.
        devices: Number of devices; one process each.
        precision: Fabric's word for it.
        num_workers: Processes that load and augment images.
        channels_last: Memory layout of images and convolutions; no result depends on it beyond rounding.
        threads: Most threads that torch computes on; 0 leaves its own choice.
    """

    accelerator: Literal["auto", "cpu", "cuda", "mps"]
    devices: int = Field(ge=1)
    precision: Literal["32-true", "bf16-mixed", "16-mixed"]
    num_workers: int = Field(ge=0)
    channels_last: bool
    threads: int = Field(ge=0)


class RecipeParams(Params):
    """How any network is trained.

    Attributes:
        patience: Epochs without a better one after which training stops; 0 trains to the last epoch.
        drop_last: Leave out the last, partial batch of an epoch.
    """

    max_epochs: int = Field(ge=1)
    patience: int = Field(ge=0, default=0)
    batch_size: int = Field(ge=2)
    drop_last: bool
    seed: int = Field(ge=0)
    optimizer: OptimizerParams
    scheduler: SchedulerParams
    device: DeviceParams

    @model_validator(mode="after")
    def _sam_needs_no_gradient_scaler(self) -> "RecipeParams":
        if self.optimizer.sam_rho and self.device.precision == "16-mixed":
            raise ValueError(
                "SAM compares gradient norms, which 16-mixed scales. Set training.device.precision to bf16-mixed or "
                "32-true, or training.optimizer.sam_rho to 0."
            )
        return self


class TrainingParams(RecipeParams):
    """The recipe of a system's training."""

    monitor: Literal["val/accuracy", "val/mean_class_accuracy", "val/loss"]
    loss: LossParams
    augmentation: AugmentationParams


class PredictionParams(Params):
    """How a trained network is applied."""

    batch_size: int = Field(ge=1)
    device: DeviceParams


class EvaluationParams(Params):
    """How predictions are judged.

    Attributes:
        resamples: Bootstrap resamples behind each 95 % interval.
        seed: Seed of the bootstrap.
        subgroups: Attributes by which scores are also told apart, where the dataset has them.
    """

    resamples: int = Field(ge=100)
    seed: int = Field(ge=0)
    subgroups: tuple[str, ...]


def flatten(params: Params | dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested parameters as one level with dotted names.

    Example:
        >>> flatten({"optimizer": {"lr": 0.1}, "seed": 0})
        {'optimizer.lr': 0.1, 'seed': 0}
    """
    nested = params.model_dump() if isinstance(params, Params) else params
    flat: dict[str, Any] = {}
    for name, value in nested.items():
        if isinstance(value, dict | Params):
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat
