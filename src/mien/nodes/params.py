"""Typed parameters that several pipelines share: each section of a parameters file becomes one frozen model."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from mien.errors import MienError

MOST = 1_000_000
"""Of anything that is counted: what is more is a slip of the keyboard, and would end in a full memory."""

MOST_PIXELS = 4096
"""Of an image's side, likewise."""

Fraction = Annotated[float, Field(ge=0, le=1)]
Rate = Annotated[float, Field(ge=0, lt=1)]
"""A share that may be nothing, never all."""
Share = Annotated[float, Field(gt=0, lt=1)]
"""A share that leaves something on both sides."""
Degrees = Annotated[float, Field(ge=0, le=180)]
Positive = Annotated[float, Field(gt=0, le=1e6)]
NotNegative = Annotated[float, Field(ge=0, le=1e6)]
"""Such as the weight of a term of a loss. The bound leaves float32 room for sums and squares."""
LearningRate = Annotated[float, Field(gt=0, le=1e3)]
Decay = Annotated[float, Field(gt=0, le=1)]
"""What a learning rate is multiplied by."""
Seed = Annotated[int, Field(ge=0, lt=2**32)]
"""As numpy's and scikit-learn's generators take it."""
Workers = Annotated[int, Field(ge=0, le=1024)]
"""Processes or threads; 0 leaves the choice to the machine."""
Count = Annotated[int, Field(ge=1, le=MOST)]
Width = Annotated[int, Field(ge=1, le=16_384)]
"""Values of a layer."""
Depth = Annotated[int, Field(ge=1, le=1024)]
"""Layers, units, heads, or the side of a kernel."""
Side = Annotated[int, Field(ge=1, le=MOST_PIXELS)]
"""Of an image, in pixels."""
Mean = Annotated[float, Field(ge=-1e6, le=1e6)]
Std = Annotated[float, Field(ge=1e-6, le=1e6)]
"""What values are divided by; a smaller one would leave float32."""

NAME = r"^[A-Za-z0-9][A-Za-z0-9._+=-]{0,99}$"
"""What may become the name of a folder or file: no path, none that is hidden, and valid on every system of files."""

Name = Annotated[str, Field(pattern=NAME)]


def _in_order(ends: tuple[float, float]) -> tuple[float, float]:
    if ends[0] > ends[1]:
        raise MienError(f"{list(ends)} begins above its end. Give the smaller number first.")
    return ends


Areas = Annotated[tuple[Fraction, Fraction], AfterValidator(_in_order)]
"""Smallest and largest part of an image."""

_Ratio = Annotated[float, Field(ge=0.01, le=100)]
Aspects = Annotated[tuple[_Ratio, _Ratio], AfterValidator(_in_order)]
"""Smallest and largest ratio of a rectangle's sides."""


def _existing_weights(path: Path) -> Path:
    if not path.is_file():
        raise MienError(
            f"there is no weights file at {path.absolute()}. Give the path of your copy of the checkpoint, or null to "
            "start at random."
        )
    return path


WeightsFile = Annotated[Path, AfterValidator(_existing_weights)]
"""A checkpoint of the user's own, checked before anything runs."""


class Params(BaseModel):
    """A section of parameters: unknown keys are refused, values do not change during a run.

    No number is NaN or infinite. A truth value is no number and a number no truth value, which pydantic would take: it
    reads ``true`` as 1.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _numbers_are_no_switches(cls, value: Any, info: ValidationInfo) -> Any:
        kinds = set(_parts(cls.model_fields[str(info.field_name)].annotation))
        if Any in kinds:
            return value
        for each in _single(value):
            if isinstance(each, bool) and bool not in kinds and kinds & {int, float}:
                raise MienError(f"{each} is a truth value, and a number is meant. Give a number.")
            if (
                isinstance(each, int | float)
                and not isinstance(each, bool)
                and bool in kinds
                and not kinds & {int, float}
            ):
                raise MienError(f"{each} is a number, and a switch is meant. Give true or false.")
        return value


def _parts(kind: Any) -> Iterator[Any]:
    """A type and everything that it is put together of."""
    yield kind
    for part in get_args(kind):
        yield from _parts(part)


def _single(value: Any) -> Iterator[Any]:
    """The values of a list, or of names with values; sections in it look at their own."""
    if isinstance(value, list | tuple):
        for each in value:
            yield from _single(each)
    elif isinstance(value, Mapping):
        yield from (each for each in value.values() if not isinstance(each, Mapping | list | tuple))
    else:
        yield value


class SyntheticParams(Params):
    """The synthetic version of a dataset; each dataset adds how much of what is generated.

    Attributes:
        generate: Generate the published layout with synthetic faces; otherwise the user's files are expected.
        seed: Seed of the drawing.
    """

    generate: bool
    seed: Seed


Resize = Literal["direct", "poster"]


class ReaderParams(Params):
    """How a user's files are read; each dataset adds its own choices.

    Attributes:
        max_passed_over: Share of a split above which files that are missing, passed over or unreadable are an error.
    """

    max_passed_over: Fraction

    def choices(self) -> dict[str, Any]:
        """The dataset's own choices, as its reader takes them."""
        return self.model_dump(exclude={"max_passed_over"})


class SplitParams(Params):
    """How rows, or the people in them, are divided at random.

    Attributes:
        validation_fraction: Part that becomes the validation split.
        test_fraction: Part that becomes the test split.
        seed: Seed of the division.
    """

    validation_fraction: Share
    test_fraction: Share
    seed: Seed

    @model_validator(mode="after")
    def _leaves_some_to_train(self) -> "SplitParams":
        if self.validation_fraction + self.test_fraction >= 1:
            raise MienError(
                f"validation_fraction {self.validation_fraction} and test_fraction {self.test_fraction} leave nothing "
                "to train on. Let both together be less than 1."
            )
        return self


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
        resize: How an image that is taken whole comes to its size: ``direct``, or ``poster``, to twice the size and
            then every second pixel, for POSTER's released weights.
        batch_size: Images detected together.
        workers: Processes that read, detect and crop; 0 is one per core. No result depends on it.
    """

    method: Literal["mtcnn", "given"]
    min_face_size: int = Field(ge=12, le=MOST_PIXELS)
    thresholds: tuple[Share, Share, Share]
    turns: tuple[Literal[90, 180, 270], ...]
    enlarge: float = Field(ge=1, le=8)
    without_face: Literal["drop", "keep_original", "centre_crop"]
    resize: Resize
    batch_size: Count
    workers: Workers


class Tagged(Params):
    """A section whose ``name`` says which of its other values it has: all that are its own, none of another's.

    Attributes:
        OWN: Names of values by name of the section; values that none lists belong to every one.
    """

    OWN: ClassVar[dict[str, tuple[str, ...]]]
    name: str

    @model_validator(mode="after")
    def _has_its_own_values(self) -> Self:
        own = self.OWN.get(self.name, ())
        foreign = {each for names in self.OWN.values() for each in names if each not in own}
        if given := sorted(each for each in foreign if getattr(self, each) is not None):
            raise MienError(f"{self.name} has no {' and no '.join(given)}. Remove it, or give another name.")
        if missing := [each for each in own if getattr(self, each) is None]:
            raise MienError(f"{self.name} needs {' and '.join(missing)}. Give it beside the name.")
        return self

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments: the values that it has."""
        return self.model_dump(exclude_none=True)


class OptimizerParams(Tagged):
    """The optimiser; ``sam_rho`` > 0 wraps it in sharpness-aware minimisation of that radius.

    Attributes:
        bn_both_passes: Whether SAM's second pass updates running statistics of batch normalisation too, as in POSTER.
    """

    OWN = {"sgd": ("momentum",)}
    name: Literal["adam", "adamw", "sgd"]
    lr: LearningRate
    weight_decay: NotNegative = 0.0
    momentum: Rate | None = None
    sam_rho: NotNegative = 0.0
    bn_both_passes: bool = False


class SchedulerParams(Tagged):
    """The learning rate over the epochs."""

    OWN = {"exponential": ("gamma",), "step": ("gamma", "step_size")}
    name: Literal["exponential", "step", "cosine", "constant"]
    gamma: Decay | None = None
    step_size: Count | None = None


class LossParams(Params):
    """Cross entropy plus label-smoothing cross entropy, each with its weight."""

    ce_weight: NotNegative
    smoothing_weight: NotNegative
    smoothing: Rate


class AugmentationParams(Params):
    """Arguments of ``mien.data.transforms.ExpressionAugmentation``."""

    flip: Fraction
    flip_or_noise: Fraction
    noise_variance: float = Field(ge=0, le=255**2)
    erase: Fraction
    erase_area: Areas
    erase_aspect: Aspects
    rotate_degrees: Degrees
    scale: Rate
    shift: Rate
    grayscale: Fraction = 0.0


class PredictionDeviceParams(Params):
    """Where and how precisely to compute, in one process.

    Attributes:
        accelerator: ``auto`` takes a GPU if there is one.
        precision: Fabric's word for it; ``16-mixed`` needs a GPU.
        num_workers: Processes that load and augment images; no result depends on it.
        channels_last: Memory layout of images and convolutions; no result depends on it beyond rounding.
        threads: Most threads that torch computes on; 0 leaves its own choice. No result depends on it beyond rounding.
    """

    accelerator: Literal["auto", "cpu", "cuda", "mps"]
    precision: Literal["32-true", "bf16-mixed", "16-mixed"]
    num_workers: Workers
    channels_last: bool
    threads: Workers

    @model_validator(mode="before")
    @classmethod
    def _predicts_in_one_process(cls, values: Any) -> Any:
        if isinstance(values, dict) and "devices" in values and "devices" not in cls.model_fields:
            raise MienError(
                f"devices is {values['devices']}, and a network is applied in one process, on one device. Remove "
                "devices from this section; training.device.devices is how many train."
            )
        return values


class DeviceParams(PredictionDeviceParams):
    """Where and how precisely to train.

    Attributes:
        devices: Number of devices; one process each.
    """

    devices: int = Field(ge=1, le=1024, default=1)


class RecipeParams(Params):
    """How any network is trained.

    Attributes:
        patience: Epochs without a better one after which training stops; 0 trains to the last epoch.
        drop_last: Leave out the last, partial batch of an epoch.
    """

    max_epochs: Count
    patience: int = Field(ge=0, le=MOST, default=0)
    batch_size: int = Field(ge=2, le=MOST)
    drop_last: bool
    seed: Seed
    optimizer: OptimizerParams
    scheduler: SchedulerParams
    device: DeviceParams


class TrainingParams(RecipeParams):
    """The recipe of a system's training."""

    monitor: Literal["val/accuracy", "val/mean_class_accuracy", "val/loss"]
    loss: LossParams
    augmentation: AugmentationParams


class PredictionParams(Params):
    """How a trained network is applied."""

    batch_size: Count
    device: PredictionDeviceParams


class EvaluationParams(Params):
    """How predictions are evaluated.

    Attributes:
        resamples: Bootstrap resamples behind each 95 % interval.
        seed: Seed of the bootstrap.
        subgroups: Attributes by which scores are also distinguished, where the dataset has them.
    """

    resamples: int = Field(ge=100, le=MOST)
    seed: Seed
    subgroups: tuple[str, ...]


def check_heads(width: int, num_heads: int, names: str) -> None:
    """Check that the heads of attention share a width evenly.

    Raises:
        MienError: They do not.

    Example:
        >>> check_heads(512, 8, "embed_dim and num_heads")
    """
    if width % num_heads:
        raise MienError(
            f"{names} are {width} and {num_heads}: heads share the width evenly. Give a multiple of the heads."
        )


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
