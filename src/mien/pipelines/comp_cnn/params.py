"""Parameters of ``comp_cnn``."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from mien.errors import MienError
from mien.nodes.params import (
    MOST,
    MOST_PIXELS,
    Count,
    Depth,
    EvaluationParams,
    Fraction,
    LossParams,
    Mean,
    Params,
    Positive,
    Rate,
    RecipeParams,
    Seed,
    Share,
    Std,
    Width,
    Workers,
)

OPERATORS = {"sub": "subtract", "comb": "combine", "mlp": "mlp", "attention": "attention"}
"""The comparison of a row, by the row's first word."""

LAYERS = (1, 2, 3)
"""Pooling layers after which maps are compared."""

NETWORKS: dict[str, dict[str, Any]] = {
    "diff_cnn": {"comparison": "subtract", "compare_after": 0},
    **{
        f"{word}_{layer}": {"comparison": operator, "compare_after": layer}
        for word, operator in OPERATORS.items()
        for layer in LAYERS
    },
}
"""What tells the nets apart, by name."""

STACKS = {f"{word}_svm": tuple(f"{word}_{layer}" for layer in LAYERS) for word in OPERATORS}
"""Nets that a support vector machine joins, by its name."""

NAMES = {
    "diff_cnn": "DiffCNN",
    **{f"{word}_{layer}": f"CompCNN-{word.capitalize()}@{layer}" for word in OPERATORS for layer in LAYERS},
    **{f"{word}_svm": f"CompCNN-{word.capitalize()}-SVM" for word in OPERATORS},
}
"""As the paper writes them."""

_ALL = (*NETWORKS, *STACKS)


def _known(members: tuple[str, ...]) -> tuple[str, ...]:
    unknown = [member for member in members if member not in _ALL]
    if unknown or len(set(members)) < len(members):
        raise MienError(
            f"model.members names {', '.join(unknown) or 'a member twice'} among {', '.join(members)}. "
            f"Name each once, of {', '.join(_ALL)}."
        )
    return members


Members = Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_known)]


class CurveParams(Params):
    """Scores against the number of training subjects, on fixed test subjects.

    Attributes:
        train_subjects: Numbers of subjects; empty for no curve.
        test_folds: Whose subjects are tested.
    """

    train_subjects: tuple[Count, ...]
    test_folds: tuple[Annotated[int, Field(ge=0, le=MOST)], ...]


class ProtocolParams(Params):
    """How a dataset with folds is divided.

    Attributes:
        validation_fraction: About this part of the training subjects of each fold chooses the epoch.
        seed: Of that choice.
        curve: The learning curve.
    """

    validation_fraction: Share
    seed: Seed
    curve: CurveParams


class CompCNNModelParams(Params):
    """Which rows of the paper's tables are trained, and the sizes of their nets.

    Attributes:
        members: Of ``NETWORKS`` and ``STACKS``, a row of the tables each. What a stack joins is trained.
        crop_from: Side in pixels that faces are resized to before ``image_size`` pixels of them are cut out.
        num_frames: Images of a sequence from onset to apex, as many as the dataset's ``reader.num_frames``.
    """

    members: Members
    image_size: int = Field(ge=8, le=MOST_PIXELS)
    crop_from: int = Field(ge=8, le=MOST_PIXELS)
    num_frames: int = Field(ge=2, le=MOST)
    order: Literal["apex_minus_onset", "onset_minus_apex"]
    widths: tuple[Width, Width, Width]
    kernel_sizes: tuple[Depth, Depth, Depth]
    hidden: tuple[Width, Width]
    pool_drop_rates: tuple[Rate, Rate, Rate]
    hidden_drop_rates: tuple[Rate, Rate]
    mean: Mean
    std: Std

    @model_validator(mode="after")
    def _cuts_out_less_than_there_is(self) -> "CompCNNModelParams":
        if self.image_size > self.crop_from:
            raise MienError(
                f"image_size {self.image_size} cannot be cut out of {self.crop_from} pixels, which crop_from is. "
                "Give a crop_from of at least image_size."
            )
        return self

    def networks(self) -> dict[str, dict[str, Any]]:
        """Keyword arguments of each net that the rows need, by its name, in the order of ``NETWORKS``."""
        wanted = {name for row in self.members for name in STACKS.get(row, (row,))}
        sizes = self.model_dump(mode="json", exclude={"members", "crop_from"})
        return {name: {**sizes, **own} for name, own in NETWORKS.items() if name in wanted}

    def stacks(self) -> dict[str, tuple[str, ...]]:
        """The stacks among the rows, with what they join."""
        return {row: STACKS[row] for row in self.members if row in STACKS}


class PairAugmentationParams(Params):
    """How a pair is moved, both images alike."""

    shift: int = Field(ge=0, le=MOST_PIXELS)
    flip: Fraction
    rotate_degrees: float = Field(ge=0, le=45)


class SVMParams(Params):
    """The support vector machine on the nets' features.

    Attributes:
        costs: Values of C to choose from.
        num_folds: Groups of training subjects by which C is chosen.
    """

    costs: tuple[Positive, ...] = Field(min_length=1)
    num_folds: int = Field(ge=2, le=MOST)


class CompCNNTrainingParams(RecipeParams):
    """The recipe of every net.

    Attributes:
        seed: The first seed.
        num_seeds: How many; scores are averaged over them.
        workers: Processes that train trials; 0 is one per core. No result depends on it.
    """

    num_seeds: Count
    workers: Workers
    monitor: Literal["val/accuracy", "val/mean_class_accuracy", "val/loss"]
    loss: LossParams
    augmentation: PairAugmentationParams
    svm: SVMParams

    @property
    def seeds(self) -> tuple[int, ...]:
        """Every seed."""
        return tuple(range(self.seed, self.seed + self.num_seeds))


class CompCNNEvaluationParams(EvaluationParams):
    """How predictions are evaluated.

    Attributes:
        compared_with: The row that every other is compared with first; one that a run lacks is passed over.
    """

    compared_with: str

    @field_validator("compared_with")
    @classmethod
    def _known(cls, row: str) -> str:
        if row not in _ALL:
            raise MienError(f"evaluation.compared_with is {row}, which no row is. Name one of {', '.join(_ALL)}.")
        return row
