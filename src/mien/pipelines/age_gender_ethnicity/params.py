"""Parameters of ``age_gender_ethnicity``."""

from typing import Any, Literal

from pydantic import Field, model_validator

from mien.errors import MienError
from mien.labels import ETHNICITIES, GENDERS
from mien.nodes.params import MOST_PIXELS, Fraction, LearningRate, Name, Params, Positive, Rate, RecipeParams, Width

Target = Literal["age", "gender", "ethnicity"]

TARGETS: tuple[Target, ...] = ("age", "gender", "ethnicity")

OUTPUTS: dict[str, tuple[str, ...]] = {"age": ("years",), "gender": GENDERS, "ethnicity": ETHNICITIES}
"""Names of what a network says of each target: one number, or a score per class."""

EVERY = "all"
"""As a target: all three at once. As members: each network that is described."""


class NetworkParams(Params):
    """One network: what it predicts from what, its layers, and how it starts.

    Attributes:
        target: What it predicts; ``all`` is one trunk with a head per target.
        reads: The image, its pixels, or their principal components.
        channels: Of the convolutional stages; none for a network that reads a vector.
        hidden: Widths of the fully connected layers before the output. A network that reads a vector and has none is
            linear or logistic regression, fitted by scikit-learn, its penalty chosen on split val.
        conv_dropout: Share of values dropped after each stage.
        dropout: Likewise after each hidden layer.
        activation: Of all layers but the output.
        batch_norm: Whether values are normalised before each activation, and pixels where they are read as a vector.
        start: How weights are drawn: ``glorot`` or ``he``.
        standardise: Whether a number is predicted as mean and spread of the train split's.
    """

    target: Literal["age", "gender", "ethnicity", "all"]
    reads: Literal["image", "pixels", "components"]
    channels: tuple[Width, ...] = ()
    hidden: tuple[Width, ...] = ()
    conv_dropout: tuple[Rate, ...] = ()
    dropout: tuple[Rate, ...] = ()
    activation: Literal["relu", "elu"] = "relu"
    batch_norm: bool = False
    start: Literal["glorot", "he"] = "glorot"
    standardise: bool = False

    @model_validator(mode="after")
    def _reads_what_it_can(self) -> "NetworkParams":
        if (self.reads == "image") != bool(self.channels):
            raise MienError(
                f"A network that reads {self.reads} has {len(self.channels)} convolutional stages. Give channels to "
                "one that reads the image, and none to the others."
            )
        if self.target == EVERY and self.reads != "image":
            raise MienError(f"A network of all targets reads {self.reads}. Let it read the image.")
        return self

    @property
    def targets(self) -> tuple[Target, ...]:
        """What it predicts, in the order of its outputs."""
        return TARGETS if self.target == EVERY else (self.target,)

    @property
    def linear(self) -> bool:
        """Whether it has no hidden layer."""
        return not self.channels and not self.hidden

    def model_name(self, name: str) -> str:
        """Its name without the target's: ``cnn`` of ``age_cnn``."""
        return name.removeprefix(f"{self.target}_")

    def architecture(self, num_components: int, image_size: int) -> dict[str, Any]:
        """A member of ``mien.models.attribute_networks.AttributeNetworks``, ready for JSON."""
        layers = self.model_dump(mode="json", include={"hidden", "dropout", "activation", "batch_norm", "start"})
        num_outputs = [len(OUTPUTS[target]) for target in self.targets]
        if self.reads != "image":
            inputs = num_components if self.reads == "components" else image_size**2
            normalised = self.batch_norm and self.reads == "pixels"
            config = {"num_inputs": inputs, "num_outputs": num_outputs[0], **layers, "normalise_inputs": normalised}
            return {"architecture": "attribute_dnn", "reads": self.reads, "config": config}
        layers |= {"channels": list(self.channels), "conv_dropout": list(self.conv_dropout), "image_size": image_size}
        if self.target == EVERY:
            config = {"outputs": num_outputs, **layers}
            return {"architecture": "multi_task_cnn", "reads": self.reads, "config": config}
        config = {"num_outputs": num_outputs[0], **layers}
        return {"architecture": "attribute_cnn", "reads": self.reads, "config": config}


class AttributeModelParams(Params):
    """The networks that one run trains.

    Attributes:
        image_size: Side of the images, in pixels.
        num_components: Principal components of the train split's faces.
        members: Names of the networks to train; ``[all]`` trains each.
        networks: By name, which begins with the target's.
    """

    image_size: int = Field(ge=4, le=MOST_PIXELS)
    num_components: Width
    members: tuple[str, ...] = Field(min_length=1)
    networks: dict[Name, NetworkParams] = Field(min_length=1)

    @model_validator(mode="after")
    def _chooses_known_networks(self) -> "AttributeModelParams":
        unknown = [name for name in self.members if name not in self.networks and name != EVERY]
        if unknown:
            raise MienError(
                f"model.members names {', '.join(unknown)}, which model.networks does not describe. Choose from "
                f"{', '.join(self.networks)}, or {EVERY}."
            )
        return self

    @property
    def trained(self) -> dict[str, NetworkParams]:
        """The members, in the order of their description."""
        return {name: each for name, each in self.networks.items() if EVERY in self.members or name in self.members}


class BatchNormParams(Params):
    """What networks with batch normalisation, which are ours, have in the recipe's place.

    Attributes:
        lr: Learning rate.
        schedule: Of the learning rate.
        flip: Share of faces that are mirrored, where a network reads the image.
    """

    lr: LearningRate
    schedule: Literal["constant", "cosine"]
    flip: Fraction


class AttributeTrainingParams(RecipeParams):
    """The recipe of every network.

    Attributes:
        monitor: What chooses the best epoch and ends a training that no longer gains.
        batch_norm: What differs for networks with batch normalisation.
        penalties: Strengths of the squared penalty that linear and logistic regression try; split val chooses.
    """

    monitor: Literal["val/loss"]
    batch_norm: BatchNormParams
    penalties: tuple[Positive, ...] = Field(min_length=1)
